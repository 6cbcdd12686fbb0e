"""Resizes a frame for every rendition: each from the smallest image that still has enough pixels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PIL import Image

from imaging import lower_bytes
from imaging.colour import WIDE, WITH_ALPHA
from imaging.records import MIRRORING_ACROSS, MIRRORING_DOWN, Frame
from renditions import Placement

if TYPE_CHECKING:
    from imaging.gain_map import GainMap

FILTER, SHARP_FILTER = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
"""The second is for images with alpha, since the edges of cut-outs show more, and for images that the decoder shrank to
nearly their final size."""

ICON_PIXELS = 1 << 16
"""Images with alpha of up to this many pixels may be icons, in which every pixel shows. For larger ones, the sharp
filter makes a PNG 1.5 times as large, because flat areas beside edges are no longer flat."""

REDUCING_GAP = 3.0
"""An image that is this many times larger than its output is first shrunk by a whole number: much less work."""

CASCADE_GAP, CASCADE_GAP_WITH_ALPHA = 1.95, 3.0
"""A rendition is made from a larger one, instead of from the source, if the larger one's sides are this many times as
long. Photos then differ by 50 dB or more from the direct way, and text by 41 dB. The first number is below 2 because
the sides of a half are rounded."""

SHARP_GAP = 1.5
"""An image that the decoder shrank needs this many pixels for one of the output to be resized with ``FILTER``. With
fewer, ``FILTER`` would only blur it, since shrinking was a filter already."""

DIVISORS = (8, 4, 2, 1)
"""The numbers by which a JPEG's decoder can divide both sides."""

MOST_USUAL = {"F": 2.0**100, "I": 2**29}
"""The largest usual numbers of the wide grey modes. Beyond them, a filter's overshoot and sums of pixels overflow. Maps
mark missing data with the largest number of all."""

MEAN_DIVISOR, MEAN_GAP = 8, 2
"""A JPEG that is divided by ``MEAN_DIVISOR`` keeps the mean of each block, so fine detail aliases. Such an image needs
``MEAN_GAP`` pixels for one of the output. Dividing by 4 instead takes up to 25 % more CPU."""


def choose_divisor(size: tuple[int, int], placements: Sequence[Placement]) -> int:
    """Return the largest divisor of an image of this size with which nothing has to be enlarged later."""
    fitting = (
        divisor for divisor in DIVISORS if all(_can_divide(divisor, size, placement) for placement in placements)
    )
    # No divisor fits if an output of one pixel is wider than the part that it shows.
    return next(fitting, 1)


def _can_divide(divisor: int, size: tuple[int, int], placement: Placement) -> bool:
    """Tell whether an image of this size, divided, has as many pixels as an output needs."""
    if placement.box == (0, 0, *size) and placement.size == (size[0] / divisor, size[1] / divisor):
        return True
    parts = zip(placement.size, placement.box[:2], placement.box[2:], strict=True)
    scale = max(side / (high - low) for side, low, high in parts)
    if divisor == MEAN_DIVISOR:
        return MEAN_GAP * divisor * scale <= 1
    # The decoder rounds sides up; rounding the output's sides added up to half a pixel.
    return all(-(-side // divisor) + 0.5 >= side * scale for side in size)


def resize(frame: Frame, placements: Sequence[Placement], lossy: Sequence[bool], deep: Sequence[bool]) -> list[Frame]:
    """Return the frame resized for each placement, and turned upright. Equal outputs are one object, made once.

    Args:
        frame: As decoded.
        placements: The size and part of each output.
        lossy: Whether each output is encoded with loss.
        deep: Whether each output can hold the frame's lower bytes.

    """
    turned = [_place_as_stored(frame, placement) for placement in placements]
    wanted = list(zip(turned, lossy, deep, strict=True))
    different = list(dict.fromkeys(wanted))
    scaled = _scale_all(frame, *zip(*different, strict=True))
    made = {one: _turn_upright(image) for one, image in zip(different, scaled, strict=True)}
    return [made[one] for one in wanted]


def _turn_upright(frame: Frame) -> Frame:
    image, low, turn = frame.image, frame.low, frame.transpose
    if turn is not None:
        image, low = image.transpose(turn), low and low.transpose(turn)
    resolution = frame.resolution[::-1] if frame.resolution and frame.swaps_sides else frame.resolution
    return replace(
        frame, image=image, low=low, full_size=image.size, extent=image.size, transpose=None, resolution=resolution
    )


def resize_gain_map(frame: Frame, placement: Placement) -> "GainMap | None":
    """Return the frame's gain map resized for a placement of the frame, and turned upright with it.

    It keeps its size relative to the frame.
    """
    gain_map = frame.gain_map
    if gain_map is None:
        return None
    stored = _place_as_stored(frame, placement)
    width, height = (
        max(1, round(side * map_side / whole))
        for side, map_side, whole in zip(stored.size, gain_map.full_size, frame.full_size, strict=True)
    )
    # A map is like a frame that its decoder shrank: smaller, and placed in pixels of the whole.
    shrunk = replace(frame, image=gain_map.image, extent=gain_map.extent)
    image = _scale(shrunk, Placement(stored.box, (width, height)), may_average=True).image
    if frame.transpose is not None:
        image = image.transpose(frame.transpose)
    return replace(gain_map, image=image, full_size=image.size, extent=image.size)


def _scale_all(
    frame: Frame, placements: Sequence[Placement], lossy: Sequence[bool], deep: Sequence[bool]
) -> list[Frame]:
    """Scale the frame for each placement, from the smallest image that is large enough."""
    scaled: dict[int, Frame] = {}
    divided = {1: frame}
    wholes: list[Frame] = []
    gap = CASCADE_GAP_WITH_ALPHA if frame.image.mode in WITH_ALPHA else CASCADE_GAP
    for index in sorted(range(len(placements)), key=lambda index: -math.prod(placements[index].size)):
        placement = placements[index]
        divisor = _choose_further_divisor(frame, placement)
        if divisor not in divided:
            divided[divisor] = _divide(frame, divisor)
        large_enough = [
            whole
            for whole in wholes
            if _compute_excess(whole, placement) >= gap and (whole.low or not (frame.low and deep[index]))
        ]
        source = min([divided[divisor], *large_enough[-1:]], key=lambda candidate: math.prod(candidate.image.size))
        may_average = source is divided[divisor] and (not lossy[index] or source.extent != source.full_size)
        if source.low and not deep[index]:
            source = replace(source, low=None)
        scaled[index] = _scale(source, placement, may_average=may_average)
        # A copy of the frame is no smaller, and a half of it would not be averaged.
        if _is_whole(frame, placement) and scaled[index].image.size != frame.image.size:
            wholes.append(scaled[index])
    return [scaled[index] for index in range(len(placements))]


def _choose_further_divisor(frame: Frame, placement: Placement) -> int:
    """Return by how much more a JPEG's decoder would have shrunk the frame if there were no other placement."""
    is_jpeg = bool(frame.quantization) and frame.compression is None
    so_far = round(frame.full_size[0] / frame.extent[0])
    return max(1, choose_divisor(frame.full_size, [placement]) // so_far) if is_jpeg else 1


def _divide(frame: Frame, divisor: int) -> Frame:
    """Shrink a frame by a whole number, as a JPEG's decoder does."""
    extent = (frame.extent[0] / divisor, frame.extent[1] / divisor)
    return replace(frame, image=frame.image.reduce(divisor), extent=extent)


def _is_whole(frame: Frame, placement: Placement) -> bool:
    return placement.box == (0, 0, *frame.full_size)


def _locate_box(frame: Frame, placement: Placement) -> tuple[float, float, float, float]:
    """Return the placed part in pixels of the frame's image."""
    across, down = (extent / side for extent, side in zip(frame.extent, frame.full_size, strict=True))
    left, top, right, bottom = placement.box
    return left * across, top * down, right * across, bottom * down


def _compute_excess(frame: Frame, placement: Placement) -> float:
    """Return how many pixels the frame has for one of the output, along the side with fewer."""
    left, top, right, bottom = _locate_box(frame, placement)
    return min((right - left) / placement.size[0], (bottom - top) / placement.size[1])


def _place_as_stored(frame: Frame, placement: Placement) -> Placement:
    """Return the placement of an upright frame for its pixels as they are stored."""
    (left, top, right, bottom), (width, height) = placement.box, frame.displayed_size
    if frame.transpose in MIRRORING_ACROSS:
        left, right = width - right, width - left
    if frame.transpose in MIRRORING_DOWN:
        top, bottom = height - bottom, height - top
    if frame.swaps_sides:
        return Placement((top, left, bottom, right), (placement.size[1], placement.size[0]))
    return Placement((left, top, right, bottom), placement.size)


def _scale(frame: Frame, placement: Placement, *, may_average: bool) -> Frame:
    """Scale the placed part of the frame; the extent of the result states how exactly it fills its size."""
    image, is_whole = frame.image, _is_whole(frame, placement)
    is_halved = frame.full_size == (2 * frame.extent[0], 2 * frame.extent[1])
    if is_whole and image.size == placement.size and (is_halved or frame.extent == image.size):
        # Halved odd sides of a JPEG stay as its decoder rounds them. docs/images.md compares the costs of both ways.
        # A decoder reuses its image for the next frame, but an image that it shrank is its only one.
        if frame.extent != frame.full_size:
            return frame
        return replace(frame, image=image.copy(), low=frame.low and frame.low.copy())
    halves = is_whole and frame.extent == (2 * placement.size[0], 2 * placement.size[1])
    is_icon = image.mode in WITH_ALPHA and math.prod(image.size) <= ICON_PIXELS
    is_averaged = may_average and halves and image.mode not in WIDE and not is_icon
    if is_averaged and frame.low is None:
        # Means of four pixels, as a JPEG's decoder makes them, cost a fraction of a wider filter. docs/images.md
        # compares both.
        return replace(frame, image=image.reduce(2), extent=placement.size)
    is_shrunk = frame.extent != frame.full_size
    is_sharp = image.mode in WITH_ALPHA or (is_shrunk and _compute_excess(frame, placement) < SHARP_GAP)
    # Pillow can't reduce 16-bit images, and its 32-bit sums overflow.
    gap = None if image.mode in {"I;16", "I"} else REDUCING_GAP
    wanted = SHARP_FILTER if is_sharp else FILTER
    if frame.low is not None:
        wanted = Image.Resampling.BOX if is_averaged else wanted
        image, low = lower_bytes.resize(image, frame.low, placement.size, wanted, _locate_box(frame, placement))
        return replace(frame, image=image, low=low, extent=placement.size)
    if image.mode in MOST_USUAL and _find_largest_value(image) > MOST_USUAL[image.mode]:
        # This filter's results lie between the numbers that it is given.
        wanted, gap = Image.Resampling.BILINEAR, None
    resized = image.resize(placement.size, wanted, box=_locate_box(frame, placement), reducing_gap=gap)
    return replace(frame, image=resized, extent=placement.size)


def _find_largest_value(image: Image.Image) -> float:
    """Return the largest absolute value of an image of one band."""
    lowest, highest = cast(tuple[float, float], image.getextrema())
    return max(-lowest, highest)
