"""docs/reliability.md: the last result of each soak, in its place between two marks."""

from pathlib import Path

from tools.errors import ToolError
from tools.paths import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def renew(part: str, text: str, path: Path = DOCUMENT) -> None:
    """Put a result where the last one of its kind is.

    Raises:
        ToolError: The document has no place for it.

    """
    begin, end = marks(part)
    before, found, rest = path.read_text().partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ToolError(f"{path} must hold the lines {begin} and {end}: put them where the result belongs")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def marks(part: str) -> tuple[str, str]:
    """The two lines between which a result stands."""
    return f"<!-- {part}: made by invoke soak --only {part} --write -->", f"<!-- end of {part} -->"
