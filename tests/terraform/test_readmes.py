"""The documents list the module's inputs and outputs, and Terraform can plan their code."""

import html
import json
import re
from pathlib import Path

import pytest

from tests.terraform.blocks import Block, blocks, plan
from tests.terraform.modules import MODULES, declarations
from tools.common.paths import ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "terraform/*.md", "terraform/modules/*/*.md", "terraform/examples/*/*.md")
    for path in ROOT.glob(pattern)
)

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def name_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_module = pytest.mark.parametrize("module", MODULES, ids=name_path)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_path)


def read_rows(module: Path, heading: str) -> list[list[str]]:
    """Return the rows of a table in a module's README, as plain text with single blanks."""
    section = (module / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    plain = html.unescape(re.sub(r"</?pre>|`", "", section.replace("<br>", " ")))
    return [
        [" ".join(cell.split()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in plain.splitlines()[3:]
        if line
    ]


def make_row(name: str, written: dict[str, str], columns: tuple[str, ...]) -> list[str]:
    """Return the row of an input or output, from its arguments as they are written."""
    cells = [" ".join(written.get(column, "required").split()) for column in columns]
    return [name, *cells, json.loads(written["description"])]


@each_module
def test_a_readme_lists_the_inputs_and_outputs_that_the_module_declares(module: Path) -> None:
    inputs = [
        make_row(name, written, ("type", "default")) for name, written in declarations(module, "variable").items()
    ]
    outputs = [make_row(name, written, ()) for name, written in declarations(module, "output").items()]
    assert read_rows(module, "Inputs") == sorted(inputs, key=lambda cells: (cells[2] != "required", cells[0]))
    assert read_rows(module, "Outputs") == sorted(outputs)


@each_module
def test_every_input_and_output_has_a_description_and_every_input_a_type(module: Path) -> None:
    inputs, outputs = declarations(module, "variable"), declarations(module, "output")
    assert [
        name for name, written in (inputs | outputs).items() if not json.loads(written["description"]).strip()
    ] == []
    assert [name for name, written in inputs.items() if re.search(r"^$|\bany\b", written["type"])] == []


@each_module
def test_an_input_accepts_null_only_if_null_is_its_default(module: Path) -> None:
    nullable = {
        name: written
        for name, written in declarations(module, "variable").items()
        if written.get("nullable") != "false"
    }
    assert [name for name, written in nullable.items() if written["default"] != "null"] == []


@pytest.fixture(scope="module")
def wrong(module_copy: Path, provider: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[Block, str]:
    return plan(BLOCKS, module_copy, tmp_path_factory.mktemp("documents"), provider)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_of_a_document_can_be_planned(wrong: dict[Block, str], block: Block) -> None:
    assert wrong[block] == ""


@each_document
def test_no_block_of_terraforms_language_is_overlooked(document: Path) -> None:
    opened = re.findall(r"^[ >]*(?:```+|~~~+) *(?:hcl|terraform|tf)\b", document.read_text(), re.MULTILINE)
    assert len(opened) == len(list(blocks(document)))
