"""What an AVIF's boxes say, read without decoding a pixel."""

import contextlib
import itertools
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from errors import MalformedError
from imaging.structure import bounded, too_many

CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
"""Boxes on the way to what says where pixels are, and the bytes before the first box in them."""

MOST_DEPTH = 5
"""Of those boxes in each other, down to ``stbl``."""

CONFIGURATION = 4
"""Bytes of an ``av1C`` box before the units in it (AV1 in ISOBMFF, 2.3.3)."""

MOST_FOLD = 4
"""How many times its bytes a file's items may have together, where some share data."""

EXIF_OFFSET_BYTES = 4
"""Of an item that is EXIF, which say how many follow before the TIFF's header."""

SEQUENCE_HEADER, MOST_HEADER_BYTES = 1, 512
"""A kind of unit (AV1 specification, 6.2.2), and what it can't be larger than up to where it says the size."""


@dataclass(frozen=True)
class Box:
    """A part of the file (ISO/IEC 14496-12, 4.2).

    Attributes:
        start: Of its content.
        end: Behind it; that of what it is in where it is cut off.
        is_whole: Whether it is not.

    """

    kind: bytes
    start: int
    end: int
    is_whole: bool = True


Steps = Iterator[None]
"""What a walk takes one of for each part that it looks at, whatever its kind; there are ``structure.MAX_PARTS``."""


def limit_parts() -> Steps:
    """Make what a walk over all of a file takes; the next one raises ``RejectedError``, TOO_LARGE."""
    return bounded(itertools.repeat(None))


def walk_boxes(data: bytes, start: int, end: int, left: Steps) -> Iterator[Box]:
    """Each box of a part of ``data``, in order."""
    while start + 8 <= end:
        next(left)
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
    """Refuse what is more or less than one file of boxes that follow each other up to its end.

    Raises:
        MalformedError: It is not.

    """
    found = list(walk_boxes(data, 0, len(data), limit_parts()))
    kinds = [box.kind for box in found]
    if kinds[:1] != [b"ftyp"] or kinds.count(b"meta") != 1 or not found[-1].is_whole or found[-1].end != len(data):
        raise MalformedError("it does not consist of boxes up to its end")


def read_plays(data: bytes) -> int | None:
    """How often an animation is played: 0 is for ever; None where nothing says it.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS`` boxes.

    """
    for track in _tracks(data):
        duration = int.from_bytes(data[track.start : track.end], "big")
        if not track.repeats:
            return 1
        if duration == track.for_ever:
            return 0
        return -(-duration // track.once) if track.once else None
    return None


def set_plays(data: bytes, count: int) -> bytes:
    """The animation played ``count`` times, or for ever where that is 0; as libavif writes it, which is for ever."""
    patched = bytearray(data)
    for track in _tracks(data):
        duration = min(count * track.once or track.for_ever, track.for_ever)
        patched[track.start : track.end] = duration.to_bytes(track.end - track.start, "big")
    return bytes(patched)


@dataclass(frozen=True)
class _Track:
    """A row of frames (ISO/IEC 14496-12, 8.3.2 and 8.6.6).

    Attributes:
        start: Of what says how long it is, with all repetitions; all its bits are set where they have no end.
        end: Behind that.
        once: How long one of them is.
        repeats: Whether it is repeated until its end.

    """

    start: int
    end: int
    once: int
    repeats: bool

    @property
    def for_ever(self) -> int:
        return (1 << 8 * (self.end - self.start)) - 1


def _tracks(data: bytes) -> Iterator[_Track]:
    left = limit_parts()
    for movie in walk_boxes(data, 0, len(data), left):
        for track in walk_boxes(data, movie.start, movie.end, left) if movie.kind == b"moov" else ():
            parts = {part.kind: part for part in walk_boxes(data, track.start, track.end, left)}
            header, edits = parts.get(b"tkhd"), parts.get(b"edts")
            inner = walk_boxes(data, edits.start, edits.end, left) if edits else ()
            lists = [part for part in inner if part.kind == b"elst"]
            if header is None or not lists or len(data) < max(header.start + 36, lists[0].start + 20):
                continue
            start = lists[0].start
            # Version 1 has 64 bits where version 0 has 32.
            duration = header.start + (28 if data[header.start] else 20)
            once = int.from_bytes(data[start + 8 : start + (16 if data[start] else 12)], "big")
            length = 8 if data[header.start] else 4
            yield _Track(duration, duration + length, once, repeats=bool(data[start + 3] & 1))


@dataclass(frozen=True)
class Streams:
    """What the AV1 streams of a file announce, whatever its boxes say; zeros where there are none.

    A decoder makes room for these, and only then scales its image to what the boxes say.

    Attributes:
        size: The largest width and height.
        item_pixels: Of all items together: an image, its alpha, its cells, its thumbnails.
        exif: Every item that may be EXIF.

    """

    size: tuple[int, int]
    item_pixels: int
    exif: tuple[bytes, ...] = ()


def read_streams(data: bytes) -> Streams:
    """Read the sequence headers of all streams in ``data``.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS`` boxes, items, chunks and units, or items
            overlap.

    """
    left = limit_parts()
    width = height = item_pixels = 0
    exif = []
    for stream, is_item in _streams(data, list(walk_boxes(data, 0, len(data), left)), left):
        sizes = list(_sizes(stream, left))
        width, height = (max(found, default=0) for found in zip((width, height), *sizes, strict=True))
        if is_item:
            item_pixels += max(map(math.prod, sizes), default=0)
            if tags := _exif(stream):
                exif.append(tags)
    return Streams((width, height), item_pixels, tuple(exif))


def _exif(item: memoryview) -> bytes:
    """What a TIFF's header begins, where an item says that it does; else nothing (ISO/IEC 23008-12, A.2.1)."""
    start = EXIF_OFFSET_BYTES + int.from_bytes(item[:EXIF_OFFSET_BYTES], "big")
    return bytes(item[start:]) if bytes(item[start : start + 2]) in {b"II", b"MM"} else b""


def _streams(data: bytes, within: Sequence[Box], left: Steps, depth: int = 0) -> Iterator[tuple[memoryview, bool]]:
    """Wherever a stream may begin: in configurations, in items, and in the chunks of tracks; whether it is an item."""
    view = memoryview(data)
    inside = next((box.start for box in within if box.kind == b"idat"), 0)
    for box in within:
        if box.kind in CONTAINERS and depth < MOST_DEPTH:
            inner = list(walk_boxes(data, box.start + CONTAINERS[box.kind], box.end, left))
            yield from _streams(data, inner, left, depth + 1)
        elif box.kind == b"av1C":
            yield view[box.start + CONFIGURATION : box.end], False
        elif box.kind == b"iloc":
            with contextlib.suppress(MalformedError):
                yield from ((item, True) for item in _items(data, _Bits(view[box.start : box.end]), inside, left))
        elif box.kind in {b"stco", b"co64"}:
            size = 4 if box.kind == b"stco" else 8
            entries = zip(range(box.start + 8, box.end, size), left, strict=False)
            starts = sorted(int.from_bytes(view[entry : entry + size], "big") for entry, _ in entries)
            # Each sample in a chunk may bring a header of its own.
            yield from ((view[start:end], False) for start, end in itertools.pairwise([*starts, len(data)]))


class _Bits:
    """Reads numbers of so many bits, the highest first."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._position = data, 0

    def read(self, count: int) -> int:
        """The next ``count`` bits.

        Raises:
            MalformedError: There are fewer.

        """
        start, self._position = self._position, self._position + count
        if self._position > 8 * len(self._data):
            raise MalformedError("it ends in the middle of a number")
        covering = self._data[start // 8 : -(-self._position // 8)]
        return int.from_bytes(covering, "big") >> -self._position % 8 & (1 << count) - 1


def _items(data: bytes, bits: _Bits, inside: int, left: Steps) -> Iterator[memoryview]:
    """The data of each item that an ``iloc`` box places in the file or the box ``inside`` (ISO/IEC 14496-12, 8.11.3).

    Raises:
        RejectedError: TOO_LARGE: items overlap.

    """
    version = bits.read(32) >> 24
    place_bits, length_bits, base_bits, index_bits = (8 * bits.read(4) for _ in range(4))
    bytes_left = MOST_FOLD * len(data)
    for _ in range(bits.read(32 if version == 2 else 16)):
        next(left)
        bits.read(32 if version == 2 else 16)
        method = bits.read(16) & 15 if version else 0
        bits.read(16)
        base = bits.read(base_bits) + (inside if method == 1 else 0)
        parts = []
        for _ in range(bits.read(16)):
            next(left)
            bits.read(index_bits if version else 0)
            start = base + bits.read(place_bits)
            length = bits.read(length_bits)
            parts.append(memoryview(data)[start : start + length if length else len(data)])
            bytes_left -= len(parts[-1])
            if bytes_left < 0:
                raise too_many()
        yield parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


def _sizes(stream: memoryview, left: Steps) -> Iterator[tuple[int, int]]:
    """What each sequence header in a row of units announces (AV1 specification, 5.3)."""
    with contextlib.suppress(MalformedError):
        position = 0
        while position < len(stream):
            next(left)
            header = stream[position]
            position += 2 if header & 4 else 1
            size = len(stream) - position
            if header & 2:
                size, position = _leb128(stream, position)
            if header >> 3 & 15 == SEQUENCE_HEADER:
                yield _announced(_Bits(stream[position : position + min(size, MOST_HEADER_BYTES)]))
            position += size


def _leb128(stream: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends (AV1 specification, 4.10.5)."""
    value = 0
    for shift in range(0, 56, 7):
        byte = _Bits(stream[position : position + 1]).read(8)
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, position


def _announced(bits: _Bits) -> tuple[int, int]:
    """The most that a frame's width and height may be (AV1 specification, 5.5.1)."""
    bits.read(4)
    if bits.read(1):
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: _Bits) -> None:
    """Read over what a header has that is not reduced to what a still needs."""
    delay_bits = _delay_bits(bits) if bits.read(1) else 0
    has_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_delay and bits.read(1):
            bits.read(4)


def _delay_bits(bits: _Bits) -> int:
    """Read over the time of a picture; how many bits the delays have that follow it, 0 where none does."""
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
