"""Colours by numbers and Adobe RGB: Chromium and libvips show each output as Chromium shows the source."""

import struct
from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tests import pngs
from tests.heifs import Heif, box, nclx
from tests.images import encode
from tests.judges import libvips
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool
from tests.pngs import chunk
from tests.unit.rendering import output_body, render_one

COLOURS = [(255, 255, 255), (0, 0, 0), (128, 64, 64), (64, 128, 64), (64, 64, 128), (200, 180, 40), (30, 90, 160)]
SIDE = 16
PATCHES = np.kron(np.array([COLOURS], int), np.ones((SIDE, SIDE, 1), int))
CODER = 14
"""The largest difference that a codec may cause in a flat colour, of 255."""
P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
FORMATS = ["png", "jpeg", "webp", "avif"]


def png(*before: bytes, depth: int = 8) -> bytes:
    return pngs.png(PATCHES * 256 + 50 if depth == 16 else PATCHES, 2, depth, before=b"".join(before))


def codes(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def avif(primaries: int, transfer: int, *others: bytes) -> bytes:
    made = Heif(encode(Image.fromarray(PATCHES.astype(np.uint8)), "AVIF", quality=100, subsampling="4:4:4"))
    made.remove(b"colr")
    made.describe(made.main, nclx(primaries, transfer), *others)
    return made.encode()


def middles(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the colour in the middle of each patch of an image of half size."""
    return pixels[SIDE // 4, SIDE // 4 :: SIDE // 2, :3].astype(int)


def shown(chromium: Chromium, source: bytes) -> np.ndarray[Any, Any]:
    return chromium.still(source).pixels[SIDE // 2, SIDE // 2 :: SIDE, :3].astype(int)


def check(chromium: Chromium, source: bytes, to: str) -> None:
    wanted = shown(chromium, source)
    body = output_body(source, to, quality=100)
    assert np.abs(middles(chromium.still(body).pixels) - wanted).max() <= CODER
    if to != "png":
        # libvips ignores the numbers of a PNG.
        assert np.abs(middles(libvips.srgb(body)) - wanted).max() <= CODER


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    ("primaries", "transfer"), [(12, 13), (9, 1), (9, 14), (5, 6), (6, 6), (11, 17), (1, 8), (4, 4)]
)
def test_codes_of_a_png_keep_their_colours(chromium: Chromium, primaries: int, transfer: int, to: str) -> None:
    check(chromium, png(codes(primaries, transfer)), to)
    check(chromium, png(codes(primaries, transfer), depth=16), to)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (9, 1), (9, 15), (5, 6), (11, 17), (1, 8), (2, 2)])
def test_codes_of_an_avif_keep_their_colours(chromium: Chromium, primaries: int, transfer: int, to: str) -> None:
    check(chromium, avif(primaries, transfer), to)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("primaries", [P3, None, (31000, 31600, 67000, 33000, 21000, 71000, 14000, 8000)])
@pytest.mark.parametrize("gamma", [45455, 55556, 100_000])
def test_gamma_and_primaries_of_a_png_keep_their_colours(
    chromium: Chromium, gamma: int, primaries: Sequence[int] | None, to: str
) -> None:
    before = chunk(b"gAMA", struct.pack(">I", gamma))
    check(chromium, png(before, chunk(b"cHRM", struct.pack(">8I", *primaries)) if primaries else b""), to)


@pytest.mark.parametrize("to", FORMATS[1:])
@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("primaries", [9, 12])
def test_hdr_is_shown_as_chromium_shows_it_in_sdr(chromium: Chromium, primaries: int, transfer: int, to: str) -> None:
    check(chromium, png(codes(primaries, transfer)), to)
    check(chromium, avif(primaries, transfer), to)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(("depth", "transfer"), [(10, 16), (12, 16), (10, 18), (10, 13), (8, 13)])
def test_an_avif_of_more_bits_is_shown_and_its_losses_are_named(
    chromium: Chromium, depth: int, transfer: int, to: str
) -> None:
    levels = (PATCHES * ((1 << depth) - 1) // 255).astype(np.uint8 if depth == 8 else np.uint16)
    source = bytes(
        imagecodecs.avif_encode(levels, level=99, bitspersample=depth, primaries=9, transfer=transfer, matrix=9)
    )
    check(chromium, source, to)
    assert list(render_one(source, to).lost) == ["bits"] * (depth > 8) + ["hdr"] * (transfer != 13)


@pytest.mark.parametrize("peak", [300, 1000, 4000])
def test_the_brightest_light_decides_as_in_chromium(chromium: Chromium, peak: int) -> None:
    check(chromium, png(codes(9, 16), chunk(b"cLLI", struct.pack(">II", 10_000 * peak, 0))), "webp")
    check(chromium, avif(9, 16, box(b"clli", struct.pack(">HH", peak, 0))), "webp")


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_stays_in_a_png(chromium: Chromium, exiftool: Exiftool, transfer: int, depth: int) -> None:
    light = chunk(b"cLLI", struct.pack(">II", 10_000_000, 100))
    source = png(codes(9, transfer), light, depth=depth)
    rendered = render_one(source)
    body = rendered.outputs[0].body
    assert rendered.lost == {}
    assert (body[24], body.count(light), body.count(codes(9, transfer))) == (depth, 1, 1)
    assert np.abs(middles(chromium.still(body).pixels) - shown(chromium, source)).max() <= 1
    assert not {"ExifTool:Warning", "ExifTool:Error"} & exiftool.read({"output": body})["output"].keys()


def adobe_rgb_jpeg() -> bytes:
    exif = Image.Exif()
    directory: dict[int, Any] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    exif[0x8769] = directory
    return encode(Image.fromarray(PATCHES.astype(np.uint8)), "JPEG", quality=100, subsampling=0, exif=exif)


@pytest.mark.parametrize("to", FORMATS)
def test_adobe_rgb_by_exif_gets_a_profile(chromium: Chromium, to: str) -> None:
    # sRGB, by the matrices of Adobe RGB (1998), 4.3.4, and of IEC 61966-2-1.
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    from_xyz = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    light = np.clip((np.array(COLOURS) / 255) ** 2.19921875 @ (from_xyz @ to_xyz).T, 0, 1)
    wanted = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    body = output_body(adobe_rgb_jpeg(), to, quality=100)
    for pixels in (chromium.still(body).pixels, libvips.srgb(body)):
        assert np.abs(middles(pixels) - wanted).max() <= CODER


def test_a_profile_is_valid(exiftool: Exiftool) -> None:
    body = output_body(avif(12, 13), "jpeg")
    tags = exiftool.read({"output": body})["output"]
    assert tags["ICC_Profile:ProfileDescription"] == "RGB by numbers"
    assert not {"ExifTool:Warning", "ExifTool:Error"} & tags.keys()
