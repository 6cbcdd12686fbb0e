"""The blocks of Terraform's language in the documents, laid out so that one ``terraform test`` plans them all."""

import contextlib
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.modules import MODULES, declarations
from tools.common import hcl
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform

BUCKETS = {"source_bucket": '"my-images-in"', "destination_bucket": '"my-images-out"'}
"""What a block of arguments alone need not repeat."""

MOCK = """
mock_provider "aws" {{
  source = "./terraform/tests/mocks"
  {alias}
}}
"""

RUN = """
run "plan" {{
  command   = plan
  providers = {{ {providers} }}

  module {{
    source = "./blocks/{name}"
  }}
}}
"""


@dataclass(frozen=True)
class Block:
    """One block of a document.

    Attributes:
        line: Where it opens, from 1.
        text: What is in it.

    """

    document: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def name(self) -> str:
        """What its folder is called."""
        return re.sub(r"\W+", "-", str(self))


def blocks(document: Path) -> Iterator[Block]:
    """Find all blocks of a document that are marked ``hcl``."""
    text = document.read_text()
    for found in re.finditer(r"^( *)```hcl\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield Block(document, text.count("\n", 0, found.start()) + 1, textwrap.dedent(found[2]))


def plan(all_blocks: Iterable[Block], module: Path, folder: Path) -> dict[Block, str]:
    """Plan every block, all of them with one ``init``, and tell what is wrong with each; of most that is nothing.

    Args:
        all_blocks: From any documents.
        module: A copy of ``terraform/``.
        folder: An empty one, the root of all configurations.

    Raises:
        ToolError: A block is not HCL.
        ValueError: A block calls a module that is none of this repository's.

    """
    # Terraform initialises no folder that is without any configuration.
    (folder / "main.tf").write_text("# The configurations are in blocks/.\n")
    (folder / "terraform").symlink_to(module)
    (folder / ".terraform.lock.hcl").write_bytes((module / ".terraform.lock.hcl").read_bytes())
    (folder / "tests").mkdir()
    for block in all_blocks:
        (folder / "blocks" / block.name).mkdir(parents=True)
        (folder / "blocks" / block.name / "main.tf").write_text(_configuration(block))
        (folder / "tests" / f"{block.name}.tftest.hcl").write_text(_test(block))
    messages = _messages(Terraform(folder))
    return {block: _wrong(block, messages) for block in all_blocks}


def _test(block: Block) -> str:
    """A test that plans a block, with a mock for each provider that the block itself configures."""
    providers = [one.arguments for one in hcl.parse(block.text, str(block)).blocks if one.kind == "provider"]
    aliases = [json.loads(block.text[one["alias"]]) for one in providers if "alias" in one]
    mocks = [MOCK.format(alias=""), *(MOCK.format(alias=f'alias = "{one}"') for one in aliases)]
    given = ["aws = aws", *(f"aws.{one} = aws.{one}" for one in aliases)]
    return "".join(mocks) + RUN.format(providers=", ".join(given), name=block.name)


def _configuration(block: Block) -> str:
    """A block as a whole configuration, with the modules and the package of this repository."""
    text = _whole(block)
    calls = [one for one in hcl.parse(text, str(block)).blocks if one.kind == "module"]
    edits = [edit for call in calls for edit in _edits(call, text, block)]
    for where, replacement in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        text = text[: where.start] + replacement + text[where.stop :]
    return text


def _whole(block: Block) -> str:
    """A block as it is, or, where it is arguments alone, a call of the pipeline's module with those."""
    found = hcl.parse(block.text, str(block))
    if found.blocks:
        return block.text
    buckets = [f"{name} = {value}" for name, value in BUCKETS.items() if name not in found.arguments]
    return "\n".join(['module "image_resize" {', 'source = "./terraform"', *buckets, block.text, "}\n"])


def _edits(call: hcl.Block, text: str, block: Block) -> Iterator[tuple[slice, str]]:
    """What in the text of a module's call is replaced by what."""
    package = 'path = "./terraform/tests/package/function.zip"'
    source = call.arguments["source"]
    module = _module(json.loads(text[source]), block)
    added = ""
    if "package" in call.arguments:
        where = call.arguments["package"]
        yield where, re.sub(r'\bpath\s*=\s*"[^"]*"', package, text[where])
    elif "package" in declarations(module, "variable"):
        added = f"\n  package = {{ {package} }}"
    yield source, f'"../../{module.relative_to(ROOT)}"{added}'


def _module(source: str, block: Block) -> Path:
    """The folder of this repository that a reader's ``source`` means."""
    copied = re.search(r"(?:^|/)(terraform(?:/modules/[\w-]+)?)/?(?:\?|$)", source)
    module = ROOT / copied[1] if copied else (block.document.parent / source).resolve()
    if module not in MODULES:
        raise ValueError(f"{block}: {source} is none of the modules in {TERRAFORM}")
    return module


def _messages(terraform: Terraform) -> list[dict[str, Any]]:
    """What is said of all configurations, by one ``terraform test``."""
    lines: list[str] = []
    # What is wrong is among the messages, which unlike these errors name the file: also what stops init.
    with contextlib.suppress(ToolError):
        terraform.init()
    with contextlib.suppress(ToolError):
        terraform.run("test", "-json", show=lines.append)
    return [json.loads(line) for line in lines]


def _wrong(block: Block, messages: list[dict[str, Any]]) -> str:
    """Nothing where the block could be planned; else why not, or, where it was never tried, what prevented that."""
    test, file = f"tests/{block.name}.tftest.hcl", f"blocks/{block.name}/main.tf"
    if any(one.get("@testfile") == test and one.get("test_run", {}).get("status") == "pass" for one in messages):
        return ""
    errors = [one for one in messages if one.get("diagnostic", {}).get("severity") == "error"]
    own = [one for one in errors if test == one.get("@testfile") or file == _place(one)]
    return "; ".join(["Not planned", *(f"{_place(one)}: {_explained(one)}" for one in own or errors)])


def _place(message: dict[str, Any]) -> str:
    return str(message["diagnostic"].get("range", {}).get("filename", "no file"))


def _explained(message: dict[str, Any]) -> str:
    return " ".join(f"{message['diagnostic']['summary']}: {message['diagnostic']['detail']}".split())
