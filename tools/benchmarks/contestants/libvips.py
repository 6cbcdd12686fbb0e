"""libvips by its Python binding, pyvips: ``thumbnail_buffer``, which shrinks while it decodes."""

from collections.abc import Callable
from typing import Any

import pyvips

from tools.benchmarks.job import Job, Wanted


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Turn its cache off: every run shall do the work."""
    pyvips.cache_set_max(0)
    return lambda: [_resized(job, wanted, source) for wanted in job.outputs]


def _resized(job: Job, wanted: Wanted, source: bytes) -> bytes:
    every_frame = "n=-1" if wanted.format == "GIF" else ""
    image = pyvips.Image.thumbnail_buffer(
        source, wanted.width, height=wanted.height, size="force", option_string=every_frame
    )
    suffix, options = _saving(job, wanted.format)
    body: bytes = image.write_to_buffer(suffix, **options)
    return body


def _saving(job: Job, image_format: str) -> tuple[str, dict[str, Any]]:
    """The suffix that names an encoder, and its options."""
    chroma = {"subsample_mode": "on" if job.subsampling == "4:2:0" else "off"}
    saving: dict[str, tuple[str, dict[str, Any]]] = {
        "JPEG": (".jpg", {"Q": job.quality, **chroma}),
        "PNG": (".png", {"compression": job.deflate_level, "filter": "all", "palette": job.has_palette}),
        "WEBP": (".webp", {"Q": job.quality}),
        "AVIF": (".avif", {"Q": job.quality, "effort": 4, **chroma}),
        "GIF": (".gif", {}),
        "TIFF": (
            ".tif",
            {"compression": "lzw" if job.tiff_compression == "lzw" else "none", "predictor": "horizontal"},
        ),
    }
    return saving[image_format]
