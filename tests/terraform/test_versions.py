"""The module keeps to the Terraform that it requires, and to the features that OpenTofu shares."""

import re
from collections.abc import Iterator

from tests import hcl
from tools.common.paths import TERRAFORM

FILES = [path for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts]

KNOWN = {
    "": {"data", "locals", "module", "moved", "output", "resource", "terraform", "variable"},
    "variable": {"default", "description", "nullable", "sensitive", "type", "validation"},
    "output": {"depends_on", "description", "precondition", "sensitive", "value"},
    "lifecycle": {
        *("create_before_destroy", "ignore_changes", "postcondition", "precondition", "prevent_destroy"),
        "replace_triggered_by",
    },
}
"""Blocks and arguments of Terraform 1.9 and OpenTofu 1.9, by the block that they are in:
https://developer.hashicorp.com/terraform/language/v1.9.x and https://opentofu.org/docs/v1.9/language/"""

NEWER = re.compile(r"\bprovider::|\bephemeral\.|\bephemeralasnull\(|\b\w+_wo(?:_version)? *=")
"""Functions of providers, ephemeral values and write-only arguments: they are newer, or differ in OpenTofu."""


def find_newer(block: hcl.Block) -> Iterator[str]:
    inside = [*block.arguments, *(one.kind for one in block.blocks)]
    yield from (f"{block.kind} {name}" for name in inside if name not in KNOWN.get(block.kind, inside))
    for one in block.blocks:
        yield from find_newer(one)


def test_no_feature_is_newer_than_the_required_terraform_or_missing_in_opentofu() -> None:
    texts = {str(path.relative_to(TERRAFORM)): path.read_text() for path in FILES}
    newer = {path: [*find_newer(hcl.parse(text, path)), *NEWER.findall(text)] for path, text in texts.items()}
    assert {path: found for path, found in newer.items() if found} == {}


def test_the_module_and_its_examples_require_the_same_versions() -> None:
    texts = [path.read_text() for path in FILES if path.name == "terraform.tf"]
    assert len({text.partition("terraform {")[2] for text in texts}) == 1
