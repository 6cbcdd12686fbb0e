"""Reads and writes literals in Terraform's language, such as the values in a ``.tfvars`` file."""

import re
from collections import Counter
from typing import Any

import hcl2
from hcl2 import SerializationOptions
from hcl2.rules.base import AttributeRule
from lark.exceptions import UnexpectedInput

from tools.common.errors import ToolError

OPTIONS = SerializationOptions(with_comments=False, preserve_heredocs=False, preserve_scientific_notation=False)
"""Strings keep their quotes, which tell them from expressions."""

ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\$\$\{|%%\{")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
"""Escapes in strings: https://developer.hashicorp.com/terraform/language/expressions/strings"""


class _NotLiteralError(Exception):
    """A value is an expression; the message is its code."""


def literals(text: str, origin: str) -> dict[str, Any]:
    """Return the values of all arguments, as JSON has them.

    Args:
        text: The contents of a ``.tfvars`` file.
        origin: The text's name in errors.

    Raises:
        ToolError: The text is not HCL, an argument is set twice, or a value is not a literal but, for example, a
            function call.

    """
    try:
        tree = hcl2.parses(text)
    except UnexpectedInput as error:
        raise ToolError(f"{origin}: line {error.line} is not HCL; `terraform fmt` says what is wrong") from None
    # In an object, Terraform lets a later attribute override an earlier one of its name.
    names = [one.identifier.serialize() for one in tree.body.children if isinstance(one, AttributeRule)]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise ToolError(f"{origin}: {twice} is set {names.count(twice)} times, but Terraform allows one: keep one")
    values = {}
    for name, value in hcl2.serialize(tree, serialization_options=OPTIONS).items():
        try:
            values[name] = _read_literal(value)
        except _NotLiteralError as error:
            raise ToolError(f"{origin}: {name} has the expression `{error}`: write its value") from None
    return values


def write_literal(value: Any) -> str:
    """Return an object, list, text, number, boolean or null of JSON in Terraform's language, on one line."""
    match value:
        case dict():
            inside = ", ".join(f"{write_key(key)} = {write_literal(one)}" for key, one in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case list():
            return f"[{', '.join(map(write_literal, value))}]"
        case str():
            escaped = re.sub(r'["\\]', r"\\\g<0>", value)
            escaped = re.sub(r"[\0-\x1f]", lambda control: f"\\u{ord(control[0]):04x}", escaped)
            return '"' + re.sub(r"([$%])(?=\{)", r"\1\1", escaped) + '"'
        case None:
            return "null"
    return str(value).lower()


def write_key(name: str) -> str:
    """Return a key of an object, in quotation marks unless it is an identifier."""
    return name if re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII) else write_literal(name)


def _read_literal(value: Any) -> Any:
    match value:
        case dict():
            return {
                _read_literal(key) if key.startswith(('"', "$")) else key: _read_literal(one)
                for key, one in value.items()
            }
        case list():
            return [_read_literal(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case str() if value.startswith('"') and not re.search(r"[$%]\{", ESCAPE.sub("", value)):
            return ESCAPE.sub(_unescape, value[1:-1])
        case str():
            raise _NotLiteralError(value.removeprefix("${").removesuffix("}"))
    return value


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1]
    if code is None:
        return escape[0][1:]
    return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else ESCAPED.get(code, escape[0])
