"""A gain map: the pixels and values that turn a base image into its HDR rendition, and the forms they are stored in."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from errors import MalformedError

CHANNELS, OWN_COLOURS, COMMON_DENOMINATOR = 0x80, 0x40, 0x08
"""Flags of ISO 21496-1: three channels differ, and the base's colour space is used. libultrahdr adds the third: one
denominator stands before all numerators."""

VERSION = bytes(4)
"""The version of ISO 21496-1, which alone stands in the base image: the least that a reader needs, and the writer's."""

DENOMINATOR, MOST = 1 << 20, 1000.0
"""The denominator of written values, and the largest value, which fits into 32 bits with it. 20 stops are usual at
most."""

XMP_VERSION, BASE_IS_HDR = "1.0", "BaseRenditionIsHDR"
"""The value of the property ``Version`` in XMP, and another property."""

XMP_DEFAULTS = {
    "GainMapMin": "0",
    "GainMapMax": "",
    "Gamma": "1",
    "OffsetSDR": "0.015625",
    "OffsetHDR": "0.015625",
    "HDRCapacityMin": "0",
    "HDRCapacityMax": "",
}
"""The other properties in XMP, the fields of ``Channel`` first, and the values of those that may be missing."""

WHITE = 255


class Channel(NamedTuple):
    """How the pixels of a channel, from 0 to 1, are applied (ISO 21496-1).

    The gain in stops is ``minimum + (maximum - minimum) * pixel ** (1 / gamma)``. The other rendition is
    ``(base + base_offset) * 2 ** gain - alternate_offset``, in linear light.
    """

    minimum: float
    maximum: float
    gamma: float
    base_offset: float
    alternate_offset: float

    def find_neutral_level(self) -> int | None:
        """Return the level, of 255, that is nearest to no gain; None if each level has one."""
        if not self.minimum <= 0 <= self.maximum:
            return None
        share = -self.minimum / ((self.maximum - self.minimum) or 1)
        return round(WHITE * float(share**self.gamma))


@dataclass(frozen=True)
class Gains:
    """The values of a gain map.

    Attributes:
        channels: One for all channels, or three.
        base_headroom: The headroom of a display for which the base is made, in stops over the white of standard range.
        alternate_headroom: The headroom for which the whole gain is applied. It is the lower one if the base is HDR.
        has_base_colours: Whether gains apply in the base's colour space, rather than in that of the map's profile.

    """

    channels: tuple[Channel, ...]
    base_headroom: float
    alternate_headroom: float
    has_base_colours: bool = True

    def __post_init__(self) -> None:
        """Refuse values with which no rendition can be computed.

        Raises:
            MalformedError: Names the problem.

        """
        headrooms = self.base_headroom, self.alternate_headroom
        if not all(abs(value) <= MOST for value in (*headrooms, *(v for channel in self.channels for v in channel))):
            raise MalformedError(f"a value is not a number between -{MOST:.0f} and {MOST:.0f}")
        if min(headrooms) < 0 or abs(headrooms[0] - headrooms[1]) < 1 / DENOMINATOR:
            raise MalformedError(f"the headrooms {headrooms[0]} and {headrooms[1]} are equal or negative")
        for channel in self.channels:
            if channel.gamma < 1 / DENOMINATOR or channel.minimum > channel.maximum:
                raise MalformedError(f"a channel has the gamma {channel.gamma} or a minimum above its maximum")

    def swap_renditions(self) -> "Gains":
        """Return the values with base and alternate rendition swapped, as XMP states them if the base is HDR."""
        channels = tuple(
            channel._replace(base_offset=channel.alternate_offset, alternate_offset=channel.base_offset)
            for channel in self.channels
        )
        return Gains(channels, self.alternate_headroom, self.base_headroom, self.has_base_colours)


@dataclass(frozen=True)
class GainMap:
    """A gain map, decoded. It covers the whole base image, whatever its size.

    Attributes:
        image: Its pixels (L or RGB), as stored; they are turned upright with the base.
        full_size: Width and height before its decoder shrank it.
        extent: Width and height of the whole map, in pixels of ``image``.
        gains: What the pixels stand for.
        icc: Its colour profile.

    """

    image: Image.Image
    full_size: tuple[int, int]
    extent: tuple[float, float]
    gains: Gains
    icc: bytes | None = None


def read_iso(data: bytes) -> Gains:
    """Read the binary form of the values (ISO 21496-1), which JPEG and AVIF share.

    Raises:
        MalformedError: It is cut off, of a later version, or a value is invalid.

    """
    try:
        least_version, _, flags = struct.unpack_from(">HHB", data)
        count = 3 if flags & CHANNELS else 1
        if flags & COMMON_DENOMINATOR:
            common, *numerators = struct.unpack_from(">III" + count * "iiIii", data, 5)
            denominators = [common] * len(numerators)
        else:
            numbers = struct.unpack_from(">IIII" + count * "iIiIIIiIiI", data, 5)
            numerators, denominators = list(numbers[::2]), list(numbers[1::2])
        base, alternate, *values = (one / other for one, other in zip(numerators, denominators, strict=True))
    except (struct.error, ZeroDivisionError) as error:
        raise MalformedError("its ISO 21496-1 values are cut off, or a denominator is 0") from error
    if least_version:
        raise MalformedError(f"its ISO 21496-1 values need a reader of version {least_version}")
    channels = tuple(Channel(*values[start : start + 5]) for start in range(0, len(values), 5))
    return Gains(channels, base, alternate, bool(flags & OWN_COLOURS))


def write_iso(gains: Gains) -> bytes:
    """Return the binary form of the values."""
    flags = CHANNELS * (len(gains.channels) > 1) | OWN_COLOURS * gains.has_base_colours
    values = gains.base_headroom, gains.alternate_headroom, *(v for channel in gains.channels for v in channel)
    pairs = (struct.pack(">iI", round(value * DENOMINATOR), DENOMINATOR) for value in values)
    return VERSION + bytes([flags]) + b"".join(pairs)


def read_xmp(values: Mapping[str, Sequence[str]]) -> Gains:
    """Read the values as XMP states them (Adobe's gain map specification 1.0, which Ultra HDR uses).

    Args:
        values: The texts of each property in ``xmp.GAIN_MAP``, by its name: one for all channels, or three.

    Raises:
        MalformedError: A value is missing or invalid.

    """
    try:
        numbers = {
            name: [float(text) for text in values.get(name, [default])] for name, default in XMP_DEFAULTS.items()
        }
    except ValueError as error:
        raise MalformedError("a value in its XMP is missing, or is not a number") from error
    low, high = (numbers.pop(name) for name in ("HDRCapacityMin", "HDRCapacityMax"))
    count = max(map(len, numbers.values()))
    if {len(low), len(high)} != {1} or not {len(several) for several in numbers.values()} <= {1, count} <= {1, 3}:
        raise MalformedError("a value in its XMP has neither one nor three channels")
    spread = (several * (count // len(several)) for several in numbers.values())
    channels = tuple(Channel(*channel) for channel in zip(*spread, strict=True))
    gains = Gains(channels, low[0], high[0])
    is_hdr = any(text.strip().lower() == "true" for text in values.get(BASE_IS_HDR, ()))
    return gains.swap_renditions() if is_hdr else gains


def write_xmp(gains: Gains) -> dict[str, list[str]]:
    """Return the texts of each property in ``xmp.GAIN_MAP``: one for all channels, or three."""
    is_hdr = gains.base_headroom > gains.alternate_headroom
    from_standard = gains.swap_renditions() if is_hdr else gains
    columns = [
        *zip(*from_standard.channels, strict=True),
        (from_standard.base_headroom,),
        (from_standard.alternate_headroom,),
    ]
    texts = {
        # Without an exponent, which not all readers know.
        name: [f"{value:.7f}".rstrip("0").rstrip(".") for value in column]
        for name, column in zip(XMP_DEFAULTS, columns, strict=True)
    }
    return {"Version": [XMP_VERSION], **texts, BASE_IS_HDR: [str(is_hdr)]}


def make_apple_gains(headroom: float) -> Gains:
    """Return the values of an Apple gain map whose pixels were converted by ``make_apple_table``.

    Args:
        headroom: The brightest white over the white of standard range, in linear light.

    Raises:
        MalformedError: The headroom is not above 1.

    """
    if not headroom > 1:
        raise MalformedError(f"its headroom of {headroom} is not above 1")
    stops = math.log2(headroom)
    return Gains((Channel(0, stops, 1, 0, 0),), 0, stops)


def make_apple_table(headroom: float) -> list[int]:
    """Return the level that stands for the gain of each of Apple's 256 levels.

    Apple multiplies linear light by ``1 + (headroom - 1) * gain``, where gain is linear, and stored with the transfer
    function of Rec. 709: developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos
    """
    gains = (_linearize(level / WHITE) for level in range(WHITE + 1))
    return [round(WHITE * math.log(1 + (headroom - 1) * gain, headroom)) for gain in gains]


def _linearize(level: float) -> float:
    """Invert the transfer function of ITU-R BT.709-6, 1.2."""
    return level / 4.5 if level < 0.081 else ((level + 0.099) / 1.099) ** (1 / 0.45)
