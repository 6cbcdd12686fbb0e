"""The segments and scans of a JPEG, read without decoding a pixel."""

import collections
import itertools
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from imaging.part_limit import limit_count

FRAMES = frozenset({*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC})
"""The segments that state the size and the components of the image (ITU-T T.81, table B.1)."""

PROGRESSIVE_FRAMES, LOSSLESS_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE}), frozenset({0xC3, 0xC7, 0xCB, 0xCF})
"""Frames whose scans each bring some coefficients, and frames without coefficients."""

SCAN, TABLES, APP_1, APP_2, APP_11, APP_13 = 0xDA, 0xDB, 0xE1, 0xE2, 0xEB, 0xED

BREAKING = {
    0xE0: ("JFIF", re.compile(rb"JFIF.{0,2}\Z", re.DOTALL)),
    APP_2: ("ICC_PROFILE", re.compile(rb"ICC_PROFILE\0.?\Z", re.DOTALL)),
    APP_13: ("Photoshop 3.0", re.compile(rb"Photoshop 3\.0\0.*8BIM..\Z", re.DOTALL)),
    0xEE: ("Adobe", re.compile(rb"Adobe.?\Z", re.DOTALL)),
}
"""Segments that make Pillow fail if they are cut off: their names, and patterns of the content that does so.
Browsers and libjpeg ignore such segments."""

VALUES = FRAMES | {TABLES, APP_13}
"""Segments that Pillow parses value by value; ``APP_13`` holds Photoshop's blocks."""

EXIF = b"Exif\0\0"

CONTENT_CREDENTIALS = re.compile(rb"JP.{6}(....jumb|\0\0\0\x01jumb.{8})....jumdc2pa", re.DOTALL)
"""The start of an ``APP11`` segment with a C2PA manifest store: common identifier, box instance, packet number, and the
boxes ``jumb`` and ``jumd``, whose type begins with c2pa (C2PA 2.1, appendix A; ISO/IEC 19566-5, D.2)."""

SEGMENT = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")
"""A marker with data, or the end marker. Pillow takes all others for markers without data (ITU-T T.81, table B.1)."""

MAX_COMPONENTS = 4
"""Pillow can't open a JPEG with more components."""

END = b"\xff\xd9"

ALL_COEFFICIENTS = (1 << 64) - 1

FILLER = bytes.fromhex("db6d") * 32
"""Stands in for missing data. It begins with set bits, since a decoder fills in zeros."""

XMP, ISO, MPF = b"http://ns.adobe.com/xap/1.0/\0", b"urn:iso:std:iso:ts:21496:-1\0", b"MPF\0"
"""How the segments with XMP (ISO 16684-3), a gain map's values (ISO 21496-1), and pictures (CIPA DC-007) begin."""

ANNOUNCING = (b"/hdr-gain-map/", b"ns.google.com/photos/", b"ns.apple.com/")
"""Parts of the namespaces in XMP that announce something beside the main picture."""

SAMSUNG_END, SAMSUNG_VIDEO = b"SEFT", b"MotionPhoto_Data"
"""How Samsung's trailer ends, and the name of a video in it."""

PROFILE = b"ICC_PROFILE\0"
PROFILE_HEADER = len(PROFILE) + 2
"""The header of a segment with a part of a colour profile: this name, the part's number from 1, and the number of parts
(ICC.1:2022, B.4)."""


class Segment(NamedTuple):
    """A part of the file (ITU-T T.81, B.1.1.4).

    Attributes:
        kind: The second byte of its marker.
        stray: Bytes between the previous segment and its marker; after the header of a scan, the scan's data.
        start: Offset of its content, after the length field.
        end: Offset after its content; may lie beyond the end of the file.

    """

    kind: int
    stray: int
    start: int
    end: int


class Structure(NamedTuple):
    """The segments of a JPEG, and what its decoder does with them.

    Attributes:
        header: All up to the first scan, where the counts of bytes below end, too.
        stray_bytes: Bytes between segments.
        value_bytes: Bytes in segments of ``VALUES``.
        copied_bytes: Bytes that Pillow copies to join the segments of EXIF: with each segment, all before it.
        exif: The joined EXIF of all segments.
        damaged: The offset and the name of each segment that Pillow fails at.
        is_lossless: Whether pixels are stored without loss. No decoder shrinks such an image.
        scans: How often every block is decoded. A scan of one component counts as that component's share of the blocks.
        coefficients: Coefficients of all blocks.
        keeps_coefficients: Whether there are several scans. A decoder then holds all coefficients until the last one.
        has_content_credentials: Whether a segment has a C2PA manifest store.

    """

    header: Sequence[Segment]
    stray_bytes: int
    value_bytes: int
    copied_bytes: int
    exif: bytes
    damaged: Mapping[int, str]
    is_lossless: bool
    scans: float
    coefficients: int
    keeps_coefficients: bool
    has_content_credentials: bool


def read_structure(body: bytes) -> Structure:
    """Read the segments of ``body``, which begins with the signature, as far as a decoder needs them.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    segments = _walk_segments(body)
    header = read_header(segments)
    exif = [
        body[segment.start + len(EXIF) : segment.end]
        for segment in header
        if segment.kind == APP_1 and body.startswith(EXIF, segment.start)
    ]
    frame = next((segment for segment in reversed(header) if segment.kind in FRAMES), None)
    shares, component_count, coefficients = _read_components(body[frame.start : frame.end] if frame else b"")
    keeps_coefficients = frame is not None and frame.kind in PROGRESSIVE_FRAMES
    scans = 0.0
    for segment in itertools.chain(header[-1:], segments):
        if segment.kind != SCAN:
            continue
        count = body[segment.start] if segment.start < len(body) else 0
        components = body[segment.start + 1 : min(segment.start + 1 + 2 * count, segment.end) : 2]
        # A scan without components has no data, and ends the image.
        scans += sum(shares.get(component, 0) for component in set(components))
        keeps_coefficients = keeps_coefficients or len(components) < component_count
        if not keeps_coefficients:
            break
    return Structure(
        header=header,
        stray_bytes=sum(segment.stray for segment in header),
        value_bytes=sum(segment.end - segment.start for segment in header if segment.kind in VALUES),
        copied_bytes=sum(itertools.accumulate(map(len, exif))),
        exif=b"".join(exif),
        damaged={
            segment.start: BREAKING[segment.kind][0]
            for segment in header
            if segment.kind in BREAKING and BREAKING[segment.kind][1].match(body, segment.start, segment.end)
        },
        is_lossless=any(segment.kind in LOSSLESS_FRAMES for segment in header),
        scans=scans,
        coefficients=coefficients,
        keeps_coefficients=keeps_coefficients,
        has_content_credentials=any(
            segment.kind == APP_11 and CONTENT_CREDENTIALS.match(body, segment.start, segment.end) for segment in header
        ),
    )


def read_header(segments: Iterable[Segment]) -> list[Segment]:
    """Return the segments up to the first scan; take no more."""
    header: list[Segment] = []
    for segment in segments:
        header.append(segment)
        if segment.kind == SCAN:
            break
    return header


def _walk_segments(body: bytes) -> Iterator[Segment]:
    """Yield each segment that a decoder finds, up to the first end marker after a scan.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    return limit_count(walk_all_segments(body))


def walk_all_segments(body: bytes) -> Iterator[Segment]:
    """Yield each segment that a decoder finds, up to the first end marker after a scan, however many there are."""
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


def _read_components(frame: bytes) -> tuple[dict[int, float], int, int]:
    """Return each component's share of the blocks, the number of components, and the number of coefficients.

    ITU-T T.81, A.1 and B.2.2. Decoders accept components that share a number. Their shares are added: a scan that
    names the number may mean any of them.
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


def hide_damage(body: bytes, damaged: Mapping[int, str]) -> tuple[bytes, tuple[str, ...]]:
    """Rename the damaged segments, so that no decoder reads them: no pixel needs them.

    Returns:
        The JPEG, a copy only if a segment is renamed, and a sentence about each.

    """
    if not damaged:
        return body, ()
    renamed = bytearray(body)
    for start in damaged:
        renamed[start] = 0
    names = dict.fromkeys(damaged.values())
    return bytes(renamed), tuple(f"the segment {name} is damaged and was ignored" for name in names)


def read_tables(body: bytes) -> dict[int, list[int]]:
    """Return the quantisation tables before the first scan, by number (ITU-T T.81, B.2.4.1).

    A TIFF stores these tables without an image.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS`` segments.

    """
    found = {}
    for segment in itertools.takewhile(lambda segment: segment.kind != SCAN, _walk_segments(body)):
        position = segment.start
        while segment.kind == TABLES and position < min(segment.end, len(body)):
            width, number = 1 + (body[position] >> 4 == 1), body[position] & 15
            values = body[position + 1 : position + 1 + 64 * width]
            if len(values) == 64 * width:
                found[number] = list(struct.unpack(">64H" if width == 2 else "64B", values))
            position += 1 + 64 * width
    return found


def make_segment(kind: int, content: bytes) -> bytes:
    """Return a segment of up to 65533 bytes with its marker and its length."""
    return struct.pack(">BBH", 0xFF, kind, 2 + len(content)) + content


def join_profile(segments: Iterable[bytes]) -> bytes | None:
    """Join the parts of a colour profile as Chromium does; None if a part is missing or repeated.

    Args:
        segments: The data of all ``APP2`` segments. Only as many parts count as the first one announces, since some
            writers store the profile twice.

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
    """Tell whether the scan headers announce every bit of every component's coefficients."""
    missing: dict[int, int] = {}
    is_progressive = False
    for segment in _walk_segments(body):
        data = body[segment.start : segment.end]
        if segment.kind in FRAMES and not missing:
            is_progressive = segment.kind in PROGRESSIVE_FRAMES
            missing = dict.fromkeys(data[6::3], ALL_COEFFICIENTS)
        elif segment.kind == SCAN and len(data) >= 4:
            first, last, precision = data[-3:]
            # The lower half of the last byte says how many low bits are left to later scans.
            done = (2 << last) - (1 << first) if is_progressive and not precision & 15 else 0
            for component in data[1:-3:2]:
                missing[component] = missing.get(component, 0) & ~(done if is_progressive else ALL_COEFFICIENTS)
    return bool(missing) and not any(missing.values())


def announces_more(body: bytes, header: Iterable[Segment]) -> bool:
    """Tell whether a JPEG may carry something beside its main picture.

    Args:
        body: The file.
        header: Its segments up to the first scan.

    """
    return has_video_trailer(body) or any(is_announcing(body, segment) for segment in header)


def is_announcing(body: bytes, segment: Segment) -> bool:
    """Tell whether a segment may announce something beside the main picture."""
    if segment.kind == APP_2:
        return body.startswith((MPF, ISO), segment.start)
    if segment.kind == APP_1 and body.startswith(XMP, segment.start):
        return any(body.find(name, segment.start, segment.end) >= 0 for name in ANNOUNCING)
    return False


def has_video_trailer(body: bytes) -> bool:
    """Tell whether a video is behind the JPEG, as Samsung's phones place it."""
    return body.endswith(SAMSUNG_END) and SAMSUNG_VIDEO in body


def find_end(body: bytes) -> int | None:
    """Return the offset after the first end marker that follows a scan; None if the file is cut off."""
    last = next(iter(collections.deque(_walk_segments(body), maxlen=1)), None)
    return last.end if last is not None and last.kind == END[1] else None


def lacks_end(body: bytes) -> bool:
    """Tell whether no end marker follows the scans: the file is cut off, or was filled up after it had been cut off."""
    # Most files end with the marker. Others append data after it, even a video.
    return not body.endswith(END) and find_end(body) is None


def add_end(body: bytes) -> Iterator[bytes]:
    """Yield the JPEG with an end marker, and the JPEG with foreign data before the end marker.

    A decoder makes the same pixels of both only if no pixels are missing. Zeros at the end are dropped: an interrupted
    upload may have left them.
    """
    data = body.rstrip(b"\0")
    if data.endswith(b"\xff"):
        # This byte is half of an end marker, or the last byte of the pixels, after which it does no harm.
        data += b"\0"
    yield data + END
    yield data + FILLER + END
