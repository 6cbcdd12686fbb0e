"""One page of a TIFF as Pillow opens it: what Pillow misreads is put right, or refused by its name."""

import ctypes
from typing import Any

from PIL import Image, ImagePalette, TiffImagePlugin, _imaging

from errors import Reason, RejectedError
from imaging.formats import jpeg, tiff
from imaging.pillow import decoding

# Pillow's own decoder of what is not compressed misreads separate planes and YCbCr.
TiffImagePlugin.READ_LIBTIFF = True
# libtiff writes to standard error, in lines that are no JSON. What it cannot decode Pillow raises, too.
_libtiff = ctypes.CDLL(_imaging.__file__)
_libtiff.TIFFSetErrorHandler(None)
_libtiff.TIFFSetWarningHandler(None)

NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F"}
"""libtiff turns numbers into the processor's byte order, little-endian; Pillow knows it only of other raw modes."""

JPEG, JPEG_TABLES, TILES, TILE_LENGTHS, PROFILE = 7, 347, 324, 325, 34675
"""A compression, and tags (TIFF technical note 2; TIFF 6.0, section 15; ICC.1:2022, B.4)."""

SIGNED = 2
"""A value of the sample format (TIFF 6.0, section 19)."""

MISREAD_PLANES = frozenset({"LA", "La", "PA", "LAB"})
"""Modes of which Pillow misreads separate planes."""


def read_numbers(image: Any, tag: int) -> tuple[int, ...]:
    """Return the whole numbers that the page has under a tag, whatever type the file gives them; often none."""
    with decoding():
        value = image.tag_v2.get(tag, ())
    values = value if isinstance(value, tuple) else (value,)
    return tuple(number for number in values if isinstance(number, int))


def is_picture(image: Any) -> bool:
    """Tell whether the page is a picture of its own, no thumbnail, level of a pyramid, or mask."""
    return not any(kind & tiff.THUMBNAIL_OR_MASK for kind in read_numbers(image, tiff.SUBFILE_TYPE))


def read_quantization(image: Any, source: bytes) -> dict[int, list[int]]:
    """Return the quantisation tables of a page of JPEGs: its own, or those of its first strip or tile."""
    if JPEG not in read_numbers(image, tiff.COMPRESSION):
        return {}
    with decoding():
        shared = image.tag_v2.get(JPEG_TABLES)
    tables = jpeg.tables(shared) if isinstance(shared, bytes) else {}
    places = read_numbers(image, tiff.STRIPS) or read_numbers(image, TILES)
    lengths = read_numbers(image, tiff.STRIP_LENGTHS) or read_numbers(image, TILE_LENGTHS)
    if tables or not places or not lengths:
        return tables
    return jpeg.tables(source[places[0] : places[0] + lengths[0]])


def prepare(image: Any) -> None:
    """Let Pillow read the pixels of the page as they are meant.

    Raises:
        RejectedError: UNSUPPORTED: it cannot.

    """
    if image.mode == "L" and SIGNED in read_numbers(image, tiff.SAMPLE_FORMAT):
        raise RejectedError(
            Reason.UNSUPPORTED, "the TIFF has signed samples of 8 bits: save it with 16 or unsigned ones"
        )
    if image.mode in MISREAD_PLANES and 2 in read_numbers(image, tiff.PLANAR):
        raise RejectedError(
            Reason.UNSUPPORTED, "the TIFF has separate planes of CIELab, or of alpha without RGB: save it without"
        )
    with decoding():
        # Else it would be that of whichever page had one last.
        image.info["icc_profile"] = image.tag_v2.get(PROFILE)
        image.tile = [
            tile._replace(args=(NATIVE.get(tile.args[0], tile.args[0]), *tile.args[1:])) for tile in image.tile
        ]
    colours = read_numbers(image, tiff.COLOUR_MAP)
    if image.mode in {"P", "PA"} and colours and max(colours) < 256:
        # Some writers store 8 bits where 16 belong, and all readers forgive them.
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def correct(image: Any) -> Image.Image:
    """Return the page once it is read, with its numbers as its tags mean them.

    Raises:
        RejectedError: UNSUPPORTED: its mode does not hold them.

    """
    page: Image.Image = image
    if image.mode == "I" and SIGNED not in read_numbers(image, tiff.SAMPLE_FORMAT) and image.getextrema()[0] < 0:
        raise RejectedError(Reason.UNSUPPORTED, "the TIFF has samples of 2147483648 or more: save it with 16 bits")
    if image.mode == "I;16":
        scale = 65535 / 4095 if 12 in read_numbers(image, tiff.BITS) else 1
        is_inverted = tiff.MIN_IS_WHITE in read_numbers(image, tiff.PHOTOMETRIC)
        with decoding():
            if scale != 1:
                page = page.point(lambda level: level * scale + 0.5)
            if is_inverted:
                page = page.point(lambda level: level * -1 + 65535)
    return page
