"""The items of an AVIF or HEIC: the colour and depth of the main picture, and what else the file shows."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from errors import MalformedError
from imaging.colour_space import SRGB, ColourSpace, describe_unknown, read_codes
from imaging.formats.avif_boxes import Bits, Box, PartLimit, limit_parts, walk_boxes
from imaging.losses import Loss, Lost

PICTURES = frozenset({b"av01", b"hvc1", b"grid", b"iovl", b"iden"})
"""The types of items that are pictures: coded as AV1 or HEVC, or derived from others."""

TONE_MAP, HIDDEN = b"tmap", 1
"""The type of an item with the values of a gain map (ISO/IEC 23008-12, amendment 1), and the flag of a hidden item."""

ALPHA = frozenset({b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"})
KINDS = {
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth": Lost.DEPTH_MAP,
    b"urn:mpeg:hevc:2015:auxid:2": Lost.DEPTH_MAP,
    b"urn:com:apple:photo:2020:aux:hdrgainmap": Lost.GAIN_MAP,
}
"""What an auxiliary picture is, by its name: MPEG's (ISO/IEC 23091-2; ISO/IEC 23008-12, 6.5.8), HEVC's and Apple's."""

NAME_AT, MOST_BYTES = 4, 100
"""Where the name begins in its box, and how much of a property is read: thousands of items can have one long one."""

WHY = {
    Lost.DEPTH_MAP: "the depth map was left out",
    Lost.AUXILIARY_IMAGES: "auxiliary or further pictures of the file were left out",
    Lost.MOTION_VIDEO: "the video of the motion photo was left out",
    Lost.FRAMES: "the image sequence beside the still was left out",
}

LIKE_SRGB = frozenset({1, 6, 14, 15})
"""TransferCharacteristics of BT.709, BT.601 and BT.2020. Of AVIFs and HEICs, browsers show them with sRGB's curve."""

UNSPECIFIED, BT709_PRIMARIES, SRGB_TRANSFER = 2, 1, 13
"""Codes of ITU-T H.273. Without a statement, a picture is sRGB (ISO/IEC 23000-22, 7.3.6.4)."""

VERSION_1 = 1 << 24
"""The least version and flags of a box, as one number, with which its fields have 32 bits in place of 16."""

SEQUENCE = b"avis"
"""The major brand of an AVIF whose frames are in a track."""

SAMPLE_ENTRY = ((b"moov", 0), (b"trak", 0), (b"mdia", 0), (b"minf", 0), (b"stbl", 0), (b"stsd", 8), (b"av01", 78))
"""The boxes around the properties of a track, and the bytes in each before its first box."""


class MainPicture(NamedTuple):
    """What the boxes state.

    Attributes:
        colour: Its colour space by numbers; None if it has a profile.
        depth: Bits a channel; 8 if they are not stated.
        losses: What no output keeps of the file, and a colour space that is unknown.
        items: The items of the file.

    """

    colour: ColourSpace | None
    depth: int
    losses: tuple[Loss, ...]
    items: "Items"


class Items:
    """The entries of a ``meta`` box (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, 9.3).

    Attributes:
        main: The number of the main picture.
        main_place: The offsets of the bytes of this number.
        kinds: The kind of each item.
        flags_at: The offset of the last byte of each item's flags; the lowest bit of this byte hides the item.
        pictures: The pictures that aren't hidden.
        references: The items that refer to others, and these, by the kind of reference.
        auxiliary_at: The offset of the kind of each auxiliary picture's reference.
        properties: The boxes of each item's properties.
        located: The box with the location of each item's data, and where the content of ``idat`` begins.

    """

    def __init__(self) -> None:
        """Make it without entries."""
        self.main, self.main_place = 0, range(0)
        self.kinds: dict[int, bytes] = {}
        self.flags_at: dict[int, int] = {}
        self.pictures: set[int] = set()
        self.references: defaultdict[bytes, list[tuple[int, list[int]]]] = defaultdict(list)
        self.auxiliary_at: dict[int, int] = {}
        self.properties: defaultdict[int, list[Box]] = defaultdict(list)
        self.located: Box | None = None
        self.item_data = 0

    def list_properties(self) -> list[Box]:
        """Return the main picture's properties; those of a kind that it lacks are the ones of its first tile."""
        own = self.properties.get(self.main, [])
        tiles = [tile for made, of in self.references[b"dimg"] if made == self.main for tile in of]
        inherited, kinds = self.properties.get(tiles[0], []) if tiles else [], {box.kind for box in own}
        return own + [box for box in inherited if box.kind not in kinds]

    def list_others(self) -> set[int]:
        """Return the pictures that are shown beside the main one, and are no part of another."""
        parts = {part for _, of in self.references[b"dimg"] for part in of}
        attached = {item for kind in (b"thmb", b"auxl") for item, _ in self.references[kind]}
        return self.pictures - parts - attached - {self.main}

    def find_tone_map(self) -> tuple[int, int] | None:
        """Return the item with the values of the main picture's gain map, and the map (ISO 21496-1); None if none."""
        for item, of in self.references[b"dimg"]:
            if self.kinds.get(item) == TONE_MAP and len(of) == 2 and of[0] == self.main:
                return item, of[1]
        return None

    def find_auxiliary(self, data: bytes, what: Lost) -> list[int]:
        """Return the auxiliary pictures of a kind."""
        return [item for item in self.list_auxiliary() if self.classify(data, item) == what]

    def list_auxiliary(self) -> list[int]:
        """Return the auxiliary pictures, each once."""
        return list(dict.fromkeys(item for item, _ in self.references[b"auxl"]))

    def classify(self, data: bytes, item: int) -> Lost | None:
        """Return what an auxiliary picture is; None for alpha."""
        boxes = [box for box in self.properties.get(item, ()) if box.kind == b"auxC"]
        name = _begin(data, boxes[0])[NAME_AT:].split(b"\0")[0] if boxes else b""
        return None if name in ALPHA else KINDS.get(name, Lost.AUXILIARY_IMAGES)


def read_main_picture(data: bytes) -> MainPicture:
    """Read what the boxes of an AVIF or HEIC state.

    Raises:
        RejectedError: TOO_LARGE: it has more than ``part_limit.MAX_PARTS`` boxes, items, references and properties.

    """
    limit = limit_parts()
    items, top = Items(), list(walk_boxes(data, 0, len(data), limit))
    for box in top:
        if box.kind == b"meta":
            _read_meta(data, box, items, limit)
    is_sequence = data[8:12] == SEQUENCE
    properties = _find_track_properties(data, top, limit) if is_sequence else items.list_properties()
    lost = Counter(_classify(data, items))
    kinds = {box.kind for box in top}
    lost[Lost.MOTION_VIDEO] = b"mpvd" in kinds
    lost[Lost.FRAMES] = b"moov" in kinds and not is_sequence
    colour, unknown = _read_colour(data, properties)
    losses = [Loss(what, why) for what, why in WHY.items() if lost[what]]
    if unknown:
        losses.append(Loss(Lost.PROFILE, unknown))
    return MainPicture(colour, _read_depth(data, properties), tuple(losses), items)


def _classify(data: bytes, items: Items) -> Iterator[Lost]:
    """Yield what each picture beside the main one is."""
    for item in items.list_auxiliary():
        what = items.classify(data, item)
        if what:
            yield what
    for _ in items.list_others():
        yield Lost.AUXILIARY_IMAGES


def _read_colour(data: bytes, properties: Iterable[Box]) -> tuple[ColourSpace | None, str]:
    """Return the colour space by numbers, None if a profile counts; and a sentence about one that is unknown."""
    contents = [_begin(data, box) for box in properties if box.kind == b"colr"]
    if any(content[:4] in {b"prof", b"rICC"} for content in contents):
        # A profile counts more than numbers (ISO/IEC 23000-22, 7.3.6.4).
        return None, ""
    codes = next((content[4:8] for content in contents if content[:4] == b"nclx" and len(content) >= 8), b"")
    primaries, transfer = int.from_bytes(codes[:2], "big"), int.from_bytes(codes[2:], "big")
    if primaries in {0, UNSPECIFIED}:
        primaries = BT709_PRIMARIES
    if transfer in {0, UNSPECIFIED, *LIKE_SRGB}:
        transfer = SRGB_TRANSFER
    colour = read_codes(primaries, transfer, _read_peak(data, properties))
    return colour or SRGB, "" if colour else describe_unknown(primaries, transfer)


def _read_peak(data: bytes, properties: Iterable[Box]) -> float:
    """Return the brightest light of an HDR picture in cd/m2 (ISO/IEC 14496-12, 12.1.6); 0 if it is not stated."""
    found = {box.kind: _begin(data, box) for box in properties}
    content, mastering = found.get(b"clli", b"")[:2], found.get(b"mdcv", b"")[16:20]
    return int.from_bytes(content, "big") or int.from_bytes(mastering, "big") / 10_000


def _read_depth(data: bytes, properties: Iterable[Box]) -> int:
    for box in properties:
        content = _begin(data, box)
        if box.kind == b"pixi" and len(content) > 5:
            return content[5]
        if box.kind == b"av1C" and len(content) > 2 and content[2] & 0x40:
            return 12 if content[2] & 0x20 else 10
        if box.kind == b"hvcC" and len(content) > 17:
            return 8 + (content[17] & 7)
    return 8


def _begin(data: bytes, box: Box) -> bytes:
    return data[box.start : min(box.end, box.start + MOST_BYTES)]


def _find_track_properties(data: bytes, top: Sequence[Box], limit: PartLimit) -> list[Box]:
    """Return the boxes in the descriptions of the frames of all tracks: one of alpha has no colour."""
    found: list[Box] = list(top)
    for kind, skipped in SAMPLE_ENTRY:
        inner = (walk_boxes(data, box.start + skipped, box.end, limit) for box in found if box.kind == kind)
        found = [box for boxes in inner for box in boxes]
    return found


def _read_meta(data: bytes, meta: Box, items: Items, limit: PartLimit) -> None:
    """Read the entries; those behind a box that is cut off are missing."""
    for box in walk_boxes(data, meta.start + 4, meta.end, limit):
        bits = Bits(memoryview(data)[box.start : box.end])
        with contextlib.suppress(MalformedError):
            if box.kind == b"pitm":
                width = 16 if bits.read(32) < VERSION_1 else 32
                items.main, items.main_place = bits.read(width), range(box.start + 4, box.start + 4 + width // 8)
            elif box.kind == b"iinf":
                start = box.start + (6 if bits.read(32) < VERSION_1 else 8)
                for entry in walk_boxes(data, start, box.end, limit):
                    _read_entry(Bits(memoryview(data)[entry.start : entry.end]), entry.start + 3, items)
            elif box.kind == b"iref":
                width = 16 if bits.read(32) < VERSION_1 else 32
                for entry in walk_boxes(data, box.start + 4, box.end, limit):
                    _read_reference(data, entry, width, items, limit)
            elif box.kind == b"iprp":
                _read_properties(data, list(walk_boxes(data, box.start, box.end, limit)), items, limit)
            elif box.kind == b"iloc":
                items.located = box
            elif box.kind == b"idat":
                items.item_data = box.start


def _read_entry(bits: Bits, flags_at: int, items: Items) -> None:
    """Read an ``infe`` box, version 2 or 3."""
    flags = bits.read(32)
    item = bits.read(16 if flags >> 24 == 2 else 32)
    bits.read(16)
    kind = bits.read(32).to_bytes(4, "big")
    items.kinds[item], items.flags_at[item] = kind, flags_at
    is_hidden = flags & HIDDEN
    if kind in PICTURES and not is_hidden:
        items.pictures.add(item)


def _read_reference(data: bytes, box: Box, width: int, items: Items, limit: PartLimit) -> None:
    bits = Bits(memoryview(data)[box.start : box.end])
    item, count = bits.read(width), bits.read(16)
    targets = [bits.read(width) for _, _ in zip(range(count), limit, strict=False)]
    items.references[box.kind].append((item, targets))
    if box.kind == b"auxl":
        items.auxiliary_at[item] = box.start - len(box.kind)


def _read_properties(data: bytes, within: Sequence[Box], items: Items, limit: PartLimit) -> None:
    """Read which properties (``ipco``) each item has (``ipma``)."""
    containers = [box for box in within if box.kind == b"ipco"]
    properties = list(walk_boxes(data, containers[0].start, containers[0].end, limit)) if containers else []
    for box in within:
        if box.kind != b"ipma":
            continue
        bits = Bits(memoryview(data)[box.start : box.end])
        flags = bits.read(32)
        for _, _ in zip(range(bits.read(32)), limit, strict=False):
            item = bits.read(16 if flags < VERSION_1 else 32)
            for _, _ in zip(range(bits.read(8)), limit, strict=False):
                bits.read(1)
                index = bits.read(15 if flags & 1 else 7)
                if 0 < index <= len(properties):
                    items.properties[item].append(properties[index - 1])
