"""The place of what a task makes inside of a document that people write: between two lines that mark it."""

from collections.abc import Mapping
from pathlib import Path

from tools.common.errors import ToolError

DOCS = "invoke docs"


def renew(path: Path, sections: Mapping[str, str], maker: str = DOCS) -> list[Path]:
    """Write what a task makes into a document, and return it where it changed.

    Args:
        path: The document's.
        sections: What is to stand in each of its places, by their names, without empty lines around it.
        maker: The task, as it is run.

    Raises:
        ToolError: It lacks one of the places.

    """
    text = renewed(path, sections, maker)
    if text == path.read_text():
        return []
    path.write_text(text)
    return [path]


def renewed(path: Path, sections: Mapping[str, str], maker: str = DOCS) -> str:
    """Give a document as :func:`renew` would write it.

    Raises:
        ToolError: It lacks one of the places.

    """
    text = path.read_text() if path.exists() else ""
    for name, made in sections.items():
        begin, end = places(name, maker)
        before, found, rest = text.partition(begin)
        _, also_found, after = rest.partition(end)
        if not found or not also_found:
            raise ToolError(f"{path} must hold the lines {begin} and {end}: put them where what is made belongs")
        text = f"{before}{begin}\n\n{made}\n\n{end}{after}"
    return text


def places(name: str, maker: str = DOCS) -> tuple[str, str]:
    """The two lines between which a section stands."""
    return f"<!-- {name}: made by {maker} -->", f"<!-- end of {name} -->"
