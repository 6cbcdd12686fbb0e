"""A WebP's structure, read without decoding a pixel: its chunks."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from errors import MalformedError
from imaging.structure import bounded

SIGNATURE = b"RIFF"

FRAME, FRAME_HEADER = b"ANMF", 16
"""A chunk that holds other chunks, behind so many bytes of geometry and time (RFC 9649, 2.7.1.1)."""


@dataclass(frozen=True)
class Chunk:
    """A part of the file (RFC 9649, 2.3), or of a frame.

    Attributes:
        start: Of its content.
        end: Of its content; beyond the file's own where that is cut off.

    """

    kind: bytes
    start: int
    end: int


def chunks(webp: bytes) -> Iterator[Chunk]:
    """Each chunk in order; a frame's own chunks follow it.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``.

    """
    return bounded(_chunks(webp))


def _chunks(webp: bytes) -> Iterator[Chunk]:
    position = 12
    while position + 8 <= len(webp):
        kind, size = struct.unpack_from("<4sI", webp, position)
        position += 8
        yield Chunk(kind, position, position + size)
        position += FRAME_HEADER if kind == FRAME else size + size % 2


def check_whole(webp: bytes) -> None:
    """Refuse what is more or less than one file of chunks that follow each other up to its end.

    Raises:
        MalformedError: It is not.

    """
    end = 0
    for chunk in chunks(webp):
        end = chunk.end + (chunk.end - chunk.start) % 2
    says = int.from_bytes(webp[4:8], "little") + 8
    if not webp.startswith(SIGNATURE) or webp[8:12] != b"WEBP" or not says == end == len(webp):
        raise MalformedError("it does not consist of chunks up to its end")
