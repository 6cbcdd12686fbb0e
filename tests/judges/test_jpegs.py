"""JPEGs of every kind: Chromium shows each output as it shows the source."""

import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.images import encode, picture, segment
from tests.judges import libvips
from tests.judges.chromium import Chromium
from tests.unit.rendering import output_body

SIZE = (128, 96)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CODER = 4
"""The largest mean difference that the codec may cause, of 255: a swapped or inverted channel causes 30 and more."""


def check(chromium: Chromium, source: bytes, shown_as: bytes | None = None) -> None:
    """Compare both outputs in Chromium with the source, or with ``shown_as``."""
    wanted = chromium.still(shown_as or source)
    height, width, _ = wanted.pixels.shape
    whole, half = (chromium.still(output_body(source, scale=scale)) for scale in (1, 0.5))
    assert whole.pixels.shape == wanted.pixels.shape
    assert np.abs(whole.pixels.astype(int) - wanted.pixels).mean() < CODER
    means = wanted.pixels[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, 4).mean((1, 3))
    assert np.abs(half.pixels - means).mean() < CODER


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 1}],
    ids=repr,
)
def test_every_coding_of_every_mode_is_read(chromium: Chromium, mode: str, options: dict[str, Any]) -> None:
    check(chromium, encode(picture(*SIZE, mode), quality=90, **options))


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_every_subsampling_is_read(chromium: Chromium, subsampling: str) -> None:
    check(chromium, bytes(imagecodecs.jpeg8_encode(np.asarray(picture(*SIZE)), level=90, subsampling=subsampling)))


@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_rgb_that_is_stored_without_conversion_is_read(chromium: Chromium, subsampling: str) -> None:
    check(chromium, encode(picture(*SIZE), keep_rgb=True))
    stored = encode(picture(*SIZE), subsampling=f"4:{subsampling[1]}:{subsampling[2]}")
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    # The marker declares the stored numbers as red, green and blue.
    check(chromium, stored[:2] + adobe + stored[2:])


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_is_converted_as_its_marker_declares(chromium: Chromium, transform: int) -> None:
    stored = encode(picture(*SIZE, "CMYK"), quality=90)
    offset = stored.index(b"Adobe") + 11
    check(chromium, stored[:offset] + bytes([transform]) + stored[offset + 1 :])


def test_tables_of_16_bits_are_read(chromium: Chromium) -> None:
    stored = encode(picture(*SIZE), quality=90)
    offset = stored.index(b"\xff\xdb")
    length = int.from_bytes(stored[offset + 2 : offset + 4], "big")
    table = stored[offset + 5 : offset + 2 + length]
    assert len(table) == 64
    wide = segment(0xDB, bytes([0x10]) + b"".join(bytes([0, level]) for level in table))
    # Only an extended sequential JPEG may have tables of 16 bits.
    source = (stored[:offset] + wide + stored[offset + 2 + length :]).replace(b"\xff\xc0", b"\xff\xc1", 1)
    check(chromium, source)


def test_arithmetic_coding_is_read(chromium: Chromium) -> None:
    # Any bytes decode to a picture.
    data = np.random.default_rng(0).integers(0, 255, 2000, dtype=np.uint8).tobytes()
    frame = segment(0xC9, struct.pack(">BHHB", 8, 64, 64, 1) + bytes([1, 0x11, 0]))
    tables = segment(0xDB, bytes([0] + [2] * 64))
    check(chromium, b"\xff\xd8" + tables + frame + segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + data + b"\xff\xd9")


@pytest.mark.parametrize("times", [1, 2])
def test_a_profile_is_applied_however_often_it_is_stored(chromium: Chromium, times: int) -> None:
    # The profile exchanges green and blue.
    swapped = PROFILE.replace(b"gXYZ", b"\0tmp").replace(b"bXYZ", b"gXYZ").replace(b"\0tmp", b"bXYZ")
    part = segment(0xE2, b"ICC_PROFILE\0\1\1" + swapped)
    stored = encode(picture(*SIZE), quality=90)
    plain, profiled = (chromium.still(body) for body in (stored, stored[:2] + part * times + stored[2:]))
    assert np.abs(plain.pixels.astype(int) - profiled.pixels).mean() > 30
    check(chromium, stored[:2] + part * times + stored[2:])


def test_truncated_segments_are_ignored(chromium: Chromium) -> None:
    stored = encode(picture(*SIZE), quality=90)
    truncated = [
        (0xE0, b"JFIF\0\1"),
        (0xE2, b"ICC_PROFILE\0\1"),
        (0xED, b"Photoshop 3.0\0008BIM\4\4"),
        (0xEE, b"Adobe\0"),
    ]
    check(chromium, stored[:2] + b"".join(segment(*one) for one in truncated) + stored[2:], shown_as=stored)


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_missing_end_marker_changes_nothing(chromium: Chromium, is_progressive: bool, cut: int) -> None:
    whole = encode(picture(*SIZE), progressive=is_progressive)
    # Compare with the whole file: without the marker, Chromium may not show the last rows.
    check(chromium, whole[:-cut], shown_as=whole)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_lossless_jpeg_is_read(mode: str) -> None:
    stored = np.asarray(picture(*SIZE, mode))
    source = bytes(imagecodecs.jpeg8_encode(stored, lossless=True))
    assert b"\xff\xc3" in source
    whole, half = (libvips.srgb(output_body(source, scale=scale)).astype(int) for scale in (1, 0.5))
    wanted = np.asarray(Image.fromarray(stored).convert("RGB")).astype(int)
    assert np.abs(whole - wanted).mean() < CODER
    assert np.abs(half - wanted.reshape(48, 2, 64, 2, 3).mean((1, 3))).mean() < CODER
