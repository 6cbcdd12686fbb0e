"""docs/rejections.md lists every reason and message of a rejection, and no others."""

import ast
import re
from collections.abc import Iterator

from errors import Reason
from tools.common.paths import FUNCTION, ROOT

MESSAGE = re.compile(r"(`{1,2})(.+?)\1(?!`)")
"""A message in single or double back-quotes."""


def find_raised() -> Iterator[tuple[str, str]]:
    """Yield the reason and message of every rejection in the function's code, with ``…`` for each value."""
    for path in sorted(FUNCTION.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "RejectedError":
                reason, message = node.args
                assert isinstance(reason, ast.Attribute)
                parts = message.values if isinstance(message, ast.JoinedStr) else [message]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
                yield Reason[reason.attr], text


def read_documented() -> set[tuple[str, str]]:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| ", (ROOT / "docs" / "rejections.md").read_text(), re.MULTILINE)
    return {(reason, message.strip()) for reason, messages in rows for _, message in MESSAGE.findall(messages)}


def test_the_document_lists_every_rejection_and_no_other() -> None:
    assert read_documented() == set(find_raised())
    assert {reason for reason, _ in read_documented()} == set(Reason)
