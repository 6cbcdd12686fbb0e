"""Converts resized frames to a mode that the output's format supports, with their colour profiles."""

import io
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Literal

from PIL import Image

from imaging.colour_space import DISPLAY_P3, SRGB_CURVE, ColourSpace, Curve, HdrCurve
from imaging.pillow import tolerating
from imaging.records import Frame

WIDE = frozenset({"I;16", "I", "F"})
"""Modes of grey with more than eight bits."""

WITH_ALPHA = frozenset({"LA", "RGBA"})

CONVERTED = frozenset({"CMYK", "LAB"})
"""Modes that formats without them show in sRGB."""

WHITES = {"F": (1, 255, 65535), "I": (255, 65535, 2**31 - 1)}
"""Usual levels of white, for modes whose files don't state the level."""

Known = Literal["sRGB", "LAB"]
"""Colour spaces that Pillow makes a profile of."""


def to_supported_mode(frame: Frame, modes: Collection[str], background: str) -> Frame:
    """Convert a frame to one of ``modes``; drop a profile that no longer applies."""
    image = frame.image
    if image.mode in modes:
        return frame
    if image.mode in WIDE:
        return to_supported_mode(replace(frame, image=to_eight_bits(image)), modes, background)
    if image.mode in WITH_ALPHA and "RGBA" not in modes:
        opaque = Image.new("RGBA", image.size, background)
        opaque.alpha_composite(_to_colour(frame))
        return replace(frame, image=opaque.convert("RGB"), icc=frame.icc if image.mode == "RGBA" else None)
    return replace(frame, image=_to_colour(frame), icc=None)


def to_profile(frame: Frame, colour: ColourSpace) -> Frame:
    """Give a frame whose colour space numbers define a profile of the primaries; convert its curve to sRGB's.

    Encoders with loss expect such a curve: linear light would lose its shadows. HDR becomes SDR.

    Raises:
        MalformedError: The numbers are impossible. Those that ``inspect`` returns are not.

    """
    image = to_eight_bits(frame.image) if frame.image.mode in WIDE else frame.image
    is_grey = image.mode in {"L", "LA"}
    if isinstance(colour.curve, HdrCurve):
        # Imported here because few images need it.
        from imaging import tone_mapping  # noqa: PLC0415

        profile = None if is_grey else DISPLAY_P3.make_profile()
        return replace(frame, image=tone_mapping.to_sdr(image, colour), low=None, icc=profile, gain_map=None)
    profile = None if is_grey else colour._replace(curve=SRGB_CURVE).make_profile()
    if colour.curve == SRGB_CURVE:
        return replace(frame, image=image, icc=profile)
    return replace(frame, image=_to_srgb_curve(image, colour.curve), low=None, icc=profile)


def _to_srgb_curve(image: Image.Image, curve: Curve) -> Image.Image:
    table = [round(255 * SRGB_CURVE.to_value(curve.to_light(level / 255))) for level in range(256)]
    alpha = list(range(256)) if image.mode in WITH_ALPHA else []
    return image.point(table * (len(image.getbands()) - bool(alpha)) + alpha)


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert wide grey to 8 bits."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    white = find_white(image)
    return image.convert("F").point(lambda level: level * (255 / white) + 0.5).convert("L")


def find_white(image: Image.Image) -> float:
    """Return the level of white of a mode in ``WHITES``: the lowest usual one that is not below the highest level."""
    highest: Any = image.getextrema()[1]
    return next((white for white in WHITES[image.mode] if highest <= white), highest)


def _to_colour(frame: Frame) -> Image.Image:
    """Convert to RGB or RGBA. RGBA keeps its profile, and all else becomes sRGB."""
    return frame.image if frame.image.mode == "RGBA" else to_srgb(frame)


def to_srgb(frame: Frame) -> Image.Image:
    """Convert to RGB or RGBA in sRGB, by the frame's profile if it applies to the mode."""
    image = to_eight_bits(frame.image) if frame.image.mode in WIDE else frame.image
    if image.mode not in WITH_ALPHA:
        return _to_srgb(image, frame.icc)
    colours = _to_srgb(image.convert(image.mode.removesuffix("A")), frame.icc)
    colours.putalpha(image.getchannel("A"))
    return colours


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if not icc and image.mode != "LAB":
        return image.convert("RGB")
    return convert_profile(image, icc or "LAB", "sRGB", "RGB") or image.convert("RGB")


def convert_profile(image: Image.Image, before: bytes | Known, after: bytes | Known, mode: str) -> Image.Image | None:
    """Convert an image from one profile to another.

    Args:
        image: In a mode of the first profile.
        before: The image's profile.
        after: The other profile.
        mode: Of the result.

    Returns:
        None if a profile is damaged, or made for another colour space.

    """
    # Imported here because few images need it, and it would slow down every cold start.
    from PIL import ImageCms  # noqa: PLC0415

    with tolerating():
        profiles: list[Any] = [
            ImageCms.createProfile(one) if isinstance(one, str) else io.BytesIO(one) for one in (before, after)
        ]
        first, second = (ImageCms.ImageCmsProfile(profile) for profile in profiles)
        return ImageCms.profileToProfile(
            image,
            first,
            second,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=mode,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    return None


def has_alpha(images: Sequence[Image.Image]) -> bool:
    """Tell whether any of the images has an alpha channel."""
    return any(image.mode in WITH_ALPHA for image in images)


def to_common_mode(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Convert images to one mode that can hold all of them."""
    if len({image.mode for image in images}) == 1:
        return list(images)
    mode = "RGBA" if has_alpha(images) else "RGB"
    return [image.convert(mode) for image in images]
