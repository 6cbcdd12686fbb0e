"""Measure the similarity of an output to its scaled source."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from imaging import visual_quality
from imaging.records import Frame
from tools.imaging.metrics import Pixels, pixels, psnr

MOST_FRAMES = 12
"""Frames of an animation that are compared, evenly spread."""


@dataclass(frozen=True)
class Similarity:
    """About the SSIMULACRA2, the mean over all frames; and PSNR in decibels. None if they can't be compared."""

    score: float | None
    psnr: float | None


def compare(source: Sequence[Frame], output: Sequence[Frame]) -> Similarity:
    """Compare the displayable frames of a scaled source and an output.

    Padding does not count. Long ribbons have no score. An animation whose encoder merged equal frames has neither
    figure, because its frames can't be matched.
    """
    if [frame.image.size for frame in source] != [frame.image.size for frame in output]:
        return Similarity(None, None)
    chosen = range(0, len(source), -(-len(source) // MOST_FRAMES))
    pairs = [
        tuple(frame.image.crop(source[index].part) for frame in (source[index], output[index])) for index in chosen
    ]
    decibels = psnr([(_to_pixels(wanted), _to_pixels(shown)) for wanted, shown in pairs])
    scores = [visual_quality.compare(wanted, shown) for wanted, shown in pairs]
    known = [score for score in scores if score is not None]
    return Similarity(sum(known) / len(known) if known else None, decibels)


def _to_pixels(image: Image.Image) -> Pixels:
    return pixels(image.convert("RGBA"))
