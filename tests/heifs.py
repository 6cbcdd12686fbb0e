"""AVIFs and HEICs with more items and properties than their encoders write."""

import struct
from collections.abc import Iterator


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
        self._length = len(meta)
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

    def add_item(self, item: int, kind: bytes, *, is_hidden: bool = False) -> None:
        entry = box(b"infe", struct.pack(">IHH4sx", 2 << 24 | is_hidden, item, 0, kind))
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

    def describe(self, item: int, *properties: bytes) -> None:
        """Add properties of an item."""
        for added in properties:
            self._boxes += parse(added)
            self._described[item] = self._described.get(item, b"") + bytes([len(self._boxes)])

    def encode(self, *others: bytes) -> bytes:
        """Return the file, with boxes behind it."""
        head = self._properties[b"ipma"][:4]
        entries = (struct.pack(">HB", item, len(numbers)) + numbers for item, numbers in self._described.items())
        self._properties[b"ipma"] = head + struct.pack(">I", len(self._described)) + b"".join(entries)
        self._properties[b"ipco"] = b"".join(box(*one) for one in self._boxes)
        self._meta[b"iprp"] = b"".join(box(*one) for one in self._properties.items())
        meta = bytes(4) + b"".join(box(*one) for one in self._meta.items())
        self._meta[b"iloc"] = self._shift(len(meta) - self._length)
        self._length = len(meta)
        meta = bytes(4) + b"".join(box(*one) for one in self._meta.items())
        top = [(kind, meta if kind == b"meta" else content) for kind, content in self._top]
        return b"".join([*(box(*one) for one in top), *others])

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
