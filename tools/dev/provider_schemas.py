"""Compares the AWS provider's versions 5 and 6, as far as ``terraform/`` uses them.

The table holds the kind of every argument, block and attribute in use. Version 6 comes from CDK Terrain's bindings,
which are generated from the provider's schema: npm has them, while the provider itself has 800 MB.
"""

import csv
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2

from tools.common import npm
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform, copy_code

TABLE = ROOT / "tests" / "terraform" / "provider_schemas.csv"

VERSIONS = ("5.100.0", "6.66.0")
"""The version of .terraform.lock.hcl, and the version of the bindings."""

BINDINGS = ("@cdktn/provider-aws", "25.7.0")
INTEGRITY = "sha512-E/nhu0yVZE4mXMgIPuI8tEFt1BExLkA7ARjihdG+/HmfDfzLr+OEF3dkFRvI6glRt30lrrBWQLwXqCJBxcmyUg=="

DEPRECATED = {"data.aws_region.name": "6.0", "data.aws_region.id": "6.47"}
"""Deprecations of version 6, each with its release. The bindings omit them: add new ones from its changelog."""

META = {"count", "depends_on", "for_each", "lifecycle", "provider", "provisioner", "connection"}
"""Arguments and blocks that Terraform itself defines."""

REFERENCE = re.compile(r"\b((?:data\.)?aws_\w+)\.\w+((?:\.\w+|\[[^]]*])+)")
"""A resource's or data source's type, and the path of an attribute."""

OWNER = re.compile(r"^(?:function (\w+)ToHclTerraform\(| +synthesizeHclAttributes\()", re.MULTILINE)
"""In the bindings: a block's name, or none for the resource itself. The arguments follow."""

ARGUMENT = re.compile(
    r'^ +(\w+): \{\n +value: .*\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)"', re.MULTILINE
)

COMPUTED = re.compile(
    r"// (\w+) - computed: true, optional: false, required: false\n +get \w+\(\) \{\n"
    r" +return (cdktn\.Fn\.tolist\()?this\.get(String|Number|Boolean|List)Attribute\("
)
"""In the bindings: an attribute that can't be set."""


def write() -> Path:
    """Write the table; returns its file. Downloads 46 MB.

    Raises:
        ToolError: Terraform or npm failed.

    """
    uses = sorted(find_uses(TERRAFORM))
    types = {found[0] for use in uses if (found := re.match(r"(data\.)?\w+", use))}
    columns = [dict(_read_schema(types)), dict(_read_bindings(types))]
    with TABLE.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", *VERSIONS])
        rows.writerows([use, *(column.get(use, "missing") for column in columns)] for use in uses)
    return TABLE


def find_objections(folder: Path = TERRAFORM, table: Path = TABLE) -> Iterator[str]:
    """Yield a line for each use that is missing, deprecated, or of another kind in one of the versions."""
    with table.open(newline="") as file:
        kinds = {name: versions for name, *versions in csv.reader(file)}
    for use in sorted(find_uses(folder)):
        old, new = kinds.get(use, ("", ""))
        if not old:
            yield f"{use} is not in {table.name}: run `invoke provider-schemas`"
        elif old != new or old == "missing" or "deprecated" in old:
            yield f"{use} is {old} in {VERSIONS[0]} and {new} in {VERSIONS[1]}: use what both have"


def find_uses(folder: Path) -> set[str]:
    """Find the arguments, blocks and attributes of the provider that a folder's code uses.

    An attribute of an object that an expression renames, such as ``alarm`` in ``for alarm in …``, is not found.
    """
    uses = set()
    for path in folder.rglob("*.tf"):
        if ".terraform" in path.parts:
            continue
        text = path.read_text()
        uses |= {name + re.sub(r"\[[^]]*]", "", attributes) for name, attributes in REFERENCE.findall(text)}
        contents = hcl2.loads(text)
        for prefix, kind in (("", "resource"), ("data.", "data")):
            for block in contents.get(kind, []):
                ((kind_name, named),) = _without_marks(block).items()
                (body,) = _without_marks(named).values()
                name = prefix + kind_name.strip('"')
                uses |= {f"{name}.{use}" for use in _find_arguments(body, META)}
                uses |= {f"{name}.{own}" for own in re.findall(r"\bself\.(\w+)", json.dumps(body))}
    return uses


def _find_arguments(body: Mapping[str, Any], ignored: set[str]) -> Iterator[str]:
    for name, value in _without_marks(body).items():
        if name in ignored:
            continue
        if name == "dynamic":
            blocks = [
                (one.strip('"'), inner["content"]) for block in value for one, inner in _without_marks(block).items()
            ]
        elif isinstance(value, list) and all(isinstance(one, dict) and "__is_block__" in one for one in value):
            blocks = [(name, value)]
        else:
            blocks = [(name, [])]
        for block, contents in blocks:
            yield block
            yield from (f"{block}.{use}" for inner in contents for use in _find_arguments(inner, set()))


def _without_marks(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what hcl2 read without its own marks."""
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _read_schema(types: set[str]) -> Iterator[tuple[str, str]]:
    """Yield every name with its kind, from the provider that is installed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy_code(TERRAFORM, Path(scratch))
        terraform = Terraform(Path(scratch))
        terraform.init()
        (schemas,) = json.loads(terraform.run("providers", "schema", "-json"))["provider_schemas"].values()
    for name in types:
        kind = "data_source_schemas" if name.startswith("data.") else "resource_schemas"
        if schema := schemas[kind].get(name.removeprefix("data.")):
            yield from _flatten_block(schema["block"], name)


def _flatten_block(block: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    deprecated = {True: "deprecated "}
    for name, attribute in block.get("attributes", {}).items():
        ((_, kind), *inner) = _flatten_type(attribute["type"], f"{path}.{name}")
        yield f"{path}.{name}", deprecated.get(attribute.get("deprecated"), "") + kind
        yield from inner
    for name, nested in block.get("block_types", {}).items():
        yield f"{path}.{name}", deprecated.get(nested["block"].get("deprecated"), "") + "block"
        yield from _flatten_block(nested["block"], f"{path}.{name}")


def _flatten_type(kind: Any, path: str) -> Iterator[tuple[str, str]]:
    match kind:
        case str():
            yield path, kind
        case [_, ["object", attributes]]:
            # Written as blocks.
            yield path, "block"
            for name, inner in attributes.items():
                yield from _flatten_type(inner, f"{path}.{name}")
        case [collection, _]:
            yield path, collection


def _read_bindings(types: set[str]) -> Iterator[tuple[str, str]]:
    """Yield every name with its kind, from the bindings."""
    wanted = {f"package/lib/{re.sub(r'[._]', '-', name.removeprefix('aws_'))}/index.js": name for name in types}
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(npm.fetch(*BINDINGS, INTEGRITY, Path(scratch))) as all_:
        for member in all_:
            if (name := wanted.get(member.name)) and (file := all_.extractfile(member)):
                for path, kind in _read_binding(file.read().decode(), name):
                    yield path, f"deprecated {kind}" if path in DEPRECATED else kind


def _read_binding(code: str, path: str) -> Iterator[tuple[str, str]]:
    _, *parts = OWNER.split(code)
    arguments = {owner: ARGUMENT.findall(text) for owner, text in zip(parts[::2], parts[1::2], strict=True)}
    for name, to_list, kind in COMPUTED.findall(code[code.index("static tfResourceType") :]):
        yield f"{path}.{name}", "set" if to_list else {"Boolean": "bool"}.get(kind, kind.lower())

    def flatten(owner: str | None, path: str) -> Iterator[tuple[str, str]]:
        for name, is_block, kind, storage in arguments[owner]:
            if is_block == "true":
                yield f"{path}.{name}", "block"
                inner = storage.removesuffix("List")
                yield from flatten(inner[0].lower() + inner[1:], f"{path}.{name}")
            else:
                scalar = {"boolean": "bool"}.get(storage, storage)
                yield f"{path}.{name}", scalar if kind == "simple" else kind

    yield from flatten(None, path)
