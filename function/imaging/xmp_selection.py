"""Selects the properties of XMP that an output keeps, and corrects those that a resized image would make false."""

import math
import re
from dataclasses import replace
from fractions import Fraction

from errors import MalformedError
from imaging import xmp
from imaging.change import Change
from imaging.xmp import Element, Name, Packet, Value

EXTENSION = re.compile(rb"http://ns\.adobe\.com/xmp/extension/\0([0-9A-Fa-f]{32})(.{4})(.{4})", re.DOTALL)
"""How a segment with a part of extended XMP begins: the MD5 of the whole, its length, and the part's offset (XMP
specification, part 3, 1.1.3.1)."""

CREDITS = frozenset(
    {
        (xmp.DC, "creator"),
        (xmp.DC, "rights"),
        (xmp.PHOTOSHOP, "AuthorsPosition"),
        (xmp.PHOTOSHOP, "Credit"),
        (xmp.PHOTOSHOP, "Source"),
        (xmp.IPTC_EXT, "DigitalSourceType"),
    }
)
"""The properties that the policy ``copyright`` keeps, beside all of ``CREDIT_NAMESPACES``."""

CREDIT_NAMESPACES = frozenset({xmp.RIGHTS, xmp.PLUS})

PANO = "http://ns.google.com/photos/1.0/panorama/"

FALSE_NAMESPACES = frozenset(
    {
        *(xmp.DEPTH_MAP, xmp.CONTAINER, xmp.ITEM, xmp.GAIN_MAP, xmp.APPLE_GAIN_MAP, xmp.APPLE_PIXELS),
        "http://ns.google.com/photos/1.0/image/",
        "http://ns.google.com/photos/dd/1.0/device/",
    }
)
"""Namespaces of what the output doesn't hold: depth maps, other images, directories of the file, gain maps."""

FALSE = frozenset(
    {
        (xmp.NOTE, "HasExtendedXMP"),
        (xmp.XMP, "Thumbnails"),
        (xmp.DC_TERMS, "provenance"),
        (xmp.EXIF, "CompressedBitsPerPixel"),
        (xmp.EXIF, "SubjectArea"),
        (xmp.EXIF, "SubjectLocation"),
        *(
            (xmp.TIFF, name)
            for name in (
                *("BitsPerSample", "Compression", "PhotometricInterpretation", "PlanarConfiguration"),
                *("SamplesPerPixel", "TransferFunction", "YCbCrPositioning", "YCbCrSubSampling"),
            )
        ),
    }
)
"""Properties that describe the source's pixels or parts. ``dcterms:provenance`` refers to its Content Credentials."""

MOTION = re.compile("(MotionPhoto|MicroVideo|OLivePhoto|VideoLength)")
"""The names, in the namespaces of several makers, that describe the video of a motion photo."""

WIDTHS, HEIGHTS = (
    frozenset({(xmp.TIFF, "ImageWidth"), (xmp.EXIF, "PixelXDimension")}),
    frozenset({(xmp.TIFF, "ImageLength"), (xmp.EXIF, "PixelYDimension")}),
)

NUMBER = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,12})?)(?: ?/ ?([0-9]{1,12}))?")
"""A whole number, a decimal or a fraction."""

RESOLUTIONS = tuple(
    tuple((uri, name.format(axis)) for axis in "XY")
    for uri, name in ((xmp.TIFF, "{}Resolution"), (xmp.EXIF, "FocalPlane{}Resolution"))
)

PANO_ACROSS, PANO_DOWN = (
    frozenset((PANO, name) for name in names)
    for names in (
        (
            *("CroppedAreaImageWidthPixels", "FullPanoWidthPixels", "CroppedAreaLeftPixels"),
            *("LargestValidInteriorRectLeft", "LargestValidInteriorRectWidth"),
        ),
        (
            *("CroppedAreaImageHeightPixels", "FullPanoHeightPixels", "CroppedAreaTopPixels"),
            *("LargestValidInteriorRectTop", "LargestValidInteriorRectHeight"),
        ),
    )
)
"""Sizes in pixels of a spherical panorama (Google, Photo Sphere XMP Metadata)."""

REGIONS = frozenset(
    {
        ("http://www.metadataworkinggroup.com/schemas/regions/", "Regions"),
        ("http://ns.microsoft.com/photo/1.2/", "RegionInfo"),
        (xmp.IPTC_EXT, "ImageRegion"),
    }
)
"""Faces and other parts of the image. Their places are fractions of its sides."""

DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
"""The namespace of the size that such fractions apply to."""


def read(packet: bytes, segments: tuple[bytes, ...]) -> tuple[Packet, str]:
    """Read a packet, and the extended XMP in other segments of a JPEG that it names.

    Returns:
        The properties, and why some could not be read; empty if all could.

    """
    try:
        found = xmp.parse(packet)
    except MalformedError as error:
        return xmp.EMPTY, str(error)
    guid = xmp.read_text(found.properties.get((xmp.NOTE, "HasExtendedXMP"), ""))
    if not guid:
        return found, ""
    try:
        return found.merge(xmp.parse(_join(segments, guid.encode()))), ""
    except MalformedError as error:
        return found, f"of its extension, {error}"


def _join(segments: tuple[bytes, ...], guid: bytes) -> bytes:
    """Join the parts of extended XMP.

    Raises:
        MalformedError: Parts are missing.

    """
    parts = {}
    length = 0
    for segment in segments:
        found = EXTENSION.match(segment)
        if found and found[1].upper() == guid.upper():
            parts[int.from_bytes(found[3], "big")] = segment[found.end() :]
            length = int.from_bytes(found[2], "big")
    end = 0
    for start in sorted(parts):
        if start != end:
            break
        end = start + len(parts[start])
    if not parts or end != length:
        raise MalformedError("parts are missing")
    return b"".join(parts[start] for start in sorted(parts))


def select_credits(packet: Packet) -> Packet:
    """Return the properties that say who made the image, who may use it, and whether it was generated."""
    kept = {name: value for name, value in packet.properties.items() if name in CREDITS or name[0] in CREDIT_NAMESPACES}
    return replace(packet, properties=kept)


def correct(packet: Packet, change: Change) -> Packet:
    """Return all properties that are true of the output. Resolutions are scaled, so that the printed size stays."""
    kept: dict[Name, Value] = {}
    for name, value in packet.properties.items():
        if (corrected := _correct(name, value, change)) is not None:
            kept[name] = corrected
    for names in RESOLUTIONS:
        if names[0] in kept or names[1] in kept:
            stored = tuple(_to_number(xmp.read_text(kept.pop(name, ""))) for name in names)
            scaled = change.scale_resolution(stored)
            kept |= {name: _to_rational(value) for name, value in zip(names, scaled or (), strict=False)}
    return replace(packet, properties=kept)


def _correct(name: Name, value: Value, change: Change) -> Value | None:
    """Return the output's value of a property; None if it has none."""
    if name in FALSE or name[0] in FALSE_NAMESPACES or MOTION.match(name[1]):
        return None
    if name in WIDTHS:
        return str(change.size[0])
    if name in HEIGHTS:
        return str(change.size[1])
    if name == (xmp.TIFF, "Orientation"):
        return "1"
    if name == (xmp.DC, "format"):
        return change.media_type
    if name[0] == PANO or name in REGIONS:
        return None if change.is_moved else _scale(name, value, change)
    return value


def _scale(name: Name, value: Value, change: Change) -> Value | None:
    """Return a panorama's or a region's property for the output's pixels."""
    if name in REGIONS:
        return _set_dimensions(value, change) if isinstance(value, Element) else value
    if name not in PANO_ACROSS and name not in PANO_DOWN:
        return value
    pixels = _to_number(xmp.read_text(value))
    return None if math.isnan(pixels) else str(round(pixels * change.scale[name in PANO_DOWN]))


def _set_dimensions(element: Element, change: Change) -> Element:
    """Set the size in pixels that regions apply to, wherever in ``element`` it is."""
    sizes = {(DIMENSIONS, "w"): str(change.size[0]), (DIMENSIONS, "h"): str(change.size[1])}
    return replace(
        element,
        text=sizes.get(element.name, element.text),
        attributes={name: sizes.get(name, text) for name, text in element.attributes.items()},
        children=[_set_dimensions(child, change) for child in element.children],
    )


def _to_number(text: str) -> float:
    """Return a whole number, a decimal or a fraction; NaN for anything else."""
    found = NUMBER.fullmatch(text)
    divisor = float(found[2] or 1) if found else 0
    return float(found[1]) / divisor if found and divisor else math.nan


def _to_rational(value: float) -> str:
    fraction = Fraction(value).limit_denominator(1000)
    return f"{fraction.numerator}/{fraction.denominator}"


def fit(packet: Packet, most: int) -> tuple[bytes, list[str]]:
    """Return a packet of at most ``most`` bytes, and the names of the properties left out for it, the largest first."""
    written = packet.to_bytes()
    excess, left_out = len(written) - most, []
    if excess <= 0:
        return written, []
    sizes = packet.measure()
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if excess <= 0:
            break
        excess -= sizes[name]
        left_out.append(name)
    dropped = set(left_out)
    kept = {name: value for name, value in packet.properties.items() if name not in dropped}
    return replace(packet, properties=kept).to_bytes(), [name[1] for name in left_out]
