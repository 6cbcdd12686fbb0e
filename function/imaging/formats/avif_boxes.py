"""The structure of an AVIF: walks its boxes and AV1 streams without decoding a pixel."""

import contextlib
import itertools
import math
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from errors import MalformedError
from imaging.part_limit import limit_count, make_too_many_error

CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
"""The boxes that contain others, directly or not, which locate the pixels; and the bytes before their first box."""

MOST_DEPTH = 5
"""How deeply these boxes are nested, down to ``stbl``."""

CONFIGURATION = 4
"""Bytes of an ``av1C`` box before its OBUs (AV1 in ISOBMFF, 2.3.3)."""

MOST_FOLD = 4
"""Largest sum of the items' sizes, as a multiple of the file's: items may share data."""

CONTENT_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The type of a ``uuid`` box that holds a C2PA manifest store (C2PA 2.1, appendix A)."""

EXIF_OFFSET_BYTES = 4
"""Length of the field at the start of an EXIF item, which is the offset of the TIFF header behind it."""

SEQUENCE_HEADER, MOST_HEADER_BYTES = 1, 512
"""The type of a sequence header OBU (AV1 specification, 6.2.2), and the most bytes that it has up to the frame size."""


class Box(NamedTuple):
    """A box of the file (ISO/IEC 14496-12, 4.2).

    Attributes:
        start: Offset of its content.
        end: Offset behind its content; the end of the box around it if it is truncated.
        is_whole: Whether it is not truncated.

    """

    kind: bytes
    start: int
    end: int
    is_whole: bool = True


PartLimit = Iterator[None]
"""An iterator that ends a walk: the walk takes one step for each box, item, chunk and OBU that it visits."""


def limit_parts() -> PartLimit:
    """Return ``part_limit.MAX_PARTS`` steps. The step after the last raises ``RejectedError``, TOO_LARGE."""
    return limit_count(itertools.repeat(None))


def walk_boxes(data: bytes, start: int, end: int, limit: PartLimit) -> Iterator[Box]:
    """Yield the boxes between two offsets of ``data``, in order."""
    while start + 8 <= end:
        next(limit)
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1:
            size, content = int.from_bytes(data[content : content + 8], "big"), content + 8
        following = start + size if size else end
        if following < content:
            return
        yield Box(kind, content, min(following, end), following <= end)
        start = following


def check_whole(data: bytes) -> None:
    """Check that ``data`` is one file of contiguous boxes up to its end.

    Raises:
        MalformedError: It is not.

    """
    found = list(walk_boxes(data, 0, len(data), limit_parts()))
    kinds = [box.kind for box in found]
    if kinds[:1] != [b"ftyp"] or kinds.count(b"meta") != 1 or not found[-1].is_whole or found[-1].end != len(data):
        raise MalformedError("its boxes do not fill the file")


def read_plays(data: bytes) -> int | None:
    """Read how often an animation is played: 0 is forever; None if it does not say.

    Raises:
        RejectedError: TOO_LARGE: it has more than ``part_limit.MAX_PARTS`` boxes.

    """
    for track in _find_tracks(data):
        duration = int.from_bytes(data[track.start : track.end], "big")
        if not track.repeats:
            return 1
        if duration == track.forever:
            return 0
        return -(-duration // track.once) if track.once else None
    return None


def set_plays(data: bytes, count: int) -> bytes:
    """Make an animation of libavif, which plays forever, play ``count`` times; 0 is forever."""
    patched = bytearray(data)
    for track in _find_tracks(data):
        duration = min(count * track.once or track.forever, track.forever)
        patched[track.start : track.end] = duration.to_bytes(track.end - track.start, "big")
    return bytes(patched)


class _Track(NamedTuple):
    """A track of frames (ISO/IEC 14496-12, 8.3.2 and 8.6.6).

    Attributes:
        start: Offset of the field with its duration, including repetitions. All bits set mean forever.
        end: Offset behind this field.
        once: Duration of one repetition.
        repeats: Whether it repeats.

    """

    start: int
    end: int
    once: int
    repeats: bool

    @property
    def forever(self) -> int:
        return (1 << 8 * (self.end - self.start)) - 1


def _find_tracks(data: bytes) -> Iterator[_Track]:
    limit = limit_parts()
    for movie in walk_boxes(data, 0, len(data), limit):
        for track in walk_boxes(data, movie.start, movie.end, limit) if movie.kind == b"moov" else ():
            parts = {part.kind: part for part in walk_boxes(data, track.start, track.end, limit)}
            header, edits = parts.get(b"tkhd"), parts.get(b"edts")
            inner = walk_boxes(data, edits.start, edits.end, limit) if edits else ()
            lists = [part for part in inner if part.kind == b"elst"]
            if header is None or not lists or len(data) < max(header.start + 36, lists[0].start + 20):
                continue
            start = lists[0].start
            # Fields of 32 bits have 64 in version 1.
            duration = header.start + (28 if data[header.start] else 20)
            once = int.from_bytes(data[start + 8 : start + (16 if data[start] else 12)], "big")
            length = 8 if data[header.start] else 4
            yield _Track(duration, duration + length, once, repeats=bool(data[start + 3] & 1))


class Streams(NamedTuple):
    """The frame sizes in a file's AV1 streams, which may differ from those in its boxes; zeros if it has none.

    A decoder allocates frames of these sizes before it scales the image to the size in the boxes.

    Attributes:
        size: The largest width and height.
        item_pixels: Pixels of all items: the image, its alpha, its grid cells and its thumbnails.
        exif: The items that may be EXIF.
        has_content_credentials: Whether a box of the file has a C2PA manifest store.

    """

    size: tuple[int, int]
    item_pixels: int
    exif: tuple[bytes, ...] = ()
    has_content_credentials: bool = False


def read_streams(data: bytes) -> Streams:
    """Read the sequence headers of all streams in ``data``.

    Raises:
        RejectedError: TOO_LARGE: it has more than ``part_limit.MAX_PARTS`` boxes, items, chunks and OBUs, or its items
            overlap.

    """
    limit = limit_parts()
    width = height = item_pixels = 0
    exif = []
    boxes = list(walk_boxes(data, 0, len(data), limit))
    for stream, is_item in _find_streams(data, boxes, limit):
        sizes = list(_read_sizes(stream, limit))
        width, height = (max(found, default=0) for found in zip((width, height), *sizes, strict=True))
        if is_item:
            item_pixels += max(map(math.prod, sizes), default=0)
            if tags := _read_exif(stream):
                exif.append(tags)
    has_content_credentials = any(
        box.kind == b"uuid" and data.startswith(CONTENT_CREDENTIALS, box.start) for box in boxes
    )
    return Streams((width, height), item_pixels, tuple(exif), has_content_credentials)


def _read_exif(item: memoryview) -> bytes:
    """Return the TIFF file in an EXIF item; empty if the item is not EXIF (ISO/IEC 23008-12, A.2.1)."""
    start = EXIF_OFFSET_BYTES + int.from_bytes(item[:EXIF_OFFSET_BYTES], "big")
    return bytes(item[start:]) if bytes(item[start : start + 2]) in {b"II", b"MM"} else b""


def _find_streams(
    data: bytes, within: Sequence[Box], limit: PartLimit, depth: int = 0
) -> Iterator[tuple[memoryview, bool]]:
    """Yield each stream in configurations, items and chunks of tracks, and whether it is an item."""
    view = memoryview(data)
    item_data = next((box.start for box in within if box.kind == b"idat"), 0)
    for box in within:
        if box.kind in CONTAINERS and depth < MOST_DEPTH:
            inner = list(walk_boxes(data, box.start + CONTAINERS[box.kind], box.end, limit))
            yield from _find_streams(data, inner, limit, depth + 1)
        elif box.kind == b"av1C":
            yield view[box.start + CONFIGURATION : box.end], False
        elif box.kind == b"iloc":
            with contextlib.suppress(MalformedError):
                yield from (
                    (item, True) for _, item in read_items(data, Bits(view[box.start : box.end]), item_data, limit)
                )
        elif box.kind in {b"stco", b"co64"}:
            size = 4 if box.kind == b"stco" else 8
            entries = zip(range(box.start + 8, box.end, size), limit, strict=False)
            starts = sorted(int.from_bytes(view[entry : entry + size], "big") for entry, _ in entries)
            # Every sample in a chunk may contain a sequence header.
            yield from ((view[start:end], False) for start, end in itertools.pairwise([*starts, len(data)]))


class Bits:
    """Reads big-endian numbers of any number of bits."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._position = data, 0

    def read(self, count: int) -> int:
        """Read the next ``count`` bits.

        Raises:
            MalformedError: Fewer are left.

        """
        start, self._position = self._position, self._position + count
        if self._position > 8 * len(self._data):
            raise MalformedError("it ends inside a number")
        covering = self._data[start // 8 : -(-self._position // 8)]
        return int.from_bytes(covering, "big") >> -self._position % 8 & (1 << count) - 1


def read_items(data: bytes, bits: Bits, item_data: int, limit: PartLimit) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the data of each item that an ``iloc`` box locates (ISO/IEC 14496-12, 8.11.3).

    Args:
        data: The file.
        bits: The box's content.
        item_data: Offset of the content of the ``idat`` box.
        limit: Takes a step for each item and extent.

    Raises:
        MalformedError: The box is cut off.
        RejectedError: TOO_LARGE: items overlap.

    """
    version = bits.read(32) >> 24
    offset_bits, length_bits, base_bits, index_bits = (8 * bits.read(4) for _ in range(4))
    bytes_left = MOST_FOLD * len(data)
    for _ in range(bits.read(32 if version == 2 else 16)):
        next(limit)
        item = bits.read(32 if version == 2 else 16)
        method = bits.read(16) & 15 if version else 0
        bits.read(16)
        base = bits.read(base_bits) + (item_data if method == 1 else 0)
        extents = []
        for _ in range(bits.read(16)):
            next(limit)
            bits.read(index_bits if version else 0)
            start = base + bits.read(offset_bits)
            length = bits.read(length_bits)
            extents.append(memoryview(data)[start : start + length if length else len(data)])
            bytes_left -= len(extents[-1])
            if bytes_left < 0:
                raise make_too_many_error()
        yield item, extents[0] if len(extents) == 1 else memoryview(b"".join(extents))


def _read_sizes(stream: memoryview, limit: PartLimit) -> Iterator[tuple[int, int]]:
    """Yield the frame size in each sequence header of a stream of OBUs (AV1 specification, 5.3)."""
    with contextlib.suppress(MalformedError):
        position = 0
        while position < len(stream):
            next(limit)
            header = stream[position]
            position += 2 if header & 4 else 1
            size = len(stream) - position
            if header & 2:
                size, position = _read_leb128(stream, position)
            if header >> 3 & 15 == SEQUENCE_HEADER:
                yield _read_frame_size(Bits(stream[position : position + min(size, MOST_HEADER_BYTES)]))
            position += size


def _read_leb128(stream: memoryview, position: int) -> tuple[int, int]:
    """Read a LEB128 number; return it and the offset behind it (AV1 specification, 4.10.5)."""
    value = 0
    for shift in range(0, 56, 7):
        byte = Bits(stream[position : position + 1]).read(8)
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, position


def _read_frame_size(bits: Bits) -> tuple[int, int]:
    """Read the largest frame width and height of a sequence header (AV1 specification, 5.5.1)."""
    bits.read(4)
    if bits.read(1):
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: Bits) -> None:
    """Skip the fields that only a header without ``reduced_still_picture_header`` has."""
    delay_bits = _read_delay_bits(bits) if bits.read(1) else 0
    has_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_delay and bits.read(1):
            bits.read(4)


def _read_delay_bits(bits: Bits) -> int:
    """Skip ``timing_info``; return the bits of each of the delays that follow it, 0 if there are none."""
    bits.read(64)
    if bits.read(1):
        zeros = 0
        while not bits.read(1):
            zeros += 1
        bits.read(zeros)
    if not bits.read(1):
        return 0
    delay_bits = bits.read(5) + 1
    bits.read(42)
    return delay_bits
