"""Plans the HCL blocks of the documents, all of them with one ``terraform test``."""

import contextlib
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import hcl
from tests.terraform.modules import MODULES, declarations
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform

BUCKETS = {"source_bucket": '"my-images-in"', "destination_bucket": '"my-images-out"'}
"""Arguments that blocks without a call leave out."""

PACKAGE = (
    '{ s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", '
    'runtime = "python3.13", architecture = "arm64" }'
)
"""A package in S3, because it has no manifest, and may have any extra."""

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
    """One block of a document; ``line`` is where it opens, from 1."""

    document: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def name(self) -> str:
        """Return the name of its folder and of its test."""
        return re.sub(r"\W+", "-", str(self))


def blocks(document: Path) -> Iterator[Block]:
    """Find all blocks of a document that are marked ``hcl``."""
    text = document.read_text()
    for found in re.finditer(r"^( *)```hcl\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield Block(document, text.count("\n", 0, found.start()) + 1, textwrap.dedent(found[2]))


def plan(all_blocks: Iterable[Block], module: Path, folder: Path, provider: Mapping[str, str]) -> dict[Block, str]:
    """Plan all blocks with a single ``init``, and return the problem of each; an empty string if it has none.

    Args:
        all_blocks: From any documents.
        module: A copy of ``terraform/``.
        folder: An empty folder for all configurations.
        provider: The variable with which Terraform uses a provider that is running.

    Raises:
        AssertionError: A block is not HCL.
        ValueError: A block calls a module that this repository does not have.

    """
    # Terraform initialises no folder without a configuration.
    (folder / "main.tf").write_text("# The configurations are in blocks/.\n")
    (folder / "terraform").symlink_to(module)
    (folder / ".terraform.lock.hcl").write_bytes((module / ".terraform.lock.hcl").read_bytes())
    (folder / "tests").mkdir()
    # A file that a block reads.
    (folder / "chain.pem").write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    for block in all_blocks:
        (folder / "blocks" / block.name).mkdir(parents=True)
        (folder / "blocks" / block.name / "main.tf").write_text(_make_configuration(block))
        (folder / "tests" / f"{block.name}.tftest.hcl").write_text(_make_test(block))
    messages = _read_messages(Terraform(folder, environment=provider))
    return {block: _find_problem(block, messages) for block in all_blocks}


def _make_test(block: Block) -> str:
    """Return a test that plans a block, with a mock for each provider that the block configures."""
    providers = [one.arguments for one in hcl.parse(block.text, str(block)).blocks if one.kind == "provider"]
    aliases = [json.loads(block.text[one["alias"]]) for one in providers if "alias" in one]
    mocks = [MOCK.format(alias=""), *(MOCK.format(alias=f'alias = "{one}"') for one in aliases)]
    given = ["aws = aws", *(f"aws.{one} = aws.{one}" for one in aliases)]
    return "".join(mocks) + RUN.format(providers=", ".join(given), name=block.name)


def _make_configuration(block: Block) -> str:
    """Return a block as a whole configuration that uses this repository's modules and package.

    ``terraform test`` accepts no ``import`` block: tests/pipeline/test_recipes.py applies those.
    """
    text = re.sub(r"^import \{\n.*?^\}\n", "", _complete(block), flags=re.MULTILINE | re.DOTALL)
    calls = [one for one in hcl.parse(text, str(block)).blocks if one.kind == "module"]
    edits = [edit for call in calls for edit in _find_edits(call, text, block)]
    for where, replacement in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        text = text[: where.start] + replacement + text[where.stop :]
    return text


def _complete(block: Block) -> str:
    """Complete a block with the parts that its document gives elsewhere: the package, or the call around arguments."""
    found = hcl.parse(block.text, str(block))
    if found.blocks:
        package = f"locals {{\n package = {PACKAGE}\n}}\n" if "local.package" in block.text else ""
        return block.text + package
    buckets = [f"{name} = {value}" for name, value in BUCKETS.items() if name not in found.arguments]
    return "\n".join(['module "image_resize" {', 'source = "./terraform"', *buckets, block.text, "}\n"])


def _find_edits(call: hcl.Block, text: str, block: Block) -> Iterator[tuple[slice, str]]:
    """Return the replacements in a module's call: its source, and a package if it has none of its own."""
    source = call.arguments["source"]
    module = _find_module(json.loads(text[source]), block)
    needs_package = "package" in declarations(module, "variable") and "package" not in call.arguments
    yield source, f'"../../{module.relative_to(ROOT)}"' + (f"\n  package = {PACKAGE}" if needs_package else "")


def _find_module(source: str, block: Block) -> Path:
    """Return the folder of this repository that a reader's ``source`` refers to."""
    copied = re.search(r"(?:^|/)(terraform(?:/modules/[\w-]+)?)/?(?:\?|$)", source)
    module = ROOT / copied[1] if copied else (block.document.parent / source).resolve()
    if module not in MODULES:
        raise ValueError(f"{block}: {source} is no module in {TERRAFORM}")
    return module


def _read_messages(terraform: Terraform) -> list[dict[str, Any]]:
    """Return the messages of one ``terraform test`` of all configurations."""
    lines: list[str] = []
    # The JSON messages name the file, which these errors don't, and repeat the reason if `init` fails.
    with contextlib.suppress(ToolError):
        terraform.init()
    with contextlib.suppress(ToolError):
        terraform.run("test", "-json", show=lines.append)
    return [json.loads(line) for line in lines]


def _find_problem(block: Block, messages: list[dict[str, Any]]) -> str:
    """Return why a block was not planned, which may be an error of another file; an empty string if it was planned."""
    test, file = f"tests/{block.name}.tftest.hcl", f"blocks/{block.name}/main.tf"
    if any(one.get("@testfile") == test and one.get("test_run", {}).get("status") == "pass" for one in messages):
        return ""
    errors = [one for one in messages if one.get("diagnostic", {}).get("severity") == "error"]
    own = [one for one in errors if test == one.get("@testfile") or file == _find_place(one)]
    return "; ".join(["Not planned", *(f"{_find_place(one)}: {_explain(one)}" for one in own or errors)])


def _find_place(message: dict[str, Any]) -> str:
    return str(message["diagnostic"].get("range", {}).get("filename", "no file"))


def _explain(message: dict[str, Any]) -> str:
    return " ".join(f"{message['diagnostic']['summary']}: {message['diagnostic']['detail']}".split())
