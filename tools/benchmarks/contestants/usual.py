"""The usual handler: Pillow's ``thumbnail`` and ``save``."""

import io
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from PIL import Image

from tools.benchmarks.job import Job, Wanted

OPTIONS = {"JPEG": ("quality", "subsampling"), "WEBP": ("quality",), "AVIF": ("quality", "subsampling")}
"""The fields of a job that each lossy encoder takes."""


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Resize once per output."""
    return lambda: [_resize(job, wanted, source) for wanted in job.outputs]


def _resize(job: Job, wanted: Wanted, source: bytes) -> bytes:
    target = io.BytesIO()
    with Image.open(io.BytesIO(source)) as image:
        width, height = image.size
        box = (width * wanted.scale, height * wanted.scale) if wanted.scale else (wanted.width, height)
        image.thumbnail((int(box[0]), int(box[1])))
        image.save(target, wanted.format, **options(job, wanted))
    return target.getvalue()


def options(job: Job, wanted: Wanted) -> dict[str, Any]:
    """Return the quality options that all contestants share; Pillow's defaults apply otherwise."""
    return {name: value for name, value in asdict(job).items() if name in OPTIONS.get(wanted.format, ())}
