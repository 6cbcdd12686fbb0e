"""What the documents say of the module: its inputs and outputs, code that can be planned, and links that lead there."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.terraform.blocks import Block, blocks, plan
from tools import module_docs
from tools.paths import ROOT

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


def prose(document: Path) -> str:
    """A document without what it shows as code."""
    return re.sub(r"^( *)```.*?^\1```$|`[^`\n]*`", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """What GitHub lets links to the document's headings end in."""
    text = re.sub(r"^( *)```.*?^\1```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: Counter[str] = Counter()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        slug = re.sub(r"[^\w -]", "", re.sub(r"\]\(\S*\)", "]", heading)).lower().replace(" ", "-")
        found[f"{slug}-{found[slug]}" if slug in found else slug] += 1
    return set(found)


def leads_there(document: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    place = (document.parent / path).resolve() if path else document
    return place.exists() and (not anchor or anchor in anchors(place))


@each_document
def test_links_into_the_repository_lead_to_files_and_headings_that_are_there(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)", prose(document))
    assert [one for one in targets if not re.match(r"[a-z]+:", one) and not leads_there(document, one)] == []
