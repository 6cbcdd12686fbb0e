"""What a GIF's blocks say, read without decoding a pixel: its canvas, whether the file is whole, what nobody sees."""

import re
from dataclasses import dataclass

SIGNATURES = (b"GIF87a", b"GIF89a")

TRAILER, EXTENSION, IMAGE = 0x3B, 0x21, 0x2C
GRAPHIC_CONTROL, COMMENT = 0xF9, 0xFE
"""The extensions that say how the image behind them is shown, and what nobody sees."""

BLOCK = re.compile(b"[,!;]")
"""How each block begins."""


@dataclass(frozen=True)
class Blocks:
    """A GIF's structure (GIF89a specification, sections 18 to 27).

    Attributes:
        canvas: Width and height that hold every frame, which may reach over the edge of the screen.
        frame_count: Images whose data is whole.
        is_whole: Whether no block is cut off; a missing trailer alone cuts nothing off.
        unseen: Where comments, and rubbish between blocks, begin and end.

    """

    canvas: tuple[int, int]
    frame_count: int
    is_whole: bool
    unseen: tuple[tuple[int, int], ...] = ()


def blocks(data: bytes) -> Blocks:
    """Walk through the blocks of ``data``, which begins with a GIF's signature."""
    width, height = _u16(data, 6), _u16(data, 8)
    position = 13 + _colour_table(data, 10)
    frames = 0
    unseen = []
    image_is_due = False
    while position < len(data) and data[position] != TRAILER:
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
            unseen.append((position, behind))
            position = behind
            continue
        end = _after_sub_blocks(data, start)
        if end is None:
            return Blocks((width, height), frames, is_whole=False)
        if data[position : position + 2] == bytes([EXTENSION, COMMENT]):
            unseen.append((position, end))
        if kind == IMAGE:
            width, height = max(width, left + across), max(height, top + down)
            frames += 1
        position = end
    return Blocks((width, height), frames, position < len(data) or not image_is_due, tuple(unseen))


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


def _after_sub_blocks(data: bytes, position: int) -> int | None:
    """Position behind a chain of sub-blocks; None where the data ends inside it."""
    while position < len(data):
        size = data[position]
        position += 1 + size
        if size == 0:
            return position
    return None
