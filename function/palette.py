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

MOST_SAMPLES = 1 << 19
"""Pixels of an animation that its palette is made from."""

NEARLY = 3
"""How far from opaque, or from nothing, alpha is taken for it."""

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
    if image.mode != "RGBA":
        return image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    reduced = image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    levels = bytearray(reduced.getpalette("RGBA") or [])
    # An entry is a mean, in which the edge of what is opaque makes all of it shine through.
    levels[3::4] = bytes(255 if alpha >= 255 - NEARLY else 0 if alpha <= NEARLY else alpha for alpha in levels[3::4])
    reduced.putpalette(levels, "RGBA")
    return reduced


def fidelity(image: Image.Image, reduced: Image.Image) -> float:
    """How near ``reduced`` is to ``image``: the peak signal-to-noise ratio in dB, infinite where they are equal."""
    mode = "RGBA" if image.mode in {"LA", "RGBA"} else "RGB"
    difference = ImageChops.difference(image.convert(mode), reduced.convert(mode))
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
    holes = [_hole(image) for image in images]
    has_transparent = spare or any(holes)
    opaque = [image.convert("RGB") for image in images]
    samples = _samples(opaque)
    quantized = stacked(samples).quantize(255 if has_transparent else 256, dither=Image.Dither.NONE)
    entries = list(zip(*[iter(quantized.getpalette() or [])] * 3, strict=True))
    # Repeated, for Pillow would fill up with black, and use it.
    entries += entries[:1] * (256 - len(entries))
    width, height = images[0].size
    if samples is opaque:
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
    for position, hole in enumerate(holes):
        result = indexed[position].point(renumbered)
        if hole is not None and transparent is not None:
            result.paste(transparent, mask=hole)
        result.putpalette(colours)
        indexed[position] = result
    return Indexed(indexed, colours, transparent)


def _hole(image: Image.Image) -> Image.Image | None:
    """A mask of what is not seen; None where all is."""
    if image.mode not in {"LA", "RGBA"}:
        return None
    hole = image.getchannel("A").point(UNSEEN)
    return hole if hole.getbbox() else None


def _samples(images: list[Image.Image]) -> list[Image.Image]:
    """The images themselves, or smaller ones where they are many: each has colours that no other may have."""
    width, height = images[0].size
    share = math.sqrt(MOST_SAMPLES / (width * height * len(images)))
    if share >= 1 or len(images) == 1:
        return images
    size = max(1, round(share * width)), max(1, round(share * height))
    # Picked, not averaged: those would be new colours.
    return [image.resize(size, Image.Resampling.NEAREST) for image in images]


def stacked(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one mode and size as one, one below the other."""
    width, height = images[0].size
    stack = Image.new(images[0].mode, (width, height * len(images)))
    for row, image in enumerate(images):
        stack.paste(image, (0, row * height))
    return stack
