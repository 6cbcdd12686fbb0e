"""A JPEG's structure, read without decoding a pixel: its segments, and some of its rows as a JPEG of their own."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from errors import MalformedError

SIGNATURE = b"\xff\xd8\xff"

FRAMES = frozenset({*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC})
"""What begins with the size and the components of the image (ITU-T T.81, table B.1)."""

WITHOUT_DATA = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""What Pillow takes for a marker that stands alone."""

BASELINE_FRAME, SCAN = 0xC0, 0xDA
FRAME_BYTES = 10
"""Of a frame's header with its marker, before its components (ITU-T T.81, B.2.2)."""

RESTART_0, END = b"\xff\xd0", b"\xff\xd9"

MARKER = re.compile(rb"\xff[^\x00]")
"""In a scan's data 0 is put behind every 255 that begins none (ITU-T T.81, B.1.1.5)."""


@dataclass(frozen=True)
class Rows:
    """A baseline JPEG that was written with a restart marker behind every row of blocks, so that each stands alone.

    Attributes:
        header: All before the first row.
        height_at: Where the header says how high the image is.
        size: Its width and height, in pixels.
        row_height: How high each row but the last is, in pixels.
        rows: The data of each.

    """

    header: bytes
    height_at: int
    size: tuple[int, int]
    row_height: int
    rows: list[bytes]

    @classmethod
    def of(cls, body: bytes) -> "Rows":
        """Take ``body`` apart.

        Raises:
            MalformedError: It is no such JPEG, or not all of one.

        """
        frame, start = _places(body)
        height, width, component_count = struct.unpack_from(">HHB", body, frame + 5)
        samplings = body[frame + 11 : frame + 10 + 3 * component_count : 3]
        row_height = 8 * max((sampling & 15 for sampling in samplings), default=0)
        if not row_height:
            raise MalformedError("it has no components")
        row_count = -(-height // row_height)
        markers = list(MARKER.finditer(body, start))
        wanted = [bytes([RESTART_0[0], RESTART_0[1] + number % 8]) for number in range(row_count - 1)] + [END]
        if [marker[0] for marker in markers] != wanted or markers[-1].end() != len(body):
            raise MalformedError(f"it does not consist of {row_count} rows of blocks")
        begins = [start, *(marker.end() for marker in markers)]
        rows = [body[begin : marker.start()] for begin, marker in zip(begins, markers, strict=False)]
        return cls(body[:start], frame + 5, (width, height), row_height, rows)

    def only(self, numbers: list[int]) -> bytes:
        """The JPEG of these rows, one below the other; none of them may be a last one that is less high."""
        header = bytearray(self.header)
        header[self.height_at : self.height_at + 2] = (len(numbers) * self.row_height).to_bytes(2, "big")
        parts = [bytes(header)]
        for place, number in enumerate(numbers):
            parts += [self.rows[number], bytes([RESTART_0[0], RESTART_0[1] + place % 8])]
        return b"".join([*parts[:-1], END])


def header(body: bytes) -> Iterator[tuple[int, int]]:
    """Each segment before the first scan, as Pillow finds them: its kind, and its size in bytes with its marker."""
    position = 2
    while (position := body.find(b"\xff", position)) >= 0 and position + 4 <= len(body):
        kind = body[position + 1]
        if kind == SCAN:
            return
        if kind in WITHOUT_DATA or kind == 0:
            position += 2
        elif kind == 0xFF:
            position += 1
        else:
            size = 2 + max(2, int.from_bytes(body[position + 2 : position + 4], "big"))
            yield kind, size
            position += size


def _places(body: bytes) -> tuple[int, int]:
    """Where the frame's header is, which is whole, and where the data of its only scan begins."""
    frame, position = 0, 2
    while (following := position + 2 + int.from_bytes(body[position + 2 : position + 4], "big")) <= len(body):
        if body[position + 1] == BASELINE_FRAME:
            frame = position
        if body[position + 1] == SCAN and frame and frame + FRAME_BYTES <= following:
            return frame, following
        position = following
    raise MalformedError("it is no baseline JPEG")
