"""The placeholder of a source: its dominant colour, and that making it leaves outputs as they are.

tests/judges/test_placeholders.py compares the hash with the reference implementation.
"""

import base64
import io
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging import decode
from imaging.colour_space import DISPLAY_P3
from imaging.limits import Limits
from imaging.placeholder import Placeholder
from imaging.render import render
from renditions import Rendition
from tests.images import encode, picture
from tests.pngs import chunk, png

LIMITS = Limits(1769 << 20)
HALF = Rendition("half", scale=0.5)


def make(source: bytes, *renditions: Rendition) -> Placeholder:
    placeholder = render(source, renditions or [HALF], limits=LIMITS, has_placeholder=True).placeholder
    assert placeholder is not None
    return placeholder


def patch(colour: Any, around: Any, share: float = 0.7, mode: str = "RGB") -> Image.Image:
    """Return an image of which a share has one colour, beside another."""
    image = Image.new(mode, (240, 180), around)
    image.paste(colour, (0, 0, round(share * 240), 180))
    return image


def expect_colour(found: str | None, red: int, green: int, blue: int, tolerance: int = 3) -> None:
    assert found is not None
    assert found.startswith("#")
    assert list(bytes.fromhex(found[1:])) == pytest.approx([red, green, blue], abs=tolerance)


def test_one_colour_is_the_dominant_one() -> None:
    assert make(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).dominant_colour == "#010203"
    assert make(encode(Image.new("RGB", (500, 300), (1, 2, 3)), "PNG")).dominant_colour == "#010203"


def test_most_pixels_have_about_the_dominant_colour() -> None:
    expect_colour(make(encode(patch((200, 40, 20), (20, 60, 220)), "PNG")).dominant_colour, 200, 40, 20)
    expect_colour(make(encode(patch((200, 40, 20), (20, 60, 220), 0.3), "PNG")).dominant_colour, 20, 60, 220)


def test_noise_does_not_outweigh_a_colour() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (180, 240, 3), np.uint8)
    image = Image.fromarray(noise)
    image.paste((200, 40, 20), (0, 0, 130, 180))
    expect_colour(make(encode(image, "PNG")).dominant_colour, 200, 40, 20, 12)


def test_transparent_pixels_have_no_colour() -> None:
    image = patch((10, 200, 30, 255), (250, 0, 0, 0), 0.2, "RGBA")
    expect_colour(make(encode(image, "PNG")).dominant_colour, 10, 200, 30)
    expect_colour(
        make(encode(patch((10, 200, 30, 90), (250, 0, 0, 20), 0.2, "RGBA"), "PNG")).dominant_colour, 10, 200, 30
    )
    assert make(encode(Image.new("RGBA", (90, 90), (9, 9, 9, 0)), "PNG")).dominant_colour is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_srgb(mode: str) -> None:
    profile = DISPLAY_P3.make_profile()
    assert profile is not None
    source = encode(Image.new(mode, (200, 100), (200, 40, 20)), "PNG", icc_profile=profile)
    shown = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (200, 40, 20)),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert shown is not None
    expected = shown.getpixel((0, 0))
    assert isinstance(expected, tuple)
    assert expected[0] > 210
    expect_colour(make(source).dominant_colour, *expected)
    numbers = chunk(b"cICP", bytes([12, 13, 0, 1]))
    kind, colour = (2, (200, 40, 20)) if mode == "RGB" else (6, (200, 40, 20, 255))
    by_numbers = png(np.full((100, 200, len(colour)), colour), kind, 8, before=numbers)
    expect_colour(make(by_numbers).dominant_colour, *expected)


def test_cmyk_and_deep_grey_have_colours() -> None:
    expect_colour(make(encode(Image.new("CMYK", (90, 60), (255, 0, 0, 0)), "JPEG")).dominant_colour, 0, 255, 255)
    for grey in (np.full((60, 90), 128 * 257, np.uint16), np.full((60, 90), 0.5, np.float32)):
        source = encode(Image.fromarray(grey), "TIFF")
        expect_colour(make(source).dominant_colour, 128, 128, 128)


def test_largest_number_of_a_map_breaks_nothing() -> None:
    levels = np.zeros((60, 90), np.float32)
    levels[:30] = np.finfo(np.float32).max
    assert make(encode(Image.fromarray(levels), "TIFF")).dominant_colour is not None


def test_animation_is_described_by_its_first_frame() -> None:
    frames = [Image.new("RGB", (90, 60), colour) for colour in ("red", "lime", "blue")]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 50}
    assert make(encode(frames[0], "GIF", **options)).dominant_colour == "#ff0000"
    assert make(encode(frames[0], "PNG", **options)).dominant_colour == "#ff0000"
    # The first picture is only for viewers that can't animate.
    assert make(encode(frames[0], "PNG", **options, default_image=True)).dominant_colour == "#00ff00"


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_outputs_are_the_same_and_the_source_is_opened_as_often(
    image_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Mock(side_effect=decode._open)
    monkeypatch.setattr(decode, "_open", opened)
    renditions = [HALF, Rendition("tile", width=50, height=80, fit="cover"), replace(HALF, name="whole", scale=1)]
    source, counts, bodies = encode(picture(), image_format), [], []
    for has_placeholder in (False, True):
        opened.reset_mock()
        rendered = render(source, renditions, limits=LIMITS, has_placeholder=has_placeholder)
        assert (rendered.placeholder is not None) == has_placeholder
        bodies.append([output.body for output in rendered.outputs])
        counts.append(opened.call_count)
    assert bodies[0] == bodies[1]
    assert counts[0] == counts[1]


def test_hash_of_a_flat_image_has_no_errors_of_rounding() -> None:
    for colour in [(40, 90, 160), (201, 77, 3), (255, 255, 255)]:
        made = base64.b64decode(make(encode(Image.new("RGB", (320, 240), colour), "PNG")).thumbhash)
        # All terms after the header are 0.
        assert not any(made[5:])
