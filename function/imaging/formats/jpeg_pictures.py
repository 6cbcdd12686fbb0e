"""What a JPEG carries beside its main picture: a gain map, other pictures, a depth map, the video of a motion photo."""

import contextlib
import itertools
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from errors import MalformedError
from imaging import gain_map
from imaging.formats import apple_note, jpeg_segments
from imaging.formats.jpeg_segments import (
    APP_1,
    APP_2,
    FRAMES,
    ISO,
    MPF,
    XMP,
    Segment,
    has_video_trailer,
    is_announcing,
)
from imaging.formats.tiff_directories import SIGNATURES, Layout
from imaging.losses import Loss, Lost
from imaging.xmp import (
    APPLE_GAIN_MAP,
    APPLE_PIXELS,
    CAMERA,
    CONTAINER,
    DEPTH_MAP,
    EMPTY,
    GAIN_MAP,
    ITEM,
    Element,
    Packet,
    list_texts,
    parse,
)

START = b"\xff\xd8"

MP_ENTRIES, MP_ENTRY = 0xB002, struct.calcsize("IIIHH")
"""The tag of the pictures, and the bytes of each (CIPA DC-007, 5.2.3.3)."""

KIND_BITS, THUMBNAILS = 0xFFFFFF, frozenset({0x010001, 0x010002})
"""The bits of a picture's attribute that state its kind, and the kinds of thumbnails (CIPA DC-007, 5.2.3.3.1)."""

MOST_PICTURES, MOST_SEGMENTS = 16, 200
"""How many other pictures are looked at, and how many segments of each. Phones write up to 5, with about 10."""

APPLE_KIND, APPLE_GAIN_MAP_KIND = "AuxiliaryImageType", "urn:com:apple:photo:2020:aux:hdrgainmap"
APPLE_DEPTH_KINDS = ("depth", "disparity")
"""The property with the kind of a picture, the kind of gain maps, and parts of those of depth."""

VIDEO = b"ftyp"
"""The first box of MP4 and QuickTime videos (ISO/IEC 14496-12, 4.3)."""

SAME_SHAPE = 0.02
"""By how much the aspect ratio of a smaller copy may differ, since its sides are rounded."""

DAMAGED = "the gain map is damaged and was left out: {}"
SENTENCES = {
    Lost.AUXILIARY_IMAGES: "other pictures in the file were left out",
    Lost.DEPTH_MAP: "the depth map was left out",
    Lost.MOTION_VIDEO: "the video of the motion photo was left out",
}


class FoundMap(NamedTuple):
    """A gain map in the file.

    Attributes:
        body: The map, a JPEG of its own.
        gains: What its pixels stand for, once ``table`` has replaced them.
        table: The level for each stored level; None if pixels stay as they are.

    """

    body: bytes
    gains: gain_map.Gains
    table: Sequence[int] | None = None


class Found(NamedTuple):
    """All that is beside the main picture.

    Attributes:
        gain_map: None if there is none, or if it is damaged.
        problem: Why a gain map that is announced can't be kept; empty otherwise.
        losses: What no output keeps.

    """

    gain_map: FoundMap | None = None
    problem: str = ""
    losses: tuple[Loss, ...] = ()


class _Entry(NamedTuple):
    """An entry of the directory: the kind of a picture, the offsets of its first byte and after its last."""

    kind: int
    start: int
    end: int


class _Part(NamedTuple):
    """A JPEG, perhaps one within another: its bytes, its segments up to the first scan, and its XMP."""

    body: bytes
    header: Sequence[Segment]
    packet: Packet

    @classmethod
    def of(cls, body: bytes, header: Sequence[Segment]) -> "_Part":
        return cls(body, header, _read_packet(body, header))

    @classmethod
    def within(cls, body: bytes, start: int, end: int) -> "_Part":
        part = body[start:end]
        segments = itertools.islice(jpeg_segments.walk_all_segments(part), MOST_SEGMENTS)
        return cls.of(part, jpeg_segments.read_header(segments))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; 0 if they are not stated."""
        frame = next((segment for segment in self.header if segment.kind in FRAMES), None)
        data = self.body[frame.start + 1 : frame.start + 5] if frame else b""
        return int.from_bytes(data[2:], "big"), int.from_bytes(data[:2], "big")

    @property
    def iso(self) -> bytes | None:
        """The content of the segment of ISO 21496-1: a gain map's values, or in the main picture a version; or None."""
        found = _find_segments(self.body, self.header, APP_2, ISO)
        return next((self.body[segment.start + len(ISO) : segment.end] for segment in found), None)

    def read_texts(self, namespace: str, name: str) -> list[str]:
        """Return the text of a property in XMP, or the texts of its list; none without the property."""
        value = self.packet.properties.get((namespace, name), "")
        return [text.strip() for text in list_texts(value) if text.strip()]


def find(body: bytes, header: Sequence[Segment], exif: bytes) -> Found:
    """Find everything beside the main picture of a JPEG that announces more, in linear time.

    Args:
        body: The file.
        header: Its segments up to the first scan.
        exif: Its EXIF, from the header of its TIFF on.

    """
    main = _Part.of(body, header)
    entries = [entry for mpf in _find_segments(body, header, APP_2, MPF) for entry in _list_entries(body, mpf)]
    directory = main.packet.properties.get((CONTAINER, "Directory"))
    items = list(_list_items(directory)) if isinstance(directory, Element) else []
    lost = set(_list_lost(main, items))
    found, problem = None, ""
    parts = (_Part.within(body, entry.start, entry.end) for entry in entries[:MOST_PICTURES])
    for entry, part in zip(entries, parts, strict=False):
        try:
            one = _read_gain_map(part, main, exif)
        except MalformedError as error:
            problem = DAMAGED.format(error)
            continue
        found = found or one
        if one is None and entry.kind not in THUMBNAILS:
            lost |= _classify(part, main.size)
    is_announced = main.iso is not None or bool(main.read_texts(GAIN_MAP, "Version"))
    if (is_announced or any(item.get("Semantic") == "GainMap" for item in items)) and not found and not problem:
        found, problem = _find_behind(main, items, exif)
    return Found(
        found, "" if found else problem, tuple(Loss(what, why) for what, why in SENTENCES.items() if what in lost)
    )


def _find_segments(body: bytes, header: Sequence[Segment], kind: int, name: bytes) -> Iterator[Segment]:
    """Yield the segments of a kind whose content begins with a name."""
    return (segment for segment in header if segment.kind == kind and body.startswith(name, segment.start))


def _read_packet(body: bytes, header: Sequence[Segment]) -> Packet:
    """Return the properties of the first XMP; none if it announces nothing, or can't be read."""
    segment = next(_find_segments(body, header, APP_1, XMP), None)
    if segment and is_announcing(body, segment):
        with contextlib.suppress(MalformedError):
            return parse(body[segment.start + len(XMP) : segment.end])
    return EMPTY


def _list_items(element: Element) -> Iterator[Mapping[str, str]]:
    """Yield the properties of each item of a container's directory."""
    values = {name: text for (uri, name), text in element.attributes.items() if uri == ITEM}
    values |= {child.name[1]: child.text for child in element.children if child.name[0] == ITEM}
    if values:
        yield values
    for child in element.children:
        yield from _list_items(child)


def _list_entries(body: bytes, segment: Segment) -> list[_Entry]:
    """Return the pictures after the main one, in the order of the file; leave out what overlaps, or is no JPEG."""
    start = segment.start + len(MPF)
    data = body[start : segment.end]
    if not data.startswith(SIGNATURES):
        return []
    layout = Layout.of(data)
    stored = layout.find(data, layout.first(data), MP_ENTRIES)
    stored = stored[MP_ENTRY : len(stored) // MP_ENTRY * MP_ENTRY]
    found = (
        _Entry(attribute & KIND_BITS, start + place, start + place + size)
        for attribute, size, place, *_ in struct.iter_unpack(f"{layout.sign}IIIHH", stored)
    )
    entries: list[_Entry] = []
    for entry in sorted(found, key=lambda entry: entry.start):
        is_behind = not entries or entry.start >= entries[-1].end
        if is_behind and body.startswith(START, entry.start):
            entries.append(entry)
    return entries


def _list_lost(main: _Part, items: Sequence[Mapping[str, str]]) -> Iterator[Lost]:
    """Yield what the main picture announces and no output keeps."""
    kinds = {item.get("Semantic") for item in items}
    if "Depth" in kinds or any(uri == DEPTH_MAP for uri, _ in main.packet.properties):
        yield Lost.DEPTH_MAP
    names_video = any(main.read_texts(CAMERA, name) == ["1"] for name in ("MotionPhoto", "MicroVideo"))
    # Some programs remove the video, but not its announcement.
    if (has_video_trailer(main.body) or names_video or "MotionPhoto" in kinds) and VIDEO in main.body:
        yield Lost.MOTION_VIDEO


def _classify(part: _Part, main_size: tuple[int, int]) -> set[Lost]:
    """Return what is lost without a picture: nothing if it is a smaller copy of the main one."""
    kind = "".join(part.read_texts(APPLE_PIXELS, APPLE_KIND)).lower()
    if any(name in kind for name in APPLE_DEPTH_KINDS):
        return {Lost.DEPTH_MAP}
    (width, height), (main_width, main_height) = part.size, main_size
    has_same_shape = abs(width * main_height - height * main_width) <= SAME_SHAPE * width * main_height
    is_copy = not kind and has_same_shape and width < main_width
    return set() if is_copy else {Lost.AUXILIARY_IMAGES}


def _read_gain_map(part: _Part, main: _Part, exif: bytes) -> FoundMap | None:
    """Return the picture as a gain map; None if it doesn't say that it is one.

    Raises:
        MalformedError: It does, but its values are missing or invalid.

    """
    if part.iso:
        return FoundMap(part.body, gain_map.read_iso(part.iso))
    if part.read_texts(GAIN_MAP, "Version"):
        values = {name: part.read_texts(uri, name) for uri, name in part.packet.properties if uri == GAIN_MAP}
        return FoundMap(part.body, gain_map.read_xmp(values))
    if part.read_texts(APPLE_PIXELS, APPLE_KIND) != [APPLE_GAIN_MAP_KIND]:
        return None
    headroom = _read_headroom(part) or _read_headroom(main) or apple_note.read_headroom(exif)
    if headroom is None:
        raise MalformedError("its headroom is unknown")
    return FoundMap(part.body, gain_map.make_apple_gains(headroom), gain_map.make_apple_table(headroom))


def _read_headroom(part: _Part) -> float | None:
    """Return the headroom that Apple states in XMP."""
    texts = part.read_texts(APPLE_GAIN_MAP, "HDRGainMapHeadroom")
    try:
        return float(texts[0]) if texts else None
    except ValueError:
        return None


def _find_behind(main: _Part, items: Sequence[Mapping[str, str]], exif: bytes) -> tuple[FoundMap | None, str]:
    """Look for the gain map where the container's directory places it, or right behind the main picture.

    Returns:
        The map, or None and why it can't be kept.

    """
    end = jpeg_segments.find_end(main.body)
    kinds = [item.get("Semantic") for item in items]
    before = kinds.index("GainMap") if "GainMap" in kinds else 0
    place = sum(_read_number(item, "Padding") + _read_number(item, "Length") for item in items[:before])
    part = _Part.within(main.body, (end or len(main.body)) + place, len(main.body))
    if not part.body.startswith(START):
        return None, "the gain map is announced, but missing"
    try:
        return _read_gain_map(part, main, exif), "the gain map is announced, but has no values"
    except MalformedError as error:
        return None, DAMAGED.format(error)


def _read_number(item: Mapping[str, str], name: str) -> int:
    """Return a number of an item of the directory; 0 if it is missing or invalid."""
    text = item.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,10}", text) else 0
