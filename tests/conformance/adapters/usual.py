"""The usual handler, as in AWS's tutorial: Pillow's ``thumbnail`` and ``save``."""

from collections.abc import Collection
from pathlib import Path

from PIL import Image

from tests.conformance.adapter import Refused, Wanted


def render(source: Path, target: Path, wanted: Wanted) -> Collection[str]:
    """Render one output."""
    try:
        with Image.open(source) as image:
            image.thumbnail((wanted.width, wanted.height))
            image.save(target)
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(str(error)) from error
    return ()


def handle(event: object) -> None:
    """Handle an event."""
    # It makes its client when it is imported.
    from tools.benchmarks.usual_handler import handler  # noqa: PLC0415

    handler(event, None)


def output_key(key: str) -> str:
    """Return an output's key."""
    return f"resized-{key}"
