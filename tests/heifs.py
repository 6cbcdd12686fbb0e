"""AVIFs and HEICs with more items and properties than their encoders write."""

import struct
from collections.abc import Iterator

ESSENTIAL = 128
"""The mark of a property without which an item must not be shown."""


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def parse(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and content of each box."""
    while data:
        size, kind = struct.unpack_from(">I4s", data)
        size = size or len(data)
        yield kind, data[8:size]
        data = data[size:]


def nclx(primaries: int, transfer: int, matrix: int = 6, *, is_full: bool = True) -> bytes:
    return box(b"colr", b"nclx" + struct.pack(">3HB", primaries, transfer, matrix, is_full << 7))


def profile(icc: bytes) -> bytes:
    return box(b"colr", b"prof" + icc)


def auxiliary(name: bytes) -> bytes:
    return box(b"auxC", bytes(4) + name + b"\0")


class Heif:
    """A file of one picture that libavif or libheif wrote, to which items and properties are added."""

    def __init__(self, body: bytes) -> None:
        self._top = list(parse(body))
        meta = dict(self._top)[b"meta"]
        self._meta = dict(parse(meta[4:]))
        self._properties = dict(parse(self._meta[b"iprp"]))
        self._boxes = list(parse(self._properties[b"ipco"]))
        self._described = self._parse_associations(self._properties[b"ipma"])
        self._length, self._data = len(meta), b""
        self._added: dict[int, tuple[int, int]] = {}
        self._body = body
        self.main = int.from_bytes(self._meta[b"pitm"][4:], "big")

    @staticmethod
    def _parse_associations(content: bytes) -> dict[int, bytes]:
        """Return the numbers of each item's properties, a byte each."""
        described, place = {}, 8
        while place < len(content):
            item, count = struct.unpack_from(">HB", content, place)
            described[item] = content[place + 3 : place + 3 + count]
            place += 3 + count
        return described

    def read_main(self) -> tuple[bytes, bytes, list[tuple[bytes, int]]]:
        """Return the kind, the data, and the properties with their marks of the main picture, which has one extent."""
        for kind, entry in parse(self._meta[b"iinf"][6:]):
            if kind == b"infe" and int.from_bytes(entry[4:6], "big") == self.main:
                coded = entry[8:12]
        base_size, place = self._meta[b"iloc"][5] >> 4, 8
        while int.from_bytes(self._meta[b"iloc"][place : place + 2], "big") != self.main:
            place += 14 + base_size
        numbers = self._meta[b"iloc"][place + 4 : place + 14 + base_size]
        base = int.from_bytes(numbers[:base_size], "big")
        offset, length = struct.unpack(">II", numbers[base_size + 2 :])
        properties = [
            (box(*self._boxes[(number & 127) - 1]), number & ESSENTIAL) for number in self._described[self.main]
        ]
        return coded, self._body[base + offset : base + offset + length], properties

    def add_picture(self, item: int, other: bytes, *, is_hidden: bool = False) -> None:
        """Add the main picture of another file, without its colour."""
        kind, data, properties = Heif(other).read_main()
        self.add_item(item, kind, is_hidden=is_hidden)
        self.add_data(item, data)
        for added, mark in properties:
            if added[4:8] != b"colr":
                self.describe(item, added, mark=mark)

    def add_data(self, item: int, data: bytes) -> None:
        """Add the data of an item."""
        self._added[item] = (len(self._data), len(data))
        self._data += data

    def add_item(self, item: int, kind: bytes, *, is_hidden: bool = False) -> None:
        media_type = b"application/rdf+xml\0" if kind == b"mime" else b""
        entry = box(b"infe", struct.pack(">IHH4sx", 2 << 24 | is_hidden, item, 0, kind) + media_type)
        head, count = struct.unpack(">IH", self._meta[b"iinf"][:6])
        self._meta[b"iinf"] = struct.pack(">IH", head, count + 1) + self._meta[b"iinf"][6:] + entry

    def refer(self, kind: bytes, item: int, *to: int) -> None:
        references = self._meta.get(b"iref", bytes(4))
        self._meta[b"iref"] = references + box(kind, struct.pack(f">HH{len(to)}H", item, len(to), *to))

    def remove(self, kind: bytes) -> None:
        """Remove the properties of a kind from all items; the file still has them."""
        of_kind = {number for number, (one, _) in enumerate(self._boxes, 1) if one == kind}
        for item, numbers in self._described.items():
            self._described[item] = bytes(number for number in numbers if number & 127 not in of_kind)

    def describe(self, item: int, *properties: bytes, mark: int = 0) -> None:
        """Add properties of an item."""
        for added in properties:
            self._boxes += parse(added)
            self._described[item] = self._described.get(item, b"") + bytes([len(self._boxes) | mark])

    def encode(self, *others: bytes) -> bytes:
        """Return the file, with boxes behind it."""
        head = self._properties[b"ipma"][:4]
        entries = (struct.pack(">HB", item, len(numbers)) + numbers for item, numbers in self._described.items())
        self._properties[b"ipma"] = head + struct.pack(">I", len(self._described)) + b"".join(entries)
        self._properties[b"ipco"] = b"".join(box(*one) for one in self._boxes)
        self._meta[b"iprp"] = b"".join(box(*one) for one in self._properties.items())
        base_size = self._meta[b"iloc"][5] >> 4
        located = self._meta[b"iloc"]
        self._meta[b"iloc"] = located + bytes(len(self._added) * (14 + base_size))
        meta = bytes(4) + b"".join(box(*one) for one in self._meta.items())
        self._meta[b"iloc"] = located
        start = sum(8 + len(meta if kind == b"meta" else content) for kind, content in self._top) + 8
        self._meta[b"iloc"] = self._locate(self._shift(len(meta) - self._length), start)
        meta = bytes(4) + b"".join(box(*one) for one in self._meta.items())
        top = [(kind, meta if kind == b"meta" else content) for kind, content in self._top]
        added = [box(b"mdat", self._data)] if self._data else []
        return b"".join([*(box(*one) for one in top), *added, *others])

    def _locate(self, located: bytes, start: int) -> bytes:
        """Add the locations of the added data, which begins at ``start``."""
        base = bytes(located[5] >> 4)
        count = int.from_bytes(located[6:8], "big") + len(self._added)
        for item, (offset, length) in self._added.items():
            located += struct.pack(">HH", item, 0) + base + struct.pack(">HII", 1, start + offset, length)
        return located[:6] + struct.pack(">H", count) + located[8:]

    def _shift(self, by: int) -> bytes:
        """Return the locations of the items, for data that is further back."""
        located = bytearray(self._meta[b"iloc"])
        base_size, place = located[5] >> 4, 8
        assert (located[0], located[4], base_size in {0, 4}) == (0, 0x44, True)
        for _ in range(int.from_bytes(located[6:8], "big")):
            extents = int.from_bytes(located[place + base_size + 4 : place + base_size + 6], "big")
            places = [place + 4] if base_size else [place + 6 + 8 * extent for extent in range(extents)]
            for start in places:
                offset = int.from_bytes(located[start : start + 4], "big") + by
                located[start : start + 4] = offset.to_bytes(4, "big")
            place += 6 + base_size + 8 * extents
        return bytes(located)


MAP_ITEM, VALUES_ITEM, XMP_ITEM = 90, 91, 92
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/" HDRGainMap:HDRGainMapHeadroom="{}"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def add_iso_map(base: bytes, gain_map: bytes, values: bytes) -> Heif:
    """Return a file with a tone-mapped item of ISO 21496-1."""
    made = Heif(base)
    made.add_picture(MAP_ITEM, gain_map, is_hidden=True)
    made.add_item(VALUES_ITEM, b"tmap")
    made.add_data(VALUES_ITEM, values)
    made.refer(b"dimg", VALUES_ITEM, made.main, MAP_ITEM)
    return made


def add_apple_map(base: bytes, gain_map: bytes, headroom: str) -> Heif:
    """Return a file with Apple's auxiliary picture, and its headroom in XMP."""
    made = Heif(base)
    made.add_picture(MAP_ITEM, gain_map, is_hidden=True)
    made.describe(MAP_ITEM, auxiliary(b"urn:com:apple:photo:2020:aux:hdrgainmap"))
    made.refer(b"auxl", MAP_ITEM, made.main)
    if headroom:
        made.add_item(XMP_ITEM, b"mime")
        made.add_data(XMP_ITEM, XMP.format(headroom).encode())
    return made
