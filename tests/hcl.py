"""Parse Terraform code into blocks, with the positions of their arguments in the text."""

from collections.abc import Mapping
from dataclasses import dataclass

import hcl2
from lark import Token, Tree
from lark.exceptions import UnexpectedInput


@dataclass(frozen=True)
class Block:
    """A block.

    Attributes:
        kind: The type of the block, such as ``variable``.
        labels: The labels of the block, such as the variable's name.
        arguments: The position in the text of each argument's value, by the argument's name.
        blocks: The blocks directly inside, in order.

    """

    kind: str
    labels: tuple[str, ...]
    arguments: Mapping[str, slice]
    blocks: tuple["Block", ...]


def parse(text: str, origin: str) -> Block:
    """Parse a text into one block without a kind and labels.

    Raises:
        AssertionError: The text is not HCL. The message names ``origin``.

    """
    try:
        return _to_block("", (), _get_trees(hcl2.parses_to_tree(text))[0])
    except UnexpectedInput as error:
        raise AssertionError(f"{origin}: line {error.line} is not HCL") from None


def _to_block(kind: str, labels: tuple[str, ...], body: Tree[Token]) -> Block:
    arguments, blocks = {}, []
    for tree in _get_trees(body):
        if tree.data == "attribute":
            name, value = _get_trees(tree)
            arguments[_get_word(name)] = slice(value.meta.start_pos, value.meta.end_pos)
        elif tree.data == "block":
            kind_tree, *label_trees, inner_body = _get_trees(tree)
            blocks.append(_to_block(_get_word(kind_tree), tuple(map(_get_word, label_trees)), inner_body))
    return Block(kind, labels, arguments, tuple(blocks))


def _get_trees(tree: Tree[Token]) -> list[Tree[Token]]:
    """Return the children of a tree that are trees, without tokens."""
    return [child for child in tree.children if isinstance(child, Tree)]


def _get_word(tree: Tree[Token]) -> str:
    """Return an identifier, or a label without its quotation marks."""
    return "".join(tree.scan_values(lambda _: True)).strip('"')
