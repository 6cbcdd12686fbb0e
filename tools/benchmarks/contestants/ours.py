"""The deployed function's renderer with all checks."""

import io
from collections.abc import Callable

from PIL import Image

from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
from tools.benchmarks.job import Job, Wanted

LIMITS = Limits(1769 << 20)
"""The module's default memory."""


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Build the renditions of a deployment."""
    with Image.open(io.BytesIO(source)) as image:
        source_format = image.format
    renditions = [
        _build_rendition(number, wanted, source_format, job.quality) for number, wanted in enumerate(job.outputs)
    ]
    return lambda: [output.body for output in render(source, renditions, limits=LIMITS).outputs]


def _build_rendition(number: int, wanted: Wanted, source_format: str | None, quality: int) -> Rendition:
    image_format = None if wanted.format == source_format else wanted.format.lower()
    width = None if wanted.scale else wanted.width
    return Rendition(f"output-{number}", scale=wanted.scale, width=width, format=image_format, quality=quality)
