"""Advice for rejections, read from docs/rejections.md."""

import re
from functools import cache

from tools.common.paths import ROOT

DOCUMENT = ROOT / "docs" / "rejections.md"


def find_advice(reason: str, message: str) -> str:
    """Return the document's advice for a rejection, or an empty string if it has none."""
    for row_reason, pattern, text in _read_rows():
        if row_reason == reason and re.fullmatch(pattern, message):
            return text
    return ""


@cache
def _read_rows() -> list[tuple[str, str, str]]:
    """Return the reason, a pattern for one message, and the advice as plain text, for each message in the table."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return [
        (reason, ".*".join(map(re.escape, message.strip().split("…"))), _strip_markup(text))
        for reason, messages, text in rows
        for _, message in re.findall(r"(`{1,2})(.+?)\1(?!`)", messages)
    ]


def _strip_markup(text: str) -> str:
    """Remove Markdown's back-quotes and link targets."""
    return re.sub(r"\[(.+?)\]\(.+?\)", r"\1", text).replace("`", "")
