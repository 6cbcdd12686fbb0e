"""Writes a still as PNG with one filter for all rows. Pillow tries five for each row, which takes half of its time."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import Image, ImageChops

from imaging import lower_bytes
from imaging.formats.png_chunks import SIGNATURE, make_chunk, walk_chunks

NONE, UP, AVERAGE = b"\0", b"\2", b"\3"
"""Filters: the second predicts a byte as the one above, the third as the mean of this and the one to the left (PNG
specification, 9.2)."""

STRIP_ROWS = 32
"""How many rows are filtered at once: the proof decodes more, and so sees where strips meet."""

MEMORY_LEVEL = 9
"""Of zlib's memory for symbols: the most, as Pillow sets it. Blocks are larger, and their tables fewer."""


class Coding(NamedTuple):
    """How pixels are filtered and deflated.

    Attributes:
        filter: Of all rows; None lets Pillow choose one for each row.
        level: Of zlib, which ``Z_RLE`` and ``Z_HUFFMAN_ONLY`` don't use.
        strategy: Of zlib.

    """

    filter: bytes | None
    level: int
    strategy: int


def deflate(
    image: Image.Image, strips: Iterable[tuple[int, int]], coding: Coding, low: Image.Image | None = None
) -> Iterator[bytes]:
    """Filter and deflate rows of a still, and yield the stream in parts.

    Filters predict each byte of a sample from the same byte of other samples (PNG specification, 9.2).

    Args:
        image: The still, or its upper bytes.
        strips: The first row of each strip of rows, and the row below its last.
        coding: One with a filter.
        low: Its lower bytes, if it has 16 bits a channel.

    """
    row_bytes = image.width * len(image.getbands()) * (1 if low is None else 2)
    deflater = zlib.compressobj(coding.level, memLevel=MEMORY_LEVEL, strategy=coding.strategy)
    start = coding.filter or NONE
    for top, bottom in strips:
        upper = _filter(image, top, bottom, start)
        filtered = upper.tobytes() if low is None else lower_bytes.interleave(upper, _filter(low, top, bottom, start))
        rows = (start + filtered[at : at + row_bytes] for at in range(0, len(filtered), row_bytes))
        yield deflater.compress(b"".join(rows))
    yield deflater.flush()


def _filter(image: Image.Image, top: int, bottom: int, kind: bytes) -> Image.Image:
    strip = image.crop((0, top, image.width, bottom))
    if kind == NONE:
        return strip
    # Beyond the edges of an image, a crop is 0, as the filters want it.
    above = image.crop((0, top - 1, image.width, bottom - 1))
    if kind == UP:
        return ImageChops.subtract_modulo(strip, above)
    left = image.crop((-1, top, image.width - 1, bottom))
    return ImageChops.subtract_modulo(strip, ImageChops.add(left, above, scale=2))


def enlarge(pixel: bytes, image: Image.Image, coding: Coding, low: Image.Image | None = None) -> bytes:
    """Return a PNG of an image.

    Args:
        pixel: A PNG of a single pixel with the image's mode and metadata.
        image: A still of eight bits a channel, or the upper bytes of one of 16.
        coding: One with a filter.
        low: The lower bytes of one of 16.

    """
    strips = ((top, min(top + STRIP_ROWS, image.height)) for top in range(0, image.height, STRIP_ROWS))
    parts = [SIGNATURE]
    for chunk in walk_chunks(pixel):
        data = pixel[chunk.start + 8 : chunk.end - 4]
        if chunk.kind == b"IHDR":
            depth = data[8:9] if low is None else b"\x10"
            parts.append(make_chunk(b"IHDR", struct.pack(">2I", *image.size) + depth + data[9:]))
        elif chunk.kind == b"IDAT":
            parts += [make_chunk(b"IDAT", part) for part in deflate(image, strips, coding, low) if part]
        else:
            parts.append(pixel[chunk.start : chunk.end])
    return b"".join(parts)
