"""thumbor's Pillow engine, without its HTTP server: ``load``, ``resize`` and ``read``."""

from collections.abc import Callable
from pathlib import Path

from thumbor.config import Config
from thumbor.context import Context
from thumbor.engines.pil import Engine

from tools.benchmarks.job import Job, Wanted

EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif", "GIF": ".gif", "TIFF": ".tif"}


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Configure it with its defaults."""
    context = Context(config=Config())
    extension = EXTENSIONS[Path(job.source).suffix.removeprefix(".").upper()]
    return lambda: [_resize(job, wanted, source, context, extension) for wanted in job.outputs]


def _resize(job: Job, wanted: Wanted, source: bytes, context: Context, extension: str) -> bytes:
    engine = Engine(context)
    engine.load(source, extension)
    engine.reorientate()
    engine.resize(wanted.width, wanted.height)
    body: bytes = engine.read(EXTENSIONS[wanted.format], job.quality)
    return body
