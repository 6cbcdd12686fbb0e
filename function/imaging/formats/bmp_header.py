"""A BMP's header: reads pixel layouts that Pillow does not support, and reads and writes colour profiles."""

import struct
from typing import Any, NamedTuple

from PIL import Image

from imaging.pillow import decoding

HEADER = struct.Struct("<2s8xLLllHHL20x4L")
"""BITMAPFILEHEADER, BITMAPINFOHEADER, and the colour masks, which follow it or belong to a longer header.

https://learn.microsoft.com/en-us/windows/win32/api/wingdi/ns-wingdi-bitmapv5header
"""

MASKS_AT, COLOUR_SPACE_AT, PROFILE_AT = 54, 70, 126
"""Offsets of the masks, of the colour space, and of the profile's offset, which counts from the BITMAPV5HEADER."""

PLAIN, MASKED = 0, 3
"""Compression methods: BI_RGB and BI_BITFIELDS."""

RUN_LENGTH = frozenset({1, 2})
"""Compressions: BI_RLE8 and BI_RLE4."""

FILE_HEADER_BYTES, CORE_BYTES = 14, 12
"""Lengths of the file's header, and of the BITMAPCOREHEADER, which states no compression."""

V3, V5 = 56, 124
"""Lengths of the first header with a mask for alpha, and of the first with a profile."""

EMBEDDED, SRGB = b"DEBM", b"BGRs"
"""The colour spaces PROFILE_EMBEDDED and LCS_sRGB."""

FOR_PICTURES = 4
"""The rendering intent LCS_GM_IMAGES."""


class Layout(NamedTuple):
    """How Pillow can read a layout of pixels.

    Attributes:
        mode: The mode of the image.
        raw_mode: Pillow's name for the stored layout.
        is_swapped: Whether red and blue must be exchanged afterwards.

    """

    mode: str
    raw_mode: str
    is_swapped: bool


LAYOUTS = {
    (16, 0x7C00, 0x3E0, 0x1F, 0x8000): Layout("RGBA", "BGRA;15", is_swapped=False),
    (16, 0xF00, 0xF0, 0xF, 0xF000): Layout("RGBA", "RGBA;4B", is_swapped=True),
    (16, 0xF, 0xF0, 0xF00, 0xF000): Layout("RGBA", "RGBA;4B", is_swapped=False),
    (16, 0xF00, 0xF0, 0xF, 0): Layout("RGB", "RGB;4B", is_swapped=True),
    (32, 0xFF, 0xFF00, 0xFF0000, 0): Layout("RGB", "RGBX", is_swapped=False),
}
"""Layouts by bits and by the masks of red, green, blue and alpha: Pillow refuses some, and drops alpha of others."""

USUAL = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}
"""Masks that Pillow accepts, by bits."""


def is_run_length(source: bytes) -> bool:
    """Tell whether pixels are stored as runs (RLE8 or RLE4)."""
    start = FILE_HEADER_BYTES if source.startswith(b"BM") else 0
    length, compression = (int.from_bytes(source[at : at + 4], "little") for at in (start, start + 16))
    return length > CORE_BYTES and compression in RUN_LENGTH


def find_layout(source: bytes) -> Layout | None:
    """Return how to read a layout that Pillow reads wrongly or not at all; None if Pillow reads it correctly."""
    if not source.startswith(b"BM") or len(source) < HEADER.size:
        return None
    _, _, length, _, _, _, bits, compression, red, green, blue, alpha = HEADER.unpack_from(source)
    if compression != MASKED:
        return None
    return LAYOUTS.get((bits, red, green, blue, alpha if length >= V3 else 0))


def use_known_masks(source: bytes) -> bytes:
    """Replace masks that Pillow refuses; return ``source`` itself if there are none."""
    if find_layout(source) is None:
        return source
    _, _, length, _, _, _, bits, *_ = HEADER.unpack_from(source)
    usual = bytearray(source)
    struct.pack_into("<3L", usual, MASKS_AT, *USUAL[bits])
    if length >= V3:
        struct.pack_into("<L", usual, MASKS_AT + 12, 0)
    return bytes(usual)


def prepare(image: Any, source: bytes) -> None:
    """Make Pillow read the pixels in the layout of ``source``, whose masks were replaced when it was opened."""
    image.info["icc_profile"] = _read_profile(source)
    if (stored := find_layout(source)) is not None:
        image._mode = stored.mode
        image.tile = [tile._replace(args=(stored.raw_mode, *tile.args[1:])) for tile in image.tile]


def correct(image: Image.Image, source: bytes) -> Image.Image:
    """Exchange red and blue if necessary, and drop an alpha channel of zeros, which many writers leave."""
    stored = find_layout(source)
    with decoding():
        if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            image = image.convert("RGB")
        if stored is not None and stored.is_swapped:
            # Exchange them in place: the memory prediction allows for no copy.
            first, last = image.getchannel(0), image.getchannel(2)
            image.im.putband(last.im, 0)
            image.im.putband(first.im, 2)
    return image


def add_v5_header(body: bytes, icc: bytes | None, *, has_alpha: bool) -> bytes:
    """Replace the header of Pillow's BMP by BITMAPV5HEADER, which can declare alpha and a colour profile."""
    header, rest = body[FILE_HEADER_BYTES:MASKS_AT], body[MASKS_AT:]
    (start,) = struct.unpack_from("<L", body, 10)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000) if has_alpha else (0, 0, 0, 0)
    longer = struct.pack("<L12sL20s4L", V5, header[4:16], MASKED if has_alpha else PLAIN, header[20:], *masks)
    longer += struct.pack("<4s48x", EMBEDDED if icc else SRGB)
    longer += struct.pack("<4L", FOR_PICTURES, V5 + len(rest) if icc else 0, len(icc or b""), 0)
    size = FILE_HEADER_BYTES + V5 + len(rest) + len(icc or b"")
    return body[:2] + struct.pack("<L4xL", size, start + V5 - 40) + longer + rest + (icc or b"")


def _read_profile(source: bytes) -> bytes | None:
    """Return the embedded colour profile, if any."""
    if not source.startswith(b"BM") or source[14:18] != V5.to_bytes(4, "little"):
        return None
    if source[COLOUR_SPACE_AT : COLOUR_SPACE_AT + 4] != EMBEDDED:
        return None
    offset, size = struct.unpack_from("<LL", source[: PROFILE_AT + 8].ljust(PROFILE_AT + 8), PROFILE_AT)
    return source[FILE_HEADER_BYTES + offset :][:size] or None
