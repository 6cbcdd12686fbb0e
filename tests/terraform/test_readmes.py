"""What the documents say of the module: its inputs and outputs, and code that can be planned."""

import re
from pathlib import Path

import pytest

from tests.terraform.blocks import Block, blocks, plan
from tools.common.paths import ROOT
from tools.dev import module_docs

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "terraform/*.md", "terraform/modules/*/*.md", "terraform/examples/*/*.md")
    for path in ROOT.glob(pattern)
)

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_module = pytest.mark.parametrize("module", module_docs.MODULES, ids=named)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=named)


@each_module
def test_a_readme_has_the_inputs_and_outputs_that_the_module_has(module: Path) -> None:
    same = (module / "README.md").read_text() == module_docs.renewed(module)
    assert same, f"{named(module)}/README.md is not what the module's .tf files say: run `invoke docs`"


@each_module
def test_every_input_and_output_is_described_and_every_input_has_a_type(module: Path) -> None:
    inputs, outputs = module_docs.inputs(module), module_docs.outputs(module)
    assert [one.name for one in inputs if not one.description.strip()] == []
    assert [one.name for one in outputs if not one.description.strip()] == []
    assert [one.name for one in inputs if not one.type or re.search(r"\bany\b", one.type)] == []


@each_module
def test_null_is_no_value_of_an_input_but_where_it_is_the_default(module: Path) -> None:
    assert [one.name for one in module_docs.inputs(module) if one.nullable and one.default != "null"] == []


@pytest.fixture(scope="module")
def wrong(module_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Block, str]:
    return plan(BLOCKS, module_copy, tmp_path_factory.mktemp("documents"))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_can_be_planned_as_it_is_printed(wrong: dict[Block, str], block: Block) -> None:
    assert wrong[block] == ""


@each_document
def test_no_block_of_terraforms_language_is_overlooked(document: Path) -> None:
    opened = re.findall(r"^[ >]*(?:```+|~~~+) *(?:hcl|terraform|tf)\b", document.read_text(), re.MULTILINE)
    assert len(opened) == len(list(blocks(document)))
