"""PSNR and SSIM of two images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
"""Height x width x (red, green, blue, alpha), premultiplied, 0 to 255."""

IDENTICAL = 99.0
"""Decibels that stand for infinity."""

STRIP = 64
"""Rows per comparison: a strip fits the CPU's cache, which is several times as fast."""

WINDOW = np.exp(-np.square(np.arange(-5, 6, dtype=np.float32)) / np.float32(2 * 1.5**2))
WINDOW /= WINDOW.sum()

LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def pixels(image: Image.Image) -> Pixels:
    """Return an RGBA image as premultiplied floats."""
    values = np.array(image, np.float32)
    values[..., :3] *= values[..., 3:] / 255
    return values


def psnr(pairs: Sequence[tuple[Pixels, Pixels]]) -> float:
    """Return the peak signal-to-noise ratio over all pairs, in decibels; alpha counts unless every image is opaque."""
    error = sum(float(np.square(one - other).sum(dtype=np.float64)) for one, other in pairs)
    opaque = all(float(side[..., 3].min()) >= 255 for pair in pairs for side in pair)
    values = sum(one.size for one, _ in pairs) * (3 if opaque else 4) / 4
    return min(IDENTICAL, 10 * float(np.log10(255**2 * values / error))) if error else IDENTICAL


def luma(values: Pixels) -> Pixels:
    """Return each pixel's luma (BT.601)."""
    brightness: Pixels = values[..., :3] @ LUMA
    return brightness


def ssim(one: Pixels, other: Pixels) -> float:
    """Return the structural similarity of two planes.

    Wang et al., 2004: Gaussian window of 11 pixels with deviation 1.5, K1 0.01, K2 0.03.
    """
    height, width = (side - len(WINDOW) + 1 for side in one.shape)
    strips = [slice(top, min(top + STRIP, height) + len(WINDOW) - 1) for top in range(0, height, STRIP)]
    total = sum(float(_compute_similarity(one[strip], other[strip]).sum(dtype=np.float64)) for strip in strips)
    return total / float(height * width)


def _compute_similarity(one: Pixels, other: Pixels) -> Pixels:
    mean_one, mean_other = _blur(one), _blur(other)
    variance_one = _blur(one * one) - mean_one**2
    variance_other = _blur(other * other) - mean_other**2
    covariance = _blur(one * other) - mean_one * mean_other
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    structure = (2 * covariance + c2) / (variance_one + variance_other + c2)
    similarity: Pixels = structure * (2 * mean_one * mean_other + c1) / (mean_one**2 + mean_other**2 + c1)
    return similarity


def _blur(plane: Pixels) -> Pixels:
    """Filter a plane in both directions; the result lacks the margin that the window does not cover."""
    height, width = (side - len(WINDOW) + 1 for side in plane.shape)
    down = np.zeros((height, plane.shape[1]), np.float32)
    for index, weight in enumerate(WINDOW):
        down += weight * plane[index : index + height]
    across = np.zeros((height, width), np.float32)
    for index, weight in enumerate(WINDOW):
        across += weight * down[:, index : index + width]
    return across
