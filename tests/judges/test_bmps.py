"""Bitmaps of every header and pixel layout: Chromium shows each output as it shows the source."""

import itertools
import struct

import numpy as np
from PIL import ImageCms

from imaging.formats import bmp_header
from tests.images import encode, load, picture
from tests.judges.chromium import Chromium
from tests.unit.rendering import output_body

MASKS = {
    "X1R5G5B5": (16, 0x7C00, 0x3E0, 0x1F, 0),
    "A1R5G5B5": (16, 0x7C00, 0x3E0, 0x1F, 0x8000),
    "R5G6B5": (16, 0xF800, 0x7E0, 0x1F, 0),
    "A4R4G4B4": (16, 0xF00, 0xF0, 0xF, 0xF000),
    "A4B4G4R4": (16, 0xF, 0xF0, 0xF00, 0xF000),
    "X4R4G4B4": (16, 0xF00, 0xF0, 0xF, 0),
    "A8R8G8B8": (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "X8R8G8B8": (32, 0xFF0000, 0xFF00, 0xFF, 0),
    "A8B8G8R8": (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    "X8B8G8R8": (32, 0xFF, 0xFF00, 0xFF0000, 0),
    "R8G8B8A8": (32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF),
}
V4 = 108
HEADERS = (40, 52, bmp_header.V3, V4, bmp_header.V5)
MOST = 4
"""The largest difference, of 255: five bits, and colours with a low alpha, are rounded."""


def bitmap(
    name: str, header: int, compression: int, *, profile: bytes = b"", colours: bytes = bmp_header.SRGB
) -> bytes:
    """Return blocks of random pixels, with the rows from the bottom to the top."""
    bits, *masks = MASKS[name]
    blocks = np.random.default_rng(bits).integers(0, 1 << bits, (3, 4), dtype=np.uint64)
    data = np.kron(blocks, np.ones((8, 8), np.uint64)).astype(f"<u{bits // 8}").tobytes()
    fields = struct.pack("<LllHHLLllLL", header, 32, 24, 1, bits, compression, len(data), 2835, 2835, 0, 0)
    fields += struct.pack("<4L", *masks)
    if header < bmp_header.V3:
        fields = fields[: 40 if compression == bmp_header.PLAIN and header == 40 else 52]
    elif header > bmp_header.V3:
        fields += colours + bytes(48)
        fields += struct.pack("<4L", 4, header + len(data), len(profile), 0)[: header - V4]
    size = 14 + len(fields) + len(data) + len(profile)
    return struct.pack("<2sL4xL", b"BM", size, 14 + len(fields)) + fields + data + profile


def make_swapping_profile() -> bytes:
    """Return a profile that exchanges red and blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"none").replace(b"bXYZ", b"rXYZ").replace(b"none", b"bXYZ")


def compare(chromium: Chromium, source: bytes) -> str:
    """Return how much the output differs from the source, or nothing."""
    wanted, got = (chromium.still(body) for body in (source, output_body(source, scale=1)))
    difference = np.abs(got.pixels.astype(int) - wanted.pixels)
    difference[..., :3] = difference[..., :3] * (wanted.pixels[..., 3:] / 255)
    return f"it differs by {difference.max()}" if difference.max() > MOST else ""


def test_every_layout_is_shown(chromium: Chromium) -> None:
    wrong = []
    for name, header, compression in itertools.product(MASKS, HEADERS, (bmp_header.PLAIN, bmp_header.MASKED)):
        if name == "A4B4G4R4" and header < bmp_header.V3 and compression == bmp_header.MASKED:
            # Without a mask for alpha, this is another layout, which is rejected.
            continue
        if compression == bmp_header.PLAIN and MASKS[name][0] == 32 and MASKS[name][4] and header >= V4:
            # Chromium reads the fourth byte as alpha. Microsoft's documentation and other programs ignore it.
            continue
        if fault := compare(chromium, bitmap(name, header, compression)):
            wrong.append((name, header, compression, fault))
    assert wrong == []


def test_a_profile_is_applied_and_kept(chromium: Chromium) -> None:
    profile = make_swapping_profile()
    for name, space in itertools.product(("A1R5G5B5", "X8R8G8B8"), (bmp_header.EMBEDDED, bmp_header.SRGB)):
        source = bitmap(name, bmp_header.V5, bmp_header.MASKED, profile=profile, colours=space)
        assert compare(chromium, source) == ""
        assert output_body(source, scale=1).endswith(profile) is (space == bmp_header.EMBEDDED)
    few = bmp_header.add_v5_header(encode(picture().quantize(16), "BMP"), profile, has_alpha=False)
    assert compare(chromium, few) == ""
    body = output_body(few)
    assert (load(body).mode, body[-len(profile) :]) == ("P", profile)
