"""The colours of resized frames in the modes that a format holds, by their profiles where those say what they are."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from imaging.decode import SRGB_GAMMA, Frame, eight_bit
from imaging.pillow import tolerating

MODES = {
    "JPEG": {"L", "RGB", "CMYK"},
    "PNG": {"L", "LA", "RGB", "RGBA", "I;16"},
    "GIF": {"L", "LA", "RGB", "RGBA"},
    "WEBP": {"RGB", "RGBA"},
    "AVIF": {"L", "RGB", "RGBA"},
    "BMP": {"L", "RGB", "RGBA"},
    "TIFF": {"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"},
}
"""What each format holds, of what frames come in."""

WIDE = frozenset({"I;16", "I", "F"})
"""Grey of more than eight bits."""

WHITES = {"F": (1, 255, 65535), "I": (255, 65535, 2**31 - 1)}
"""What white is in grey whose format does not say it."""


def to_supported_mode(frame: Frame, target: str, background: str) -> Frame:
    """The frame in a mode that the target holds, without a profile that no longer describes it."""
    image = frame.image
    modes = MODES[target]
    if image.mode in modes:
        return frame
    if image.mode in WIDE:
        # Eight bits of grey, and from there what the target makes of grey.
        return to_supported_mode(replace(frame, image=_narrowed(image)), target, background)
    if image.mode in {"LA", "RGBA"} and "RGBA" not in modes:
        opaque = Image.new("RGBA", image.size, background)
        opaque.alpha_composite(_in_colour(frame))
        return replace(frame, image=opaque.convert("RGB"), icc=frame.icc if image.mode == "RGBA" else None)
    return replace(frame, image=_in_colour(frame), icc=None)


def to_srgb_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """The image (L, LA, RGB, RGBA or I;16) with its levels as sRGB has them; only a PNG can say that they are not."""
    if image.mode in WIDE:
        image = _narrowed(image)
    table = [round(255 * (level / 255) ** (SRGB_GAMMA / gamma)) for level in range(256)]
    unchanged = list(range(256)) if image.mode in {"LA", "RGBA"} else []
    return image.point(table * (len(image.getbands()) - bool(unchanged)) + unchanged)


def _narrowed(image: Image.Image) -> Image.Image:
    """Wide grey as 8 bits: its white is the least of the usual ones that holds its highest level."""
    if image.mode == "I;16":
        return eight_bit(image)
    highest: Any = image.getextrema()[1]
    white = next((white for white in WHITES[image.mode] if highest <= white), highest)
    return image.convert("F").point(lambda level: level * (255 / white) + 0.5).convert("L")


def _in_colour(frame: Frame) -> Image.Image:
    """What is not in colour, in sRGB, by its profile where it has one that fits; with its alpha where it has one."""
    image = frame.image
    if image.mode == "RGBA":
        return image
    if image.mode != "LA":
        return _srgb(image, frame.icc)
    colours = _srgb(image.convert("L"), frame.icc)
    colours.putalpha(image.getchannel("A"))
    return colours


def _srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if not icc and image.mode != "LAB":
        return image.convert("RGB")
    # Few images need it; no start waits for it.
    from PIL import ImageCms  # noqa: PLC0415

    converted = None
    # A profile that is broken or of another colour space says nothing of these pixels.
    with tolerating():
        described: Any = io.BytesIO(icc) if icc else ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(described),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    return converted or image.convert("RGB")


def has_alpha(images: Sequence[Image.Image]) -> bool:
    """Whether any of the images has an alpha channel."""
    return any(image.mode in {"LA", "RGBA"} for image in images)


def to_common_mode(images: Sequence[Image.Image]) -> list[Image.Image]:
    """The images in the one mode that holds them all."""
    if len({image.mode for image in images}) == 1:
        return list(images)
    mode = "RGBA" if has_alpha(images) else "RGB"
    return [image.convert(mode) for image in images]
