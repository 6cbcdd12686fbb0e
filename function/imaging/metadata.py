"""EXIF and XMP: read what a source has, however broken, and write what an output keeps of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from imaging.pillow import decoding, tolerating
from renditions import MetadataPolicy

CREDITS = (ExifTags.Base.Artist, ExifTags.Base.Copyright)
"""What the policy ``copyright`` keeps."""

STRUCTURE = frozenset(
    {
        *range(254, 267),  # kind, width, height, depth, compression, photometry
        *(273, 274, *range(277, 282), 284),  # strips, orientation, samples
        *(*range(288, 294), 297, 301),  # fax options, page number, transfer function
        *range(317, 348),  # predictor, palette, tiles, inks, sample formats, JPEG tables
        *(*range(512, 522), *range(529, 533)),  # old JPEG, YCbCr
        *range(32995, 32999),  # SGI's matte, kind of numbers, and depth
        *(700, 34377, 34675),  # XMP, Photoshop's blocks, the colour profile: these have places of their own
    }
)
"""Tags of a TIFF that say how pixels are stored, or are written anew: a TIFF has them where its EXIF is."""

PARTS: dict[int | None, set[int]] = {
    None: {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo},
    ExifTags.IFD.Exif: {ExifTags.IFD.Interop},
}
"""Which directories are parts of which; None is the main one."""

XMP_READ_FIRST, NO_XMP = "XML:com.adobe.xmp", "none"
"""Where ``Image.getexif`` looks for XMP before it looks into ``xmp``, which every decoder writes; and a text without an
orientation."""

RESOLUTION, RESOLUTION_UNIT = (ExifTags.Base.XResolution, ExifTags.Base.YResolution), ExifTags.Base.ResolutionUnit
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3
"""Tags of a TIFF, and values of the last (TIFF 6.0, section 8)."""

USUAL, MOST_DENSE, NEARLY = 72, 65535, 0.01
"""Pixels an inch where only their ratio is known, the most that a JPEG can say, and what ratio is one of squares."""

AVIF_EXIF = re.compile(rb"(infe\x02.{3}.{4}|infe\x03.{3}.{6})Exif", re.DOTALL)
"""What announces EXIF among the items of a file (ISO/IEC 14496-12, 8.11.6)."""

MAX_SEGMENT_BYTES = 65533 - 29
"""What fits into one segment of a JPEG beside the name of its kind; other formats have more room than anyone needs."""


@dataclass(frozen=True)
class Metadata:
    """What a source says of itself.

    Attributes:
        orientation: EXIF orientation from 1 to 8; 1 where there is none that makes sense.
        exif: The whole of it; None where it can't be read.
        xmp: The whole packet; None where there is none.

    """

    orientation: int
    exif: Image.Exif | None
    xmp: bytes | None

    @classmethod
    def of(cls, image: Image.Image) -> "Metadata":
        """Read what ``image`` has."""
        exif, orientation = None, None
        _forget_xmp(image)
        with tolerating():
            exif = image.getexif()
            orientation = exif.get(ExifTags.Base.Orientation)
        return cls(
            orientation=orientation if type(orientation) is int and 1 <= orientation <= 8 else 1,
            exif=exif,
            xmp=image.info.get("xmp"),
        )

    def select(self, policy: MetadataPolicy, size: tuple[int, int]) -> dict[str, bytes]:
        """The encoder's options for an output of this size: ``exif`` and ``xmp``, where there are any."""
        options: dict[str, Any] = {}
        if exif := self._exif(policy, size):
            with tolerating():
                options["exif"] = exif.tobytes()
        if policy is MetadataPolicy.ALL and self.xmp:
            options["xmp"] = _corrected(self.xmp, size)
        return {name: value for name, value in options.items() if value and len(value) <= MAX_SEGMENT_BYTES}

    def _exif(self, policy: MetadataPolicy, size: tuple[int, int]) -> Image.Exif | None:
        if self.exif is None or policy is MetadataPolicy.NONE:
            return None
        if policy is MetadataPolicy.COPYRIGHT:
            kept = Image.Exif()
            for tag in CREDITS:
                credit = None
                with tolerating():
                    credit = self.exif.get(tag)
                if isinstance(credit, str):
                    kept[tag] = _raw(credit)
            return kept
        kept = copy_exif(self.exif)
        for tag in STRUCTURE & set(kept):
            del kept[tag]
        details = kept.get(ExifTags.IFD.Exif, {})
        for tag, side in zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), size, strict=True):
            if tag in details:
                details[tag] = side
        return kept


def read_resolution(image: Any) -> tuple[float, float] | None:
    """Tell how many pixels an inch has, across and down as stored; None where they are square, or nothing says it."""
    said: tuple[object, ...] = ()
    unit: Any = None
    with tolerating():
        if image.format == "TIFF":
            # In ``info`` may be that of another page.
            said = tuple(image.tag_v2.get(tag) for tag in RESOLUTION)
            unit = image.tag_v2.get(RESOLUTION_UNIT)
        else:
            known = [name for name in ("dpi", "aspect", "jfif_density") if name in image.info]
            said = image.info[known[0]] if known else said
            unit = INCH if "dpi" in known else NO_UNIT
    numbers = [float(number) for number in said if isinstance(number, Real)]
    if len(numbers) != 2 or not min(numbers) > 0:
        return None
    factor = USUAL / min(numbers) if unit == NO_UNIT else 2.54 if unit == CENTIMETRE else 1
    across, down = (factor * number for number in numbers)
    is_square = abs(across / down - 1) < NEARLY
    return None if is_square or min(across, down) < 1 or max(across, down) > MOST_DENSE else (across, down)


def hide_exif(avif: bytes) -> bytes:
    """The AVIF with its EXIF renamed, to be no one's: its decoder refuses an image for it."""
    return AVIF_EXIF.sub(rb"\1none", avif)


def repair(image: Image.Image) -> None:
    """Take from a TIFF what Pillow fails at while it reads pixels: XMP that is no bytes, directories at no place."""
    xmp = image.info.get("xmp")
    if isinstance(xmp, str):
        image.info["xmp"] = xmp.encode("latin-1")
    elif not isinstance(xmp, bytes):
        image.info.pop("xmp", None)
    _forget_xmp(image)
    with decoding():
        exif = image.getexif()
    for part in TiffTags.TAGS_V2_GROUPS.keys() & set(exif):
        is_readable = False
        with tolerating():
            exif.get_ifd(part)
            is_readable = True
        if not is_readable:
            del exif[part]


def _forget_xmp(image: Image.Image) -> None:
    """Keep Pillow from taking an orientation out of XMP where EXIF has none: browsers do not apply it."""
    if image.info.get(XMP_READ_FIRST) != NO_XMP:
        image.info[XMP_READ_FIRST] = NO_XMP
        # When it opens a JPEG, Pillow may have looked already.
        image._exif = None


def copy_exif(exif: Image.Exif) -> Image.Exif:
    """What of ``exif`` can be written, with every byte of its texts; without the directory of the thumbnail."""
    copy = Image.Exif()
    # Makers' own notes may be in the byte order of what is around them.
    copy.endian = exif.endian
    for tag, value in _directory(exif, exif).items():
        copy[tag] = value
    return copy


def _directory(exif: Image.Exif, entries: Mapping[int, Any], group: int | None = None) -> dict[int, Any]:
    """Those entries of a directory that can be written, one by one, for one that is broken says nothing of others."""
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
        value = _directory(exif, stored, tag) if is_part else _raw(stored)
        with tolerating():
            trial = TiffImagePlugin.ImageFileDirectory_v2(group=group)
            trial[tag] = value
            trial.tobytes()
            written[tag] = value
    return written


def _raw(value: Any) -> Any:
    """A text as it was stored: Pillow reads each byte as one character, but writes question marks beside ASCII."""
    return value.encode("latin-1") if isinstance(value, str) and not value.isascii() else value


def _corrected(xmp: bytes, size: tuple[int, int]) -> bytes:
    """XMP with the output's dimensions, and without an orientation to apply again."""
    replacements = {
        rb"tiff:Orientation": b"1",
        rb"(?:tiff:ImageWidth|exif:PixelXDimension)": str(size[0]).encode(),
        rb"(?:tiff:ImageLength|exif:PixelYDimension)": str(size[1]).encode(),
    }
    for name, value in replacements.items():
        xmp = re.sub(rb"(" + name + rb"(?:\s*=\s*[\"']|>)\s*)\d+", rb"\g<1>" + value, xmp)
    return xmp
