"""Reads a source's EXIF and XMP, even if they are damaged, and selects the entries that an output keeps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from imaging.pillow import decoding, tolerating
from renditions import MetadataPolicy

CREDITS = (ExifTags.Base.Artist, ExifTags.Base.Copyright)
"""The tags that the policy ``copyright`` keeps."""

STRUCTURE = frozenset(
    {
        *range(254, 267),  # kind, width, height, depth, compression, photometry
        *(273, 274, *range(277, 282), 284),  # strips, orientation, samples
        *(*range(288, 294), 297, 301),  # fax options, page number, transfer function
        *range(317, 348),  # predictor, palette, tiles, inks, sample formats, JPEG tables
        *(*range(512, 522), *range(529, 533)),  # old-style JPEG, YCbCr
        *range(32995, 32999),  # SGI's matte, data type and depth
        *(700, 34377, 34675),  # XMP, Photoshop's blocks and the colour profile, which are written separately
    }
)
"""Tags of a TIFF that describe its pixels, or that are written separately. A TIFF has them in one IFD with EXIF."""

PARTS: dict[int | None, set[int]] = {
    None: {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo},
    ExifTags.IFD.Exif: {ExifTags.IFD.Interop},
}
"""The IFDs that each IFD may contain; None is the main one."""

XMP_READ_FIRST, NO_XMP = "XML:com.adobe.xmp", "none"
"""The entry of ``Image.info`` in which ``Image.getexif`` looks for XMP before it looks in ``xmp``, which every decoder
sets; and a value without an orientation."""

RESOLUTION, RESOLUTION_UNIT = (ExifTags.Base.XResolution, ExifTags.Base.YResolution), ExifTags.Base.ResolutionUnit
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3
"""Tags of a TIFF, and the values of ResolutionUnit (TIFF 6.0, section 8)."""

DEFAULT_DENSITY, MAX_DENSITY, SQUARE_TOLERANCE = 72, 65535, 0.01
"""Pixels per inch if only the aspect ratio is known, the most that a JPEG can store, and how close to 1 is square."""

AVIF_EXIF = re.compile(rb"(infe\x02.{3}.{4}|infe\x03.{3}.{6})Exif", re.DOTALL)
"""The entry of an AVIF item that holds EXIF (ISO/IEC 14496-12, 8.11.6)."""

MAX_SEGMENT_BYTES = 65533 - 29
"""Space in one segment of a JPEG after its identifier. The other formats have more."""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a source.

    Attributes:
        orientation: EXIF orientation from 1 to 8; 1 if it is missing or invalid.
        exif: All entries; None if they can't be read.
        xmp: The whole packet, if any.

    """

    orientation: int
    exif: Image.Exif | None
    xmp: bytes | None

    @classmethod
    def of(cls, image: Image.Image) -> "Metadata":
        """Read the metadata of ``image``."""
        exif, orientation = None, None
        _hide_xmp(image)
        with tolerating():
            exif = image.getexif()
            orientation = exif.get(ExifTags.Base.Orientation)
        return cls(
            orientation=orientation if type(orientation) is int and 1 <= orientation <= 8 else 1,
            exif=exif,
            xmp=image.info.get("xmp"),
        )

    def select(self, policy: MetadataPolicy, size: tuple[int, int]) -> dict[str, bytes]:
        """Return the encoder's options ``exif`` and ``xmp`` for an output of this size, unless they are empty."""
        options: dict[str, Any] = {}
        if exif := self._select_exif(policy, size):
            with tolerating():
                options["exif"] = exif.tobytes()
        if policy is MetadataPolicy.ALL and self.xmp:
            options["xmp"] = _update_xmp(self.xmp, size)
        return {name: value for name, value in options.items() if value and len(value) <= MAX_SEGMENT_BYTES}

    def _select_exif(self, policy: MetadataPolicy, size: tuple[int, int]) -> Image.Exif | None:
        if self.exif is None or policy is MetadataPolicy.NONE:
            return None
        if policy is MetadataPolicy.COPYRIGHT:
            selected = Image.Exif()
            for tag in CREDITS:
                credit = None
                with tolerating():
                    credit = self.exif.get(tag)
                if isinstance(credit, str):
                    selected[tag] = _to_bytes(credit)
            return selected
        selected = copy_exif(self.exif)
        for tag in STRUCTURE & set(selected):
            del selected[tag]
        details = selected.get(ExifTags.IFD.Exif, {})
        for tag, side in zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), size, strict=True):
            if tag in details:
                details[tag] = side
        return selected


def read_resolution(image: Any) -> tuple[float, float] | None:
    """Return the pixels per inch, horizontal and vertical as stored; None if the pixels are square or it is unknown."""
    values: tuple[object, ...] = ()
    unit: Any = None
    with tolerating():
        if image.format == "TIFF":
            # ``info`` may contain the resolution of another page.
            values = tuple(image.tag_v2.get(tag) for tag in RESOLUTION)
            unit = image.tag_v2.get(RESOLUTION_UNIT)
        else:
            known = [name for name in ("dpi", "aspect", "jfif_density") if name in image.info]
            values = image.info[known[0]] if known else values
            unit = INCH if "dpi" in known else NO_UNIT
    numbers = [float(number) for number in values if isinstance(number, Real)]
    if len(numbers) != 2 or not min(numbers) > 0:
        return None
    factor = DEFAULT_DENSITY / min(numbers) if unit == NO_UNIT else 2.54 if unit == CENTIMETRE else 1
    across, down = (factor * number for number in numbers)
    is_square = abs(across / down - 1) < SQUARE_TOLERANCE
    return None if is_square or min(across, down) < 1 or max(across, down) > MAX_DENSITY else (across, down)


def hide_exif(avif: bytes) -> bytes:
    """Rename an AVIF's EXIF items so that the decoder, which refuses an image for invalid EXIF, ignores them."""
    return AVIF_EXIF.sub(rb"\1none", avif)


def repair(image: Image.Image) -> None:
    """Remove a TIFF's entries at which Pillow fails while it reads pixels: XMP of another type, unreadable IFDs."""
    xmp = image.info.get("xmp")
    if isinstance(xmp, str):
        image.info["xmp"] = xmp.encode("latin-1")
    elif not isinstance(xmp, bytes):
        image.info.pop("xmp", None)
    _hide_xmp(image)
    with decoding():
        exif = image.getexif()
    for part in TiffTags.TAGS_V2_GROUPS.keys() & set(exif):
        is_readable = False
        with tolerating():
            exif.get_ifd(part)
            is_readable = True
        if not is_readable:
            del exif[part]


def _hide_xmp(image: Image.Image) -> None:
    """Keep Pillow from reading an orientation from XMP if EXIF has none: browsers don't apply it."""
    if image.info.get(XMP_READ_FIRST) != NO_XMP:
        image.info[XMP_READ_FIRST] = NO_XMP
        # Pillow may have read EXIF when it opened a JPEG.
        image._exif = None


def copy_exif(exif: Image.Exif) -> Image.Exif:
    """Copy the entries that Pillow can write, with every byte of their texts, and without the thumbnail's IFD."""
    copy = Image.Exif()
    # Maker notes may depend on the byte order of the EXIF around them.
    copy.endian = exif.endian
    for tag, value in _copy_ifd(exif, exif).items():
        copy[tag] = value
    return copy


def _copy_ifd(exif: Image.Exif, entries: Mapping[int, Any], group: int | None = None) -> dict[int, Any]:
    """Return the entries of an IFD that Pillow can write. Each is tried alone, so a damaged one spoils no other."""
    written: dict[int, Any] = {}
    for tag in entries:
        is_part = tag in PARTS.get(group, ())
        if tag in TiffTags.TAGS_V2_GROUPS and not is_part:
            continue
        stored = None
        with tolerating():
            stored = exif.get_ifd(tag) if is_part else entries[tag]
        if stored is None:
            continue
        value = _copy_ifd(exif, stored, tag) if is_part else _to_bytes(stored)
        with tolerating():
            trial = TiffImagePlugin.ImageFileDirectory_v2(group=group)
            trial[tag] = value
            trial.tobytes()
            written[tag] = value
    return written


def _to_bytes(value: Any) -> Any:
    """Return a text's bytes: Pillow reads one character per byte, but writes question marks for other than ASCII."""
    return value.encode("latin-1") if isinstance(value, str) and not value.isascii() else value


def _update_xmp(xmp: bytes, size: tuple[int, int]) -> bytes:
    """Set the output's dimensions in XMP, and an orientation that turns nothing."""
    replacements = {
        rb"tiff:Orientation": b"1",
        rb"(?:tiff:ImageWidth|exif:PixelXDimension)": str(size[0]).encode(),
        rb"(?:tiff:ImageLength|exif:PixelYDimension)": str(size[1]).encode(),
    }
    for name, value in replacements.items():
        xmp = re.sub(rb"(" + name + rb"(?:\s*=\s*[\"']|>)\s*)\d+", rb"\g<1>" + value, xmp)
    return xmp
