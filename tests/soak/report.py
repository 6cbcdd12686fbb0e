"""Keeps the last result of each soak in docs/reliability.md, between two comments that name the soak."""

import re
from pathlib import Path

from tools.common.errors import ToolError
from tools.common.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def renew(name: str, result: str, document: Path = DOCUMENT) -> None:
    """Replace the last result of a soak.

    Raises:
        ToolError: The document lacks the soak's comments.

    """
    text, count = place(name).subn(lambda found: f"{found[1]}\n\n{result}\n\n{found[3]}", document.read_text())
    if not count:
        raise ToolError(f"{document} lacks the comments of the soak {name!r}: add them where its result belongs")
    document.write_text(text)


def place(name: str) -> re.Pattern[str]:
    """Return a pattern of three groups: the comment before a soak's result, the result, and the comment after it."""
    begin, end = f"<!-- {name}: made by invoke soak --only {name} --write -->", f"<!-- end of {name} -->"
    return re.compile(f"({begin})(.*?)({end})", re.DOTALL)
