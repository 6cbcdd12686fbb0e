"""Padding: a contained image is whole, in the middle, never enlarged, and around it is the background."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imaging import palette
from imaging.colour_space import BT2020, DISPLAY_P3, ColourSpace, HdrCurve
from imaging.losses import Lost
from imaging.tone_mapping import find_levels
from renditions import Placement, Rendition
from tests import pngs, tiffs
from tests.images import STORED, UPRIGHT_CORNERS, corners, encode, encode_oriented, load, picture
from tests.pngs import chunk
from tests.unit.rendering import output_image, render_one

BACKGROUND = "#ff8000"
ORANGE = (255, 128, 0)
CONTAIN: dict[str, Any] = {"width": 100, "height": 100, "fit": "contain"}
INSIDE: dict[str, Any] = {"width": 100, "height": 100}
ROWS = slice(12, 87)
"""The rows of a contained picture of 4:3 in 100 x 100 pixels."""

sides = st.integers(1, 5000)


def frames(image: Image.Image) -> list[Image.Image]:
    shown = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        shown.append(image.convert("RGB"))
    return shown


def around(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return the pixels of the padding."""
    return np.delete(np.asarray(image), np.arange(*ROWS.indices(100)), axis=0)


@given(source=st.tuples(sides, sides), wanted=st.tuples(sides, sides), largest=st.sampled_from([64, 1000, 10_000]))
def test_the_whole_source_fits_into_the_canvas_and_is_never_enlarged(
    source: tuple[int, int], wanted: tuple[int, int], largest: int
) -> None:
    contain = Rendition("r", width=wanted[0], height=wanted[1], fit="contain")
    placement = contain.place(source, largest)
    inside = Rendition("r", width=wanted[0], height=wanted[1]).place(source)
    assert placement.box == (0, 0, *source)
    assert placement.canvas is not None
    assert all(1 <= side <= most for side, most in zip(placement.size, placement.canvas, strict=True))
    assert max(placement.canvas) <= largest
    if max(wanted) <= largest:
        assert placement == Placement(inside.box, inside.size, wanted)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("to", ["png", "tiff"])
def test_the_image_is_the_one_that_inside_makes(orientation: int, to: str) -> None:
    source = encode_oriented(picture(), orientation, to.upper())
    padded = output_image(source, background=BACKGROUND, **CONTAIN)
    assert padded.size == (100, 100)
    assert np.array_equal(np.asarray(padded)[ROWS], np.asarray(output_image(source, **INSIDE)))
    assert (around(padded) == ORANGE).all()


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_every_format_is_padded(image_format: str, to: str) -> None:
    (output,) = render_one(encode(picture(), image_format), to, background=BACKGROUND, **CONTAIN).outputs
    image = load(output.body).convert("RGB")
    assert (output.width, output.height) == image.size == (100, 100)
    assert np.median(np.abs(around(image).astype(int) - ORANGE)) < 4
    assert corners(image.crop((0, ROWS.start, 100, ROWS.stop))) == UPRIGHT_CORNERS


def test_a_small_image_is_not_enlarged() -> None:
    image = output_image(encode(picture(32, 24), "PNG"), **CONTAIN)
    assert np.array_equal(np.asarray(image)[38:62, 34:66], np.asarray(picture(32, 24)))
    assert (np.asarray(image) != 255).any(axis=2).sum() <= 32 * 24


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_every_frame_of_an_animation_is_padded(image_format: str) -> None:
    shown = [picture().rotate(180 * turn) for turn in range(2)]
    source = encode(shown[0], image_format, save_all=True, append_images=shown[1:], duration=90)
    made = frames(output_image(source, background=BACKGROUND, **CONTAIN))
    assert [image.size for image in made] == [(100, 100)] * 2
    for image in made:
        assert np.median(np.abs(around(image).astype(int) - ORANGE)) < 4
    assert corners(made[0].crop((0, ROWS.start, 100, ROWS.stop))) == UPRIGHT_CORNERS


def test_every_page_of_a_tiff_has_the_canvas() -> None:
    pages = [picture(), picture(120, 300)]
    image = output_image(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]), **CONTAIN)
    assert [page.size for page in frames(image)] == [(100, 100)] * 2


@pytest.mark.parametrize("to", ["png", "webp", "gif"])
def test_transparent_pixels_show_the_background_too(to: str) -> None:
    image = picture(320, 240, "RGBA")
    image.paste((0, 0, 0, 0), (100, 80, 220, 160))
    (output,) = render_one(encode(image, to.upper()), background=BACKGROUND, **CONTAIN).outputs
    shown = load(output.body)
    assert "transparency" not in shown.info
    assert shown.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    assert np.abs(np.asarray(shown.convert("RGB").getpixel((50, 50)), int) - ORANGE).max() < 8
    assert [loss.what for loss in output.lost] == [Lost.TRANSPARENCY]


@pytest.mark.parametrize("kind", [4, 6])
@pytest.mark.parametrize(
    "codes", [chunk(b"gAMA", (100_000).to_bytes(4, "big")), chunk(b"cICP", bytes([9, 16, 0, 1]))], ids=["linear", "PQ"]
)
def test_transparent_pixels_and_padding_have_one_colour(kind: int, codes: bytes) -> None:
    clear = np.zeros((24, 32, {4: 2, 6: 4}[kind]), np.uint8)
    image = output_image(pngs.png(clear, kind, 8, before=codes), background=BACKGROUND, **CONTAIN).convert("RGB")
    assert image.getpixel((0, 0)) != ORANGE
    assert image.getcolors() == [(100 * 100, image.getpixel((0, 0)))]


@pytest.mark.parametrize(("image_format", "count"), [("PNG", 1), ("GIF", 3)])
def test_padding_does_not_hide_the_errors_of_a_palette(image_format: str, count: int) -> None:
    """A limit for the whole image would let the error of the picture grow with its padding."""
    noise = np.random.default_rng(0).integers(-20, 21, (300, 300, 3))
    shown = [
        Image.fromarray((np.asarray(picture(300, 300).rotate(90 * turn)) + noise).clip(0, 255).astype(np.uint8))
        for turn in range(count)
    ]
    shown = [image.quantize(64) for image in shown]
    source = encode(shown[0], image_format, save_all=count > 1, append_images=shown[1:], duration=90)
    plain = frames(output_image(source, width=60))
    padded = frames(output_image(source, width=60, height=2000, fit="contain"))
    for one, padded_one, stored in zip(plain, padded, shown, strict=True):
        exact = np.asarray(output_image(encode(stored.convert("RGB"), "BMP"), width=60), float)
        parts = (one, padded_one.crop((0, 970, 60, 1030)))
        error, padded_error = (((np.asarray(part, float) - exact) ** 2).mean() for part in parts)
        # 40 dB are good enough.
        assert padded_error < 1.2 * max(error, 255**2 / 10**4)


def test_a_palette_is_compared_in_a_part() -> None:
    image = Image.new("RGB", (100, 100), "white")
    image.paste("red", (40, 40, 60, 60))
    other = Image.new("RGB", (100, 100), "white")
    assert palette.compare(image, other).decibels > 10 > palette.compare(image, other, (40, 40, 60, 60)).decibels
    assert palette.compare(image, other, (0, 0, 40, 100)) == (np.inf, 0)


def test_a_canvas_beyond_a_format_s_limit_is_a_loss() -> None:
    (output,) = render_one(encode(Image.new("RGB", (1, 1))), "webp", width=20_000, height=40, fit="contain").outputs
    assert (output.width, output.height) == (16383, 33)
    assert [loss.what for loss in output.lost] == [Lost.SIZE]


def test_opaque_alpha_is_no_loss() -> None:
    assert render_one(encode(picture(320, 240, "RGBA"), "PNG"), **CONTAIN).outputs[0].lost == ()


@pytest.mark.parametrize(("background", "mode", "filling"), [("#808080", "L", 128), (BACKGROUND, "RGB", ORANGE)])
def test_grey_becomes_colour_only_for_a_background_of_a_colour(background: str, mode: str, filling: Any) -> None:
    for image_format in ("PNG", "JPEG", "TIFF"):
        image = output_image(encode(picture(320, 240, "L"), image_format, quality=95), background=background, **CONTAIN)
        assert image.mode == mode
        assert np.median(np.abs(around(image).astype(int) - filling)) < 2


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_kept(image_format: str) -> None:
    samples = np.arange(320 * 240, dtype=np.uint16).reshape(240, 320)
    source = encode(Image.fromarray(samples), image_format)
    image = output_image(source, background="#808080", **CONTAIN)
    assert image.mode == "I;16"
    assert (around(image) == 128 * 257).all()
    assert np.array_equal(np.asarray(image)[ROWS], np.asarray(output_image(source, **INSIDE)))
    (output,) = render_one(source, background=BACKGROUND, **CONTAIN).outputs
    assert [loss.what for loss in output.lost] == [Lost.BITS]
    assert (around(load(output.body)) == ORANGE).all()


@pytest.mark.parametrize(("kind", "white"), [("I", 65535), ("F", 1.0)])
def test_numbers_are_padded_with_their_white(kind: str, white: float) -> None:
    samples = np.linspace(0, white, 320 * 240).reshape(240, 320).astype({"I": np.int32, "F": np.float32}[kind])
    image = output_image(encode(Image.fromarray(samples), "TIFF"), **CONTAIN)
    assert image.mode == kind
    assert (around(image) == white).all()


def test_cmyk_and_lab_are_padded_in_their_own_colours() -> None:
    for image_format in ("TIFF", "JPEG"):
        image = output_image(encode(picture(320, 240, "CMYK"), image_format), background=BACKGROUND, **CONTAIN)
        assert image.mode == "CMYK"
        assert np.median(np.abs(around(image.convert("RGB")).astype(int) - ORANGE)) < 4
    lab = tiffs.tiff(np.full((240, 320, 3), (128, 0, 0), np.uint8), tiffs.Kind(8, tiffs.CIELAB))
    image = output_image(lab, background="#ffffff", **CONTAIN)
    assert (image.mode, image.getpixel((0, 0))) == ("LAB", (255, 128, 128))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("to", ["png", "jpeg", "webp", "avif", "tiff"])
def test_the_background_is_converted_to_the_profile_of_the_image(to: str, mode: str) -> None:
    profile = DISPLAY_P3.make_profile()
    image = picture(320, 240, mode)
    if mode == "RGBA":
        image.putalpha(0)
    source = encode(image, "TIFF" if to == "tiff" else "PNG", icc_profile=profile)
    made = output_image(source, None if to == "tiff" else to, background=BACKGROUND, **CONTAIN)
    assert made.info["icc_profile"] == profile
    before = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
    after = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    shown = ImageCms.profileToProfile(made.convert("RGB"), before, after)
    assert shown is not None
    for row in (0, 50) if mode == "RGBA" else (0,):
        assert np.abs(np.asarray(shown.getpixel((50, row)), int) - ORANGE).max() < 9


@pytest.mark.parametrize(("transfer", "white"), [(13, 255), (16, 148), (18, 191)])
def test_white_is_the_paper_white_of_hdr(transfer: int, white: int) -> None:
    """ITU-R BT.2408, table 1: 203 cd/m2 are 58 % of PQ and 75 % of HLG."""
    codes = chunk(b"cICP", bytes([9, transfer, 0, 1]))
    source = pngs.png(pngs.blocks(2, 8), 2, 8, before=codes)
    size = load(source).size
    image = output_image(source, width=2 * size[0], height=2 * size[1], fit="contain")
    assert image.convert("RGB").getpixel((0, 0)) == (white,) * 3


@pytest.mark.parametrize("curve", HdrCurve)
def test_a_colour_of_hdr_has_its_light(curve: HdrCurve) -> None:
    """The light of a level is that level, whatever the others."""
    colour = ColourSpace(BT2020.red, BT2020.green, BT2020.blue, BT2020.white, curve)
    low, _, high = find_levels((0.0, 0.5, 1.0), colour)
    assert low == 0 < high
    assert find_levels((0.3, 0.3, 0.3), colour)[0] == find_levels((0.3, 0.3, 0.3), colour)[2]
