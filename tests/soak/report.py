"""Keeps the last result of each soak in a table of docs/reliability.md."""

import re
from pathlib import Path

from tools.common.errors import ToolError
from tools.common.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def renew(name: str, result: str, document: Path = DOCUMENT) -> None:
    """Replace the last result of a soak.

    Raises:
        ToolError: The document has no row for the soak.

    """
    text, count = row(name).subn(lambda _: f"| `{name}` | {result} |", document.read_text())
    if not count:
        raise ToolError(f"{document} has no row for the soak {name!r}: add one to its table of long runs")
    document.write_text(text)


def row(name: str) -> re.Pattern[str]:
    """Return a pattern of a soak's row, with its result as the group."""
    return re.compile(rf"^\| `{name}` \| (.*) \|$", re.MULTILINE)
