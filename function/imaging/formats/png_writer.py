"""Writes a still as PNG with one filter for all rows. Pillow tries five for each row, which takes half of its time."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops

from imaging.formats.png_chunks import SIGNATURE, make_chunk, walk_chunks

NONE, AVERAGE = b"\0", b"\3"
"""Filters: the second predicts a byte as the mean of those to the left and above (PNG specification, 9.2)."""

STRIP_ROWS = 32
"""How many rows are filtered at once: the proof decodes more, and so sees where strips meet."""

MEMORY_LEVEL = 9
"""Of zlib's memory for symbols: the most, as Pillow sets it. Blocks are larger, and their tables fewer."""


@dataclass(frozen=True)
class Coding:
    """How pixels are filtered and deflated.

    Attributes:
        filter: Of all rows; None lets Pillow choose one for each row.
        level: Of zlib, which ``Z_RLE`` and ``Z_HUFFMAN_ONLY`` don't use.
        strategy: Of zlib.

    """

    filter: bytes | None
    level: int
    strategy: int


def deflate(image: Image.Image, strips: Iterable[tuple[int, int]], coding: Coding) -> Iterator[bytes]:
    """Filter and deflate rows of a still of eight bits a channel, and yield the stream in parts.

    Args:
        image: The still.
        strips: The first row of each strip of rows, and the row below its last.
        coding: One with a filter.

    """
    row_bytes = image.width * len(image.getbands())
    deflater = zlib.compressobj(coding.level, memLevel=MEMORY_LEVEL, strategy=coding.strategy)
    start = coding.filter or NONE
    for top, bottom in strips:
        strip = image.crop((0, top, image.width, bottom))
        filtered = (_subtract_average(strip, image, top) if start == AVERAGE else strip).tobytes()
        rows = (start + filtered[at : at + row_bytes] for at in range(0, len(filtered), row_bytes))
        yield deflater.compress(b"".join(rows))
    yield deflater.flush()


def _subtract_average(strip: Image.Image, image: Image.Image, top: int) -> Image.Image:
    # Beyond the edges of an image, a crop is 0, as the filter wants it.
    left = image.crop((-1, top, image.width - 1, top + strip.height))
    above = image.crop((0, top - 1, image.width, top - 1 + strip.height))
    return ImageChops.subtract_modulo(strip, ImageChops.add(left, above, scale=2))


def enlarge(pixel: bytes, image: Image.Image, coding: Coding) -> bytes:
    """Return a PNG of an image.

    Args:
        pixel: A PNG of a single pixel with the image's mode and metadata.
        image: A still of eight bits a channel.
        coding: One with a filter.

    """
    strips = ((top, min(top + STRIP_ROWS, image.height)) for top in range(0, image.height, STRIP_ROWS))
    parts = [SIGNATURE]
    for chunk in walk_chunks(pixel):
        data = pixel[chunk.start + 8 : chunk.end - 4]
        if chunk.kind == b"IHDR":
            parts.append(make_chunk(b"IHDR", struct.pack(">2I", *image.size) + data[8:]))
        elif chunk.kind == b"IDAT":
            parts += [make_chunk(b"IDAT", part) for part in deflate(image, strips, coding) if part]
        else:
            parts.append(pixel[chunk.start : chunk.end])
    return b"".join(parts)
