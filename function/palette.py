"""Full colour to a palette, and how much is lost by it."""

import math

from PIL import Image, ImageChops

FAITHFUL = 40.0
"""Peak signal-to-noise ratio, in dB, from which a palette's error is not seen."""


TOLERABLE = 30.0
"""The same, for what would otherwise grow: about what a palette did to the source."""


def indexed(image: Image.Image, colours: int = 256) -> Image.Image:
    """``image`` (L, LA, RGB or RGBA) in a palette of its own; not dithered, for noise does not compress."""
    if image.mode == "LA":
        image = image.convert("RGBA")
    # The octree is the only method that Pillow has for an alpha channel.
    method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
    return image.quantize(colours, method=method, dither=Image.Dither.NONE)


def fidelity(image: Image.Image, palette: Image.Image) -> float:
    """How near ``palette`` is to ``image``: the peak signal-to-noise ratio in dB, infinite where they are equal."""
    mode = "RGBA" if image.mode in {"LA", "RGBA"} else "RGB"
    difference = ImageChops.difference(image.convert(mode), palette.convert(mode))
    if mode == "RGBA":
        # Colour that is not seen does not count.
        visible = image.getchannel("A")
        *colours, alpha = difference.split()
        difference = Image.merge("RGBA", [*(ImageChops.multiply(band, visible) for band in colours), alpha])
    histogram = difference.histogram()
    squares = sum(count * (index % 256) ** 2 for index, count in enumerate(histogram))
    return 10 * math.log10(255**2 * sum(histogram) / squares) if squares else math.inf
