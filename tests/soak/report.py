"""docs/reliability.md: the last result of each soak, in its place between two marks."""

from pathlib import Path

from tools.common import marks
from tools.common.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def renew(part: str, text: str, path: Path = DOCUMENT) -> None:
    """Put a result where the last one of its kind is.

    Raises:
        ToolError: The document has no place for it.

    """
    marks.renew(path, {part: text}, maker(part))


def maker(part: str) -> str:
    """What makes a result again."""
    return f"invoke soak --only {part} --write"
