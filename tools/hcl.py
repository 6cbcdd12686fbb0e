"""Reads Terraform's language: which blocks and arguments there are, and where in the text each is written."""

from collections.abc import Mapping
from dataclasses import dataclass

import hcl2
from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from tools.errors import ToolError


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
    try:
        tree = hcl2.parses_to_tree(text)
    except UnexpectedInput as error:
        raise ToolError(f"{origin}: its line {error.line} is not HCL; `terraform fmt` says what is wrong") from None
    return _block("", (), _parts(tree)[0])


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
