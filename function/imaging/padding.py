"""Pads resized frames with the background, to the canvas of a rendition that contains its whole source."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from PIL import Image, ImageColor

from imaging import lower_bytes
from imaging.colour import WHITES, WITH_ALPHA, convert_profile, find_white, to_supported_mode
from imaging.colour_space import SRGB, SRGB_CURVE, ColourSpace, Curve, invert, multiply, transform
from imaging.gain_map import WHITE, GainMap
from imaging.records import Frame

GREYS = frozenset({"L", "I;16", *WHITES})
"""Modes that can't hold padding of a colour."""

DEEP = 257
"""16 bits for each unit of 8."""


def pad(
    frame: Frame, canvas: tuple[int, int], background: str, modes: Collection[str], colour: ColourSpace | None
) -> Frame:
    """Show a frame in the middle of a canvas, without alpha: its transparent pixels show the background, too.

    A gain map without a neutral value is left out.

    Args:
        frame: Upright, and no larger than the canvas.
        canvas: Width and height in pixels.
        background: In sRGB, such as ``#ffffff``. It is converted to the frame's colour space.
        modes: Those that the format holds.
        colour: What the frame's values mean, if numbers say it instead of a profile.

    """
    is_grey = len(set(ImageColor.getrgb(background))) == 1
    flat = _flatten(frame, background, frozenset(modes) - WITH_ALPHA - (frozenset() if is_grey else GREYS), colour)
    filling = _find_filling(flat, background, colour)
    left, top = _find_offset(flat.image.size, canvas)
    return replace(
        flat,
        image=_paste(flat.image, canvas, filling),
        low=flat.low and _paste(flat.low, canvas, filling),
        part=(left, top, left + flat.image.width, top + flat.image.height),
        full_size=canvas,
        extent=canvas,
        gain_map=flat.gain_map and _pad_gain_map(flat.gain_map, flat.image.size, canvas),
    )


def _flatten(frame: Frame, background: str, modes: Collection[str], colour: ColourSpace | None) -> Frame:
    """Convert a frame to one of the modes, which have no alpha."""
    # Grey with alpha becomes sRGB if it has a profile.
    own = _convert(background, "RGB", frame.icc if frame.image.mode == "RGBA" else None, colour)
    if frame.image.mode == "RGBA" and frame.low is not None:
        image, low = lower_bytes.flatten(frame.image, frame.low, own)
        return replace(frame, image=image, low=low)
    flat = to_supported_mode(frame, modes, "#" + bytes(own).hex())
    # Grey with alpha of 16 bits becomes 8 bits.
    return replace(flat, low=flat.low if flat.image.mode == frame.image.mode else None)


def _paste(image: Image.Image, canvas: tuple[int, int], filling: Any) -> Image.Image:
    padded = Image.new(image.mode, canvas, filling)
    padded.paste(image, _find_offset(image.size, canvas))
    return padded


def _find_offset(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    return (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2


def _find_filling(frame: Frame, background: str, colour: ColourSpace | None) -> Any:
    """Return the pixel of a frame that shows the background."""
    mode = frame.image.mode
    if mode in WHITES:
        level = find_white(frame.image) * _convert(background, "L", None, None)[0] / WHITE
        return level if mode == "F" else round(level)
    if mode == "I;16":
        return DEEP * _convert(background, "L", frame.icc, colour)[0]
    return _convert(background, mode, frame.icc, colour)


def _convert(background: str, mode: str, icc: bytes | None, colour: ColourSpace | None) -> tuple[int, ...]:
    """Convert a colour of sRGB to a pixel of a mode, in the colour space of a profile or of numbers."""
    pixel = Image.new("RGB", (1, 1), background if colour is None else _convert_by_numbers(background, colour))
    converted = None
    if mode == "LAB" or (icc and colour is None):
        converted = convert_profile(pixel, "sRGB", "LAB" if mode == "LAB" else icc or "sRGB", mode)
    # Bytes of LAB differ from its pixels: a and b have a sign there.
    found: Any = (converted or pixel.convert(mode)).getpixel((0, 0))
    return found if isinstance(found, tuple) else (found,)


def _convert_by_numbers(background: str, colour: ColourSpace) -> tuple[int, int, int]:
    """Convert a colour of sRGB to another colour space; white is the paper white of HDR."""
    red, green, blue = (SRGB_CURVE.to_light(level / WHITE) for level in ImageColor.getrgb(background)[:3])
    light = transform(multiply(invert(colour.to_d50()), SRGB.to_d50()), (red, green, blue))
    if not isinstance(colour.curve, Curve):
        # Imported here because few images need it.
        from imaging import tone_mapping  # noqa: PLC0415

        return tone_mapping.find_levels(light, colour)
    red, green, blue = (round(WHITE * colour.curve.to_value(one)) for one in light)
    return red, green, blue


def _pad_gain_map(gain_map: GainMap, size: tuple[int, int], canvas: tuple[int, int]) -> GainMap | None:
    """Pad the map of an image of this size with the value that changes nothing; return None if it has no such value."""
    found = [channel.find_neutral_level() for channel in gain_map.gains.channels]
    neutral = [level for level in found if level is not None]
    if len(neutral) < len(found):
        return None
    image, offset = gain_map.image, _find_offset(size, canvas)
    places = []
    for start, side, whole, map_side in zip(offset, size, canvas, image.size, strict=True):
        # An edge is within half a pixel of the map, which is often a quarter of a pixel of the image.
        near, far = (round(edge * map_side / side) for edge in (start, start + side))
        places.append((near, max(1, far - near), max(near + 1, round(whole * map_side / side))))
    (left, width, across), (top, height, down) = places
    padded = Image.new(image.mode, (across, down), tuple(neutral * (len(image.getbands()) // len(neutral))))
    padded.paste(image.resize((width, height)), (left, top))
    return replace(gain_map, image=padded, full_size=padded.size, extent=padded.size)
