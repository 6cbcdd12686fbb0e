"""Colours by numbers in a whole rendering: which profile an output has, and what is named as lost."""

import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageCms

from imaging.colour_space import ADOBE_RGB, DISPLAY_P3, Curve
from imaging.decode import Picture
from imaging.encode import replace_numbers
from imaging.formats import inspect, png_chunks
from tests import pngs
from tests.heifs import Heif, box, nclx, profile
from tests.images import encode, load, picture
from tests.pngs import chunk
from tests.unit.rendering import output_image, render_one

FORMATS = ["png", "jpeg", "webp", "avif"]
P3 = DISPLAY_P3.make_profile()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3_CODES = chunk(b"cICP", bytes([12, 13, 0, 1]))
PQ_CODES = chunk(b"cICP", bytes([9, 16, 0, 1]))


def avif(*properties: bytes, mode: str = "RGB") -> bytes:
    made = Heif(encode(picture(64, 48, mode), "AVIF"))
    made.remove(b"colr")
    made.describe(made.main, *properties)
    return made.encode()


def png(*before: bytes, colour_type: int = 2) -> bytes:
    return pngs.png(pngs.blocks(colour_type, 8), colour_type, 8, before=b"".join(before))


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("source", [avif(nclx(12, 13)), avif(nclx(12, 13), mode="RGBA"), png(P3_CODES)])
def test_wide_colours_get_a_profile_in_every_format(source: bytes, to: str) -> None:
    image = output_image(source, to)
    is_png_to_png = source.startswith(pngs.SIGNATURE) and to == "png"
    assert image.info.get("icc_profile") == (None if is_png_to_png else P3)


@pytest.mark.parametrize("to", FORMATS)
def test_a_profile_of_the_source_counts_in_an_avif_but_not_in_a_png(to: str) -> None:
    image = output_image(avif(nclx(9, 16), profile(SRGB)), to)
    assert image.info.get("icc_profile") == SRGB
    named = chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB))
    assert output_image(png(named, P3_CODES), to).info.get("icc_profile") == (SRGB if to == "png" else P3)


@pytest.mark.parametrize("to", FORMATS)
def test_srgb_by_numbers_gets_no_profile(to: str) -> None:
    for source in (avif(nclx(1, 13)), avif(nclx(1, 1)), avif(), png(chunk(b"cICP", bytes([1, 13, 0, 1])))):
        assert "icc_profile" not in output_image(source, to).info
    usual = chunk(b"gAMA", struct.pack(">I", 45455))
    chromaticities = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    assert "icc_profile" not in output_image(png(usual, chromaticities), to).info


@pytest.mark.parametrize("colour_type", [0, 4])
@pytest.mark.parametrize("to", FORMATS)
def test_grey_gets_no_profile_of_rgb(colour_type: int, to: str) -> None:
    for codes in (P3_CODES, PQ_CODES):
        assert "icc_profile" not in output_image(png(codes, colour_type=colour_type), to).info


def test_a_gamma_of_2_2_is_srgb_s_curve_only_with_its_primaries() -> None:
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    wide = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    assert png_chunks.read_contents(png(gamma)).colour is None
    colour = png_chunks.read_contents(png(gamma, wide)).colour
    assert colour == DISPLAY_P3._replace(curve=Curve(100_000 / 45455))


def test_a_profile_that_only_the_decoder_finds_counts() -> None:
    header = replace(inspect(avif(profile(SRGB))), colour=DISPLAY_P3)
    picture = Picture(header)
    (frame,) = replace_numbers(picture, list(picture.frames()))
    assert frame.icc == SRGB


@pytest.mark.parametrize("to", FORMATS)
def test_hdr_is_named_where_it_is_tone_mapped(to: str) -> None:
    rendered = render_one(png(PQ_CODES), to)
    assert rendered.lost == ({} if to == "png" else {"hdr": "PQ was tone-mapped to SDR"})
    deep = avif(nclx(9, 18), box(b"pixi", bytes(4) + bytes([3, 10, 10, 10])))
    assert render_one(deep, to).lost == {"hdr": "HLG was tone-mapped to SDR"}


@pytest.mark.parametrize("to", FORMATS)
def test_hdr_that_is_dropped_is_tone_mapped_and_no_loss(to: str) -> None:
    (output,) = render_one(png(PQ_CODES), to, hdr="drop", quality=90).outputs
    assert output.lost == ()
    assert (load(output.body).info.get("icc_profile"), output.body.count(b"cICP")) == (P3, 0)
    # Wide colours are no HDR.
    assert render_one(png(P3_CODES), hdr="drop").outputs == render_one(png(P3_CODES)).outputs


def test_the_light_of_hdr_stays_with_its_codes() -> None:
    light = chunk(b"cLLI", struct.pack(">II", 6_000_000, 1)), chunk(b"mDCV", bytes(24))
    body = render_one(png(PQ_CODES, *light)).outputs[0].body
    assert [body.count(one) for one in (PQ_CODES, *light)] == [1, 1, 1]
    # Without codes, it has no meaning.
    assert [render_one(png(*light)).outputs[0].body.count(one) for one in light] == [0, 0]


@pytest.mark.parametrize(
    ("gamma", "chromaticities"),
    [(0, (1,) * 8), (1, (31270,) * 8), (45455, (0,) * 8), (0xFFFFFFFF, (0xFFFFFFFF,) * 8), (1, (31270, 32900) * 4)],
)
def test_impossible_numbers_change_nothing(gamma: int, chromaticities: tuple[int, ...]) -> None:
    before = chunk(b"gAMA", struct.pack(">I", gamma)) + chunk(b"cHRM", struct.pack(">8I", *chromaticities))
    assert render_one(png(before), "webp", quality=90) == render_one(png(), "webp", quality=90)


def jpeg(colour_space: int, rule: str, mode: str = "RGB", **options: Any) -> bytes:
    exif = Image.Exif()
    directory: dict[int, Any] = {0xA001: colour_space, 0xA005: {1: rule}}
    exif[0x8769] = directory
    return encode(picture(64, 48, mode), exif=exif, **options)


@pytest.mark.parametrize("to", FORMATS)
def test_adobe_rgb_by_exif_gets_a_profile(to: str) -> None:
    adobe = ADOBE_RGB.make_profile()
    assert output_image(jpeg(0xFFFF, "R03"), to).info.get("icc_profile") == adobe
    for source in (jpeg(1, "R03"), jpeg(0xFFFF, "R98"), jpeg(0xFFFF, "R03", "L"), jpeg(0xFFFF, "R03", "CMYK")):
        assert "icc_profile" not in output_image(source, to).info
    assert output_image(jpeg(0xFFFF, "R03", icc_profile=SRGB), to).info["icc_profile"] == SRGB


def test_exif_that_states_adobe_rgb_and_is_damaged_is_ignored() -> None:
    source = jpeg(0xFFFF, "R03")
    start, end = source.index(b"Exif"), source.index(b"R03") + 4
    for place in range(start, end):
        damaged = bytearray(source)
        damaged[place] ^= 0xFF
        assert len(render_one(bytes(damaged)).outputs) == 1
