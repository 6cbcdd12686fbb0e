"""docs/reliability.md: the last result of each soak, in its place between two marks."""

from pathlib import Path

from tools.marks import renewed
from tools.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def renew(part: str, text: str, path: Path = DOCUMENT) -> None:
    """Put a result where the last one of its kind is.

    Raises:
        ToolError: The document has no place for it.

    """
    begin, end = marks(part)
    path.write_text(renewed(path, begin, end, text))


def marks(part: str) -> tuple[str, str]:
    """The two lines between which a result stands."""
    return f"<!-- {part}: made by invoke soak --only {part} --write -->", f"<!-- end of {part} -->"
