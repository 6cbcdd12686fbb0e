"""How alike an output is to its scaled source: the figures beside what is seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.decode import Frame
from tools.imaging.metrics import WINDOW, Pixels, luma, pixels, psnr, ssim

MOST_FRAMES = 12
"""Of an animation, evenly spread, that are compared."""


@dataclass(frozen=True)
class Likeness:
    """SSIM of the luma, the mean of the frames; and PSNR in decibels. None where there is nothing to compare."""

    ssim: float | None
    psnr: float | None


def compare(source: Sequence[Frame], output: Sequence[Frame]) -> Likeness:
    """Compare an output's frames to the scaled source's, both displayable.

    What is smaller than SSIM's window has none. Nor have animations whose writer showed equal neighbours as one frame:
    which is which is not known.
    """
    if [frame.image.size for frame in source] != [frame.image.size for frame in output]:
        return Likeness(None, None)
    chosen = range(0, len(source), -(-len(source) // MOST_FRAMES))
    shared = [(_pixels(source[index]), _pixels(output[index])) for index in chosen]
    decibels = psnr(shared)
    if min(min(frame.image.size) for frame in source) < len(WINDOW):
        return Likeness(None, decibels)
    return Likeness(sum(ssim(luma(one), luma(other)) for one, other in shared) / len(shared), decibels)


def _pixels(frame: Frame) -> Pixels:
    return pixels(frame.image.convert("RGBA"))
