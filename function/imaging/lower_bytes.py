"""Colours of 16 bits a channel, as two images: Pillow has modes of 8 bits, so a second image has the lower bytes."""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from PIL import Image

RAW_MODES = {
    "RGB;16B": "RGB;16L",
    "RGBA;16B": "RGBA;16L",
    "RGB;16N": "RGB;16B",
    "RGBX;16N": "RGBX;16B",
    "RGBA;16N": "RGBA;16B",
    "RGBa;16N": "RGBA;16B",
}
"""Maps raw modes of 16 bits to those that keep the other byte of each sample. PNG is big-endian. libtiff converts
samples to the byte order of the processor (N), which is little-endian on Lambda."""

GREY_ALPHA, ALL_BYTES = "LA;16B", "RGBA"
"""A raw mode, read as RGBA, that has no other for the lower bytes; and one of as many bytes that keeps all."""

MULTIPLIED, KEPT = "RGBa;16N", "RGBA;16N"
"""A raw mode whose colours, which are multiplied by alpha, Pillow divides in 8 bits, and one that keeps them."""

STRIP_ROWS, STRIP_PIXELS, LEAST_OUTPUT_ROWS = 128, 1 << 18, 16
"""The least source rows, source pixels and output rows of a strip, which is resized at once. The filter also reads rows
beside the strip, which are converted again for the next strip: the larger strips are, the fewer such rows there are."""

STRIP_BYTES = 36
"""Memory for each pixel of a strip: 26 for its bytes and three channels as numbers, and the result of a pass."""

WIDEST_SUPPORT = 3
"""How many pixels on each side the widest filter reads, Lanczos; more by as much as the image is shrunk."""

COMPARED_ROWS = 64
"""How many rows are compared at once."""


def has_lower_bytes(opened: Any) -> bool:
    """Tell whether Pillow would keep only the upper bytes of the current page, and the lower ones can be read too."""
    return _read_raw_mode(opened) in {*RAW_MODES, GREY_ALPHA}


def _read_raw_mode(opened: Any) -> Any:
    """Return the raw mode of a page that is not yet decoded; other decoders may have another argument there."""
    arguments = opened.tile[0].args if opened.tile else None
    return arguments[0] if isinstance(arguments, tuple) and arguments else arguments


def keep_multiplied(opened: Any) -> bool:
    """Let colours be read as they are stored; tell whether they are multiplied by alpha, and need ``divide``."""
    if _read_raw_mode(opened) != MULTIPLIED:
        return False
    _set_raw_mode(opened, KEPT)
    return True


def _set_raw_mode(opened: Any, raw_mode: str) -> None:
    opened.tile = [
        tile._replace(args=raw_mode if isinstance(tile.args, str) else (raw_mode, *tile.args[1:]))
        for tile in opened.tile
    ]


def read(opened: Any, calling: AbstractContextManager[None]) -> Image.Image:
    """Decode the lower bytes of the current page, which has some and is not yet decoded.

    Args:
        opened: By Pillow.
        calling: Turns exceptions from Pillow into a rejection.

    """
    raw_mode = _read_raw_mode(opened)
    _set_raw_mode(opened, RAW_MODES.get(raw_mode, ALL_BYTES))
    with calling:
        opened.load()
        if raw_mode == GREY_ALPHA:
            return Image.merge("LA", (opened.getchannel("G"), opened.getchannel("A")))
    low: Image.Image = opened
    return low


def repeats(low: Image.Image, high: Image.Image) -> bool:
    """Tell whether each lower byte equals the upper one: the image has 8 bits, stored as 16."""
    return low.mode == high.mode and all(
        low.crop(box).tobytes() == high.crop(box).tobytes()
        for top in range(0, high.height, COMPARED_ROWS)
        for box in [(0, top, high.width, min(top + COMPARED_ROWS, high.height))]
    )


def divide(high: Image.Image, low: Image.Image) -> None:
    """Divide the colours of RGBA by alpha, in place."""
    for top in range(0, high.height, STRIP_ROWS):
        rows = (0, top, high.width, min(top + STRIP_ROWS, high.height))
        strip = high.crop(rows), low.crop(rows)
        colours = [_to_plane(*strip, band).point(lambda level: level * 65535 + 0) for band in "RGB"]
        for image, divided in zip((high, low), _to_bytes("RGBA", [_to_plane(*strip, "A"), *colours]), strict=True):
            image.paste(divided, (0, top))


def flatten(high: Image.Image, low: Image.Image, background: Sequence[int]) -> tuple[Image.Image, Image.Image]:
    """Show an image (RGBA) over a colour of 8 bits a channel; return the upper and the lower bytes (RGB)."""
    flat = Image.new("RGB", high.size), Image.new("RGB", high.size)
    for top in range(0, high.height, STRIP_ROWS):
        rows = (0, top, high.width, min(top + STRIP_ROWS, high.height))
        alpha, *colours = _to_planes(high.crop(rows), low.crop(rows))
        planes = [
            _compute(lambda colour, alpha: (colour + (65535 - alpha) * (257 * level)) / 65535, colour, alpha)  # noqa: B023
            for colour, level in zip(colours, background, strict=True)
        ]
        for image, strip in zip(flat, _to_bytes("RGB", planes), strict=True):
            image.paste(strip, (0, top))
    return flat


def interleave(first: Image.Image, second: Image.Image) -> bytearray:
    """Return the samples of two images, a byte of each in turn."""
    samples = bytearray(2 * first.width * first.height * len(first.getbands()))
    samples[0::2], samples[1::2] = first.tobytes(), second.tobytes()
    return samples


def resize(
    high: Image.Image,
    low: Image.Image,
    size: tuple[int, int],
    resampling: Image.Resampling,
    box: tuple[float, float, float, float],
) -> tuple[Image.Image, Image.Image]:
    """Resize a part of an image (LA, RGB or RGBA) of 16 bits a channel; alpha weighs colours, as in Pillow.

    The error is at most a unit of the 16 bits. Memory beside the results: ``count_bytes``.

    Args:
        high: The upper bytes.
        low: The lower bytes.
        size: Width and height to resize to.
        resampling: The filter.
        box: Left, top, right and bottom of the part.

    Returns:
        The upper and the lower bytes.

    """
    left, top, right, bottom = box
    scale = (bottom - top) / size[1]
    resized = Image.new(high.mode, size), Image.new(high.mode, size)
    strip_rows = _count_strip_rows(high.width, scale)
    for first in range(0, size[1], strip_rows):
        end = min(first + strip_rows, size[1])
        strip_top, strip_bottom = top + first * scale, top + end * scale
        above = max(0, int(strip_top - _count_rows_beside(scale)))
        below = min(high.height, int(strip_bottom + _count_rows_beside(scale)))
        rows = (0, above, high.width, below)
        planes = [
            plane.resize((size[0], end - first), resampling, (left, strip_top - above, right, strip_bottom - above))
            for plane in _to_planes(high.crop(rows), low.crop(rows))
        ]
        for image, strip in zip(resized, _to_bytes(high.mode, planes), strict=True):
            image.paste(strip, (0, first))
    return resized


def count_bytes(size: tuple[int, int], height: int) -> int:
    """Return the memory that resizing an image of this width and height to another height takes beside the results."""
    scale = size[1] / height
    rows = _count_strip_rows(size[0], scale) * scale + 2 * _count_rows_beside(scale)
    return STRIP_BYTES * size[0] * min(size[1], math.ceil(rows))


def _count_strip_rows(width: int, scale: float) -> int:
    """Return how many output rows are made at once."""
    return max(LEAST_OUTPUT_ROWS, int(max(STRIP_ROWS, STRIP_PIXELS // width) / scale))


def _count_rows_beside(scale: float) -> float:
    return WIDEST_SUPPORT * max(scale, 1) + 2


def _to_planes(high: Image.Image, low: Image.Image) -> Iterator[Image.Image]:
    """Yield the channels as floating-point numbers: alpha first, then colours multiplied by alpha if there is one."""
    alpha = _to_plane(high, low, "A") if "A" in high.getbands() else None
    if alpha is not None:
        yield alpha
    for band in high.getbands():
        if band != "A":
            colour = _to_plane(high, low, band)
            yield colour if alpha is None else _compute(operator.mul, colour, alpha)


def _to_plane(high: Image.Image, low: Image.Image, band: str) -> Image.Image:
    samples = Image.merge("LA", (low.getchannel(band), high.getchannel(band))).tobytes()
    return Image.frombuffer("I;16", high.size, samples, "raw", "I;16", 0, 1).convert("F")


def _to_bytes(mode: str, planes: list[Image.Image]) -> tuple[Image.Image, Image.Image]:
    """Round channels that ``_to_planes`` made; return the upper and the lower bytes."""
    if mode != "RGB":
        alpha, *colours = planes
        planes = [*(_compute(operator.truediv, colour, alpha) for colour in colours), alpha]
    # The conversion to integers rounds towards 0; the one to 16 bits ends at 0 and 65535.
    samples = [plane.point(lambda value: value * 1 + 0.5).convert("I").convert("I;16").tobytes() for plane in planes]
    low, high = (
        Image.merge(mode, [Image.frombytes("L", planes[0].size, one[byte::2]) for one in samples]) for byte in (0, 1)
    )
    return high, low


def _compute(operation: Callable[[Any, Any], Any], one: Image.Image, other: Image.Image) -> Image.Image:
    # Imported here because few images need it, and it would slow down every cold start.
    from PIL import ImageMath  # noqa: PLC0415

    computed: Image.Image = ImageMath.lambda_eval(
        lambda images: operation(images["one"], images["other"]), one=one, other=other
    )
    return computed
