"""Resizes a frame for every rendition: each from the smallest image that still has enough pixels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from PIL import Image

from imaging.colour import WIDE
from imaging.format import Frame
from renditions import Placement

FILTER, SHARP_FILTER = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
"""The second is for what has an alpha channel, since the edges of what is cut out show more, and for what was shrunk
to nearly its size."""

WITH_ALPHA = frozenset({"LA", "RGBA"})

ICON_PIXELS = 1 << 16
"""Up to so many an image with an alpha channel may be an icon, of which each pixel is seen. A larger one would take
half as many bytes again as a PNG: what is flat would not stay so beside its edges."""

REDUCING_GAP = 3.0
"""How much larger than its output an image may be before it is first shrunk by a whole number: much less work."""

SHARP_GAP = 1.5
"""How many pixels an image that was already shrunk must have for one of the output to be resized with ``FILTER``. With
fewer, ``FILTER`` would only blur it: shrinking was the filter."""

DIVISORS = (8, 4, 2, 1)
"""What a JPEG's decoder can divide an image by."""

MOST_USUAL = {"F": 2.0**100, "I": 2**29}
"""Numbers up to which the modes of wide grey have room for what a filter overshoots, and for sums of pixels. Maps mark
with the largest where they have no data."""

MEAN_DIVISOR, MEAN_GAP = 8, 2
"""A JPEG that is divided by the first keeps the mean of each block, so fine detail aliases. Such an image must have
``MEAN_GAP`` pixels for one of the output. Dividing by 4 instead takes up to a quarter more CPU."""


def shrinking_divisor(size: tuple[int, int], placements: Sequence[Placement]) -> int:
    """By how much the decoder may divide an image of this size so that nothing has to be enlarged afterwards."""
    fitting = (divisor for divisor in DIVISORS if all(_fits(divisor, size, placement) for placement in placements))
    # None fits where an output of one pixel is wider than the part that it shows.
    return next(fitting, 1)


def _fits(divisor: int, size: tuple[int, int], placement: Placement) -> bool:
    """Whether an image of this size, divided, has as many pixels as an output needs."""
    if placement.box == (0, 0, *size) and placement.size == (size[0] / divisor, size[1] / divisor):
        return True
    parts = zip(placement.size, placement.box[:2], placement.box[2:], strict=True)
    scale = max(side / (high - low) for side, low, high in parts)
    if divisor == MEAN_DIVISOR:
        return MEAN_GAP * divisor * scale <= 1
    # The decoder rounds up; half a pixel is what rounding the output's sides made of them.
    return all(-(-side // divisor) + 0.5 >= side * scale for side in size)


def resize(frame: Frame, placements: Sequence[Placement]) -> list[Frame]:
    """The frame in each place, scaled, then turned upright."""
    swaps = frame.swaps_sides
    images = _all_scaled(frame, [_turned(placement) if swaps else placement for placement in placements])
    if frame.transpose is not None:
        images = [image.transpose(frame.transpose) for image in images]
    if swaps and frame.resolution:
        frame = replace(frame, resolution=frame.resolution[::-1])
    return [replace(frame, image=image, full_size=image.size, extent=image.size, transpose=None) for image in images]


def _all_scaled(frame: Frame, placements: Sequence[Placement]) -> list[Image.Image]:
    """The frame in each place, made of the smallest image of all of it that is still so large that nobody sees it."""
    scaled: dict[int, Frame] = {}
    wholes = [frame]
    for index in sorted(range(len(placements)), key=lambda index: -math.prod(placements[index].size)):
        placement = placements[index]
        source = next((whole for whole in reversed(wholes) if _excess(whole, placement) >= REDUCING_GAP), frame)
        scaled[index] = _scaled(source, placement)
        if _is_whole(frame, placement):
            wholes.append(scaled[index])
    return [scaled[index].image for index in range(len(placements))]


def _is_whole(frame: Frame, placement: Placement) -> bool:
    return placement.box == (0, 0, *frame.full_size)


def _box(frame: Frame, placement: Placement) -> tuple[float, float, float, float]:
    """The part that is placed, in pixels of the frame's image."""
    across, down = (extent / side for extent, side in zip(frame.extent, frame.full_size, strict=True))
    left, top, right, bottom = placement.box
    return left * across, top * down, right * across, bottom * down


def _excess(frame: Frame, placement: Placement) -> float:
    """How many pixels the frame has for one of the output, along the side that has fewer."""
    left, top, right, bottom = _box(frame, placement)
    return min((right - left) / placement.size[0], (bottom - top) / placement.size[1])


def _turned(placement: Placement) -> Placement:
    """The same part of the pixels as they are stored; it is in the middle, so only width and height change places."""
    left, top, right, bottom = placement.box
    return Placement((top, left, bottom, right), (placement.size[1], placement.size[0]))


def _scaled(frame: Frame, placement: Placement) -> Frame:
    """The part of the frame that is placed, at its size; its extent says how exactly it fills that."""
    image, is_whole = frame.image, _is_whole(frame, placement)
    is_halved = frame.full_size == (2 * frame.extent[0], 2 * frame.extent[1])
    if is_whole and image.size == placement.size and (is_halved or frame.extent == image.size):
        # A JPEG's odd sides that are halved stay as its decoder rounds them: docs/images.md has the costs of both ways.
        # What the decoder shrank is its only frame; any other image is its decoder's, which reuses it.
        return frame if frame.extent != frame.full_size else replace(frame, image=image.copy())
    halves = is_whole and frame.extent == (2 * placement.size[0], 2 * placement.size[1])
    is_icon = image.mode in WITH_ALPHA and math.prod(image.size) <= ICON_PIXELS
    if halves and image.mode not in WIDE and not is_icon:
        # Means of four pixels: what a JPEG's decoder does too, at a fraction of the cost of a wider filter.
        return replace(frame, image=image.reduce(2), extent=placement.size)
    is_shrunk = frame.extent != frame.full_size
    is_sharp = image.mode in WITH_ALPHA or (is_shrunk and _excess(frame, placement) < SHARP_GAP)
    # Pillow can't reduce 16 bits, and its sums of 32 bits overflow.
    gap = None if image.mode in {"I;16", "I"} else REDUCING_GAP
    wanted = SHARP_FILTER if is_sharp else FILTER
    if image.mode in MOST_USUAL and _most(image) > MOST_USUAL[image.mode]:
        # Its results lie between the numbers that it is given.
        wanted, gap = Image.Resampling.BILINEAR, None
    resized = image.resize(placement.size, wanted, box=_box(frame, placement), reducing_gap=gap)
    return replace(frame, image=resized, extent=placement.size)


def _most(image: Image.Image) -> float:
    """How far from zero an image of one band reaches."""
    lowest, highest = cast(tuple[float, float], image.getextrema())
    return max(-lowest, highest)
