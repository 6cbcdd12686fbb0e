"""Writes a JPEG with a gain map behind it, so that readers of ISO 21496-1 and of Ultra HDR find it."""

import struct
from collections.abc import Callable
from dataclasses import replace

from errors import MalformedError
from imaging import gain_map
from imaging.formats import jpeg_segments
from imaging.formats.jpeg_pictures import MP_ENTRIES, MP_ENTRY, find
from imaging.formats.jpeg_segments import APP_1, APP_2, ISO, MPF, make_segment
from imaging.gain_map import XMP_VERSION, GainMap, Gains
from imaging.losses import Loss, Lost
from imaging.records import Job
from imaging.saving import save
from imaging.xmp import CONTAINER, EMPTY, GAIN_MAP, ITEM, RDF, Element, Name, Packet, Value, make_list, parse

APP_0, QUALITY = 0xE0, 85

PREFIXES = {GAIN_MAP: "hdrgm", CONTAINER: "Container", ITEM: "Item"}
"""libultrahdr knows the values by this prefix only."""

MP_VERSION, MP_COUNT, BASELINE = 0xB000, 0xB001, 0x030000
"""Tags of the directory of pictures, and the kind of the main picture (CIPA DC-007, 5.2.3)."""

SEGMENT_HEADER = 4
"""Bytes of a segment's marker and length."""

LONG, UNDEFINED = 4, 7
"""Field types (TIFF 6.0, section 2)."""


def encode(job: Job, gain_map: GainMap, most_xmp_bytes: int, encode_main: Callable[[Job], bytes]) -> bytes:
    """Write an output with its gain map.

    Args:
        job: The output.
        gain_map: Resized alike.
        most_xmp_bytes: The most XMP that the main picture holds.
        encode_main: Writes the main picture.

    Raises:
        RejectedError: UNFAITHFUL: the encoder fails.

    """
    options = {**_make_options(gain_map.gains), "icc_profile": gain_map.icc}
    # Its channels are no colours: halved chroma would mix the gains of neighbours.
    behind = save(job, [gain_map.image], {"quality": QUALITY, "subsampling": 0, "optimize": True, **options})
    xmp = _announce(job.kept.get("xmp"), gain_map.gains, len(behind))
    if len(xmp) > most_xmp_bytes:
        job.lost.append(Loss(Lost.XMP, "XMP was left out: it leaves no room for the gain map's directory"))
        xmp = _announce(None, gain_map.gains, len(behind))
    return _join(encode_main(replace(job, kept={**job.kept, "xmp": xmp})), behind)


def _make_options(gains: Gains) -> dict[str, bytes]:
    """Return the options of Pillow's encoder with which a map states its values."""
    options = {"extra": make_segment(APP_2, ISO + gain_map.write_iso(gains))}
    # Readers of XMP alone would apply gains of another colour space wrongly. Chromium writes no XMP for them either.
    if gains.has_base_colours:
        values: dict[Name, Value] = {
            (GAIN_MAP, name): texts[0] if len(texts) == 1 else make_list((GAIN_MAP, name), "Seq", texts)
            for name, texts in gain_map.write_xmp(gains).items()
        }
        options["xmp"] = Packet(values, PREFIXES).to_bytes()
    return options


def _announce(kept: bytes | None, gains: Gains, size: int) -> bytes:
    """Return the main picture's XMP: what is kept of the source's, and the directory with the map.

    Args:
        kept: A packet; None if nothing is kept.
        gains: The values of the map.
        size: The bytes of the map.

    """
    items = (
        {"Semantic": "Primary", "Mime": "image/jpeg"},
        {"Semantic": "GainMap", "Mime": "image/jpeg", "Length": str(size)},
    )
    children = [Element((RDF, "li"), {(RDF, "parseType"): "Resource"}, (_make_item(item),)) for item in items]
    properties: dict[Name, Value] = {
        (CONTAINER, "Directory"): Element((CONTAINER, "Directory"), {}, (Element((RDF, "Seq"), {}, children),))
    }
    if gains.has_base_colours:
        properties[GAIN_MAP, "Version"] = XMP_VERSION
    return Packet(properties, PREFIXES).merge(parse(kept) if kept else EMPTY).to_bytes()


def _join(main: bytes, behind: bytes) -> bytes:
    """Return the main picture with its gain map behind it, and with the segments that announce it."""
    # CIPA DC-007, 5.1: the directory is behind EXIF.
    segments = jpeg_segments.walk_all_segments(main)
    place = next(segment.start for segment in segments if segment.kind not in {APP_0, APP_1}) - SEGMENT_HEADER
    offsets_from = place + len(VERSION) + SEGMENT_HEADER + len(MPF)
    size = len(main) + len(VERSION) + len(_make_directory(0, 0, 0))
    directory = _make_directory(size, size - offsets_from, len(behind))
    return b"".join((main[:place], VERSION, directory, main[place:], behind))


def split(body: bytes) -> tuple[bytes, bytes]:
    """Return a main picture without its directory, which decoders would follow, and the gain map behind it.

    Raises:
        MalformedError: The file isn't exactly both, or the directory doesn't lead to the map.

    """
    header = jpeg_segments.read_header(jpeg_segments.walk_all_segments(body))
    found, end = find(body, header, b"").gain_map, jpeg_segments.find_end(body)
    directory = next((s for s in header if s.kind == APP_2 and body.startswith(MPF, s.start)), None)
    if directory is None or found is None or end is None or body[end:] != found.body:
        raise MalformedError("its gain map is not behind it")
    return body[: directory.start - SEGMENT_HEADER] + body[directory.end : end], found.body


def _make_item(values: dict[str, str]) -> Element:
    return Element((CONTAINER, "Item"), {(ITEM, name): text for name, text in values.items()}, ())


def _make_directory(main_size: int, place: int, size: int) -> bytes:
    """Return the segment with the directory of both pictures (CIPA DC-007, 5.2).

    Args:
        main_size: The bytes of the main picture.
        place: The offset of the map from the directory's header.
        size: The bytes of the map.

    """
    tags = (
        struct.pack(">HHI4s", MP_VERSION, UNDEFINED, 4, b"0100"),
        struct.pack(">HHII", MP_COUNT, LONG, 1, 2),
        struct.pack(">HHII", MP_ENTRIES, UNDEFINED, 2 * MP_ENTRY, 8 + 2 + 3 * 12 + 4),
    )
    pictures = struct.pack(">IIIHH", BASELINE, main_size, 0, 0, 0) + struct.pack(">IIIHH", 0, size, place, 0, 0)
    return make_segment(APP_2, MPF + b"MM\0*" + struct.pack(">IH", 8, len(tags)) + b"".join(tags) + bytes(4) + pictures)


VERSION = make_segment(APP_2, ISO + gain_map.VERSION)
"""The segment that announces values of ISO 21496-1."""
