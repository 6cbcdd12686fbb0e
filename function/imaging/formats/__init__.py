"""One module for each image format, whose ``FORMAT`` is all that the pipeline knows of it."""

from errors import Reason, RejectedError
from imaging.formats import avif, bmp, gif, heif, jpeg, png, tiff, webp
from imaging.records import Encoder, Format, Header

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (jpeg, png, gif, webp, tiff, bmp, heif, avif)
}
"""All formats, by Pillow's name. The first that recognises a file is its format: HEIC and AVIF share brands."""

ENCODERS: dict[str, Encoder] = {
    name: image_format.encoder for name, image_format in FORMATS.items() if image_format.encoder
}
"""The formats that can be written."""


def inspect(source: bytes) -> Header:
    """Read the structure of a file once, in linear time, without decoding a pixel.

    Raises:
        RejectedError: NOT_AN_IMAGE, HEIC_NOT_BUILT_IN, UNSUPPORTED, CORRUPT or TOO_LARGE.

    """
    for image_format in FORMATS.values():
        if image_format.recognises(source):
            return image_format.inspect(source)
    raise RejectedError(Reason.NOT_AN_IMAGE, "the content is not a JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF image")
