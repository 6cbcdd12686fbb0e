"""EXIF: copies what Pillow can write, selects the credits, and corrects what a resized image would make false."""

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from imaging.change import Change
from imaging.pillow import tolerating

CREDITS = (ExifTags.Base.Artist, ExifTags.Base.Copyright)
"""The tags that the policy ``copyright`` keeps."""

IPTC, PHOTOSHOP, XMP = 33723, 34377, 700
"""Tags of a TIFF (TIFF 6.0, Photoshop's technical note; XMP specification, part 3, 3.3)."""

# Some writers store IPTC as numbers of four bytes. Pillow would read only the first number.
TiffTags.TAGS_V2[IPTC] = TiffTags.TagInfo(IPTC, "IptcNaaInfo", TiffTags.UNDEFINED, None)

TYPES = {
    TiffTags.UNDEFINED: (34856, 37121, 37500, 37510, 41484, 41728, 41729, 41995, 42082),
    TiffTags.SIGNED_RATIONAL: (37377, 37379, 37380, 37888, 37891, 37893),
    TiffTags.LONG: range(34865, 34870),
}
"""The types of tags of the Exif IFD (Exif 2.32, 4.6.5) that Pillow would guess from a value: readers that look for a
comment would find a list of numbers."""

for kind, tags in TYPES.items():
    TiffTags.TAGS_V2_GROUPS[ExifTags.IFD.Exif] |= {tag: TiffTags.TagInfo(tag, str(tag), kind, None) for tag in tags}

STRUCTURE = frozenset(
    {
        *range(254, 267),  # kind, width, height, depth, compression, photometry
        *(273, 274, *range(277, 282), 284),  # strips, orientation, samples
        *(*range(288, 294), 297, 301),  # fax options, page number, transfer function
        *range(317, 348),  # predictor, palette, tiles, inks, sample formats, JPEG tables
        *(*range(512, 522), *range(529, 533)),  # old-style JPEG, YCbCr
        *range(32995, 32999),  # SGI's matte, data type and depth
        *(IPTC, PHOTOSHOP, XMP, 34675),  # the last is the profile; all of them are written separately
        37724,  # Photoshop's layers
    }
)
"""Tags of a TIFF that describe its pixels, or that are written separately. A TIFF has them in one IFD with EXIF."""

PARTS: dict[int | None, set[int]] = {
    None: {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo},
    ExifTags.IFD.Exif: {ExifTags.IFD.Interop},
}
"""The IFDs that each IFD may contain; None is the main one."""

PATHS = ((ExifTags.IFD.Exif,), (ExifTags.IFD.GPSInfo,), (ExifTags.IFD.Exif, ExifTags.IFD.Interop))
"""The tags that lead to each of these IFDs."""

MOST_TAGS = 1000
"""The most tags of an IFD to copy. Cameras write fewer than 100; Pillow took seconds for each output with 65,535."""

HEADER = b"Exif\0\0"
"""How EXIF begins in some formats."""

TIFF_HEADER_BYTES = 8

ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""How the TIFF header of EXIF begins, and the byte order in the notation of ``struct``."""

RESOLUTION = (ExifTags.Base.XResolution, ExifTags.Base.YResolution)
FOCAL_PLANE = (ExifTags.Base.FocalPlaneXResolution, ExifTags.Base.FocalPlaneYResolution)
SIZE = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
RELATED_SIZE = (ExifTags.Interop.RelatedImageWidth, ExifTags.Interop.RelatedImageHeight)
"""Pairs of tags, across and down (TIFF 6.0, section 8; Exif 2.32, 4.6.5 and 4.6.7)."""

FALSE = frozenset({37122, 37396, 41492})
"""Tags of the Exif IFD that no longer hold: compressed bits a pixel, and the subject's area and location in pixels."""

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS = 33550, 33922, 34264, 34735
"""Tags of a GeoTIFF (OGC GeoTIFF 1.1, 7.1 and 7.3)."""

GEOREFERENCE = frozenset({PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, 34736, 34737})

RASTER_TYPE, PIXEL_IS_POINT = 1025, 2
"""A key of ``GEO_KEYS``, and its value if whole numbers are the centres of pixels rather than their corners."""


def has_read(exif: Image.Exif, block: bytes, tags: Collection[int]) -> bool:
    """Tell whether Pillow has read those of these tags that the first IFD has.

    Args:
        exif: What Pillow has read.
        block: The same as it is stored, without its header; empty if it isn't stored alone.
        tags: Of the first IFD.

    """
    stored = _find_tags(block) if block else set()
    return stored is not None and not stored.intersection(tags) - set(exif)


def has_read_all(exif: Image.Exif, block: bytes) -> bool:
    """Tell whether Pillow has read all tags that don't describe pixels. The arguments are those of ``has_read``."""
    stored = _find_tags(block) if block else set()
    return (
        stored is not None
        and stored - STRUCTURE <= set(exif)
        and all(_has_read_part(exif, block, *path) for path in PATHS)
    )


def _has_read_part(exif: Image.Exif, block: bytes, *path: int) -> bool:
    """Tell whether Pillow has read all tags of the IFD to which the tags of ``path`` lead, if there is one."""
    if path[-1] not in (_find_tags(block, path[:-1]) or ()):
        return True
    stored = _find_tags(block, path)
    read: Any = ()
    with tolerating():
        read = exif.get_ifd(path[-1])
    return stored is not None and stored <= set(read)


def _find_tags(block: bytes, path: Sequence[int] = ()) -> set[int] | None:
    """Return the tags of an IFD that have values; None if it is missing or cut off."""
    entries = _find_entries(block, path)
    return None if entries is None else {entry.tag for entry in entries if entry.number}


class _Entry(NamedTuple):
    """An entry of an IFD (TIFF 6.0, section 2).

    Attributes:
        place: Its offset.
        tag: What it states.
        kind: The type of its values.
        number: How many values it has.
        value: The offset of its values if they have more than four bytes.

    """

    place: int
    tag: int
    kind: int
    number: int
    value: int


def _find_entries(block: bytes, path: Sequence[int] = ()) -> list[_Entry] | None:
    """Return the entries of an IFD; None if it is missing or cut off.

    Args:
        block: EXIF without its header.
        path: The tags that lead to the IFD from the first one.

    """
    order = ORDERS.get(block[:4])
    if order is None or len(block) < 8:
        return None
    (place,) = struct.unpack_from(order + "I", block, 4)
    if path:
        entries = _find_entries(block, path[:-1]) or ()
        place = next((entry.value for entry in entries if entry.tag == path[-1]), len(block))
    if place + 2 > len(block):
        return None
    (count,) = struct.unpack_from(order + "H", block, place)
    directory = block[place + 2 : place + 2 + 12 * count]
    if len(directory) < 12 * count:
        return None
    rows = enumerate(struct.iter_unpack(order + "HHII", directory))
    return [_Entry(place + 2 + 12 * index, *row) for index, row in rows]


def _find_note(block: bytes) -> _Entry | None:
    """Return the entry of the maker note."""
    entries = _find_entries(block, [ExifTags.IFD.Exif]) or ()
    return next((entry for entry in entries if entry.tag == ExifTags.Base.MakerNote), None)


def write(exif: Image.Exif, source: bytes, most_bytes: int) -> bytes:
    """Return EXIF with its header, in which the maker note is at its offset in ``source``, if that fits.

    It is empty if Pillow can't write the entries. The notes of many cameras contain offsets from the beginning of the
    EXIF.

    Args:
        exif: The entries.
        source: The EXIF that they are from, without its header.
        most_bytes: The most that the output may have.

    """
    details = exif.get(ExifTags.IFD.Exif, {})
    note, found = details.get(ExifTags.Base.MakerNote), _find_note(source)
    if isinstance(note, bytes) and found and len(note) > 4 and source.startswith(note, found.value):
        end = found.value + len(note)
        end += end % 2
        details[ExifTags.Base.MakerNote] = bytes(4)
        behind = _to_bytes(exif, end).removeprefix(HEADER)
        details[ExifTags.Base.MakerNote] = note
        if not behind:
            return b""
        order = ORDERS[behind[:4]]
        block = bytearray(behind[:4] + struct.pack(order + "I", end) + bytes(end - 8) + behind[8:])
        block[found.value : found.value + len(note)] = note
        entry = _find_note(bytes(block))
        if entry and len(HEADER) + len(block) <= most_bytes:
            struct.pack_into(order + "II", block, entry.place + 4, len(note), found.value)
            return HEADER + bytes(block)
    return _to_bytes(exif)


def _to_bytes(exif: Image.Exif, offset: int = TIFF_HEADER_BYTES) -> bytes:
    """Return the entries, whose directory is at this offset, with a header; empty if Pillow can't write them."""
    with tolerating():
        return exif.tobytes(offset)
    return b""


def select_credits(exif: Image.Exif) -> tuple[Image.Exif, list[str]]:
    """Return the credits, and a sentence if one is damaged."""
    selected, problems = Image.Exif(), []
    for tag in CREDITS:
        credit: Any = None
        with tolerating():
            credit = exif.get(tag, "")
        if not isinstance(credit, str):
            problems.append(f"{tag.name} in the EXIF is damaged and was left out")
        elif credit:
            selected[tag] = _keep_bytes(credit)
    return selected, problems


def correct(exif: Image.Exif, change: Change) -> tuple[Image.Exif, list[str]]:
    """Return all tags that are true of the output, and sentences about others that are left out.

    Resolutions are scaled, so that the printed size stays.
    """
    selected, is_whole = copy_exif(exif)
    problems = [] if is_whole else [f"tags of the EXIF, damaged or beyond the first {MOST_TAGS}, were left out"]
    for tag in STRUCTURE & set(selected):
        del selected[tag]
    details = selected.get(ExifTags.IFD.Exif, {})
    related = details.get(ExifTags.IFD.Interop, {})
    for entries, names in ((details, SIZE), (related, RELATED_SIZE)):
        for tag, side in zip(names, change.size, strict=True):
            if tag in entries:
                entries[tag] = side
    _scale_resolution(selected, RESOLUTION, change)
    _scale_resolution(details, FOCAL_PLANE, change)
    for tag in FALSE & set(details):
        del details[tag]
    if georeference := GEOREFERENCE & set(selected):
        moved = None if change.is_moved else _move_georeference(selected, change)
        for tag in georeference if moved is None else ():
            del selected[tag]
        for tag, values in (moved or {}).items():
            selected[tag] = values
        if moved is None:
            problems.append("the georeference was left out: the output is cropped or turned, or it is damaged")
    return selected, problems


def _scale_resolution(entries: Any, names: tuple[int, int], change: Change) -> None:
    """Scale two tags of pixels an inch or a centimetre; remove them if one isn't a number."""
    if not set(names) & set(entries):
        return
    scaled = change.scale_resolution(tuple(_to_number(entries.get(name)) for name in names))
    for name, value in zip(names, scaled or (None, None), strict=True):
        entries.pop(name, None)
        if value is not None:
            entries[name] = TiffImagePlugin.IFDRational(value)


def _to_number(value: object) -> float:
    number = float(value) if isinstance(value, Real) else math.nan
    return number if math.isfinite(number) else math.nan


def _move_georeference(exif: Image.Exif, change: Change) -> dict[int, tuple[float, ...]] | None:
    """Return the tags that locate pixels on a map, for the output's pixels; None if they are damaged."""
    across, down = change.scale
    keys = _read_numbers(exif, GEO_KEYS)
    # A key, its place, its count and its value are four numbers, after four of the header.
    raster = next((keys[place + 3] for place in range(4, len(keys) - 3, 4) if keys[place] == RASTER_TYPE), 1)
    shift = 0.5 if raster == PIXEL_IS_POINT else 0.0
    moved: dict[int, tuple[float, ...]] = {}
    if PIXEL_SCALE in exif:
        scale = _read_numbers(exif, PIXEL_SCALE)
        if len(scale) != 3:
            return None
        moved[PIXEL_SCALE] = (scale[0] / across, scale[1] / down, scale[2])
    if TIE_POINTS in exif:
        points = _read_numbers(exif, TIE_POINTS)
        if not points or len(points) % 6:
            return None
        factors = (across, down)
        moved[TIE_POINTS] = tuple(
            (value + shift) * factors[place % 6] - shift if place % 6 < 2 else value
            for place, value in enumerate(points)
        )
    if TRANSFORMATION in exif:
        matrix = _read_numbers(exif, TRANSFORMATION)
        if len(matrix) != 16:
            return None
        moved[TRANSFORMATION] = _move_matrix(matrix, (across, down), shift)
    return moved


def _move_matrix(matrix: tuple[float, ...], scale: tuple[float, float], shift: float) -> tuple[float, ...]:
    """Return the matrix, row by row, that takes the output's pixels where ``matrix`` takes the source's."""
    rows = []
    for row in range(4):
        first, second, third, last = matrix[4 * row : 4 * row + 4]
        across, down = first / scale[0], second / scale[1]
        rows += [across, down, third, last + shift * (across - first + down - second)]
    return tuple(rows)


def _read_numbers(exif: Image.Exif, tag: int) -> tuple[float, ...]:
    value: Any = exif.get(tag, ())
    values = value if isinstance(value, tuple) else (value,)
    return tuple(map(float, values)) if all(isinstance(number, Real) for number in values) else ()


def copy_exif(exif: Image.Exif) -> tuple[Image.Exif, bool]:
    """Copy the entries that Pillow can write, with every byte of their texts, and without the thumbnail's IFD.

    Returns:
        The copy, and whether Pillow can write all entries.

    """
    copy = Image.Exif()
    # Maker notes may depend on the byte order of the EXIF around them.
    copy.endian = exif.endian
    entries, is_whole = _copy_ifd(exif, exif)
    for tag, value in entries.items():
        copy[tag] = value
    return copy, is_whole


def _copy_ifd(exif: Image.Exif, entries: Mapping[int, Any], group: int | None = None) -> tuple[dict[int, Any], bool]:
    """Return the entries of an IFD that Pillow can write, and whether it can write all that don't describe pixels.

    Each is tried alone, so a damaged one spoils no other. Of more than ``MOST_TAGS``, those with the lowest numbers are
    tried.
    """
    written: dict[int, Any] = {}
    is_whole = len(entries) <= MOST_TAGS
    for tag in sorted(entries)[:MOST_TAGS]:
        is_part = tag in PARTS.get(group, ())
        if tag in TiffTags.TAGS_V2_GROUPS and not is_part:
            continue
        stored = None
        with tolerating():
            stored = exif.get_ifd(tag) if is_part else entries[tag]
        if stored is not None:
            value, is_value_whole = _copy_ifd(exif, stored, tag) if is_part else (_keep_bytes(stored), True)
            is_whole = is_whole and is_value_whole
            with tolerating():
                trial = TiffImagePlugin.ImageFileDirectory_v2(group=group)
                trial[tag] = value
                trial.tobytes()
                written[tag] = value
        is_whole = is_whole and (tag in written or tag in STRUCTURE)
    return written, is_whole


class _Text(str):
    """A text whose bytes Pillow all writes: it reads each byte as a character, but would write question marks.

    Bytes in its place would get the type of numbers if Pillow doesn't know the tag.
    """

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


def _keep_bytes(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) and not value.isascii() else value
