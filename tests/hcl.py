"""The blocks of Terraform code, and where in the text their arguments are."""

from collections.abc import Mapping
from dataclasses import dataclass

import hcl2
from lark import Token, Tree
from lark.exceptions import UnexpectedInput


@dataclass(frozen=True)
class Block:
    """A block.

    Attributes:
        kind: Such as ``variable``.
        labels: Such as the variable's name.
        arguments: Where in the text each argument's value is, by name.
        blocks: The blocks directly inside, in order.

    """

    kind: str
    labels: tuple[str, ...]
    arguments: Mapping[str, slice]
    blocks: tuple["Block", ...]


def parse(text: str, origin: str) -> Block:
    """Parse a text, which errors call ``origin``, into one block without kind and labels."""
    try:
        return _block("", (), _parts(hcl2.parses_to_tree(text))[0])
    except UnexpectedInput as error:
        raise AssertionError(f"{origin}: line {error.line} is not HCL") from None


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
    """Return an identifier, or a label without its quotation marks."""
    return "".join(tree.scan_values(lambda _: True)).strip('"')
