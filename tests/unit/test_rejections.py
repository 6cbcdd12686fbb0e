"""Every reason for a rejection, and every message, stands in docs/rejections.md; and nothing else does."""

import ast
import re
from collections.abc import Iterator

from errors import Reason
from tools.common.paths import FUNCTION, ROOT


def raised() -> Iterator[tuple[str, str]]:
    """Reason and message of every rejection in the function's code, ``…`` for what is filled in."""
    for path in sorted(FUNCTION.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "RejectedError":
                reason, message = node.args
                assert isinstance(reason, ast.Attribute)
                parts = message.values if isinstance(message, ast.JoinedStr) else [message]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
                yield Reason[reason.attr], text


def documented() -> set[tuple[str, str]]:
    rows = re.findall(
        r"^\| `(\w+)` \| (?:`` (.+?) ``|`(.+?)`) \|", (ROOT / "docs" / "rejections.md").read_text(), re.MULTILINE
    )
    return {(reason, quoted or plain) for reason, quoted, plain in rows}


def test_the_document_lists_every_rejection_and_no_other() -> None:
    assert documented() == set(raised())
    assert {reason for reason, _ in documented()} == set(Reason)
