"""What an AVIF's boxes say, read without decoding a pixel."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A part of the file (ISO/IEC 14496-12, 4.2).

    Attributes:
        start: Of its content.
        end: Behind it; the file's own where that is cut off.

    """

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Each box in order, of all of ``data`` or of a part."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1:
            size, content = int.from_bytes(data[content : content + 8], "big"), content + 8
        following = start + size if size else end
        if following < content:
            return
        yield Box(kind, content, min(following, end))
        start = following
