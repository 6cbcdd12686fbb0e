"""BMP: its record, how it is inspected, read and written."""

import math
import re
from functools import partial
from typing import Any

from PIL import BmpImagePlugin  # noqa: F401 - registers its format

from errors import MalformedError
from imaging.change import Capacity
from imaging.formats import bmp_header
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Header, Job
from imaging.saving import save, save_smallest

RUN_NANOSECONDS = 200
"""The time for each pixel and each byte of a run-length bitmap, which Pillow decodes in Python."""


def inspect(source: bytes) -> Header:
    """Read the header."""
    is_run_length = bmp_header.is_run_length(source)
    return Header(
        FORMAT,
        source,
        bmp_header.use_known_masks(source),
        pixel_nanoseconds=RUN_NANOSECONDS if is_run_length else None,
        other_nanoseconds=RUN_NANOSECONDS * len(source) if is_run_length else 0,
    )


def _prepare(image: Any, header: Header) -> None:
    bmp_header.prepare(image, header.source)


def _correct(image: Any, header: Header) -> Any:
    return bmp_header.correct(image, header.source)


def _encode(job: Job) -> bytes:
    has_alpha = job.images[0].mode == "RGBA"
    has_few = job.picture.has_few_colours and not has_alpha
    options = {"dpi": job.frames[0].resolution}
    save_full = partial(save, job, job.images, options)
    body = save_smallest(job, options, save_full) if has_few else save_full()
    icc = job.frames[0].icc
    return bmp_header.add_v5_header(body, icc, has_alpha=has_alpha) if icc or has_alpha else body


def _check(body: bytes) -> None:
    """Refuse a bitmap whose length differs from the length in its header.

    Raises:
        MalformedError: They differ.

    """
    if body[:6] != b"BM" + len(body).to_bytes(4, "little"):
        raise MalformedError("its length differs from the length in its header")


FORMAT = Format(
    name="BMP",
    decoders=("BMP", "DIB"),
    # The first part is the file's header, without which a bitmap is a DIB; then comes the length of the second header.
    recognises=re.compile(rb"(BM.{12})?[\x0c\x10(48@l|]\0\0\0", re.DOTALL).match,
    written_as="BMP",
    cost=DecodingCost(pixel_bytes=0, pixel_nanoseconds=3),
    inspect=inspect,
    correct_opened=_prepare,
    correct=_correct,
    encoder=Encoder(
        media_type="image/bmp",
        modes=frozenset({"L", "RGB", "RGBA"}),
        metadata=Capacity(frozenset()),
        has_resolution=True,
        has_content_credentials=False,
        largest_side=math.inf,
        most_milliseconds=0,
        quality=0,
        cost=EncodingCost(pixel_bytes=3, pixel_nanoseconds=3),
        encode=_encode,
        check=_check,
    ),
)
