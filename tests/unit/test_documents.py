"""Documents that name tests and files as their evidence: each is there, down to the function or the run."""

import ast
import re
from pathlib import Path

import pytest

from tools.common.paths import ROOT

LEAST = {"reliability.md": 20, "security.md": 30, "architecture.md": 5}
"""How many tests each document names at least."""

TEST = re.compile(r"`((?:tests|terraform/tests)/[\w/]+(?:\.py|\.tftest\.hcl))(?:::(\w+))?`")
PLACE = re.compile(r"`((?:docs|events|function|terraform|tests|tools)/[\w./-]*)`")


def named(document: str) -> list[tuple[str, str]]:
    """The tests that a document names: files, and functions or runs, which are empty where the whole file is meant."""
    return TEST.findall((ROOT / "docs" / document).read_text())


def found_in(path: Path) -> set[str]:
    """The tests that a file has."""
    if path.suffix == ".hcl":
        return set(re.findall(r'^run "(\w+)"', path.read_text(), re.MULTILINE))
    functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if name.startswith("test_")}


@pytest.mark.parametrize(
    ("document", "path", "name"), [(document, *test) for document in LEAST for test in named(document)]
)
def test_a_test_that_is_named_is_there(document: str, path: str, name: str) -> None:
    there = found_in(ROOT / path)
    assert there, document
    assert name in there | {""}


@pytest.mark.parametrize("document", LEAST)
def test_a_file_that_is_named_is_there(document: str) -> None:
    places = PLACE.findall((ROOT / "docs" / document).read_text())
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("document", LEAST)
def test_every_document_names_its_evidence(document: str) -> None:
    assert len(named(document)) >= LEAST[document]
