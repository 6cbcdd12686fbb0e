"""A JPEG's structure, read without decoding a pixel: its segments and scans, and some of its rows as a JPEG."""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from errors import MalformedError

SIGNATURE = b"\xff\xd8\xff"

FRAMES = frozenset({*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC})
"""What begins with the size and the components of the image (ITU-T T.81, table B.1)."""

WITHOUT_DATA = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""What Pillow takes for a marker that stands alone."""

PROGRESSIVE_FRAMES, LOSSLESS_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE}), frozenset({0xC3, 0xC7, 0xCB, 0xCF})
"""Those whose scans bring some coefficients each, and those that have no coefficients."""

BASELINE_FRAME, SCAN = 0xC0, 0xDA
FRAME_BYTES = 10
"""Of a frame's header with its marker, before its components (ITU-T T.81, B.2.2)."""

RESTART_0, END = b"\xff\xd0", b"\xff\xd9"

MARKER = re.compile(rb"\xff[^\x00]")
"""In a scan's data 0 is put behind every 255 that begins none (ITU-T T.81, B.1.1.5)."""

SEGMENT = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""What begins a segment, behind the data of a scan too: in it are only restart markers."""

MOST_SEGMENTS = 100_000
"""That are looked at: a file of more is not one that a camera or a program wrote."""

ALL_COEFFICIENTS = (1 << 64) - 1

FILLER = bytes.fromhex("db6d") * 32
"""Stands for data that is missing. It begins with set bits, for a decoder itself puts zeros there."""

PROFILE = b"ICC_PROFILE\0"
PROFILE_HEADER = len(PROFILE) + 2
"""How a segment begins that has a part of a colour profile: this, its number from 1, and how many there are
(ICC.1:2022, B.4)."""


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


def is_lossless(body: bytes) -> bool:
    """Whether the pixels are stored without loss, which no decoder can shrink as it reads them."""
    return any(kind in LOSSLESS_FRAMES for kind, _ in header(body))


def profile(segments: Iterable[bytes]) -> bytes | None:
    """Put a colour profile together as Chromium does; None where a part is missing or there twice.

    Args:
        segments: The data of all ``APP2`` segments. Of those that hold parts of a profile only as many count as the
            first one announces: some writers store the same profile twice.

    """
    parts = [part for part in segments if part.startswith(PROFILE) and len(part) > PROFILE_HEADER]
    if not parts:
        return None
    count = parts[0][PROFILE_HEADER - 1]
    numbered = {part[PROFILE_HEADER - 2]: part for part in parts[:count] if part[PROFILE_HEADER - 1] == count}
    if not count or numbered.keys() != set(range(1, count + 1)):
        return None
    return b"".join(numbered[number][PROFILE_HEADER:] for number in range(1, count + 1))


def has_all_scans(body: bytes) -> bool:
    """Whether the headers of its scans announce every coefficient of every component, to the last bit."""
    missing: dict[int, int] = {}
    is_progressive = False
    for kind, data in _segments(body):
        if kind in FRAMES and not missing:
            is_progressive = kind in PROGRESSIVE_FRAMES
            missing = dict.fromkeys(data[6::3], ALL_COEFFICIENTS)
        elif kind == SCAN and len(data) >= 4:
            first, last, precision = data[-3:]
            # What is left of a coefficient's bits for a later scan is the lower half of the last number.
            done = (2 << last) - (1 << first) if is_progressive and not precision & 15 else 0
            for component in data[1:-3:2]:
                missing[component] = missing.get(component, 0) & ~(done if is_progressive else ALL_COEFFICIENTS)
    return bool(missing) and not any(missing.values())


def lacks_end(body: bytes) -> bool:
    """Whether no end marker follows the scans: the file is cut off, or what was cut off is filled up."""
    # Most files end with it. Anything may follow it, even a film.
    return not body.endswith(END) and all(kind != END[1] for kind, _ in _segments(body))


def _segments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the data of each segment up to the end marker, also of those between and behind scans."""
    position, kind = 2, 0
    for _ in range(MOST_SEGMENTS):
        found = SEGMENT.search(body, position)
        if kind == END[1] or found is None:
            return
        kind, start = body[found.end() - 1], found.end() + 2
        position = start - 2 + max(2, int.from_bytes(body[start - 2 : start], "big"))
        yield kind, body[start:position]


def ended(body: bytes) -> Iterator[bytes]:
    """The JPEG with an end marker at its end, and the same with something before it that is no part of it.

    A decoder makes the same pixels of both only if none are missing. Zeros at the end are no data: an upload that broke
    off may have left them.
    """
    data = body.rstrip(b"\0")
    if data.endswith(b"\xff"):
        # Half of an end marker, or the last byte of the pixels; as the latter it harms neither.
        data += b"\0"
    yield data + END
    yield data + FILLER + END


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
