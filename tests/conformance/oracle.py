"""Judges an output's format, size and pixels with Chromium, or a TIFF with libvips or tifffile."""

import io
from typing import Any

import numpy as np
import pyvips
import tifffile
from PIL import Image, UnidentifiedImageError
from playwright.sync_api import Error

from tests.judges import libvips
from tests.judges.chromium import Chromium

NAMES = {"MPO": "jpeg"}
"""Formats that Pillow names differently: MPO is a JPEG with further pictures."""

TOLERANCE = 16
"""The most that an output's pixels may differ from the picture, on average, in 255ths: lossy encoders and palettes
differ by up to 13, and a turned or mirrored picture by more than 20."""


def find_fault(
    body: bytes, wanted_format: str, size: tuple[int, int], picture: Image.Image | None, chromium: Chromium
) -> str:
    """Return what is wrong with an output's format, size and pixels; empty if nothing is.

    Args:
        body: The output.
        wanted_format: As in :class:`tests.conformance.adapter.Wanted`.
        size: Width and height, as displayed.
        picture: What the source shows; None if its pixels are not compared.
        chromium: Reads the output, unless it is a TIFF.

    """
    try:
        image_format, _ = inspect(body)
        shown = _read_tiff(body, picture) if image_format == "tiff" else chromium.still(body).pixels
    except (UnidentifiedImageError, pyvips.Error, tifffile.TiffFileError, Error) as error:
        return f"it can't be read: {str(error).strip()}"
    if image_format != wanted_format:
        return f"it is {image_format}"
    height, width = shown.shape[:2]
    # Resizers round a half up or down.
    if max(abs(width - size[0]), abs(height - size[1])) > 1:
        return f"it has {width} x {height} pixels"
    difference = _compare(shown, picture) if picture else 0
    return "" if difference <= TOLERANCE else f"its pixels differ by {difference:.0f} on average"


def _read_tiff(body: bytes, picture: Image.Image | None) -> np.ndarray[Any, np.dtype[Any]]:
    # libvips converts colours, and reads no CIELab.
    return libvips.srgb(body) if picture else tifffile.imread(io.BytesIO(body), key=0)


def inspect(body: bytes) -> tuple[str, tuple[int, int]]:
    """Return an image's format, as Pillow's name in small letters, and its size as stored.

    Raises:
        UnidentifiedImageError: It is no image.

    """
    with Image.open(io.BytesIO(body)) as image:
        name = str(image.format)
        return NAMES.get(name, name.lower()), image.size


def _compare(shown: np.ndarray[Any, np.dtype[Any]], picture: Image.Image) -> float:
    height, width, bands = shown.shape
    expected = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BOX), int)
    return float(np.abs(shown[:, :, : min(bands, 3)].astype(int) - expected[:, :, : min(bands, 3)]).mean())
