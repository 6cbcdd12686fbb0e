"""Reads a source's EXIF, XMP and IPTC, even if they are damaged, and selects what an output keeps."""

import functools
import re
import struct
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import ExifTags, Image, TiffTags

from imaging import exif as exif_tags
from imaging import photoshop
from imaging.change import Blocks, Capacity, Change
from imaging.losses import Loss, Lost
from imaging.pillow import decoding, tolerating
from renditions import MetadataPolicy

if TYPE_CHECKING:
    from imaging import embedded, xmp

XMP_READ_FIRST, NO_XMP = "XML:com.adobe.xmp", "none"
"""The entry of ``Image.info`` in which ``Image.getexif`` looks for XMP before it looks in ``xmp``, which every decoder
sets; and a value without an orientation."""

RESOLUTION, RESOLUTION_UNIT = (ExifTags.Base.XResolution, ExifTags.Base.YResolution), ExifTags.Base.ResolutionUnit
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3
"""Tags of a TIFF, and the values of ResolutionUnit (TIFF 6.0, section 8)."""

DEFAULT_DENSITY, MAX_DENSITY, SQUARE_TOLERANCE = 72, 65535, 0.01
"""Pixels per inch if only the aspect ratio is known, the most that a JPEG can store, and how close to 1 is square."""

R03, UNCALIBRATED = b"R03", 0xFFFF
"""The rule of Adobe RGB, and the value of ColorSpace beside it."""

FIRST_SWAPPING = 5
"""The EXIF orientations from this one on turn width into height (Exif 2.32, 4.6.5)."""

AVIF_EXIF = re.compile(rb"(infe\x02.{3}.{4}|infe\x03.{3}.{6})Exif", re.DOTALL)
"""The entry of an AVIF item that holds EXIF (ISO/IEC 14496-12, 8.11.6)."""

XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
"""How the segments of a JPEG begin that hold parts of extended XMP (XMP specification, part 3, 1.1.3.1)."""

PROFILES = {name: f"Raw profile type {name}" for name in ("8bim", "iptc", "xmp")}
"""The keywords of PNG texts in which ImageMagick and ExifTool write metadata, in hexadecimal digits."""

DIGITS = re.compile("(?:[0-9A-Fa-f]{2})*")

UNREADABLE = b"\xff"
"""Stands in for a text that can't be read: no parser accepts it, so it is named as lost."""

MOST_PROFILE_TEXT = 1 << 20
"""The most characters of a text in ``PROFILES`` that are read. The parsers notice that the rest is missing."""


class Selection(NamedTuple):
    """The metadata that an output keeps.

    Attributes:
        blocks: Those of these that aren't empty: ``exif`` with its header; ``xmp``; ``iptc``, which is IIM;
            ``photoshop``, the other resources of Photoshop.
        losses: What the policy would keep, and can't be read or written.

    """

    blocks: dict[str, bytes]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Metadata:
    """The metadata of a source. XMP and IPTC are parsed when an output needs them: few images have any.

    Attributes:
        orientation: EXIF orientation from 1 to 8; 1 if it is missing or invalid, or if Pillow has turned the pixels.
        exif: All entries; None if they can't be read.
        blocks: XMP, IPTC and Photoshop's resources.
        stored_orientation: The orientation, also if Pillow has turned the pixels, as it does with a TIFF.
        exif_block: The EXIF as it is stored, without its header; empty for a TIFF.

    """

    orientation: int
    exif: Image.Exif | None
    blocks: Blocks
    stored_orientation: int
    exif_block: bytes = b""

    @classmethod
    def of(cls, image: Any, applied: int = 1) -> "Metadata":
        """Read the metadata of ``image``, whose pixels Pillow has turned by the orientation ``applied``."""
        exif, orientation = read_exif(image)
        block = image.info.get("exif")
        exif_block = block.removeprefix(exif_tags.HEADER) if isinstance(block, bytes) else b""
        return cls(orientation, exif, _read_blocks(image, exif), max(orientation, applied), exif_block)

    @functools.cached_property
    def _embedded(self) -> "embedded.Embedded":
        # Few images have any, and its parsers take time to import.
        from imaging import embedded  # noqa: PLC0415

        return embedded.read(self.blocks)

    @property
    def source_type(self) -> str:
        """How the image came to be, such as by AI, as a URI of IPTC's list; empty if XMP does not say."""
        return self._embedded.source_type if self.blocks.xmp else ""

    @property
    def packet(self) -> "xmp.Packet":
        """The properties of XMP, as far as it can be read."""
        return self._embedded.packet

    @functools.cached_property
    def _has_read_all(self) -> bool:
        # All outputs share it, and an IFD may have many tags.
        return self.exif is not None and exif_tags.has_read_all(self.exif, self.exif_block)

    def select(self, policy: MetadataPolicy, change: Change, capacity: Capacity) -> Selection:
        """Select and correct what an output keeps.

        Args:
            policy: The settings'.
            change: How the output shows its source.
            capacity: What its format holds.

        """
        losses: list[Loss] = []
        blocks: dict[str, bytes] = {}
        if policy is MetadataPolicy.NONE:
            return Selection(blocks)
        blocks["exif"] = self._select_exif(policy, change, capacity, losses)
        if self.blocks:
            blocks |= self._embedded.select(policy, change, capacity, losses)
        fitting = {}
        for name, block in blocks.items():
            kind = Lost.IPTC if name == "photoshop" else Lost(name)
            if kind in capacity.kinds and len(block) <= capacity.most_bytes:
                fitting[name] = block
            elif block:
                why = f"it has {len(block)} bytes" if kind in capacity.kinds else "the format has no place for it"
                losses.append(Loss(kind, f"the {kind.upper()} was left out: {why}"))
        return Selection({name: block for name, block in fitting.items() if block}, tuple(losses))

    def _select_exif(self, policy: MetadataPolicy, change: Change, capacity: Capacity, losses: list[Loss]) -> bytes:
        written = b""
        if self.exif is None:
            losses.append(Loss(Lost.EXIF, "the EXIF is damaged and was left out"))
            return written
        if policy is MetadataPolicy.COPYRIGHT:
            selected, problems = exif_tags.select_credits(self.exif)
            is_read = exif_tags.has_read(self.exif, self.exif_block, exif_tags.CREDITS)
        else:
            selected, problems = exif_tags.correct(self.exif, change)
            is_read = self._has_read_all
        if not is_read:
            problems.append("the EXIF is damaged, and was read up to the damage")
        if selected:
            written = exif_tags.write(selected, self.exif_block, capacity.most_bytes)
            if not written:
                problems.append("the EXIF can't be written")
        losses += [Loss(Lost.EXIF, problem) for problem in problems]
        return written


def read_exif(image: Any) -> tuple[Image.Exif | None, int]:
    """Return all entries, None if they can't be read, and the orientation, 1 if it is missing or invalid."""
    exif, stored = None, None
    _hide_xmp(image)
    with tolerating():
        exif = image.getexif()
        stored = exif.get(ExifTags.Base.Orientation)
    return exif, stored if type(stored) is int and 1 <= stored <= 8 else 1


def _read_blocks(image: Any, exif: Image.Exif | None) -> Blocks:
    """Return what ``image`` stores beside EXIF, wherever its format has it."""
    segments = getattr(image, "applist", ())
    resources = b"".join(data[len(photoshop.HEADER) :] for _, data in segments if data.startswith(photoshop.HEADER))
    texts = {name: _read_profile(image.info.get(keyword)) for name, keyword in PROFILES.items()}
    tags = exif if image.format == "TIFF" else None
    packet = image.info.get("xmp")
    return Blocks(
        packet if isinstance(packet, bytes) else texts["xmp"],
        tuple(data for _, data in segments if data.startswith(XMP_EXTENSION)),
        _read_tag(tags, exif_tags.IPTC) or texts["iptc"],
        resources or _read_tag(tags, exif_tags.PHOTOSHOP) or texts["8bim"],
    )


def _read_profile(text: object) -> bytes:
    """Return the bytes of a PNG text: lines with the kind of a profile, its length, and its hexadecimal digits."""
    if not isinstance(text, str):
        return b""
    lines = text[:MOST_PROFILE_TEXT].strip().split("\n", 2)
    digits = "".join(lines[-1].split())
    is_whole = len(lines) == 3 and DIGITS.fullmatch(digits)
    return bytes.fromhex(digits) if is_whole else UNREADABLE


def _read_tag(exif: Image.Exif | None, tag: int) -> bytes:
    """Return the bytes of a TIFF's tag, which some writers store as numbers of four bytes."""
    value: Any = b""
    with tolerating():
        value = exif.get(tag, b"") if exif is not None else b""
    if isinstance(value, bytes):
        return value
    numbers = value if isinstance(value, tuple) else (value,)
    if exif is None or not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers):
        return b""
    return struct.pack(f"{exif.endian}{len(numbers)}L", *numbers)


def turn_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height once pixels of this size are turned upright."""
    return size[::-1] if orientation >= FIRST_SWAPPING else size


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


def states_r03(image: Any) -> bool:
    """Tell whether EXIF states Adobe RGB, by the interoperability rule R03 (DCF 2.0, 5.2; Exif 2.32, 4.6.7)."""
    stated = None
    # Few files contain these letters: reading two more directories of every photo would cost CPU.
    if R03 in image.info.get("exif", b""):
        with tolerating():
            exif = image.getexif()
            is_uncalibrated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace) == UNCALIBRATED
            stated = is_uncalibrated and exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    return stated == R03.decode()


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
