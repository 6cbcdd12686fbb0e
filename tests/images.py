"""Images that tests create, with content that makes a wrong pixel visible."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

HEIC_PICTURE = Path(__file__).with_name("picture.heic")
"""``picture(64, 48)``, written by pillow-heif, whose encoder the tests don't install."""

STORED = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}
"""How an upright picture is stored under each valid orientation."""


def picture(width: int = 320, height: int = 240, mode: str = "RGB") -> Image.Image:
    """Return a smooth picture with red, green, blue and white corners, which show any rotation, flip or crop."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    red = (1 - x) * (1 - y) + x * y
    green = x
    blue = y * np.ones_like(x)
    pixels = np.dstack([red, green * np.ones_like(y), blue])
    return Image.fromarray(np.uint8(255 * pixels)).convert(mode)


def encode(image: Image.Image, image_format: str = "JPEG", **options: Any) -> bytes:
    """Return ``image`` as bytes of ``image_format``; the options are Pillow's."""
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def encode_oriented(shown: Image.Image, orientation: int, image_format: str, **options: Any) -> bytes:
    """Return the upright picture ``shown`` as bytes, stored with an EXIF orientation; the options are Pillow's."""
    stored = shown
    for turn in STORED.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(stored, image_format, exif=exif, **options)


def apple_exif(headroom: float, gain: float | None) -> bytes:
    """Return EXIF, from the TIFF header on, with Apple's maker note that states a gain map's headroom."""
    values = {33: headroom} if gain is None else {33: headroom, 48: gain}
    place = 14 + 2 + 12 * len(values) + 4
    entries = b"".join(struct.pack(">HHII", tag, 10, 1, place + 8 * index) for index, tag in enumerate(values))
    rationals = b"".join(struct.pack(">ii", round(1000 * value), 1000) for value in values.values())
    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", len(values)) + entries + bytes(4) + rationals
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = note
    return exif.tobytes().removeprefix(b"Exif\0\0")


def lzma_bomb() -> bytes:
    """Return a small TIFF whose LZMA stream declares a dictionary of 2 GiB, which the prediction can't see."""
    source = bytearray(encode(picture(), "TIFF", compression="lzma"))
    block = source.index(b"\xfd7zXZ\0") + 12
    end = block + 4 * (source[block] + 1)
    # https://tukaani.org/xz/xz-file-format.txt, 3.1 and 5.3.1: the size follows the filter's ID and length.
    source[source.index(b"\x21\x01", block) + 2] = 38
    source[end - 4 : end] = zlib.crc32(source[block : end - 4]).to_bytes(4, "little")
    return bytes(source)


def segment(marker: int, data: bytes = b"") -> bytes:
    """Return a JPEG segment."""
    return bytes([0xFF, marker]) + (2 + len(data)).to_bytes(2, "big") + data


def load(body: bytes) -> Image.Image:
    """Return the image in ``body``, fully read."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours near the corners, clockwise from the top left; each channel is rounded to 0, 1 or 2 halves."""
    width, height = image.size
    rgb = image.convert("RGB")
    places = [(2, 2), (width - 3, 2), (width - 3, height - 3), (2, height - 3)]
    return [tuple(round(channel / 127.5) for channel in rgb.getpixel(place)) for place in places]  # type: ignore[union-attr]


RED, GREEN, BLUE, WHITE = (2, 0, 0), (0, 2, 0), (0, 0, 2), (2, 2, 2)
UPRIGHT_CORNERS = [RED, GREEN, WHITE, BLUE]
