"""Shows HDR (PQ and HLG, ITU-R BT.2100) as SDR in Display P3: the Reference White Tone Mapping Operator.

SMPTE ST 2094-50 defines it, ISO 22028-5 recommends it, and Chromium uses it on an SDR screen. Paper white becomes half
of the screen's light, in an image of 1000 cd/m2, and the brightest light of the image becomes the screen's white. Only
the largest of a pixel's channels decides, so hue and saturation stay.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from PIL import Image, ImageMath

from imaging.colour_space import (
    BT2020,
    DISPLAY_P3,
    SRGB_CURVE,
    ColourSpace,
    HdrCurve,
    Vector,
    invert,
    multiply,
    transform,
)

REFERENCE_WHITE, USUAL_PEAK, MOST_LIGHT = 203, 1000, 10_000
"""In cd/m2: paper white (ITU-R BT.2408, 2.1), the brightest light if a file does not state it, and PQ's brightest."""

WHITE_SHARE, BEND = 0.5, 0.65
"""How much of the screen's light paper white loses at the usual peak; and where on its tangents the curve bends."""

HLG_PEAK, SYSTEM_GAMMA = 1000, 1.2
"""The display, in cd/m2, for which HLG is shown, and its gamma (ITU-R BT.2100, table 5)."""

M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
"""The constants of PQ (ITU-R BT.2100, table 4)."""

A, B, C, HLG_MIDDLE = 0.17883277, 0.28466892, 0.55991073, 0.5
"""The constants of HLG (ITU-R BT.2100, table 5)."""

LEVELS, FINE_LEVELS = 1 << 8, 1 << 16
"""The values of a channel, and of light from black to the screen's white."""

CURVE = [round((LEVELS - 1) * SRGB_CURVE.to_value(level / (FINE_LEVELS - 1))) for level in range(FINE_LEVELS)]
"""The value of each level of light."""

LEAST_LIGHT = 1e-9
"""Replaces a light of 0, which can be neither a divisor nor the base of a negative power."""

STRIP_PIXELS = 1 << 18
"""Pixels that are converted at once: their light takes ten times the memory of the pixels."""

NAMES = ("red", "green", "blue")
"""The channels of light in ``ImageMath``."""


class _Operator(NamedTuple):
    """The curve of light in units of paper white: a line up to 1, then a quadratic Bezier curve.

    Attributes:
        peak: The brightest light of the image.
        white: What paper white becomes, where 1 is the screen's white.

    """

    peak: float
    white: float

    @classmethod
    def of(cls, colour: ColourSpace) -> "_Operator":
        """Return the operator for an image."""
        most = HLG_PEAK if colour.curve is HdrCurve.HLG else MOST_LIGHT
        peak = min(max(colour.peak or USUAL_PEAK, REFERENCE_WHITE), most) / REFERENCE_WHITE
        share = min(1.0, math.log(peak) / math.log(USUAL_PEAK / REFERENCE_WHITE))
        return cls(peak, 1 - WHITE_SHARE * share)

    def find_gain(self, light: Any, maths: Any) -> Any:
        """Return the light on the screen divided by the light.

        Args:
            light: A number, or an image of ``ImageMath``, above 0.
            maths: Has the functions ``min`` and ``max`` for it.

        """
        # The curve has the points (1, white), the middle, and (peak, 1).
        middle, middle_shown = 1 - BEND + BEND / self.white, (1 - BEND) * self.white + BEND
        linear, square = middle - 1, 1 - 2 * middle + self.peak
        beyond = maths["min"](maths["max"](light, 1.0), self.peak) - 1
        place = beyond / ((beyond * square + linear * linear) ** 0.5 + (linear + LEAST_LIGHT))
        shown = place * (place * (self.white - 2 * middle_shown + 1) + 2 * (middle_shown - self.white)) + self.white
        return shown / maths["max"](light, 1.0)


def to_sdr(image: Image.Image, colour: ColourSpace) -> Image.Image:
    """Return an HDR image of 8 bits a channel (L, LA, RGB, RGBA) as SDR: in sRGB if it is grey, else in Display P3."""
    if image.mode in {"L", "LA"}:
        alpha = list(range(LEVELS)) if image.mode == "LA" else []
        return image.point(_map_greys(colour) + alpha)
    shown = Image.new(image.mode, image.size)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        bands = [*_map_colours(strip.split()[:3], colour), *strip.split()[3:]]
        shown.paste(Image.merge(image.mode, bands), (0, top))
    return shown


def find_levels(light: Vector, colour: ColourSpace) -> tuple[int, int, int]:
    """Return the red, green and blue of 8 bits of an HDR image that have a light, in units of paper white."""
    if colour.curve is HdrCurve.HLG:
        # The inverse of the system gamma (ITU-R BT.2100, table 5).
        red, green, blue = (max(0.0, one) * REFERENCE_WHITE / HLG_PEAK for one in light)
        luminance = max(LEAST_LIGHT, transform(colour.to_xyz(), (red, green, blue))[1])
        system = luminance ** (1 / SYSTEM_GAMMA - 1)
        light = red * system, green * system, blue * system
    lights = [_read_level(colour, level) for level in range(LEVELS)]
    red, green, blue = (min(range(LEVELS), key=lambda level: abs(lights[level] - one)) for one in light)
    return red, green, blue


def _map_greys(colour: ColourSpace) -> list[int]:
    """Return what each level of a grey image becomes."""
    operator, functions = _Operator.of(colour), {"min": min, "max": max}
    shown = []
    for level in range(LEVELS):
        light = _read_level(colour, level)
        if colour.curve is HdrCurve.HLG:
            light = HLG_PEAK / REFERENCE_WHITE * light**SYSTEM_GAMMA
        shown.append(round((LEVELS - 1) * SRGB_CURVE.to_value(light * operator.find_gain(light, functions))))
    return shown


def _map_colours(bands: Sequence[Image.Image], colour: ColourSpace) -> list[Image.Image]:
    """Return red, green and blue in Display P3, of red, green and blue."""
    table = [_read_level(colour, level) for level in range(LEVELS)]
    light = dict(zip(NAMES, (band.point(table, "F") for band in bands), strict=True))
    gain = ImageMath.lambda_eval(lambda maths: _find_gain(maths, colour), **light)
    shown = []
    for row in multiply(invert(DISPLAY_P3.to_d50()), colour.to_d50()):
        fine = ImageMath.lambda_eval(lambda maths: _to_fine_level(maths, row), gain=gain, **light)  # noqa: B023
        shown.append(fine.point(CURVE, "L"))
    return shown


def _find_gain(maths: Any, colour: ColourSpace) -> Any:
    """Return what the light of each pixel is multiplied by; of HLG also the system gamma."""
    operator = _Operator.of(colour)
    red, green, blue = (_mix(row, maths) for row in multiply(invert(BT2020.to_d50()), colour.to_d50()))
    most = maths["max"](maths["max"](red, green), blue)
    if colour.curve is HdrCurve.PQ:
        return operator.find_gain(most, maths)
    luminance = maths["max"](_mix(colour.to_xyz()[1], maths), LEAST_LIGHT)
    system = luminance ** (SYSTEM_GAMMA - 1) * (HLG_PEAK / REFERENCE_WHITE)
    return system * operator.find_gain(most * system, maths)


def _to_fine_level(maths: Any, row: Vector) -> Any:
    """Return the light of one channel on the screen."""
    light = _mix(row, maths) * maths["gain"] * (FINE_LEVELS - 1) + 0.5
    return maths["int"](maths["min"](maths["max"](light, 0.0), FINE_LEVELS - 1.0))


def _mix(row: Vector, maths: Any) -> Any:
    """Return the sum of the channels with weights."""
    red, green, blue = (weight * maths[name] for weight, name in zip(row, NAMES, strict=True))
    return red + green + blue


def _read_level(colour: ColourSpace, level: int) -> float:
    """Return the light of PQ in units of paper white, or of the scene of HLG from 0 to 1 (ITU-R BT.2100)."""
    value = level / (LEVELS - 1)
    if colour.curve is HdrCurve.PQ:
        power = value ** (1 / M2)
        return float(MOST_LIGHT / REFERENCE_WHITE * (max(0.0, power - C1) / (C2 - C3 * power)) ** (1 / M1))
    return value * value / 3 if value <= HLG_MIDDLE else (math.exp((value - C) / A) + B) / 12
