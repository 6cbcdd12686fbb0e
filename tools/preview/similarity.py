"""Measure the similarity of an output to its scaled source."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.records import Frame
from tools.imaging.metrics import WINDOW, Pixels, luma, pixels, psnr, ssim

MOST_FRAMES = 12
"""Frames of an animation that are compared, evenly spread."""


@dataclass(frozen=True)
class Similarity:
    """SSIM of the luma, the mean over all frames; and PSNR in decibels. None if they can't be compared."""

    ssim: float | None
    psnr: float | None


def compare(source: Sequence[Frame], output: Sequence[Frame]) -> Similarity:
    """Compare the displayable frames of a scaled source and an output.

    Images smaller than SSIM's window have no SSIM. Animations whose encoder merged equal frames have neither figure,
    because their frames can't be matched.
    """
    if [frame.image.size for frame in source] != [frame.image.size for frame in output]:
        return Similarity(None, None)
    chosen = range(0, len(source), -(-len(source) // MOST_FRAMES))
    pairs = [(_to_pixels(source[index]), _to_pixels(output[index])) for index in chosen]
    decibels = psnr(pairs)
    if min(min(frame.image.size) for frame in source) < len(WINDOW):
        return Similarity(None, decibels)
    return Similarity(sum(ssim(luma(one), luma(other)) for one, other in pairs) / len(pairs), decibels)


def _to_pixels(frame: Frame) -> Pixels:
    return pixels(frame.image.convert("RGBA"))
