"""WebP: its record, how its chunks are read, and how it is written."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import WebPImagePlugin  # noqa: F401 - registers its format

from errors import MalformedError
from imaging.change import Capacity
from imaging.colour import has_alpha
from imaging.formats import tiff_directories
from imaging.losses import NO_CREDENTIALS, Lost
from imaging.part_limit import limit_count
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Header, Job
from imaging.saving import choose_quality, count_plays, round_durations, save, save_no_larger

FRAME, FRAME_HEADER = b"ANMF", 16
"""A chunk that holds other chunks, after 16 bytes of geometry and time (RFC 9649, 2.7.1.1)."""

EXIF = b"Exif\0\0"
"""Some writers begin an ``EXIF`` chunk as a JPEG's segment begins."""

CONTENT_CREDENTIALS = b"C2PA"
"""The kind of a chunk that holds a C2PA manifest store (C2PA 2.1, appendix A)."""

QUALITY_PER_OCTAVE = 35.0
"""The decrease in quality that halves the bytes."""

CONTAINER_BYTES = 20

VP8X, VP8X_FLAGS, VP8X_ALPHA = slice(12, 16), 20, 0x10
"""Offsets of the kind of the first chunk and of its flags, and the flag for alpha (RFC 9649, 2.7)."""

MOST_MILLISECONDS, MOST_PLAYS = (1 << 24) - 1, 65535
"""The longest time of a frame, in 24 bits, and the most plays, in 16 bits (RFC 9649, 2.7)."""


class Chunk(NamedTuple):
    """A part of the file (RFC 9649, 2.3), or of a frame.

    Attributes:
        start: Offset of its content.
        end: Offset after its content; beyond the end of a file that is cut off.

    """

    kind: bytes
    start: int
    end: int


def inspect(source: bytes) -> Header:
    """Read the chunks.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    found = list(_walk_chunks(source))
    exif = (source[chunk.start : chunk.end].removeprefix(EXIF) for chunk in found if chunk.kind == b"EXIF")
    return Header(
        FORMAT,
        source,
        source,
        opening_nanoseconds=tiff_directories.tag_nanoseconds(exif),
        is_lossy=any(chunk.kind == b"VP8 " for chunk in found),
        losses=NO_CREDENTIALS if any(chunk.kind == CONTENT_CREDENTIALS for chunk in found) else (),
    )


def _walk_chunks(webp: bytes) -> Iterator[Chunk]:
    """Yield each chunk in order; a frame's own chunks follow it."""
    return limit_count(_walk_all_chunks(webp))


def _walk_all_chunks(webp: bytes) -> Iterator[Chunk]:
    position = 12
    while position + 8 <= len(webp):
        kind, size = struct.unpack_from("<4sI", webp, position)
        position += 8
        yield Chunk(kind, position, position + size)
        position += FRAME_HEADER if kind == FRAME else size + size % 2


def _encode(job: Job) -> bytes:
    picture = job.picture
    is_lossless = picture.format == "WEBP" and not picture.header.is_lossy
    options = {"method": 4, "lossless": is_lossless, **job.colour}
    if len(job.frames) > 1:
        options |= {"duration": round_durations(job, MOST_MILLISECONDS), "loop": min(count_plays(job) or 0, MOST_PLAYS)}
    if is_lossless:
        body = save(job, job.images, {"quality": choose_quality(job), **options})
    else:
        body = save_no_larger(
            job,
            lambda images, tried: save(job, images, {"quality": tried, **options}),
            per_octave=QUALITY_PER_OCTAVE,
            container_bytes=CONTAINER_BYTES,
        )
    if has_alpha(job.images) and body[VP8X] == b"VP8X":
        # libwebp omits the flag if each frame is opaque in its own rectangle. Decoders then show black.
        return body[:VP8X_FLAGS] + bytes([body[VP8X_FLAGS] | VP8X_ALPHA]) + body[VP8X_FLAGS + 1 :]
    return body


def check_whole(webp: bytes) -> None:
    """Refuse a body that is not one file of chunks that follow each other up to its end.

    Raises:
        MalformedError: It is not.

    """
    end = 0
    for chunk in _walk_chunks(webp):
        end = chunk.end + (chunk.end - chunk.start) % 2
    stated = int.from_bytes(webp[4:8], "little") + 8
    if not FORMAT.recognises(webp) or not stated == end == len(webp):
        raise MalformedError("it does not consist of chunks up to its end")


FORMAT = Format(
    name="WEBP",
    decoders=("WEBP",),
    recognises=re.compile(rb"RIFF.{4}WEBP", re.DOTALL).match,
    written_as="WEBP",
    cost=DecodingCost(pixel_bytes=12, pixel_nanoseconds=20),
    inspect=inspect,
    encoder=Encoder(
        media_type="image/webp",
        modes=frozenset({"RGB", "RGBA"}),
        metadata=Capacity(frozenset({Lost.EXIF, Lost.XMP})),
        has_resolution=False,
        largest_side=16383,
        most_milliseconds=MOST_MILLISECONDS,
        quality=80,
        quality_of_score_70=62,
        cost=EncodingCost(pixel_bytes=19, pixel_nanoseconds=270, animated_bytes=1),
        encode=_encode,
        check=check_whole,
    ),
)
