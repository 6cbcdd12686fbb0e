"""What a GIF's blocks say, read without decoding a pixel: its canvas, whether the file is whole, what nobody sees."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from errors import MalformedError
from imaging.layers import Disposal, Layer
from imaging.structure import MAX_PARTS, too_many

SIGNATURES = (b"GIF87a", b"GIF89a")

TRAILER, EXTENSION, IMAGE = 0x3B, 0x21, 0x2C
GRAPHIC_CONTROL, COMMENT = 0xF9, 0xFE
"""The extensions that say how the image behind them is shown, and what nobody sees."""

LEAST_SUB_BLOCK = 64
"""Bytes of a sub-block on average, of a large file: writers fill all of the 255 that it may have."""

INTERLACED = 0x40
"""A flag of an image (section 20)."""

DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}
"""What is done with a frame (section 23); 4 is what some writers took for 3."""

BLACK = bytes(768)
"""The colours of an image that has no table, as in Chromium."""

EMPTY = bytes.fromhex(
    "474946383961 0100 0100 800000 000000000000 21f90401000000 00 2c 0000 0000 0100 0100 00 0202440100 3b"
)
"""A GIF of one transparent pixel."""

BLOCK = re.compile(b"[,!;]")
"""How each block begins."""

UNFINISHED = re.compile(rb"(\x0bNETSCAPE2\.0)?\0")
"""The sub-blocks of an extension that Pillow reads beyond its end: it says nothing, not even how often to play."""


class _Block(NamedTuple):
    """A part of the file.

    Attributes:
        kind: ``IMAGE``, ``EXTENSION`` or the first byte of what is neither.
        start: Of the block.
        data: Where its sub-blocks begin.
        end: Behind them; None where the file ends inside of it.

    """

    kind: int
    start: int
    data: int
    end: int | None


@dataclass(frozen=True)
class Blocks:
    """A GIF's structure (GIF89a specification, sections 18 to 27).

    Attributes:
        canvas: Width and height of the screen, which grows with the first frame, as in browsers; others are clipped.
        largest: Width and height of a frame, at most.
        frame_count: Images whose data is whole.
        is_whole: Whether no block is cut off; a missing trailer alone cuts nothing off.
        unseen: Where comments, unfinished extensions and rubbish between blocks begin and end.
        end: Behind the trailer; beyond the file's own where there is none.

    """

    canvas: tuple[int, int]
    largest: tuple[int, int]
    frame_count: int
    is_whole: bool
    unseen: tuple[tuple[int, int], ...] = ()
    end: int = 0


def read_blocks(data: bytes) -> Blocks:
    """Walk through the blocks of ``data``, which begins with a GIF's signature.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``, or too many sub-blocks for its size.

    """
    canvas, largest, frames = (_u16(data, 6), _u16(data, 8)), (0, 0), 0
    unseen: list[tuple[int, int]] = []
    position = _first(data)
    image_is_due = False
    for block in _blocks(data):
        if block.end is None:
            return Blocks(canvas, largest, frames, is_whole=False)
        position = block.end
        if block.kind == IMAGE:
            left, top, width, height = (_u16(data, block.start + offset) for offset in (1, 3, 5, 7))
            if not frames:
                canvas = max(canvas[0], left + width), max(canvas[1], top + height)
            largest = max(largest[0], width), max(largest[1], height)
            frames += 1
            image_is_due = False
        elif block.kind != EXTENSION or _is_unseen(data, block):
            _add(unseen, block.start, block.end)
        else:
            image_is_due |= data[block.start + 1] == GRAPHIC_CONTROL
    is_whole = position < len(data) or not image_is_due
    return Blocks(canvas, largest, frames, is_whole, tuple(unseen), position + 1)


def _blocks(data: bytes) -> Iterator[_Block]:
    """Each block up to the trailer, or to the first that is cut off.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``, or too many sub-blocks for its size.

    """
    # A sub-block has up to 255 bytes.
    steps = iter(range(MAX_PARTS + len(data) // LEAST_SUB_BLOCK))
    position = _first(data)
    parts = 0
    while position < len(data) and data[position] != TRAILER:
        parts += 1
        if parts > MAX_PARTS:
            raise too_many()
        kind, start = data[position], position
        end: int | None
        if kind in {IMAGE, EXTENSION}:
            is_image = kind == IMAGE
            start += 10 + _colour_table(data, position + 9) + 1 if is_image else 2
            end = _after_sub_blocks(data, start, steps)
        else:
            found = BLOCK.search(data, position)
            end = found.start() if found else len(data)
        yield _Block(kind, position, start, end)
        if end is None:
            return
        position = end


def read_layers(data: bytes) -> Iterator[Layer]:
    """Each image of ``data``, which is whole, as a GIF of its own."""
    shared = data[13 : _first(data)] or BLACK
    control = bytes(4)
    for block in _blocks(data):
        if block.kind == EXTENSION and data[block.start + 1] == GRAPHIC_CONTROL:
            control = data[block.data + 1 : block.data + 5].ljust(4, b"\0")
        elif block.kind == IMAGE:
            yield _layer(data, block, shared, control)
            control = bytes(4)


def _layer(data: bytes, block: _Block, shared: bytes, control: bytes) -> Layer:
    left, top, width, height = (_u16(data, block.start + offset) for offset in (1, 3, 5, 7))
    packed = data[block.start + 9]
    table = bytearray(data[block.start + 10 : block.data - 1] or shared)
    if control[0] & 1 and 3 * control[3] < len(table):
        # Pillow knows no transparency where the table is a ramp of greys; what is not seen may have any colour.
        table[3 * control[3]] ^= 1
    exponent = (len(table) // 3).bit_length() - 2
    parts = [
        *(b"GIF89a", struct.pack("<HHBBB", width, height, 0xF0 | exponent, 0, 0), bytes(table)),
        *(bytes([EXTENSION, GRAPHIC_CONTROL, 4, control[0] & 1, 0, 0, control[3], 0]), bytes([IMAGE, 0, 0, 0, 0])),
        *(struct.pack("<HHB", width, height, packed & INTERLACED), data[block.data - 1 : block.end], bytes([TRAILER])),
    ]
    # A frame of no size shows nothing; to Pillow it is broken.
    source = b"".join(parts) if width and height else EMPTY
    disposal = DISPOSALS.get(control[0] >> 2 & 7, Disposal.KEEP)
    return Layer(source, left, top, disposal, is_blended=True, milliseconds=10 * _u16(control, 1))


def check_whole(data: bytes) -> None:
    """Refuse what is more or less than one GIF of images, each block in its place up to the trailer.

    Raises:
        MalformedError: It is not.

    """
    found = read_blocks(data) if data.startswith(SIGNATURES) else Blocks((0, 0), (0, 0), 0, is_whole=False)
    if not found.is_whole or found.unseen or not found.frame_count or found.end != len(data):
        raise MalformedError("it does not consist of blocks up to its trailer")


def remove_unseen(data: bytes, found: Blocks) -> bytes:
    """Return the GIF without the blocks that nobody sees, which take a decoder many times their bytes."""
    view, kept, start = memoryview(data), [], 0
    for begin, end in found.unseen:
        kept.append(view[start:begin])
        start = end
    return b"".join([*kept, view[start:]]) if kept else data


def _u16(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "little")


def _first(data: bytes) -> int:
    """Where the first block begins."""
    return 13 + _colour_table(data, 10)


def _is_unseen(data: bytes, block: _Block) -> bool:
    """Whether an extension is a comment, or not finished."""
    return data[block.data - 1] == COMMENT or UNFINISHED.fullmatch(data, block.data, block.end or 0) is not None


def _colour_table(data: bytes, position: int) -> int:
    """Size in bytes of the colour table that the packed field at ``position`` announces."""
    packed = data[position] if position < len(data) else 0
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _after_sub_blocks(data: bytes, position: int, steps: Iterator[int]) -> int | None:
    """Position behind a chain of sub-blocks, one for each step; None where the data ends inside it."""
    for _ in steps:
        if position >= len(data):
            return None
        size = data[position]
        position += 1 + size
        if size == 0:
            return position
    raise too_many()


def _add(ranges: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a range; neighbours become one."""
    if ranges and ranges[-1][1] == start:
        start, _ = ranges.pop()
    ranges.append((start, end))
