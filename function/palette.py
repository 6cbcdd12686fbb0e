"""Full colour to a palette, and how much is lost by it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

FAITHFUL = 40.0
"""Peak signal-to-noise ratio, in dB, from which a palette's error is not seen."""

TOLERABLE = 30.0
"""The same, for what would otherwise grow: about what a palette did to the source."""

MOST_SAMPLES = 8
"""Frames of an animation whose pixels its palette is made from; of more frames every few pixels are, so that none has
colours that the palette does not know."""

UNSEEN = [255] * 128 + [0] * 128
"""Alpha to a mask of what a GIF shows nothing of: its pixel is seen or not."""


@dataclass(frozen=True)
class Indexed:
    """Images in one palette.

    Attributes:
        images: Their pixels are its entries.
        colours: Red, green and blue of each entry, which all differ.
        transparent: The entry that is no colour; None where there is none.

    """

    images: list[Image.Image]
    colours: bytes
    transparent: int | None


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


def shared(images: Sequence[Image.Image], *, spare: bool) -> Indexed:
    """Frames of one size (L, LA, RGB or RGBA) in one palette of at most 256 entries; not dithered, for noise shimmers.

    Args:
        images: At least one.
        spare: Whether there must be a transparent entry even where no pixel is.

    """
    has_transparent = spare or any(image.mode in {"LA", "RGBA"} for image in images)
    opaque = [image.convert("RGB") for image in images]
    step = math.ceil(math.sqrt(len(opaque) / MOST_SAMPLES))
    quantized = _stacked([_sampled(image, step) for image in opaque]).quantize(
        255 if has_transparent else 256, dither=Image.Dither.NONE
    )
    entries = list(zip(*[iter(quantized.getpalette() or [])] * 3, strict=True))
    # Repeated, for Pillow would fill up with black, and use it.
    entries += entries[:1] * (256 - len(entries))
    width, height = images[0].size
    if step == 1:
        indexed = [quantized.crop((0, top, width, top + height)) for top in range(0, quantized.height, height)]
    else:
        quantized.putpalette([level for entry in entries for level in entry])
        indexed = [image.quantize(palette=quantized, dither=Image.Dither.NONE) for image in opaque]
    places = {colour: place for place, colour in enumerate(dict.fromkeys(entries))}
    transparent = len(places) if has_transparent else None
    if transparent is not None:
        places[next(colour for colour in itertools.product(range(256), repeat=3) if colour not in places)] = transparent
    colours = bytes(itertools.chain.from_iterable(places))
    renumbered = [places[entry] for entry in entries]
    for position, image in enumerate(images):
        result = indexed[position].point(renumbered)
        if transparent is not None and image.mode in {"LA", "RGBA"}:
            result.paste(transparent, mask=image.getchannel("A").point(UNSEEN))
        result.putpalette(colours)
        indexed[position] = result
    return Indexed(indexed, colours, transparent)


def _sampled(image: Image.Image, step: int) -> Image.Image:
    """Every few pixels of the image, across and down."""
    sides = (max(1, image.width // step), max(1, image.height // step))
    return image if step == 1 else image.resize(sides, Image.Resampling.NEAREST)


def _stacked(images: Sequence[Image.Image]) -> Image.Image:
    """One image of all of them, one below the other."""
    width, height = images[0].size
    stack = Image.new("RGB", (width, height * len(images)))
    for row, image in enumerate(images):
        stack.paste(image, (0, row * height))
    return stack
