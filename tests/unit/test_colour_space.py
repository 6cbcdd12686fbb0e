"""Colour spaces by numbers: their ICC profiles say the same, and impossible numbers are refused."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from errors import MalformedError
from imaging.colour_space import (
    ADOBE_RGB,
    CURVES,
    D50,
    DISPLAY_P3,
    PRIMARIES,
    SRGB,
    SRGB_CURVE,
    ColourSpace,
    Curve,
    HdrCurve,
    Point,
    read_codes,
    transform,
)

COLOURS = [(255, 255, 255), (128, 64, 64), (64, 128, 64), (64, 64, 128)]
SHOWN = {
    4: [(148, 61, 61), (0, 126, 59), (55, 71, 131)],
    5: [(130, 64, 64), (59, 128, 65), (64, 64, 127)],
    6: [(125, 66, 64), (69, 126, 64), (65, 66, 128)],
    9: [(154, 49, 62), (0, 134, 52), (56, 63, 133)],
    10: [(199, 0, 70), (0, 164, 34), (0, 68, 135)],
    11: [(135, 59, 62), (45, 130, 55), (64, 64, 132)],
    12: [(138, 59, 62), (32, 130, 55), (64, 64, 132)],
    22: [(129, 66, 64), (61, 126, 64), (64, 67, 128)],
}
"""The last three of ``COLOURS`` in sRGB, as Chromium 156 shows a PNG with these primaries and sRGB's curve."""


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert by littleCMS."""
    converted = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted
    return converted


def of(points: Sequence[Point], curve: Curve) -> ColourSpace:
    red, green, blue, white = points
    return ColourSpace(red, green, blue, white, curve)


def made(colour: ColourSpace | None) -> bytes:
    assert colour is not None
    profile = colour.make_profile()
    assert profile is not None
    return profile


@pytest.mark.parametrize("primaries", SHOWN)
def test_a_profile_shows_the_colours_of_its_codes(primaries: int) -> None:
    source = Image.fromarray(np.array([COLOURS], np.uint8))
    shown = np.asarray(to_srgb(source, made(read_codes(primaries, 13)))).astype(int)[0]
    assert np.abs(shown - [(255, 255, 255), *SHOWN[primaries]]).max() <= 1


@pytest.mark.parametrize(
    ("transfer", "wanted"),
    [
        (4, [3, 24, 62, 100, 129]),
        (5, [0, 8, 40, 76, 106]),
        (7, [25, 48, 81, 115, 141]),
        (8, [56, 96, 137, 168, 188]),
        (14, [1, 18, 54, 91, 121]),
    ],
)
def test_a_profile_has_the_curve_of_its_code(transfer: int, wanted: list[int]) -> None:
    levels = np.array([[10, 30, 64, 100, 128]], np.uint8)
    image = Image.fromarray(np.repeat(levels[:, :, None], 3, 2))
    shown = np.asarray(to_srgb(image, made(read_codes(1, transfer)))).astype(int)[0]
    # What Chromium 156 shows.
    assert np.abs(shown - np.array(wanted)[:, None]).max() <= 1


@pytest.mark.parametrize("primaries", PRIMARIES)
def test_equal_channels_are_white(primaries: int) -> None:
    colour = read_codes(primaries, 8)
    assert colour
    assert transform(colour.to_d50(), (1, 1, 1)) == pytest.approx(D50)


def test_srgb_needs_no_profile_and_equal_spaces_have_equal_ones() -> None:
    assert [colour and colour.make_profile() for colour in (SRGB, read_codes(1, 13))] == [None, None]
    assert made(DISPLAY_P3) == made(read_codes(12, 13))
    assert len({made(DISPLAY_P3), made(ADOBE_RGB), made(read_codes(12, 4))}) == 3


def test_hdr_has_no_profile() -> None:
    assert [colour and colour.make_profile() for colour in (read_codes(9, 16), read_codes(9, 18))] == [None, None]
    assert {transfer for transfer, curve in CURVES.items() if isinstance(curve, HdrCurve)} == {16, 18}


@pytest.mark.parametrize(
    "codes", [(0, 13), (2, 13), (3, 13), (13, 13), (1, 0), (1, 2), (1, 3), (1, 9), (1, 12), (1, 19)]
)
def test_other_codes_are_unknown(codes: tuple[int, int]) -> None:
    assert read_codes(*codes) is None


@pytest.mark.parametrize("curve", {curve for curve in CURVES.values() if isinstance(curve, Curve)})
def test_a_value_comes_back_from_its_light(curve: Curve) -> None:
    values = [level / 255 for level in range(256) if curve.to_light(level / 255) <= 1]
    assert [curve.to_value(curve.to_light(value)) for value in values] == pytest.approx(values, abs=1e-4)
    assert (curve.to_value(-1), curve.to_value(2)) == pytest.approx((0, curve.to_value(1)), abs=1e-6)


@pytest.mark.parametrize(
    "points",
    [
        [(0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0)],
        [(0.64, 0.33), (0.64, 0.33), (0.15, 0.06), (0.3127, 0.329)],
        [(0, 0), (0, 0), (0, 0), (0, 0)],
    ],
)
def test_impossible_chromaticities_are_refused(points: list[Point]) -> None:
    with pytest.raises(MalformedError):
        of(points, SRGB_CURVE).make_profile()


NUMBER = st.integers(0, (1 << 32) - 1).map(lambda number: number / 100_000) | st.floats(0, 1)
POINT = st.tuples(NUMBER, NUMBER)


@given(st.tuples(POINT, POINT, POINT, POINT), st.floats(1e-6, 1e6))
def test_any_numbers_make_a_profile_or_are_refused(points: tuple[Point, ...], exponent: float) -> None:
    try:
        profile = made(of(points, Curve(exponent)))
    except MalformedError:
        return
    assert int.from_bytes(profile[:4], "big") == len(profile)
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
