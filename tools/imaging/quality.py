"""How true an output is: PSNR and SSIM against a full-precision reference, or what is plainly wrong with it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.float32]
"""Height, width, and red, green, blue (premultiplied) and alpha, each 0 to 255."""

IDENTICAL = 99.0
"""Decibels, in place of infinitely many."""

NO_PICTURE = 20.0
"""Decibels below which an output does not show its source."""

STRIP = 64
"""Rows of an image that are compared at a time."""

WINDOW = np.exp(-np.square(np.arange(-5, 6, dtype=np.float32)) / np.float32(2 * 1.5**2))
WINDOW /= WINDOW.sum()

LUMA = np.array((0.299, 0.587, 0.114), np.float32)


@dataclass(frozen=True)
class Quality:
    """What came of comparing.

    Attributes:
        psnr: In decibels, over all frames, colours and alpha; None where there is nothing to compare.
        ssim: Of the luma, the mean of all frames, likewise.
        fault: What is plainly wrong; empty where nothing is.
        is_partial: Whether it is that frames are missing: what it took is no measure of the whole work.

    """

    psnr: float | None
    ssim: float | None
    fault: str = ""
    is_partial: bool = False


class Judge:
    """Compares outputs of one source to a reference, which is made once for every size.

    The reference is the source decoded in full, upright, premultiplied and resized with Pillow's bicubic filter in
    floating point.
    """

    def __init__(self, source: bytes) -> None:
        self._frames = upright_frames(source)
        self._references: dict[tuple[int, int], list[Pixels]] = {}

    def judge(self, body: bytes, image_format: str, width: int, height: int) -> Quality:
        """Compare one output, which should have this format, in Pillow's name, and this displayed size."""
        try:
            with Image.open(io.BytesIO(body)) as image:
                written = str(image.format)
            frames = upright_frames(body)
        except (OSError, SyntaxError, ValueError) as error:
            return Quality(None, None, f"does not decode: {error}")
        size = frames[0].size
        if written != image_format:
            return Quality(None, None, f"is {written}")
        # Rounding the half of an odd side down is no fault, not turning a picture upright is one.
        if abs(size[0] - width) > 1 or abs(size[1] - height) > 1:
            return Quality(None, None, f"is {size[0]} x {size[1]}, not {width} x {height}")
        references = self._reference(size)
        shown = [pixels(frame) for frame in frames]
        shared = list(zip(shown, references, strict=False))
        decibels = psnr(shared)
        similarity = sum(ssim(luma(one), luma(other)) for one, other in shared) / len(shared)
        if len(shown) != len(references):
            fault = f"has {len(shown)} of {len(references)} frames"
            return Quality(decibels, similarity, fault, is_partial=len(shown) < len(references))
        return Quality(decibels, similarity, "does not show its source" if decibels < NO_PICTURE else "")

    def _reference(self, size: tuple[int, int]) -> list[Pixels]:
        if size not in self._references:
            self._references[size] = [resized(frame, size) for frame in self._frames]
        return self._references[size]


def upright_frames(body: bytes) -> list[Image.Image]:
    """Every frame as it is displayed, as RGBA."""
    frames = []
    with Image.open(io.BytesIO(body)) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(ImageOps.exif_transpose(image).convert("RGBA"))
    return frames


def pixels(image: Image.Image) -> Pixels:
    """An RGBA image as premultiplied floats."""
    values = np.array(image, np.float32)
    values[..., :3] *= values[..., 3:] / 255
    return values


def resized(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """An RGBA image premultiplied and resized without rounding anything."""
    values = pixels(image)
    # A copy of each channel: Pillow takes no strides.
    channels = [Image.fromarray(values[..., channel].copy()) for channel in range(4)]
    scaled = [np.asarray(channel.resize(size, Image.Resampling.BICUBIC), np.float32) for channel in channels]
    return np.clip(np.dstack(scaled), 0, 255)


def psnr(pairs: Sequence[tuple[Pixels, Pixels]]) -> float:
    """Peak signal-to-noise ratio of all pairs together; alpha counts where one of them is not opaque."""
    error = sum(float(np.square(one - other).sum(dtype=np.float64)) for one, other in pairs)
    opaque = all(float(side[..., 3].min()) >= 255 for pair in pairs for side in pair)
    values = sum(one.size for one, _ in pairs) * (3 if opaque else 4) / 4
    return min(IDENTICAL, 10 * float(np.log10(255**2 * values / error))) if error else IDENTICAL


def luma(values: Pixels) -> Pixels:
    """The brightness of each pixel (BT.601)."""
    brightness: Pixels = values[..., :3] @ LUMA
    return brightness


def ssim(one: Pixels, other: Pixels) -> float:
    """Structural similarity (Wang et al., 2004): Gaussian window of 11 pixels, deviation 1.5, K1 0.01, K2 0.03."""
    height, width = (side - len(WINDOW) + 1 for side in one.shape)
    # In strips that a processor's cache holds: several times as fast.
    strips = [slice(top, min(top + STRIP, height) + len(WINDOW) - 1) for top in range(0, height, STRIP)]
    total = sum(float(_similarity(one[strip], other[strip]).sum(dtype=np.float64)) for strip in strips)
    return total / float(height * width)


def _similarity(one: Pixels, other: Pixels) -> Pixels:
    mean_one, mean_other = _blurred(one), _blurred(other)
    variance_one = _blurred(one * one) - mean_one**2
    variance_other = _blurred(other * other) - mean_other**2
    covariance = _blurred(one * other) - mean_one * mean_other
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    structure = (2 * covariance + c2) / (variance_one + variance_other + c2)
    similarity: Pixels = structure * (2 * mean_one * mean_other + c1) / (mean_one**2 + mean_other**2 + c1)
    return similarity


def _blurred(plane: Pixels) -> Pixels:
    """The plane filtered down and across, without the margin that the window does not fill."""
    height, width = (side - len(WINDOW) + 1 for side in plane.shape)
    down = np.zeros((height, plane.shape[1]), np.float32)
    for index, weight in enumerate(WINDOW):
        down += weight * plane[index : index + height]
    across = np.zeros((height, width), np.float32)
    for index, weight in enumerate(WINDOW):
        across += weight * down[:, index : index + width]
    return across
