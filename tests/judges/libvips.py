"""Reads pixels with libvips, which shares only the codecs' libraries with Pillow."""

from typing import Any

import numpy as np
import pyvips


def pixels(body: bytes, page: int = 0) -> np.ndarray[Any, np.dtype[Any]]:
    """Return height by width by bands in the file's own depth, of a still or one page.

    Raises:
        pyvips.Error: libvips cannot read it.

    """
    options = {"page": page} if page else {}
    image = pyvips.Image.new_from_buffer(body, "", **options)
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)


def srgb(body: bytes, page: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return height by width by 3 or 4 in 8-bit sRGB, converted by the file's profile and turned upright.

    Raises:
        pyvips.Error: libvips cannot read it.

    """
    options = {"page": page} if page else {}
    image = pyvips.Image.new_from_buffer(body, "", **options).autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb")
    image = image.colourspace("srgb").cast("uchar")
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)
