"""libvips through pyvips: ``thumbnail_buffer``, which shrinks while it decodes."""

from collections.abc import Callable
from typing import Any

import pyvips

from tools.benchmarks.job import Job, Wanted


def prepare(job: Job, source: bytes) -> Callable[[], list[bytes]]:
    """Turn the cache off, so that every run does the work."""
    pyvips.cache_set_max(0)
    return lambda: [_resize(job, wanted, source) for wanted in job.outputs]


def _resize(job: Job, wanted: Wanted, source: bytes) -> bytes:
    every_frame = "n=-1" if wanted.format == "GIF" else ""
    image = pyvips.Image.thumbnail_buffer(
        source, wanted.width, height=wanted.height, size="force", option_string=every_frame
    )
    suffix, options = _save_options(job, wanted.format)
    body: bytes = image.write_to_buffer(suffix, **options)
    return body


def _save_options(job: Job, image_format: str) -> tuple[str, dict[str, Any]]:
    """Return the suffix that selects an encoder, and its options."""
    chroma = {"subsample_mode": "on" if job.subsampling == "4:2:0" else "off"}
    options: dict[str, tuple[str, dict[str, Any]]] = {
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
    return options[image_format]
