"""The structure of a GIF: walks its blocks without decoding a pixel, and splits it into layers."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from errors import MalformedError
from imaging.layers import Disposal, Layer
from imaging.part_limit import MAX_PARTS, make_too_many_error

SIGNATURES = (b"GIF87a", b"GIF89a")

TRAILER, EXTENSION, IMAGE = 0x3B, 0x21, 0x2C
GRAPHIC_CONTROL, COMMENT = 0xF9, 0xFE
"""Labels of the extension that describes the next image, and of comments."""

CONTENT_CREDENTIALS = b"\xff\x0bC2PA_GIF"
"""The label and the identifier of an application extension with a C2PA manifest store (C2PA 2.1, appendix A)."""

XMP, XMP_END = b"\xff\x0bXMP DataXMP", b"\1" + bytes(range(255, -1, -1)) + b"\0"
"""What stands before and behind the packet in an extension with XMP. Readers that take the packet for sub-blocks jump
into the end, and from there behind it (XMP specification, part 3, 1.1.2)."""

LEAST_SUB_BLOCK = 64
"""Lowest average size of a large file's sub-blocks. Writers fill all of their 255 bytes."""

INTERLACED = 0x40
"""A flag in an image descriptor (section 20)."""

DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}
"""Disposal methods (section 23). Some writers use 4 for 3."""

BLACK = bytes(768)
"""The palette of an image without a colour table, as in Chromium."""

EMPTY = bytes.fromhex(
    "474946383961 0100 0100 800000 000000000000 21f90401000000 00 2c 0000 0000 0100 0100 00 0202440100 3b"
)
"""A GIF of one transparent pixel."""

BLOCK = re.compile(b"[,!;]")
"""The first byte of each kind of block."""

UNFINISHED = re.compile(rb"(\x0bNETSCAPE2\.0)?\0")
"""The sub-blocks of an empty extension, or of a loop extension without a count: Pillow would read beyond their end."""


class _Block(NamedTuple):
    """A block of the file.

    Attributes:
        kind: ``IMAGE``, ``EXTENSION``, or the first byte of anything else.
        start: Offset of the block.
        data: Offset of its sub-blocks.
        end: Offset behind its sub-blocks; None if the file ends inside it.

    """

    kind: int
    start: int
    data: int
    end: int | None


class Blocks(NamedTuple):
    """The blocks of a GIF (GIF89a specification, sections 18 to 27).

    Attributes:
        canvas: Width and height of the logical screen. As in browsers, the first frame enlarges it, and others are
            clipped.
        largest: Largest width and height of a frame.
        frame_count: Number of complete images.
        is_whole: Whether no block is truncated. Only the trailer may be missing.
        unseen: Start and end offsets of comments, incomplete extensions and garbage between blocks.
        end: Offset behind the trailer; beyond the file if it is missing.
        has_content_credentials: Whether an extension has a C2PA manifest store.
        xmp: The first packet of XMP; empty if there is none.

    """

    canvas: tuple[int, int]
    largest: tuple[int, int]
    frame_count: int
    is_whole: bool
    unseen: tuple[tuple[int, int], ...] = ()
    end: int = 0
    has_content_credentials: bool = False
    xmp: bytes = b""


def read_blocks(data: bytes) -> Blocks:
    """Walk through the blocks of ``data``, which begins with a GIF's signature.

    Raises:
        RejectedError: TOO_LARGE: it has more than ``part_limit.MAX_PARTS`` blocks, or too many sub-blocks for its size.

    """
    canvas, largest, frames = (_read_u16(data, 6), _read_u16(data, 8)), (0, 0), 0
    unseen: list[tuple[int, int]] = []
    position, packet = _find_first_block(data), b""
    image_is_due = has_content_credentials = False
    for block in _walk_blocks(data):
        if block.end is None:
            return Blocks(canvas, largest, frames, is_whole=False)
        position = block.end
        if block.kind == IMAGE:
            left, top, width, height = (_read_u16(data, block.start + offset) for offset in (1, 3, 5, 7))
            if not frames:
                canvas = max(canvas[0], left + width), max(canvas[1], top + height)
            largest = max(largest[0], width), max(largest[1], height)
            frames += 1
            image_is_due = False
        elif block.kind != EXTENSION or _is_unseen(data, block):
            unseen.append((block.start, block.end))
        else:
            image_is_due |= data[block.start + 1] == GRAPHIC_CONTROL
            has_content_credentials |= data.startswith(CONTENT_CREDENTIALS, block.start + 1)
            if data.startswith(XMP, block.start + 1):
                packet = packet or data[block.data + 1 + data[block.data] : block.end].removesuffix(XMP_END)
    is_whole = position < len(data) or not image_is_due
    return Blocks(canvas, largest, frames, is_whole, tuple(unseen), position + 1, has_content_credentials, packet)


def _walk_blocks(data: bytes) -> Iterator[_Block]:
    """Yield each block up to the trailer or the first truncated block.

    Raises:
        RejectedError: TOO_LARGE: it has more than ``part_limit.MAX_PARTS`` blocks, or too many sub-blocks for its size.

    """
    steps = iter(range(MAX_PARTS + len(data) // LEAST_SUB_BLOCK))
    position = _find_first_block(data)
    count = 0
    while position < len(data) and data[position] != TRAILER:
        count += 1
        if count > MAX_PARTS:
            raise make_too_many_error()
        kind, start = data[position], position
        end: int | None
        if kind in {IMAGE, EXTENSION}:
            is_image = kind == IMAGE
            start += 10 + _read_table_size(data, position + 9) + 1 if is_image else 2
            end = _skip_sub_blocks(data, start, steps)
        else:
            found = BLOCK.search(data, position)
            end = found.start() if found else len(data)
        yield _Block(kind, position, start, end)
        if end is None:
            return
        position = end


def read_layers(data: bytes) -> Iterator[Layer]:
    """Yield each image of ``data``, which is whole, as a GIF of its own."""
    global_table = data[13 : _find_first_block(data)] or BLACK
    control = bytes(4)
    for block in _walk_blocks(data):
        if block.kind == EXTENSION and data[block.start + 1] == GRAPHIC_CONTROL:
            control = data[block.data + 1 : block.data + 5].ljust(4, b"\0")
        elif block.kind == IMAGE:
            yield _make_layer(data, block, global_table, control)
            control = bytes(4)


def _make_layer(data: bytes, block: _Block, global_table: bytes, control: bytes) -> Layer:
    left, top, width, height = (_read_u16(data, block.start + offset) for offset in (1, 3, 5, 7))
    packed = data[block.start + 9]
    table = bytearray(data[block.start + 10 : block.data - 1] or global_table)
    if control[0] & 1 and 3 * control[3] < len(table):
        # Pillow ignores transparency if the table's entries are the greys 0 to 255 in order. The transparent entry's
        # colour is never seen, so change it.
        table[3 * control[3]] ^= 1
    exponent = (len(table) // 3).bit_length() - 2
    parts = [
        *(b"GIF89a", struct.pack("<HHBBB", width, height, 0xF0 | exponent, 0, 0), bytes(table)),
        *(bytes([EXTENSION, GRAPHIC_CONTROL, 4, control[0] & 1, 0, 0, control[3], 0]), bytes([IMAGE, 0, 0, 0, 0])),
        *(struct.pack("<HHB", width, height, packed & INTERLACED), data[block.data - 1 : block.end], bytes([TRAILER])),
    ]
    # Pillow rejects an image without pixels.
    source = b"".join(parts) if width and height else EMPTY
    disposal = DISPOSALS.get(control[0] >> 2 & 7, Disposal.KEEP)
    return Layer(source, left, top, disposal, is_blended=True, milliseconds=10 * _read_u16(control, 1))


def check_whole(data: bytes) -> None:
    """Check that ``data`` is one GIF with at least one image, and nothing but valid blocks up to its trailer.

    Raises:
        MalformedError: It is not.

    """
    found = read_blocks(data) if data.startswith(SIGNATURES) else Blocks((0, 0), (0, 0), 0, is_whole=False)
    if not found.is_whole or found.unseen or not found.frame_count or found.end != len(data):
        raise MalformedError("its blocks do not fill the file")


def remove_unseen(data: bytes, found: Blocks) -> bytes:
    """Remove the unseen parts: Pillow takes many times their size, or reads them byte by byte."""
    view, kept, start = memoryview(data), [], 0
    for begin, end in found.unseen:
        kept.append(view[start:begin])
        start = end
    return b"".join([*kept, view[start:]]) if kept else data


def _read_u16(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "little")


def _find_first_block(data: bytes) -> int:
    """Return the offset of the first block."""
    return 13 + _read_table_size(data, 10)


def _is_unseen(data: bytes, block: _Block) -> bool:
    """Tell whether an extension is a comment, or incomplete."""
    return data[block.data - 1] == COMMENT or UNFINISHED.fullmatch(data, block.data, block.end or 0) is not None


def _read_table_size(data: bytes, position: int) -> int:
    """Return the bytes of the colour table that the packed field at ``position`` describes."""
    packed = data[position] if position < len(data) else 0
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _skip_sub_blocks(data: bytes, position: int, steps: Iterator[int]) -> int | None:
    """Return the offset behind a chain of sub-blocks, with one step for each; None if the data ends inside it."""
    for _ in steps:
        if position >= len(data):
            return None
        size = data[position]
        position += 1 + size
        if size == 0:
            return position
    raise make_too_many_error()
