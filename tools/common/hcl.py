"""Reads Terraform's language: which blocks and arguments there are, where each is written, and what is literal."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import hcl2
from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from tools.common.errors import ToolError

WORDS = {"null": None, "true": True, "false": False}

ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\$\$\{|%%\{")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
"""What stands for something else in a string, and for what:
https://developer.hashicorp.com/terraform/language/expressions/strings"""


class _NotLiteralError(Exception):
    """An expression has to be evaluated; the message is what it is."""


@dataclass(frozen=True)
class Block:
    """One block: what is inside its braces.

    Attributes:
        kind: Such as ``variable``.
        labels: Such as the variable's name.
        arguments: Each argument's name, and where in the text its value is.
        blocks: Those directly inside, in their order.

    """

    kind: str
    labels: tuple[str, ...]
    arguments: Mapping[str, slice]
    blocks: tuple["Block", ...]


def parse(text: str, origin: str) -> Block:
    """Read a whole text, as one block that has neither kind nor labels.

    Args:
        text: Such as the contents of a ``.tf`` file.
        origin: What an error calls the text.

    Raises:
        ToolError: It is not HCL.

    """
    return _block("", (), _body(text, origin))


def literals(text: str, origin: str, names: Collection[str]) -> dict[str, Any]:
    """Read what is given to some arguments, as JSON would have it; a ``.tfvars`` file holds nothing but literals.

    Args:
        text: Such as the contents of a ``.tfvars`` file.
        origin: What an error calls the text.
        names: Of the arguments; others are left alone.

    Raises:
        ToolError: It is not HCL, or one of these is no literal, such as a call of a function.

    """
    found = {}
    for part in _parts(_body(text, origin)):
        if part.data == "attribute" and (name := _word(_parts(part)[0])) in names:
            try:
                found[name] = _literal(_parts(part)[1])
            except _NotLiteralError as error:
                raise ToolError(f"{origin}: {name} holds `{error}`: write out what it comes to") from None
    return found


def _body(text: str, origin: str) -> Tree[Token]:
    try:
        return _parts(hcl2.parses_to_tree(text))[0]
    except UnexpectedInput as error:
        raise ToolError(f"{origin}: its line {error.line} is not HCL; `terraform fmt` says what is wrong") from None


def _block(kind: str, labels: tuple[str, ...], body: Tree[Token]) -> Block:
    arguments, blocks = {}, []
    for part in _parts(body):
        if part.data == "attribute":
            name, value = _parts(part)
            arguments[_word(name)] = slice(value.meta.start_pos, value.meta.end_pos)
        elif part.data == "block":
            head, *names, inside = _parts(part)
            blocks.append(_block(_word(head), tuple(map(_word, names)), inside))
    return Block(kind, labels, arguments, tuple(blocks))


def _parts(tree: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _word(tree: Tree[Token]) -> str:
    """An identifier, or a label with its quotation marks taken off."""
    return "".join(tree.scan_values(lambda _: True)).strip('"')


def _literal(tree: Tree[Token]) -> Any:
    text = "".join(tree.scan_values(lambda _: True))
    parts = [part for part in _parts(tree) if part.data != "new_line_or_comment"]
    match str(tree.data):
        case "expr_term" if len(parts) == 1:
            return _literal(parts[0])
        case "unary_op" if text.startswith("-") and isinstance(value := _literal(parts[-1]), int | float):
            return -value
        case "int_lit" | "float_lit":
            # It has one kind of number, of which JSON writes what is whole without a fraction.
            return int(value) if (value := float(text)).is_integer() else value
        case "literal_value":
            return WORDS[text]
        case "string" if not any(map(_parts, parts)):
            return ESCAPE.sub(_unescaped, text[1:-1])
        case "tuple":
            return [_literal(part) for part in parts]
        case "object":
            return dict(map(_element, parts))
    raise _NotLiteralError(text)


def _element(tree: Tree[Token]) -> tuple[str, Any]:
    key, value = _parts(tree)
    term = _parts(_parts(key)[0])
    name = _word(key) if term and term[0].data == "identifier" else _literal(_parts(key)[0])
    return str(name), _literal(value)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    if code is None:
        return escape[0][1:]
    return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else ESCAPED.get(code, escape[0])
