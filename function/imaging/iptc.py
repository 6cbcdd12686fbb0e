"""IPTC's Information Interchange Model (IIM): reads, selects and writes its data sets, and translates them to XMP."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from imaging import xmp

MAX_DATA_SETS = 10_000

MARKER = 0x1C
"""The first byte of a data set (IPTC-NAA Information Interchange Model 4.2, 1.5)."""

EXTENDED = 0x8000
"""The bit of a data set's length that says that the other bits are the length of the length."""

CHARSET = (1, 90)
"""The data set of the coded character set."""

UTF_8, LATIN_1 = (b"\x1b%G", b"\x1b%/G", b"\x1b%/H", b"\x1b%/I"), (b"\x1b.A", b"\x1b-A")
"""Its values for UTF-8 and for Latin-1 (ISO 2022)."""

VERSIONS = frozenset({CHARSET, (1, 0), (2, 0)})
"""Data sets that describe the data: character set and versions of the records."""

PREVIEWS = frozenset({(2, 200), (2, 201), (2, 202)})
"""Format, version and data of a preview."""


class DataSet(NamedTuple):
    """A property of IIM: the numbers of its record and of the data set in the record, and its value."""

    number: tuple[int, int]
    value: bytes


CREDITS = frozenset({(2, 80), (2, 85), (2, 110), (2, 115), (2, 116)})
"""By-line and its title, credit, source and copyright notice."""

XMP_NAMES: Mapping[tuple[int, int], tuple[xmp.Name, str]] = {
    (2, 5): ((xmp.DC, "title"), "Alt"),
    (2, 10): ((xmp.PHOTOSHOP, "Urgency"), ""),
    (2, 15): ((xmp.PHOTOSHOP, "Category"), ""),
    (2, 20): ((xmp.PHOTOSHOP, "SupplementalCategories"), "Bag"),
    (2, 25): ((xmp.DC, "subject"), "Bag"),
    (2, 40): ((xmp.PHOTOSHOP, "Instructions"), ""),
    (2, 80): ((xmp.DC, "creator"), "Seq"),
    (2, 85): ((xmp.PHOTOSHOP, "AuthorsPosition"), ""),
    (2, 90): ((xmp.PHOTOSHOP, "City"), ""),
    (2, 92): ((xmp.IPTC_CORE, "Location"), ""),
    (2, 95): ((xmp.PHOTOSHOP, "State"), ""),
    (2, 100): ((xmp.IPTC_CORE, "CountryCode"), ""),
    (2, 101): ((xmp.PHOTOSHOP, "Country"), ""),
    (2, 103): ((xmp.PHOTOSHOP, "TransmissionReference"), ""),
    (2, 105): ((xmp.PHOTOSHOP, "Headline"), ""),
    (2, 110): ((xmp.PHOTOSHOP, "Credit"), ""),
    (2, 115): ((xmp.PHOTOSHOP, "Source"), ""),
    (2, 116): ((xmp.DC, "rights"), "Alt"),
    (2, 120): ((xmp.DC, "description"), "Alt"),
    (2, 122): ((xmp.PHOTOSHOP, "CaptionWriter"), ""),
}
"""The property of XMP for a data set, and its kind of list (IPTC Photo Metadata Standard, IPTC Core, "IIM mapping")."""


def read(data: bytes) -> tuple[list[DataSet], bool]:
    """Return the data sets, up to the first that is damaged, and whether none is."""
    found: list[DataSet] = []
    position = 0
    for _ in range(MAX_DATA_SETS):
        if position + 5 > len(data) or data[position] != MARKER:
            break
        length, start = int.from_bytes(data[position + 3 : position + 5], "big"), position + 5
        if length & EXTENDED:
            # The specification allows more bytes, but a number of four already exceeds every file.
            width = min(length & ~EXTENDED, 4)
            length, start = int.from_bytes(data[start : start + width], "big"), start + width
        if start + length > len(data):
            break
        found.append(DataSet((data[position + 1], data[position + 2]), data[start : start + length]))
        position = start + length
    return found, not data[position:].strip(b"\0")


def write(data_sets: Iterable[DataSet]) -> bytes:
    """Return the data sets as IIM."""
    written = []
    for (record, number), value in data_sets:
        size = struct.pack(">H", len(value)) if len(value) < EXTENDED else struct.pack(">HI", EXTENDED | 4, len(value))
        written.append(bytes([MARKER, record, number]) + size + value)
    return b"".join(written)


def select(data_sets: Sequence[DataSet], *, is_all: bool) -> list[DataSet]:
    """Return the credits, or all data sets that stay true of a smaller image, with the character set that they need.

    Records from 3 on describe pixels and hold previews.
    """
    kept = [
        data_set
        for data_set in data_sets
        if data_set.number in CREDITS or (is_all and data_set.number[0] <= 2 and data_set.number not in PREVIEWS)
    ]
    if is_all or not kept:
        return kept if any(data_set.number not in VERSIONS for data_set in kept) else []
    return [data_set for data_set in data_sets if data_set.number == CHARSET][:1] + kept


def to_xmp(data_sets: Sequence[DataSet]) -> tuple[dict[xmp.Name, xmp.Value], bool]:
    """Return the properties of XMP for these data sets, and whether there is more that XMP has no property for.

    Texts without a character set are UTF-8, which many writers don't state, or else Latin-1. Those in other sets than
    these two can't be read.
    """
    charset = next((value for number, value in data_sets if number == CHARSET), b"")
    texts: dict[tuple[int, int], list[str]] = {}
    is_whole = True
    for number, value in data_sets:
        if number in XMP_NAMES:
            text = value.decode("latin-1") if charset in LATIN_1 else xmp.decode_text(value)
            texts.setdefault(number, []).append(text.strip("\0"))
            is_whole = is_whole and (value.isascii() or charset in {b"", *UTF_8, *LATIN_1})
        else:
            is_whole = is_whole and number in VERSIONS
    properties: dict[xmp.Name, xmp.Value] = {}
    for number, values in texts.items():
        name, kind = XMP_NAMES[number]
        is_whole = is_whole and (len(values) == 1 or kind in {"Bag", "Seq"})
        properties[name] = xmp.make_list(name, kind, values[:1] if kind == "Alt" else values) if kind else values[0]
    return properties, not is_whole
