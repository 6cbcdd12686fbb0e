"""Encodes a small image as a ThumbHash: 17 to 25 bytes, which a page draws as a blur before the image loads.

By Evan Wallace: https://github.com/evanw/thumbhash. The hash has the first terms of a discrete cosine transform of
lightness, two differences of colours, and alpha.
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from PIL import Image

Channel = Sequence[float]
"""The values of an image's pixels, row by row."""

ROUNDING = 1e-9
"""The waves of a flat channel are smaller than this: errors of rounding."""


class Transform(NamedTuple):
    """The first terms of a channel's cosine transform.

    Attributes:
        mean: The constant term.
        waves: The other terms.

    """

    mean: float
    waves: Sequence[float]

    def quantize(self, levels: int) -> tuple[int, list[int]]:
        """Return the largest wave on a scale from 0 to ``levels``, and each wave relative to it, from 0 to 15."""
        largest = max(map(abs, self.waves))
        if largest < ROUNDING:
            return 0, [0] * len(self.waves)
        return _round(levels * largest), [_round(7.5 + 7.5 * wave / largest) for wave in self.waves]


def encode(image: Image.Image) -> bytes:
    """Return the ThumbHash of an image of mode RGB or RGBA.

    The image needs 7 pixels on its longer side and 3 on the other: with fewer, several waves have the same values.
    """
    width, height = size = image.size
    bands = [band.tobytes() for band in image.split()]
    alpha = [level / 255 for level in bands[3]] if len(bands) > 3 and min(bands[3]) < 255 else None
    colours = list(zip(*(_compose(band, alpha) for band in bands[:3]), strict=True))
    # With alpha, lightness has fewer waves, so that the hash has about the same length.
    across, down = (max(1, _round((5 if alpha else 7) * side / max(size))) for side in size)
    light = _transform([sum(colour) / 3 for colour in colours], size, max(3, across), max(3, down))
    yellow = _transform([(red + green) / 2 - blue for red, green, blue in colours], size, 3, 3)
    red = _transform([red - green for red, green, _ in colours], size, 3, 3)
    (light_scale, light_waves), (yellow_scale, yellow_waves) = light.quantize(31), yellow.quantize(63)
    red_scale, red_waves = red.quantize(63)
    nibbles = [*light_waves, *yellow_waves, *red_waves]
    if alpha:
        opacity = _transform(alpha, size, 5, 5)
        scale, waves = opacity.quantize(15)
        nibbles = [_round(15 * opacity.mean), scale, *nibbles, *waves]
    return _pack(
        [
            (_round(63 * light.mean), 6),
            (_round(31.5 + 31.5 * yellow.mean), 6),
            (_round(31.5 + 31.5 * red.mean), 6),
            (light_scale, 5),
            (alpha is not None, 1),
            (min(across, down), 3),
            (yellow_scale, 6),
            (red_scale, 6),
            (width > height, 1),
            *((nibble, 4) for nibble in nibbles),
        ]
    )


def _compose(band: bytes, alpha: Channel | None) -> Channel:
    """Return the values of a band from 0 to 1, over its average if it is transparent."""
    if alpha is None:
        return [level / 255 for level in band]
    average = sum(map(mul, band, alpha)) / (sum(alpha) or 1)
    return [(average + (level - average) * share) / 255 for level, share in zip(band, alpha, strict=True)]


def _transform(channel: Channel, size: tuple[int, int], across: int, down: int) -> Transform:
    """Return the terms whose frequencies lie in a triangle of this many across and down.

    Sums along the rows come first, so that each column has only ``across`` of them.
    """
    width, height = size
    rows = [channel[start : start + width] for start in range(0, width * height, width)]
    sums = [[sum(map(mul, row, wave)) for row in rows] for wave in _make_waves(width, across)]
    terms = [
        sum(map(mul, sums[x], wave)) / (width * height)
        for y, wave in enumerate(_make_waves(height, down))
        for x in range(across)
        if x * down < across * (down - y)
    ]
    return Transform(terms[0], terms[1:])


def _make_waves(side: int, count: int) -> list[list[float]]:
    """Return cosines of ``count`` frequencies, from 0, at each pixel of a side."""
    return [[math.cos(math.pi / side * n * (place + 0.5)) for place in range(side)] for n in range(count)]


def _pack(fields: Sequence[tuple[int, int]]) -> bytes:
    """Return numbers and their lengths in bits as bytes; the first number has the lowest bits."""
    packed = length = 0
    for number, bits in fields:
        packed |= number << length
        length += bits
    return packed.to_bytes((length + 7) // 8, "little")


def _round(number: float) -> int:
    """Round halves up, as the reference does."""
    return math.floor(number + 0.5)
