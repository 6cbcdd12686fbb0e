"""The minimum for several outputs with Pillow: one decode, shrunk by the decoder, and the encodes."""

import io
from collections.abc import Callable

from PIL import Image

from tools.benchmarks.contestants.usual import options
from tools.benchmarks.job import Job, Wanted


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Resize beforehand, because resizing is not measured here."""
    decoded = _decode(job, source)
    images = [decoded.resize((wanted.width, wanted.height)) for wanted in job.outputs]

    def work() -> list[bytes]:
        _decode(job, source)
        return [_encode(job, *pair) for pair in zip(job.outputs, images, strict=True)]

    return work


def _decode(job: Job, source: bytes) -> Image.Image:
    largest = job.outputs[0]
    with Image.open(io.BytesIO(source)) as image:
        image.draft(None, (largest.width, largest.height))
        image.load()
        return image


def _encode(job: Job, wanted: Wanted, image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, wanted.format, **options(job, wanted))
    return target.getvalue()
