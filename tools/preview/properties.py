"""Name what a file has beside eight bits of opaque sRGB: a colour profile, frames, metadata and the like."""

import io
from collections.abc import Sequence

from PIL import ImageCms

from imaging import embedded
from imaging.colour import WITH_ALPHA
from imaging.colour_space import NAME, ColourSpace, HdrCurve
from imaging.decode import Picture
from imaging.exif import STRUCTURE
from imaging.losses import NO_CREDENTIALS
from imaging.records import Frame
from imaging.xmp_selection import FALSE_NAMESPACES
from tools.preview.model import HDR


def list_properties(picture: Picture, frames: Sequence[Frame]) -> list[str]:
    """Return a name for each property of a file.

    Args:
        picture: The file, whose frames have been read.
        frames: All of them; they may be resized.

    """
    first = frames[0]
    kind = "frames" if picture.is_animated else "pages"
    metadata = embedded.read(picture.metadata.blocks)
    # The directory of a JPEG with a gain map is XMP, too.
    xmp = {name for space, name in metadata.packet.properties if space not in FALSE_NAMESPACES}
    found = {
        f"{HDR} gain map": picture.header.gain_map,
        f"{first.depth} bits": first.depth > 8,
        (colours := name_colours(picture.header.colour, first.icc)): colours,
        first.image.mode: first.image.mode in {"CMYK", "LAB"},
        "transparency": any(is_transparent(frame) for frame in frames),
        f"{len(frames)} {kind}": len(frames) > 1,
        "EXIF": set(picture.metadata.exif or ()) - STRUCTURE,
        "XMP": xmp,
        "IPTC": metadata.data_sets,
        # It says that an image is made by AI: https://cv.iptc.org/newscodes/digitalsourcetype
        "digital source type": "DigitalSourceType" in xmp,
        # `inspect` names those of any file as lost to the outputs made of it.
        "Content Credentials": set(NO_CREDENTIALS) & set(picture.header.losses),
    }
    return [name for name, has in found.items() if has]


def is_transparent(frame: Frame) -> bool:
    """Tell whether a pixel is transparent: the alpha channel of most screenshots is opaque."""
    return frame.image.mode in WITH_ALPHA and frame.image.getchannel("A").getextrema()[0] != 255


def name_colours(colour: ColourSpace | None, icc: bytes | None) -> str:
    """Name what colours are relative to: the numbers of the file, or its profile's description; empty for sRGB."""
    if colour:
        return f"{HDR} {colour.curve.name}" if isinstance(colour.curve, HdrCurve) else "" if colour.is_srgb else NAME
    if not icc:
        return ""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (OSError, ImageCms.PyCMSError):
        name = ""
    return name or "colour profile"
