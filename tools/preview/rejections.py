"""What to do about a rejection, as docs/rejections.md says it."""

import re
from functools import cache

from tools.common.paths import ROOT

DOCUMENT = ROOT / "docs" / "rejections.md"


def advice(reason: str, message: str) -> str:
    """What the document advises where a file is rejected with this reason and message; empty where it says nothing."""
    before = ""
    for row_reason, pattern, text in _rows():
        # A row that says "The same" means the row above.
        before = text if not text.startswith("The same") else before
        if row_reason == reason and re.fullmatch(pattern, message):
            return before.replace("`", "")
    return ""


@cache
def _rows() -> list[tuple[str, str, str]]:
    """Each reason, a pattern of its messages, and the advice."""
    found = re.findall(r"^\| `(\w+)` \| (?:`` (.+?) ``|`(.+?)`) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return [
        (reason, ".*".join(map(re.escape, (quoted or plain).split("…"))), text) for reason, quoted, plain, text in found
    ]
