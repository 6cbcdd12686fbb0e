"""Documents that name tests as their evidence: each test exists, down to the function or the run."""

import ast
import re
from pathlib import Path

import pytest

from tests.unit.test_docs import DOCUMENTS
from tools.common.paths import ROOT

MINIMUM = {"docs/reliability.md": 20, "docs/security.md": 30, "docs/architecture.md": 5, "docs/aws-limits.md": 15}
"""The least number of tests that each document names."""

TEST = re.compile(r"((?:tests|terraform/tests)/[\w/]+(?:\.py|\.tftest\.hcl))(?:::(\w+))?")

NAMED = {
    name: [match.groups() for code in document.code if (match := TEST.fullmatch(code))]
    for name, document in DOCUMENTS.items()
}
"""The tests that each document names: a file, and a function or run unless the whole file is meant."""


def find_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    if path.suffix == ".hcl":
        return set(re.findall(r'^run "(\w+)"', path.read_text(), re.MULTILINE))
    functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if name.startswith("test_")}


@pytest.mark.parametrize(
    ("document", "path", "name"), [(document, *test) for document, tests in NAMED.items() for test in tests]
)
def test_a_named_test_exists(document: str, path: str, name: str | None) -> None:
    found = find_tests(ROOT / path)
    assert found, document
    assert name is None or name in found


@pytest.mark.parametrize("document", MINIMUM)
def test_a_document_names_its_evidence(document: str) -> None:
    assert len(NAMED[document]) >= MINIMUM[document]
