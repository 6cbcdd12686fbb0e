"""A JPEG's structure, read without decoding a pixel: its segments and scans, and some of its rows as a JPEG."""

import itertools
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from errors import MalformedError
from imaging.structure import bounded

SIGNATURE = b"\xff\xd8\xff"

FRAMES = frozenset({*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC})
"""What begins with the size and the components of the image (ITU-T T.81, table B.1)."""

PROGRESSIVE_FRAMES, LOSSLESS_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE}), frozenset({0xC3, 0xC7, 0xCB, 0xCF})
"""Those whose scans bring some coefficients each, and those that have no coefficients."""

BASELINE_FRAME, SCAN, TABLES, APP_1, APP_13 = 0xC0, 0xDA, 0xDB, 0xE1, 0xED

BREAKING = {
    0xE0: ("JFIF", re.compile(rb"JFIF.{0,2}\Z", re.DOTALL)),
    0xE2: ("ICC_PROFILE", re.compile(rb"ICC_PROFILE\0.?\Z", re.DOTALL)),
    0xED: ("Photoshop 3.0", re.compile(rb"Photoshop 3\.0\0.*8BIM..\Z", re.DOTALL)),
    0xEE: ("Adobe", re.compile(rb"Adobe.?\Z", re.DOTALL)),
}
"""Of segments of these kinds, the names and the whole content at which Pillow fails: they are cut off. Browsers ignore
them, and so does libjpeg."""

VALUES = FRAMES | {TABLES, APP_13}
"""Segments that Pillow takes apart value by value; ``APP_13`` holds Photoshop's blocks."""

EXIF = b"Exif\0\0"

SEGMENT = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")
"""A marker with data, or the end. Pillow takes all others for markers that stand alone (ITU-T T.81, table B.1)."""

MAX_COMPONENTS = 4
"""Pillow opens no JPEG with more."""

FRAME_BYTES = 10
"""Of a frame's header with its marker, before its components (ITU-T T.81, B.2.2)."""

RESTART_0, END = b"\xff\xd0", b"\xff\xd9"

MARKER = re.compile(rb"\xff[^\x00]")
"""In a scan's data 0 is put behind every 255 that begins none (ITU-T T.81, B.1.1.5)."""

ALL_COEFFICIENTS = (1 << 64) - 1

FILLER = bytes.fromhex("db6d") * 32
"""Stands for data that is missing. It begins with set bits, for a decoder itself puts zeros there."""

PROFILE = b"ICC_PROFILE\0"
PROFILE_HEADER = len(PROFILE) + 2
"""How a segment begins that has a part of a colour profile: this, its number from 1, and how many there are
(ICC.1:2022, B.4)."""


class Segment(NamedTuple):
    """A part of the file (ITU-T T.81, B.1.1.4).

    Attributes:
        kind: The second byte of its marker.
        stray: Bytes between the segment before and its marker, in a scan all of its data.
        start: Of its content, behind its length.
        end: Of its content, which the file may not reach.

    """

    kind: int
    stray: int
    start: int
    end: int


@dataclass(frozen=True)
class Structure:
    """What reading a JPEG takes, as its segments say.

    Attributes:
        segments: Before the first scan.
        stray_bytes: Between them.
        value_bytes: In segments of ``VALUES``.
        copied_bytes: That Pillow copies to join the segments of EXIF: all that it has, for each further one.
        exif: Of all segments.
        scans: How often every block is decoded; a scan of one component counts as its share of the blocks.
        coefficients: Of all blocks.
        keeps_coefficients: Whether several scans make the image: a decoder holds all coefficients until the last.

    """

    segments: int
    stray_bytes: int
    value_bytes: int
    copied_bytes: int
    exif: bytes
    scans: float
    coefficients: int
    keeps_coefficients: bool


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


def structure(body: bytes) -> Structure:
    """Read the segments of ``body``, which begins with a JPEG's signature.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``.

    """
    count = stray = values = joined = copied = coefficients = component_count = 0
    exif: list[bytes] = []
    shares: dict[int, float] = {}
    scans, keeps = 0.0, False
    for segment in _segments(body):
        if not scans:
            count, stray = count + 1, stray + segment.stray
        if segment.kind == SCAN:
            content = body[segment.start : segment.end]
            components = content[1 : 1 + 2 * content[0] : 2] if content else b""
            # A scan that names no component is none, and ends the image.
            scans += sum(shares.get(component, 0) for component in set(components))
            keeps = keeps or len(components) < component_count
            if not keeps:
                break
        elif not scans:
            if segment.kind in FRAMES:
                shares, component_count, coefficients = _components(body[segment.start : segment.end])
                keeps = segment.kind in PROGRESSIVE_FRAMES
            if segment.kind in VALUES:
                values += segment.end - segment.start
            elif segment.kind == APP_1 and body.startswith(EXIF, segment.start):
                exif.append(body[segment.start + len(EXIF) : segment.end])
                joined += len(exif[-1])
                copied += joined
    return Structure(count, stray, values, copied, b"".join(exif), scans, coefficients, keeps)


def _segments(body: bytes) -> Iterator[Segment]:
    """Each segment, wherever a decoder looks for one, up to the first end marker behind a scan, which is the last.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``.

    """
    return bounded(_all_segments(body))


def _all_segments(body: bytes) -> Iterator[Segment]:
    position, in_scans = 2, False
    while found := SEGMENT.search(body, position):
        kind, start = body[found.start() + 1], found.end()
        if kind == END[1]:
            yield Segment(kind, found.start() - position, start, start)
            if in_scans:
                return
            position = start
            continue
        in_scans = in_scans or kind == SCAN
        end = start + max(2, int.from_bytes(body[start : start + 2], "big"))
        yield Segment(kind, found.start() - position, start + 2, end)
        position = end


def _components(frame: bytes) -> tuple[dict[int, float], int, int]:
    """Each component's share of the blocks, how many there are, and how many values all blocks hold.

    ITU-T T.81, A.1 and B.2.2. Components of the same number, which decoders accept, have a share together: a scan that
    names that number may be any one of them.
    """
    if len(frame) < 6:
        return {}, 0, 0
    height, width, count = struct.unpack_from(">HHB", frame, 1)
    last = min(len(frame) - 1, 6 + 3 * min(count, MAX_COMPONENTS))
    components = [frame[start : start + 2] for start in range(6, last, 3)]
    factors = [(max(1, sampling >> 4), max(1, sampling & 15)) for _, sampling in components]
    across, down = (max((factor[side] for factor in factors), default=1) for side in (0, 1))
    blocks = sum(one * other for one, other in factors)
    shares: dict[int, float] = {}
    for (number, _), (one, other) in zip(components, factors, strict=True):
        shares[number] = shares.get(number, 0) + one * other / blocks
    return shares, len(components), -(-width // (8 * across)) * -(-height // (8 * down)) * 64 * blocks


def readable(body: bytes) -> tuple[bytes, list[str]]:
    """Rename the segments at which Pillow fails, to be no one's: no pixel needs them.

    Returns:
        The JPEG, a copy only if a segment is renamed, and a sentence about each that is.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``.

    """
    names = {
        segment.start: BREAKING[segment.kind][0]
        for segment in itertools.takewhile(lambda segment: segment.kind != SCAN, _segments(body))
        if segment.kind in BREAKING and BREAKING[segment.kind][1].match(body, segment.start, segment.end)
    }
    if not names:
        return body, []
    renamed = bytearray(body)
    for start in names:
        renamed[start] = 0
    return bytes(renamed), [f"the segment {name} is damaged and was ignored" for name in dict.fromkeys(names.values())]


def tables(body: bytes) -> dict[int, list[int]]:
    """Return the quantisation tables before the first scan, by number (ITU-T T.81, B.2.4.1); a TIFF has them alone.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS`` segments.

    """
    found = {}
    for segment in itertools.takewhile(lambda segment: segment.kind != SCAN, _segments(body)):
        position = segment.start
        while segment.kind == TABLES and position < min(segment.end, len(body)):
            width, number = 1 + (body[position] >> 4 == 1), body[position] & 15
            values = body[position + 1 : position + 1 + 64 * width]
            if len(values) == 64 * width:
                found[number] = list(struct.unpack(">64H" if width == 2 else "64B", values))
            position += 1 + 64 * width
    return found


def is_lossless(body: bytes) -> bool:
    """Whether the pixels are stored without loss, which no decoder can shrink as it reads them."""
    segments = itertools.takewhile(lambda segment: segment.kind != SCAN, _segments(body))
    return any(segment.kind in LOSSLESS_FRAMES for segment in segments)


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
    for segment in _segments(body):
        data = body[segment.start : segment.end]
        if segment.kind in FRAMES and not missing:
            is_progressive = segment.kind in PROGRESSIVE_FRAMES
            missing = dict.fromkeys(data[6::3], ALL_COEFFICIENTS)
        elif segment.kind == SCAN and len(data) >= 4:
            first, last, precision = data[-3:]
            # What is left of a coefficient's bits for a later scan is the lower half of the last number.
            done = (2 << last) - (1 << first) if is_progressive and not precision & 15 else 0
            for component in data[1:-3:2]:
                missing[component] = missing.get(component, 0) & ~(done if is_progressive else ALL_COEFFICIENTS)
    return bool(missing) and not any(missing.values())


def lacks_end(body: bytes) -> bool:
    """Whether no end marker follows the scans: the file is cut off, or what was cut off is filled up."""
    # Most files end with it. Anything may follow it, even a film.
    return not body.endswith(END) and all(segment.kind != END[1] for segment in _segments(body))


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
