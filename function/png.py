"""A PNG's structure, read without decoding a pixel: its chunks, and its first rows as a PNG of their own."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from errors import MalformedError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

SIZE, HEIGHT = slice(16, 24), slice(20, 24)
"""Where the first chunk, the header, says how wide and high the image is (PNG specification, 11.2.1)."""

HEADER, HEADER_CHECK = slice(12, 29), slice(29, 33)
"""Its kind and data, and the checksum of them."""


@dataclass(frozen=True)
class Chunk:
    """A part of the file (PNG specification, 5.3).

    Attributes:
        start: Of its length, which is followed by kind, data and checksum.
        end: Behind its checksum; beyond the file's own where that is cut off.

    """

    kind: bytes
    start: int
    end: int


def chunks(png: bytes) -> Iterator[Chunk]:
    """Each chunk in order."""
    position = len(SIGNATURE)
    while position + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        chunk = Chunk(kind, position, position + length + 12)
        yield chunk
        position = chunk.end


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        MalformedError: It has no whole header.

    """
    if len(png) < HEADER_CHECK.stop:
        raise MalformedError("it has no header")
    width, height = struct.unpack(">II", png[SIZE])
    return width, height


def first_rows(png: bytes, height: int) -> bytes:
    """The PNG, but no higher than this; where the rest of it is whole.

    Raises:
        MalformedError: A checksum is wrong, or it does not end as a PNG does.

    """
    view, last = memoryview(png), b""
    for chunk in chunks(png):
        last = chunk.kind
        if zlib.crc32(view[chunk.start + 4 : chunk.end - 4]) != int.from_bytes(view[chunk.end - 4 : chunk.end], "big"):
            raise MalformedError(f"its chunk {last.decode('latin-1')} is damaged")
    if last != b"IEND":
        raise MalformedError("it has no end")
    lower = bytearray(png)
    lower[HEIGHT] = height.to_bytes(4, "big")
    lower[HEADER_CHECK] = zlib.crc32(lower[HEADER]).to_bytes(4, "big")
    return bytes(lower)
