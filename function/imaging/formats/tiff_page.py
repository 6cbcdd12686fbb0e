"""Corrects what Pillow misreads in a page of a TIFF, or rejects the page."""

import ctypes
from typing import Any

from PIL import Image, ImagePalette, TiffImagePlugin, _imaging

from errors import Reason, RejectedError
from imaging.formats import jpeg_segments, tiff_directories
from imaging.pillow import decoding

# Use libtiff for uncompressed pages too: Pillow's own decoder misreads separate planes and YCbCr.
TiffImagePlugin.READ_LIBTIFF = True
# Keep libtiff from writing lines to standard error that are not JSON. Pillow raises its errors anyway.
_libtiff = ctypes.CDLL(_imaging.__file__)
_libtiff.TIFFSetErrorHandler(None)
_libtiff.TIFFSetWarningHandler(None)

NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F"}
"""Raw modes to replace: libtiff converts samples to little-endian, but Pillow expects big-endian ones in these."""

JPEG, JPEG_TABLES, TILES, TILE_LENGTHS, PROFILE = 7, 347, 324, 325, 34675
"""A compression method, and tags (TIFF technical note 2; TIFF 6.0, section 15; ICC.1:2022, B.4)."""

SIGNED = 2
"""A value of SampleFormat (TIFF 6.0, section 19)."""

MISREAD_PLANES = frozenset({"LA", "La", "PA", "LAB"})
"""Modes in which Pillow misreads separate planes."""


def read_numbers(image: Any, tag: int) -> tuple[int, ...]:
    """Return the integers of a tag, which may be none."""
    with decoding():
        value = image.tag_v2.get(tag, ())
    values = value if isinstance(value, tuple) else (value,)
    return tuple(number for number in values if isinstance(number, int))


def is_picture(image: Any) -> bool:
    """Tell whether the page is not a thumbnail, a pyramid level or a mask."""
    kinds = read_numbers(image, tiff_directories.SUBFILE_TYPE)
    return not any(kind & tiff_directories.THUMBNAIL_OR_MASK for kind in kinds)


def read_quantization(image: Any, source: bytes) -> dict[int, list[int]]:
    """Return the JPEG quantisation tables of the page, or those of its first strip or tile."""
    if JPEG not in read_numbers(image, tiff_directories.COMPRESSION):
        return {}
    with decoding():
        tag = image.tag_v2.get(JPEG_TABLES)
    tables = jpeg_segments.read_tables(tag) if isinstance(tag, bytes) else {}
    offsets = read_numbers(image, tiff_directories.STRIPS) or read_numbers(image, TILES)
    lengths = read_numbers(image, tiff_directories.STRIP_LENGTHS) or read_numbers(image, TILE_LENGTHS)
    if tables or not offsets or not lengths:
        return tables
    return jpeg_segments.read_tables(source[offsets[0] : offsets[0] + lengths[0]])


def prepare(image: Any) -> None:
    """Make Pillow read the pixels of the page correctly.

    Raises:
        RejectedError: UNSUPPORTED: Pillow can't.

    """
    if image.mode == "L" and SIGNED in read_numbers(image, tiff_directories.SAMPLE_FORMAT):
        raise RejectedError(
            Reason.UNSUPPORTED, "the TIFF has signed 8-bit samples: save it with unsigned or 16-bit samples"
        )
    if image.mode in MISREAD_PLANES and 2 in read_numbers(image, tiff_directories.PLANAR):
        raise RejectedError(
            Reason.UNSUPPORTED,
            "the TIFF has CIELab, or alpha without RGB, in separate planes: save it with PlanarConfiguration 1",
        )
    with decoding():
        # Otherwise Pillow keeps the profile of an earlier page.
        image.info["icc_profile"] = image.tag_v2.get(PROFILE)
        image.tile = [
            tile._replace(args=(NATIVE.get(tile.args[0], tile.args[0]), *tile.args[1:])) for tile in image.tile
        ]
    colours = read_numbers(image, tiff_directories.COLOUR_MAP)
    if image.mode in {"P", "PA"} and colours and max(colours) < 256:
        # Some writers store palettes of 8 bits instead of 16, which other readers accept.
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def correct(image: Any) -> Image.Image:
    """Scale and invert the samples of a decoded page as its tags say.

    Raises:
        RejectedError: UNSUPPORTED: the samples exceed the image's mode.

    """
    page: Image.Image = image
    is_signed = SIGNED in read_numbers(image, tiff_directories.SAMPLE_FORMAT)
    if image.mode == "I" and not is_signed and image.getextrema()[0] < 0:
        raise RejectedError(
            Reason.UNSUPPORTED, "the TIFF has samples of 2147483648 or more: save it with 16-bit samples"
        )
    if image.mode == "I;16":
        scale = 65535 / 4095 if 12 in read_numbers(image, tiff_directories.BITS) else 1
        is_inverted = tiff_directories.MIN_IS_WHITE in read_numbers(image, tiff_directories.PHOTOMETRIC)
        with decoding():
            if scale != 1:
                page = page.point(lambda level: level * scale + 0.5)
            if is_inverted:
                page = page.point(lambda level: level * -1 + 65535)
    return page
