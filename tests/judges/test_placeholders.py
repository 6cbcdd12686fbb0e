"""ThumbHash: the reference implementation draws the same picture from our hash as from its own hash of the source.

Chromium decodes the sources for the reference, upright and in sRGB.
"""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging import thumbhash
from imaging.colour_space import DISPLAY_P3
from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
from tests.images import encode, encode_oriented, picture
from tests.judges.chromium import Chromium
from tests.judges.thumbhash import ThumbHash
from tests.pngs import chunk, png

LIMITS = Limits(1769 << 20)
RENDITIONS = [Rendition("large", scale=0.5), Rendition("tile", width=40, height=120, fit="cover")]

MEAN, MOST = 4, 16
"""How much two decoded pictures may differ, of 255: a step of the mean colour is 4."""


def photo(width: int = 400, height: int = 300, mode: str = "RGB") -> Image.Image:
    """Return an image with an edge, a texture, and colours that no two corners share."""
    image = picture(width, height)
    image.paste((180, 40, 20), (width // 2, height // 3, width - width // 8, height - height // 8))
    # Pillow's own noise differs each time, and its mean with it.
    noise = np.random.default_rng(0).normal(128, 90, (height, width)).clip(0, 255).astype(np.uint8)
    return Image.blend(image, Image.fromarray(noise).convert("RGB"), 0.2).convert(mode)


def cut_out(width: int = 300, height: int = 200) -> Image.Image:
    image = photo(width, height, "RGBA")
    image.putalpha(Image.radial_gradient("L").resize(image.size).point([255 - level for level in range(256)]))
    return image


def make(source: bytes, renditions: list[Rendition] = RENDITIONS) -> bytes:
    placeholder = render(source, renditions, limits=LIMITS, has_placeholder=True).placeholder
    assert placeholder is not None
    return base64.b64decode(placeholder.thumbhash, validate=True)


def fit(image: Image.Image) -> Image.Image:
    """Return an image with 100 pixels on its longer side, as the reference asks for."""
    return image.resize([max(3, round(100 * side / max(image.size))) for side in image.size], Image.Resampling.BOX)


def expect_equal(reference: ThumbHash, made: bytes, shown: Image.Image) -> None:
    ours, theirs = reference.decode(made), reference.decode(reference.encode(fit(shown)))
    assert ours.shape == theirs.shape
    differences = np.abs(ours - theirs)
    # The edges of enlarged pixels are hard, and lie in other places.
    slack = 1 if max(shown.size) >= 32 else 2
    assert differences.mean() <= slack * MEAN
    assert differences.max() <= slack * MOST


P3 = DISPLAY_P3.make_profile()
ANIMATION: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", (200, 150))], "duration": 100}

SOURCES = {
    "photo": encode(photo(), quality=95),
    "large": encode(photo(1600, 1200), quality=95),
    "odd": encode(photo(1003, 701), quality=95),
    "grey": encode(photo(mode="L"), quality=95),
    "palette": encode(photo().quantize(64), "PNG"),
    "transparent": encode(cut_out(), "PNG"),
    "transparent WebP": encode(cut_out(), "WEBP", lossless=True),
    "transparent grey": encode(cut_out().convert("LA"), "PNG"),
    "flat": encode(Image.new("RGB", (300, 200), (40, 90, 160)), "PNG"),
    "black": encode(Image.new("RGB", (300, 200)), "PNG"),
    "white": encode(Image.new("RGB", (300, 200), "white"), "PNG"),
    "tall": encode(photo(20, 900), quality=95),
    "wide": encode(photo(900, 20), quality=95),
    "line": encode(photo(500, 1), "PNG"),
    "small": encode(picture(3, 2), "PNG"),
    "dot": encode(Image.new("RGB", (1, 1), (200, 90, 30)), "PNG"),
    "transparent dot": encode(Image.new("RGBA", (1, 1), (200, 90, 30, 100)), "PNG"),
    "P3": encode(photo(), "PNG", icc_profile=P3),
    "transparent P3": encode(cut_out(), "PNG", icc_profile=P3),
    "P3 by numbers": png(np.asarray(photo()), 2, 8, before=chunk(b"cICP", bytes([12, 13, 0, 1]))),
    "animation": encode(photo(200, 150), "GIF", **ANIMATION),
    "16 bits": encode(Image.fromarray(np.asarray(photo(mode="L")).astype(np.uint16) * 257), "PNG"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_reference_draws_the_same_from_our_hash(chromium: Chromium, reference: ThumbHash, name: str) -> None:
    source = SOURCES[name]
    expect_equal(reference, make(source), Image.fromarray(chromium.still(source).pixels))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_hash_is_upright(chromium: Chromium, reference: ThumbHash, orientation: int) -> None:
    source = encode_oriented(photo(), orientation, "JPEG", quality=95)
    for renditions in (RENDITIONS, RENDITIONS[1:]):
        expect_equal(reference, make(source, renditions), Image.fromarray(chromium.still(source).pixels))


@pytest.mark.parametrize("options", [{"width": 30, "height": 120, "fit": "cover"}, {"width": 9}, {"scale": 1}])
def test_hash_is_of_the_whole_source(reference: ThumbHash, options: dict[str, Any]) -> None:
    expect_equal(reference, make(encode(photo(), quality=95), [Rendition("r", **options)]), photo())


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(32, 32), (32, 24), (24, 32), (32, 3), (7, 7), (100, 61)])
def test_hash_of_the_same_pixels_is_the_references(reference: ThumbHash, size: tuple[int, int], mode: str) -> None:
    image = fit(cut_out() if mode == "RGBA" else photo()).resize(size)
    assert thumbhash.encode(image) == reference.encode(image)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_image_has_a_hash_with_its_mean_colour(
    reference: ThumbHash, width: int, height: int, mode: str, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    image = Image.fromarray(noise).convert("L" if mode == "I;16" else mode)
    stored = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image
    made = make(encode(stored, "PNG"))
    shown = np.asarray(image.convert("RGBA"), float)
    red, green, blue, opacity = reference.average(made)
    assert 17 <= len(made) <= 25
    assert reference.decode(made).size
    alpha = shown[..., 3:].mean()
    # Alpha has 15 steps.
    assert opacity == pytest.approx(alpha, abs=12)
    mean = (shown[..., :3] * shown[..., 3:]).mean((0, 1)) / max(alpha, 1)
    assert [red, green, blue] == pytest.approx(mean, abs=15)
