"""The place of what a task makes inside of a document that people write: between two lines that mark it."""

from collections.abc import Mapping
from pathlib import Path

from tools.errors import ToolError


def renew(path: Path, sections: Mapping[str, str]) -> list[Path]:
    """Write what `invoke docs` makes into a document, and return it where it changed.

    Args:
        path: The document's.
        sections: What is to stand in each of its places, by their names.

    Raises:
        ToolError: It lacks one of the places.

    """
    before = path.read_text() if path.exists() else ""
    for name, made in sections.items():
        path.write_text(renewed(path, *places(name), made))
    return [path] if path.read_text() != before else []


def places(name: str) -> tuple[str, str]:
    """The two lines between which `invoke docs` puts a section."""
    return f"<!-- {name}: made by invoke docs -->", f"<!-- end of {name} -->"


def renewed(path: Path, begin: str, end: str, made: str) -> str:
    """Give a document as it is once what stands between its marks is replaced.

    Args:
        path: The document's.
        begin: The line before what is made.
        end: The line behind it.
        made: What is to stand there, without empty lines around it.

    Raises:
        ToolError: The document lacks the place for it.

    """
    before, found, rest = (path.read_text() if path.exists() else "").partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ToolError(f"{path} must hold the lines {begin} and {end}: put them where what is made belongs")
    return f"{before}{begin}\n\n{made}\n\n{end}{after}"
