"""What a GIF's blocks say, read without decoding a pixel: its canvas, whether the file is whole, what nobody sees."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from errors import MalformedError
from structure import MAX_PARTS, too_many

SIGNATURES = (b"GIF87a", b"GIF89a")

TRAILER, EXTENSION, IMAGE = 0x3B, 0x21, 0x2C
GRAPHIC_CONTROL, COMMENT = 0xF9, 0xFE
"""The extensions that say how the image behind them is shown, and what nobody sees."""

LEAST_SUB_BLOCK = 64
"""Bytes of a sub-block on average, of a large file: writers fill all of the 255 that it may have."""

BLOCK = re.compile(b"[,!;]")
"""How each block begins."""

UNFINISHED = re.compile(rb"(\x0bNETSCAPE2\.0)?\0")
"""The sub-blocks of an extension that Pillow reads beyond its end: it says nothing, not even how often to play."""


@dataclass(frozen=True)
class Blocks:
    """A GIF's structure (GIF89a specification, sections 18 to 27).

    Attributes:
        canvas: Width and height that hold every frame, which may reach over the edge of the screen.
        frame_count: Images whose data is whole.
        is_whole: Whether no block is cut off; a missing trailer alone cuts nothing off.
        unseen: Where comments, unfinished extensions and rubbish between blocks begin and end.
        end: Behind the trailer; beyond the file's own where there is none.

    """

    canvas: tuple[int, int]
    frame_count: int
    is_whole: bool
    unseen: tuple[tuple[int, int], ...] = ()
    end: int = 0


def blocks(data: bytes) -> Blocks:
    """Walk through the blocks of ``data``, which begins with a GIF's signature.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``structure.MAX_PARTS``, or too many sub-blocks for its size.

    """
    # A sub-block has up to 255 bytes.
    steps = iter(range(MAX_PARTS + len(data) // LEAST_SUB_BLOCK))
    width, height = _u16(data, 6), _u16(data, 8)
    position = 13 + _colour_table(data, 10)
    frames = parts = 0
    unseen: list[tuple[int, int]] = []
    image_is_due = False
    while position < len(data) and data[position] != TRAILER:
        parts += 1
        if parts > MAX_PARTS:
            raise too_many()
        kind = data[position]
        if kind == IMAGE:
            left, top, across, down = (_u16(data, position + offset) for offset in (1, 3, 5, 7))
            start = position + 10 + _colour_table(data, position + 9) + 1
            image_is_due = False
        elif kind == EXTENSION:
            start = position + 2
            image_is_due |= data[position + 1 : start] == bytes([GRAPHIC_CONTROL])
        else:
            found = BLOCK.search(data, position)
            behind = found.start() if found else len(data)
            _add(unseen, position, behind)
            position = behind
            continue
        end = _after_sub_blocks(data, start, steps)
        if end is None:
            return Blocks((width, height), frames, is_whole=False)
        if kind == EXTENSION and (data[start - 1] == COMMENT or UNFINISHED.fullmatch(data, start, end)):
            _add(unseen, position, end)
        if kind == IMAGE:
            width, height = max(width, left + across), max(height, top + down)
            frames += 1
        position = end
    is_whole = position < len(data) or not image_is_due
    return Blocks((width, height), frames, is_whole, tuple(unseen), position + 1)


def check_whole(data: bytes) -> None:
    """Refuse what is more or less than one GIF of images, each block in its place up to the trailer.

    Raises:
        MalformedError: It is not.

    """
    found = blocks(data) if data.startswith(SIGNATURES) else Blocks((0, 0), 0, is_whole=False)
    if not found.is_whole or found.unseen or not found.frame_count or found.end != len(data):
        raise MalformedError("it does not consist of blocks up to its trailer")


def without_unseen(data: bytes) -> bytes:
    """The GIF without what nobody sees: a decoder takes many times its bytes, or reads it one by one."""
    view, kept, start = memoryview(data), [], 0
    for begin, end in blocks(data).unseen:
        kept.append(view[start:begin])
        start = end
    return b"".join([*kept, view[start:]]) if kept else data


def _u16(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "little")


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
