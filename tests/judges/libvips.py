"""What libvips reads in an image, which shares no code with Pillow beyond the codecs' own libraries."""

from typing import Any

import numpy as np
import pyvips


def pixels(body: bytes, page: int = 0) -> np.ndarray[Any, np.dtype[Any]]:
    """Height by width by bands, in the file's own depth; a still, or one page.

    Raises:
        pyvips.Error: libvips cannot read it.

    """
    options = {"page": page} if page else {}
    image = pyvips.Image.new_from_buffer(body, "", **options)
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)


def srgb(body: bytes, page: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Height by width by 3 or 4, in 8-bit sRGB by the file's own profile; turned upright.

    Raises:
        pyvips.Error: libvips cannot read it.

    """
    options = {"page": page} if page else {}
    image = pyvips.Image.new_from_buffer(body, "", **options).autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb")
    image = image.colourspace("srgb").cast("uchar")
    return np.asarray(image.numpy()).reshape(image.height, image.width, image.bands)
