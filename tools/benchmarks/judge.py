"""Compare outputs with a full-precision reference, and find faults."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from tools.benchmarks.job import Wanted
from tools.imaging.metrics import Pixels, luma, pixels, psnr, ssim

NO_PICTURE = 20.0
"""Decibels; an output below does not show its source."""


@dataclass(frozen=True)
class Quality:
    """The result of a comparison.

    Attributes:
        psnr: In decibels, over all frames, colours and alpha. None if the output can't be compared.
        ssim: Of the luma, the mean of all frames. None if the output can't be compared.
        fault: Empty if there is none.
        is_partial: Whether frames are missing, so that the CPU is not that of the whole work.

    """

    psnr: float | None
    ssim: float | None
    fault: str = ""
    is_partial: bool = False


class Judge:
    """Compares outputs of one source with a reference, made once per size.

    The reference is the source decoded in full, turned upright, premultiplied and resized with Pillow's bicubic filter
    in floating point.
    """

    def __init__(self, source: bytes) -> None:
        self._frames = _read_upright_frames(source)
        self._references: dict[tuple[int, int], list[Pixels]] = {}

    def judge(self, body: bytes, wanted: Wanted) -> Quality:
        """Compare one output."""
        try:
            with Image.open(io.BytesIO(body)) as image:
                written = str(image.format)
            frames = _read_upright_frames(body)
        except (OSError, SyntaxError, ValueError) as error:
            return Quality(None, None, f"does not decode: {error}")
        size = frames[0].size
        if written != wanted.format:
            return Quality(None, None, f"is {written}")
        # Half of an odd side may be rounded down.
        if abs(size[0] - wanted.width) > 1 or abs(size[1] - wanted.height) > 1:
            return Quality(None, None, f"is {size[0]} x {size[1]}, not {wanted.width} x {wanted.height}")
        references = self._make_reference(size)
        shown = [pixels(frame) for frame in frames]
        pairs = list(zip(shown, references, strict=False))
        decibels = psnr(pairs)
        similarity = sum(ssim(luma(one), luma(other)) for one, other in pairs) / len(pairs)
        if len(shown) != len(references):
            fault = f"has {len(shown)} of {len(references)} frames"
            return Quality(decibels, similarity, fault, is_partial=len(shown) < len(references))
        return Quality(decibels, similarity, "does not show its source" if decibels < NO_PICTURE else "")

    def _make_reference(self, size: tuple[int, int]) -> list[Pixels]:
        if size not in self._references:
            self._references[size] = [resize_exactly(frame, size) for frame in self._frames]
        return self._references[size]


def resize_exactly(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """Premultiply and resize an RGBA image without rounding."""
    values = pixels(image)
    # Pillow needs contiguous channels.
    channels = [Image.fromarray(values[..., channel].copy()) for channel in range(4)]
    resized = [np.asarray(channel.resize(size, Image.Resampling.BICUBIC), np.float32) for channel in channels]
    return np.clip(np.dstack(resized), 0, 255)


def _read_upright_frames(body: bytes) -> list[Image.Image]:
    frames = []
    with Image.open(io.BytesIO(body)) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(ImageOps.exif_transpose(image).convert("RGBA"))
    return frames
