"""Find settings that the module does not have: Terraform only warns about a variable, and drops an option silently."""

import ast
import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

import hcl2

from tools.common.paths import TERRAFORM

Type = Mapping[str, Any] | None
"""The type of each option of an object, or of all elements of a collection; None for anything else."""

ELEMENT = "*"
"""The option that stands for all elements of a collection."""


def find_unknown(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each variable or option that the module does not have; it names the nearest one."""
    yield from _find_unknown(settings, read_types(), "")


def _find_unknown(value: object, kind: Type, path: str) -> Iterator[str]:
    if kind is None:
        return
    if ELEMENT in kind:
        elements = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, element in elements:
            yield from _find_unknown(element, kind[ELEMENT], f"{path}{name}.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in kind:
                yield from _find_unknown(inner, kind[name], f"{path}{name}.")
            else:
                yield f"{path}{name} is not a setting of the module: {_suggest(name, kind)}"


def _suggest(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1, cutoff=0.7)
    return f"did you mean {nearest[0]}?" if nearest else f"use {', '.join(sorted(known))}"


@cache
def read_types() -> dict[str, Type]:
    """Read the type of each variable of the module."""
    blocks = hcl2.loads((TERRAFORM / "variables.tf").read_text())["variable"]
    types = {name.strip('"'): block["type"] for variable in blocks for name, block in variable.items()}
    return {name: _parse_type(text.removeprefix("${").removesuffix("}")) for name, text in types.items()}


def _parse_type(text: str) -> Type:
    """Parse a type constraint, which with ``"name":`` for ``name =`` is a Python expression."""
    return _convert(ast.parse(re.sub(r"(\w+)\s*=", r'"\1":', text), mode="eval").body)


def _convert(expression: ast.expr) -> Type:
    match expression:
        case ast.Call(ast.Name("object"), [ast.Dict(names, kinds)]):
            options = zip(names, kinds, strict=True)
            return {str(name.value): _convert(kind) for name, kind in options if isinstance(name, ast.Constant)}
        case ast.Call(ast.Name("optional"), [inner, *_]):
            return _convert(inner)
        case ast.Call(ast.Name("map" | "list"), [element]):
            return {ELEMENT: _convert(element)}
    return None
