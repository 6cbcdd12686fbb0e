"""Makes a placeholder of a source: what a page shows in its place before an output has loaded."""

import base64
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from imaging import thumbhash
from imaging.colour import WIDE, to_srgb
from imaging.decode import Picture
from imaging.encode import replace_numbers
from imaging.pillow import quantizing
from imaging.records import Frame
from renditions import Placement

SIDES = (32, 3)
"""The longer side of the image that describes the source, and the least of the other: a hash needs no more pixels."""

ENOUGH = 100
"""A rendition with this many pixels on its longer side shows as much as the largest image that ThumbHash suggests."""

COLOURS = 5
"""Into how many colours the pixels are divided to find the dominant one."""


class Placeholder(NamedTuple):
    """What a page can show in place of an image, in sRGB.

    Attributes:
        thumbhash: A ThumbHash, in base64.
        dominant_colour: Such as ``#336699``; None if all pixels are transparent.

    """

    thumbhash: str
    dominant_colour: str | None


def make_placeholder(
    picture: Picture, frame: Frame, resized: Sequence[Frame], placements: Sequence[Placement]
) -> Placeholder:
    """Describe a frame by the smallest image of the whole that there is.

    Args:
        picture: What the frame was read from.
        frame: As decoded.
        resized: The frame as resized for each placement, upright.
        placements: The part that each of them shows.

    """
    whole = (0, 0, *frame.displayed_size)
    wholes = [
        one
        for one, placement in zip(resized, placements, strict=True)
        if placement.box == whole and max(one.image.size) >= ENOUGH
    ]
    smallest = min([frame, *wholes], key=lambda one: math.prod(one.image.size))
    small = replace(smallest, image=_shrink(smallest), low=None, gain_map=None)
    image = to_srgb(replace_numbers(picture, [small])[0])
    return Placeholder(base64.b64encode(thumbhash.encode(image)).decode(), _find_dominant_colour(image))


def _shrink(frame: Frame) -> Image.Image:
    """Return the pixels of a frame averaged to ``SIDES``, and upright."""
    longer, least = SIDES
    width, height = (max(least, round(longer * side / max(frame.full_size))) for side in frame.full_size)
    # Pillow can't reduce 16-bit images, and its 32-bit sums overflow.
    gap = None if frame.image.mode in WIDE else 2.0
    small = frame.image.resize((width, height), Image.Resampling.BOX, (0, 0, *frame.extent), gap)
    return small if frame.transpose is None else small.transpose(frame.transpose)


def _find_dominant_colour(image: Image.Image) -> str | None:
    """Return the mean of the largest of ``COLOURS`` groups of similar pixels; None if all pixels are transparent.

    Pixels count if they have at least half of the highest alpha.
    """
    opaque = image.convert("RGB")
    if image.mode == "RGBA":
        alpha = image.getchannel("A").tobytes()
        highest = max(alpha)
        if not highest:
            return None
        pixels = zip(*[iter(opaque.tobytes())] * 3, strict=True)
        visible = list(itertools.compress(pixels, (2 * level >= highest for level in alpha)))
        opaque = Image.frombytes("RGB", (len(visible), 1), bytes(itertools.chain.from_iterable(visible)))
    with quantizing():
        groups = opaque.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    counts = groups.histogram()
    largest = counts.index(max(counts))
    return f"#{bytes((groups.getpalette() or [])[3 * largest : 3 * largest + 3]).hex()}"
