"""Colour spaces given by numbers, and the small ICC profile of each: codes of ITU-T H.273, chromaticities, a gamma."""

import math
import struct
from enum import Enum
from typing import NamedTuple

from errors import MalformedError

Point = tuple[float, float]
"""Chromaticity x and y."""

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
"""Rows."""


class Curve(NamedTuple):
    """The curve from a channel's value to its light, both 0 to 1: ``parametricCurveType`` 3 of ICC.1:2022, 10.18.

    Light is ``(scale * value + offset) ** exponent``, but ``slope * value`` below ``threshold``.
    """

    exponent: float
    scale: float = 1.0
    offset: float = 0.0
    slope: float = 0.0
    threshold: float = 0.0

    def to_light(self, value: float) -> float:
        if value < self.threshold:
            return self.slope * value
        return float((self.scale * value + self.offset) ** self.exponent)

    def to_value(self, light: float) -> float:
        """Return the value of a light; a light below 0 or above white is cut off."""
        light = min(1.0, max(0.0, light))
        if light < self.slope * self.threshold:
            return light / self.slope
        return float((light ** (1 / self.exponent) - self.offset) / self.scale)


class HdrCurve(Enum):
    """The curves of HDR (ITU-R BT.2100), which need tone mapping where SDR is shown."""

    PQ = 16
    HLG = 18


class ColourSpace(NamedTuple):
    """What the values of an image's channels mean.

    Attributes:
        red: Its chromaticity, as that of each primary.
        white: The chromaticity of equal channels.
        curve: From a value to its light.
        peak: The brightest light of an HDR image in cd/m2; 0 if the file does not state it.

    """

    red: Point
    green: Point
    blue: Point
    white: Point
    curve: Curve | HdrCurve
    peak: float = 0

    @property
    def is_srgb(self) -> bool:
        """Whether it is sRGB; files round the chromaticities."""
        return self.curve == SRGB_CURVE and all(
            math.dist(one, other) < ROUNDING for one, other in zip(self._points, SRGB._points, strict=True)
        )

    @property
    def _points(self) -> tuple[Point, ...]:
        return self.red, self.green, self.blue, self.white

    def to_xyz(self) -> Matrix:
        """Return the matrix from linear RGB to XYZ in which white has Y = 1 (SMPTE RP 177, 3.3).

        Raises:
            MalformedError: No light has these chromaticities.

        """
        primaries = _transpose(*((x, y, 1 - x - y) for x, y in (self.red, self.green, self.blue)))
        scales = transform(invert(primaries), _to_xyz(self.white))
        return _transpose(*(_scale(column, by) for column, by in zip(_transpose(*primaries), scales, strict=True)))

    def to_d50(self) -> Matrix:
        """Return the matrix from linear RGB to XYZ, adapted to the white of ICC profiles.

        Raises:
            MalformedError: No light has these chromaticities.

        """
        return multiply(_adapt(self.white), self.to_xyz())

    def make_profile(self) -> bytes | None:
        """Return the ICC profile of an SDR colour space; None for sRGB, which needs none. Equal ones have equal bytes.

        Raises:
            MalformedError: No light has these chromaticities, or a number is too large.

        """
        if self.is_srgb or not isinstance(self.curve, Curve):
            return None
        return _write_profile(self.to_d50(), _adapt(self.white), self.curve)


ROUNDING = 0.002
"""How far rounded chromaticities may be off."""

D50 = (0.9642, 1.0, 0.8249)
"""The white of ICC profiles, as XYZ (ICC.1:2022, 7.2.16)."""

BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""From XYZ to the responses of the eye, in which whites are adapted (ICC.1:2022, annex E)."""

HEADER_BYTES, VERSION, DATE = 128, 0x04400000, (2026, 1, 1, 0, 0, 0)
"""Of a profile: the length of its header, version 4.4, and when it was made: the same for every one."""

NAME = "RGB by numbers"
"""The description of every profile, and its copyright notice, which is required: numbers have none."""

MOST_FIXED = 32767.0
"""The largest ``s15Fixed16Number``, rounded down."""

D65, C, DCI, E = (0.3127, 0.329), (0.31, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
BT709 = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), D65)
BT601 = ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), D65)
DCI_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), DCI)

PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {
    1: BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), C),
    5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), D65),
    6: BT601,
    7: BT601,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65),
    10: ((1, 0), (0, 1), (0, 0), E),
    11: DCI_P3,
    12: (*DCI_P3[:3], D65),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), D65),
}
"""Red, green, blue and white by ColourPrimaries (ITU-T H.273, table 2)."""

SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

CURVES: dict[int, Curve | HdrCurve] = {
    13: SRGB_CURVE,
    # BT.709, BT.601 and BT.2020: the display of video (ITU-R BT.1886), as in Chromium.
    **dict.fromkeys((1, 6, 11, 14, 15), Curve(2.4)),
    4: Curve(2.2),
    5: Curve(2.8),
    7: Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: Curve(1.0),
    16: HdrCurve.PQ,
    17: Curve(2.6, (52.37 / 48) ** (1 / 2.6)),
    18: HdrCurve.HLG,
}
"""The curves by TransferCharacteristics (ITU-T H.273, table 3); Chromium ignores the others, too."""

SRGB = ColourSpace(*BT709, SRGB_CURVE)
BT2020 = ColourSpace(*PRIMARIES[9], HdrCurve.PQ)
DISPLAY_P3 = ColourSpace(*PRIMARIES[12], SRGB_CURVE)
ADOBE_RGB = ColourSpace((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, Curve(2.19921875))
"""Adobe RGB (1998), sections 4.3.1 and 4.3.4."""


def read_codes(primaries: int, transfer: int, peak: float = 0) -> ColourSpace | None:
    """Return the colour space of two codes of ITU-T H.273; None if one is reserved, unspecified or has no curve."""
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return ColourSpace(*PRIMARIES[primaries], CURVES[transfer], peak)


def describe_unknown(primaries: int, transfer: int) -> str:
    """Return a sentence about codes that ``read_codes`` does not know."""
    return f"the colour space (primaries {primaries}, transfer function {transfer}) is unknown and was read as sRGB"


def transform(matrix: Matrix, vector: Vector) -> Vector:
    """Multiply a matrix by a column."""
    x, y, z = vector
    first, second, third = (row[0] * x + row[1] * y + row[2] * z for row in matrix)
    return first, second, third


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix that does what ``right`` does, and then ``left``."""
    return _transpose(*(transform(left, column) for column in _transpose(*right)))


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse.

    Raises:
        MalformedError: There is none.

    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    first = (e * i - f * h, c * h - b * i, b * f - c * e)
    second = (f * g - d * i, a * i - c * g, c * d - a * f)
    third = (d * h - e * g, b * g - a * h, a * e - b * d)
    determinant = a * first[0] + b * second[0] + c * third[0]
    if abs(determinant) < 1 / MOST_FIXED:
        raise MalformedError("no light has its chromaticities")
    return _scale(first, 1 / determinant), _scale(second, 1 / determinant), _scale(third, 1 / determinant)


def _transpose(first: Vector, second: Vector, third: Vector) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = first, second, third
    return (a, d, g), (b, e, h), (c, f, i)


def _scale(vector: Vector, by: float) -> Vector:
    return vector[0] * by, vector[1] * by, vector[2] * by


def _to_xyz(white: Point) -> Vector:
    x, y = white
    if y <= 0:
        raise MalformedError("no light has its white")
    return x / y, 1.0, (1 - x - y) / y


def _adapt(white: Point) -> Matrix:
    """Return the matrix that adapts XYZ from a white to ``D50`` (ICC.1:2022, annex E)."""
    seen, wanted = transform(BRADFORD, _to_xyz(white)), transform(BRADFORD, D50)
    if not all(seen):
        raise MalformedError("no eye adapts to its white")
    first, second, third = (_scale(row, to / by) for row, to, by in zip(BRADFORD, wanted, seen, strict=True))
    return multiply(invert(BRADFORD), (first, second, third))


def _write_profile(to_d50: Matrix, adaptation: Matrix, curve: Curve) -> bytes:
    """Return a display profile of three curves and a matrix (ICC.1:2022, 8.3.3)."""
    columns = _transpose(*to_d50)
    numbers = (*D50, *(number for vector in (*columns, *adaptation) for number in vector), *curve)
    if not all(abs(number) < MOST_FIXED for number in numbers):
        raise MalformedError("its chromaticities or its gamma are too large")
    text = b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 2 * len(NAME), 28) + NAME.encode("utf-16-be")
    shape = b"para" + struct.pack(">4xH2x", 3) + _pack_fixed(*curve)
    tags = {b"desc": text, b"cprt": text, b"wtpt": b"XYZ \0\0\0\0" + _pack_fixed(*D50)}
    tags |= {b"chad": b"sf32\0\0\0\0" + b"".join(_pack_fixed(*row) for row in adaptation)}
    for letter, column in zip(b"rgb", columns, strict=True):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ \0\0\0\0" + _pack_fixed(*column)
        tags[bytes([letter]) + b"TRC"] = shape
    return _write_tags(tags)


def _write_tags(tags: dict[bytes, bytes]) -> bytes:
    """Return the profile of these tags; equal ones share their place."""
    places: dict[bytes, int] = {}
    directory, body = struct.pack(">I", len(tags)), b""
    start = HEADER_BYTES + len(directory) + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        directory += struct.pack(">4sII", name, places[data], len(data))
    size = start + len(body)
    header = struct.pack(">I4xI4s4s4s6H4s", size, VERSION, b"mntr", b"RGB ", b"XYZ ", *DATE, b"acsp")
    return (header.ljust(68, b"\0") + _pack_fixed(*D50)).ljust(HEADER_BYTES, b"\0") + directory + body


def _pack_fixed(*numbers: float) -> bytes:
    """Return numbers as ``s15Fixed16Number``."""
    return struct.pack(f">{len(numbers)}i", *(round(65536 * number) for number in numbers))
