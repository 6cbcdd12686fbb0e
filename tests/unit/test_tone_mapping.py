"""Tone mapping: light follows the documented curve, and greys stay grey and in order."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging import tone_mapping
from imaging.colour_space import DISPLAY_P3, SRGB_CURVE, ColourSpace, read_codes
from tests.images import picture

RAMP = Image.frombytes("L", (256, 1), bytes(range(256)))
LEVELS = [10, 30, 64, 100, 128, 160, 190, 220, 255]
SHOWN: dict[tuple[int, float], list[int]] = {
    (16, 0): [0, 4, 30, 76, 132, 213, 253, 255, 255],
    (16, 400): [0, 6, 39, 95, 163, 249, 255, 255, 255],
    (16, 1000): [0, 4, 30, 76, 132, 213, 253, 255, 255],
    (16, 4000): [0, 4, 30, 76, 132, 202, 224, 247, 255],
    (18, 0): [1, 13, 43, 75, 99, 135, 185, 224, 255],
}
"""The sRGB of grey ``LEVELS``, by transfer function and peak, as Chromium 156 shows a PNG with them."""


COLOURS = [(128, 64, 64), (64, 128, 64), (190, 170, 60), (150, 190, 100), (100, 120, 200)]
SHOWN_COLOURS = {
    (9, 16): [(165, 0, 24), (0, 140, 0), (255, 173, 0), (0, 255, 0), (0, 61, 255)],
    (9, 18): [(112, 35, 44), (0, 101, 40), (199, 147, 0), (81, 188, 65), (47, 94, 190)],
    (12, 16): [(145, 12, 23), (0, 135, 0), (255, 190, 0), (69, 255, 0), (34, 65, 255)],
    (12, 18): [(99, 42, 44), (25, 98, 42), (185, 149, 8), (112, 184, 70), (75, 95, 190)],
}
"""The sRGB of ``COLOURS``, by primaries and transfer function, as Chromium 156 shows them."""


def space(transfer: int, peak: float = 0, primaries: int = 9) -> ColourSpace:
    colour = read_codes(primaries, transfer, peak)
    assert colour
    return colour


def map_levels(image: Image.Image, transfer: int, peak: float = 0) -> np.ndarray[Any, Any]:
    (shown,) = np.asarray(tone_mapping.to_sdr(image, space(transfer, peak))).astype(int)
    return np.asarray(shown)


@pytest.mark.parametrize(("transfer", "peak"), SHOWN)
def test_greys_look_as_in_chromium(transfer: int, peak: float) -> None:
    wanted = np.array(SHOWN[transfer, peak])
    assert np.abs(map_levels(RAMP, transfer, peak)[LEVELS] - wanted).max() <= 1
    colours = map_levels(Image.merge("RGB", [RAMP] * 3), transfer, peak)
    assert np.abs(colours[LEVELS] - wanted[:, None]).max() <= 1


@pytest.mark.parametrize(("primaries", "transfer"), SHOWN_COLOURS)
def test_colours_look_as_in_chromium(primaries: int, transfer: int) -> None:
    image = tone_mapping.to_sdr(Image.fromarray(np.array([COLOURS], np.uint8)), space(transfer, 0, primaries))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(DISPLAY_P3.make_profile() or b""))
    shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert np.abs(np.asarray(shown).astype(int)[0] - SHOWN_COLOURS[primaries, transfer]).max() <= 3


@pytest.mark.parametrize("peak", [0, 100, 203, 204, 400, 4000, 10_000, 429_496])
@pytest.mark.parametrize("transfer", [16, 18])
def test_a_gradient_of_grey_stays_one(transfer: int, peak: float) -> None:
    shown = map_levels(Image.merge("RGB", [RAMP] * 3), transfer, peak)
    assert np.diff(shown, axis=0).min() >= 0
    assert np.ptp(shown, axis=1).max() <= 1
    assert (shown[0].max(), shown[-1].min()) == (0, 255)


@pytest.mark.parametrize("peak", [0, 100, 203, 204, 400, 4000, 10_000, 20_000])
def test_the_curve_rises_from_black_to_white_without_a_break(peak: float) -> None:
    operator = tone_mapping._Operator.of(space(16, peak))
    lights = np.linspace(0, operator.peak, 5000)
    shown = np.array([light * operator.find_gain(light, {"min": min, "max": max}) for light in lights])
    assert np.diff(shown).min() >= 0
    assert np.diff(shown).max() <= 1.01 * operator.peak / 5000
    assert (shown[0], shown[-1]) == pytest.approx((0, 1))


def test_paper_white_is_half_of_the_screen_s_light() -> None:
    # The value of 203 cd/m2 (BT.2408, table 1), between two levels.
    shown = np.interp(255 * 0.58068888, range(256), map_levels(RAMP, 16))
    assert abs(shown - 255 * SRGB_CURVE.to_value(0.5)) <= 1


def test_strips_join(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(40, 31, "RGBA")
    whole = tone_mapping.to_sdr(image, space(18))
    monkeypatch.setattr(tone_mapping, "STRIP_PIXELS", 200)
    assert tone_mapping.to_sdr(image, space(18)) == whole


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_the_mode_and_alpha_stay(mode: str) -> None:
    image = Image.new(mode, (4, 4), (100,) * (len(mode) - (mode[-1] == "A")) + (7,) if mode[-1] == "A" else 100)
    shown = tone_mapping.to_sdr(image, space(16))
    assert shown.mode == mode
    if mode[-1] == "A":
        assert shown.getchannel("A").getextrema() == (7, 7)
