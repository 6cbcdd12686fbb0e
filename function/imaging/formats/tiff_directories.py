"""The directories (IFDs) of a TIFF, and of EXIF, which has the same structure, read without decoding a pixel."""

import functools
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL import Image

from errors import MalformedError, Reason, RejectedError

EXIF_HEADER_BYTES = 6 + 8
"""Bytes before the first directory of EXIF as Pillow writes it: a name, and a TIFF's header."""

COMPRESSION, STRIPS, ROWS_IN_STRIP, STRIP_LENGTHS = 259, 273, 278, 279
SUBFILE_TYPE, BITS, PHOTOMETRIC, PLANAR, PREDICTOR, COLOUR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT = (
    254,
    258,
    262,
    284,
    317,
    320,
    338,
    339,
)
"""Tags (TIFF 6.0, sections 8, 14, 18 and 19)."""

CONTENT_CREDENTIALS = 52545
"""The tag that holds a C2PA manifest store (C2PA 2.1, appendix A)."""

SUB_IFDS = 330
"""A tag (TIFF technical note 1)."""

COEFFICIENTS, UNDEFINED = 529, 528
"""The tag of YCbCr coefficients (TIFF 6.0, section 21), and an undefined tag."""

THUMBNAIL_OR_MASK = 1 | 4
"""Bits of ``SUBFILE_TYPE``: the page is a smaller copy of another page, or its transparency mask."""

MIN_IS_WHITE = 0
"""A value of ``PHOTOMETRIC``."""

RAW_PHOTOMETRICS = frozenset({32803, 34892})
"""Values of ``PHOTOMETRIC`` for raw data of a sensor: CFA and LinearRaw (Digital Negative Specification 1.7)."""

CR2 = b"\x10\0\0\0CR\2\0"
"""How Canon's raw files continue after the signature."""

NAMES: dict[int, tuple[str, dict[int, str]]] = {
    PHOTOMETRIC: (
        "photometric interpretation",
        {0: "min-is-white", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab"},
    ),
    BITS: ("bits", {}),
    SAMPLE_FORMAT: ("sample format", {1: "unsigned", 2: "signed", 3: "float"}),
    EXTRA_SAMPLES: ("extra samples", {0: "unspecified", 1: "premultiplied alpha", 2: "alpha"}),
    PLANAR: ("planes", {1: "together", 2: "separate"}),
    COMPRESSION: (
        "compression",
        {1: "none", 5: "LZW", 6: "old JPEG", 7: "JPEG", 8: "deflate", 34712: "JPEG 2000", 50001: "WebP"},
    ),
}
"""The tags that describe a page that can't be read, and the names of their usual values."""

MAX_VALUES, MAX_DESCRIBED = 8, 3
"""The most values of a tag, and the most kinds of pages, in a description."""

VALUE_BYTES = 4
"""Bytes of an entry that hold its values, or their offset if they are longer (TIFF 6.0, section 2)."""

SHORT, LONG = 3, 4
"""Field types of numbers (TIFF 6.0, section 2)."""

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0")
"""How a TIFF begins."""

BIG = b"II+\0"
"""How a BigTIFF begins, whose offsets have eight bytes."""

TILE_WIDTH, TILE_HEIGHT = 322, 323
"""Tags (TIFF 6.0, section 15)."""

KIND_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each field type."""

PARTS: tuple[frozenset[int], ...] = (frozenset({34665, 34853, SUB_IFDS}), frozenset({40965}), frozenset())
"""Tags that point to directories, by depth: EXIF, GPS and SubIFDs, where raw files keep the sensor's data; and in EXIF
the interoperability directory (Exif 2.32, 4.6.3)."""

MAX_PAGES = 2000
"""The most pages. Pillow compares each page with all before it when it counts, reads and writes them."""

MAX_TAGS = 100 * MAX_PAGES
"""The most tags of all pages, whose directories may overlap. Few pages have more than 40."""

ENTRY_NANOSECONDS, TAG_NANOSECONDS, NUMBER_NANOSECONDS = 15_000, 2, 400
"""Pillow takes this long to read each tag, each byte of strings, and each byte of numbers."""

PLAIN = frozenset({1, 2, 7})
"""The field types whose values Pillow keeps as one string: bytes, text and undefined."""


class Page(NamedTuple):
    """The directory of one page.

    Attributes:
        tile_width: Width of its tiles in pixels; 0 without tiles.
        tile_height: Height of its tiles in pixels; 0 without tiles.
        plain_bytes: Bytes of values outside of the directory that stay strings. This and the following include the
            directories that this one points to.
        number_bytes: Bytes of values outside of the directory that become numbers.
        tags: How many entries there are.
        values: The first values of the tags in ``NAMES``.
        is_raw: Whether it belongs to a camera's raw file.
        has_content_credentials: Whether the directory has a C2PA manifest store.

    """

    tile_width: int
    tile_height: int
    plain_bytes: int
    number_bytes: int
    tags: int
    values: Mapping[int, tuple[int, ...]]
    is_raw: bool
    has_content_credentials: bool

    @property
    def is_picture(self) -> bool:
        """Whether it describes more than a manifest store, which has a directory of its own behind several pages."""
        return not self.has_content_credentials or self.tags > 1

    @property
    def nanoseconds(self) -> float:
        """The time that Pillow takes to read the tags."""
        return (
            ENTRY_NANOSECONDS * self.tags + TAG_NANOSECONDS * self.plain_bytes + NUMBER_NANOSECONDS * self.number_bytes
        )


Entry = tuple[int, int, int, bytes]
"""An entry of a directory: tag, field type, number of values, and the values or their offset."""


@dataclass(frozen=True)
class Layout:
    """How directories are stored: byte order, and whether offsets have four or eight bytes."""

    order: Literal["little", "big"]
    is_big: bool

    @classmethod
    def of(cls, body: bytes) -> "Layout":
        return cls("little" if body.startswith(b"II") else "big", body.startswith(BIG))

    @property
    def sign(self) -> str:
        """The byte order in the notation of ``struct``."""
        return "<" if self.order == "little" else ">"

    @property
    def count_bytes(self) -> int:
        """Bytes of the number of entries."""
        return 8 if self.is_big else 2

    @functools.cached_property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.sign + ("HHQ8s" if self.is_big else "HHL4s"))

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, self.order)

    def first(self, body: bytes) -> int:
        """Return the offset of the first directory."""
        return self.number(body[8:16] if self.is_big else body[4:8])

    def values(self, body: bytes, entry: "Entry") -> tuple[int, ...]:
        """Return the first values of an entry of whole numbers; none for other field types."""
        _, kind, count, value = entry
        code = {1: "B", SHORT: "H", LONG: "L", 13: "L", 16: "Q", 18: "Q"}.get(kind)
        if code is None:
            return ()
        if KIND_BYTES[kind] * count > len(value):
            place = self.number(value)
            value = body[place : place + KIND_BYTES[kind] * min(count, MAX_VALUES)]
        count = min(count, MAX_VALUES, len(value) // KIND_BYTES[kind])
        return struct.unpack_from(f"{self.sign}{count}{code}", value)

    def directory(self, body: bytes, place: int) -> tuple[list[Entry], int] | None:
        """Return the entries of a directory, at most ``MAX_TAGS`` and one more, and the offset of the next directory.

        Return None if the file ends before ``place``. If a directory is cut off, Pillow reads its whole entries.
        """
        place_bytes = 8 if self.is_big else 4
        start = place + self.count_bytes
        if start > len(body):
            return None
        end = start + self.entry.size * self.number(body[place:start])
        last = min(end, len(body) - (len(body) - start) % self.entry.size)
        entries = itertools.islice(self.entry.iter_unpack(memoryview(body)[start:last]), MAX_TAGS + 1)
        is_cut_off = end + place_bytes > len(body)
        return list(entries), 0 if is_cut_off else self.number(body[end : end + place_bytes])

    def find(self, body: bytes, place: int, tag: int) -> bytes:
        """Return the bytes of a tag's values in the directory at this offset, as far as the file has them."""
        entries, _ = self.directory(body, place) or ((), 0)
        for found, kind, count, value in entries:
            if found == tag:
                size, start = KIND_BYTES.get(kind, 0) * count, self.number(value)
                return value[:size] if size <= len(value) else body[start : start + size]
        return b""


def walk_pages(body: bytes) -> Iterator[Page]:
    """Yield each page of ``body``, which begins with a signature, until directories end, leave the file or repeat."""
    layout = Layout.of(body)
    seen = {0}
    place = layout.first(body)
    while place not in seen:
        seen.add(place)
        directory = layout.directory(body, place)
        if directory is None:
            return
        entries, place = directory
        yield _read_page(body, layout, entries)


def read_pages(sources: Iterable[bytes]) -> Iterator[Page]:
    """Yield each page of several TIFFs or EXIF blocks; skip anything else.

    Raises:
        RejectedError: TOO_LARGE: all together have more than ``MAX_PAGES`` or ``MAX_TAGS``.

    """
    tags = 0
    found = itertools.chain.from_iterable(walk_pages(one) for one in sources if one.startswith(SIGNATURES))
    for count, page in enumerate(found, 1):
        tags += page.tags
        if count > MAX_PAGES or tags > MAX_TAGS:
            raise RejectedError(
                Reason.TOO_LARGE, f"the file has more than {MAX_PAGES} pages or {MAX_TAGS} tags: split it"
            )
        yield page


def tag_nanoseconds(sources: Iterable[bytes]) -> float:
    """Return the time that Pillow takes to read the tags of EXIF blocks.

    Raises:
        RejectedError: TOO_LARGE: all together have more than ``MAX_PAGES`` or ``MAX_TAGS``.

    """
    return sum(page.nanoseconds for page in read_pages(sources))


def remove_coefficients(body: bytes) -> bytes | None:
    """Return the TIFF without the YCbCr coefficients of its first page; None if it has none.

    libtiff refuses pixels because of wrong coefficients, such as 1/0. Without any it uses the usual ones.
    """
    layout = Layout.of(body)
    place = layout.first(body)
    entries, _ = layout.directory(body, place) or ((), 0)
    for number, (tag, *_) in enumerate(entries):
        if tag == COEFFICIENTS:
            start = place + layout.count_bytes + number * layout.entry.size
            return body[:start] + UNDEFINED.to_bytes(2, layout.order) + body[start + 2 :]
    return None


def _read_page(body: bytes, layout: Layout, entries: Sequence[Entry], depth: int = 0) -> Page:
    """Describe these entries and the directories that they point to; ignore values that are larger than the file."""
    sides = {TILE_WIDTH: 0, TILE_HEIGHT: 0}
    sizes = {True: 0, False: 0}
    values: dict[int, tuple[int, ...]] = {}
    tags = len(entries)
    is_raw = has_content_credentials = False
    for entry in entries:
        tag, kind, count, value = entry
        if tag in sides:
            # Readers disagree about entries that contradict each other.
            sides[tag] = max(sides[tag], layout.number(value[:2] if kind == SHORT else value))
        size = KIND_BYTES.get(kind, 0) * count
        if len(value) < size <= len(body):
            sizes[kind in PLAIN] += size
        has_content_credentials |= tag == CONTENT_CREDENTIALS
        if tag in NAMES:
            values[tag] = layout.values(body, entry)
            is_raw = is_raw or (tag == PHOTOMETRIC and not RAW_PHOTOMETRICS.isdisjoint(values[tag]))
        if tag not in PARTS[depth]:
            continue
        for place in layout.values(body, entry) if tag == SUB_IFDS else (layout.number(value),):
            if tags > MAX_TAGS:
                break
            entries_in_it, _ = layout.directory(body, place) or ((), 0)
            part = _read_page(body, layout, entries_in_it, depth + 1)
            sizes = {True: sizes[True] + part.plain_bytes, False: sizes[False] + part.number_bytes}
            # A directory without entries takes time as well.
            tags, is_raw = tags + 1 + part.tags, is_raw or part.is_raw
    return Page(
        sides[TILE_WIDTH], sides[TILE_HEIGHT], sizes[True], sizes[False], tags, values, is_raw, has_content_credentials
    )


def is_raw(body: bytes, found: Sequence[Page]) -> bool:
    """Tell whether these pages of ``body`` belong to a camera's raw file, with a small picture beside the raw data."""
    return body.startswith(CR2, 4) or any(page.is_raw for page in found)


def describe_pages(body: bytes) -> str:
    """Describe the kinds of pages of ``body``, which begins with a signature."""
    kinds = {
        ", ".join(
            f"{name} {'/'.join(str(names.get(value, value)) for value in sorted(set(page.values[tag])))}"
            for tag, (name, names) in NAMES.items()
            if page.values.get(tag)
        )
        for page in walk_pages(body)
    }
    return "; ".join(sorted(kinds - {""})[:MAX_DESCRIBED]) or "no tags that describe its pixels"


def add_tags(body: bytes, tags: Image.Exif) -> bytes:
    """Return the TIFF with more tags in its first directory, which moves to the end (TIFF 6.0, section 2).

    libtiff, which compresses, writes no nested directories, and refuses an image because of one doubtful value.
    """
    body += bytes(len(body) % 2)
    first = _read_first(body)
    own = _read_entries(body, first)
    following = body[first + 2 + 12 * len(own) :][:4]
    values = tags.tobytes(len(body))[EXIF_HEADER_BYTES:]
    entries = sorted((_read_entries(values, 0) | own).items())
    directory = struct.pack("<H", len(entries)) + b"".join(entry for _, entry in entries) + following
    return body[:4] + struct.pack("<I", len(body + values)) + body[8:] + values + directory


def check_whole(body: bytes) -> None:
    """Refuse a TIFF of Pillow's with a directory, a value or a strip that is cut off.

    Raises:
        MalformedError: It is not whole.

    """
    seen, place = {0}, _read_first(body)
    if place in seen or not body.startswith(SIGNATURES[0]):
        raise MalformedError("it has no page")
    while place not in seen:
        seen.add(place)
        entries = _read_entries(body, place)
        for tag, entry in entries.items():
            _, kind, count, value = struct.unpack("<HHII", entry)
            size = KIND_BYTES.get(kind, 0) * count
            if size > VALUE_BYTES and value + size > len(body):
                raise MalformedError(f"the values of tag {tag} are cut off")
        places, lengths = _read_numbers(body, entries, STRIPS), _read_numbers(body, entries, STRIP_LENGTHS)
        if len(places) != len(lengths) or not _read_number(entries, ROWS_IN_STRIP):
            raise MalformedError("its strips contradict each other")
        if any(start + length > len(body) for start, length in zip(places, lengths, strict=True)):
            raise MalformedError("a strip is cut off")
        place = int.from_bytes(body[place + 2 + 12 * len(entries) :][:4], "little")


def _read_first(body: bytes) -> int:
    """Return the offset of the first directory."""
    return int.from_bytes(body[4:8], "little")


def _read_entries(data: bytes, place: int) -> dict[int, bytes]:
    """Return the entries of the directory at this offset, by tag, in order."""
    start = place + 2
    end = start + 12 * int.from_bytes(data[place:start], "little")
    if not start < end <= len(data):
        raise MalformedError("a directory is cut off")
    entries = (data[entry : entry + 12] for entry in range(start, end, 12))
    return {int.from_bytes(entry[:2], "little"): entry for entry in entries}


def _read_number(entries: dict[int, bytes], tag: int) -> int:
    """Return the number of an entry that has one."""
    entry = _find_entry(entries, tag)
    return int.from_bytes(entry[8:10] if entry[2] == SHORT else entry[8:12], "little")


def _read_numbers(body: bytes, entries: dict[int, bytes], tag: int) -> list[int]:
    """Return the numbers of an entry, which are elsewhere in the file if there are several."""
    entry = _find_entry(entries, tag)
    count = int.from_bytes(entry[4:8], "little")
    if count == 1:
        return [_read_number(entries, tag)]
    layout = struct.Struct(f"<{count}{'H' if entry[2] == SHORT else 'I'}")
    place = int.from_bytes(entry[8:12], "little")
    if place + layout.size > len(body):
        raise MalformedError(f"the numbers of tag {tag} are cut off")
    return list(layout.unpack_from(body, place))


def _find_entry(entries: dict[int, bytes], tag: int) -> bytes:
    if tag not in entries:
        raise MalformedError(f"it has no tag {tag}")
    return entries[tag]
