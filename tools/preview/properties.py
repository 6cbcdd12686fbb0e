"""Name what a file has beside eight bits of opaque sRGB: a colour profile, frames, metadata and the like."""

import io
from collections.abc import Sequence

from PIL import ImageCms

from imaging import embedded
from imaging.colour import WITH_ALPHA
from imaging.decode import Picture
from imaging.exif import STRUCTURE
from imaging.losses import NO_CREDENTIALS
from imaging.records import Frame

DEPTHS = {"I;16": 16, "I": 32, "F": 32}
"""Bits a channel of Pillow's modes that hold more than eight."""


def list_properties(picture: Picture, frames: Sequence[Frame]) -> list[str]:
    """Return a name for each property of a file.

    Args:
        picture: The file, whose frames have been read.
        frames: All of them; they may be resized.

    """
    first = frames[0]
    depth = max(picture.header.depth, DEPTHS.get(first.image.mode, 8))
    kind = "frames" if picture.is_animated else "pages"
    metadata = embedded.read(picture.metadata.blocks)
    found = {
        f"{depth} bits": depth > 8,
        name_profile(first.icc or b""): first.icc,
        first.image.mode: first.image.mode in {"CMYK", "LAB"},
        "transparency": any(is_transparent(frame) for frame in frames),
        f"{len(frames)} {kind}": len(frames) > 1,
        "EXIF": set(picture.metadata.exif or ()) - STRUCTURE,
        "XMP": metadata.packet.properties,
        "IPTC": metadata.data_sets,
        # It says that an image is made by AI: https://cv.iptc.org/newscodes/digitalsourcetype
        "digital source type": any(name == "DigitalSourceType" for _, name in metadata.packet.properties),
        # `inspect` names those of any file as lost to the outputs made of it.
        "Content Credentials": set(NO_CREDENTIALS) & set(picture.header.losses),
    }
    return [name for name, has in found.items() if has]


def is_transparent(frame: Frame) -> bool:
    """Tell whether a pixel is transparent: the alpha channel of most screenshots is opaque."""
    return frame.image.mode in WITH_ALPHA and frame.image.getchannel("A").getextrema()[0] != 255


def name_profile(icc: bytes) -> str:
    """Return the description in a colour profile, such as ``Display P3``."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (OSError, ImageCms.PyCMSError):
        name = ""
    return name or "colour profile"
