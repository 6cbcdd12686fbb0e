"""A TIFF's structure, read without decoding a pixel: its first directory, and its first rows as a TIFF of their own."""

import struct

from PIL import Image

EXIF_HEADER = 6 + 8
"""Bytes before the first directory of EXIF: its name, and a TIFF's header."""

WIDTH, HEIGHT, COMPRESSION, STRIPS, ROWS_IN_STRIP, STRIP_LENGTHS = 256, 257, 259, 273, 278, 279
"""Tags (TIFF 6.0, section 8)."""

UNCOMPRESSED = 1

SHORT, LONG = 3, 4
"""Kinds of numbers (TIFF 6.0, section 2)."""


def tagged(body: bytes, tags: Image.Exif) -> bytes:
    """The TIFF with more tags in its first directory, which is written anew at the end (TIFF 6.0, section 2).

    libtiff, which compresses, writes no directories in directories, and refuses an image for one value that it doubts.
    """
    body += bytes(len(body) % 2)
    first = _first(body)
    own = _entries(body, first)
    following = body[first + 2 + 12 * len(own) :][:4]
    values = tags.tobytes(len(body))[EXIF_HEADER:]
    entries = sorted((_entries(values, 0) | own).items())
    directory = struct.pack("<H", len(entries)) + b"".join(entry for _, entry in entries) + following
    return body[:4] + struct.pack("<I", len(body + values)) + body[8:] + values + directory


def size(body: bytes) -> tuple[int, int]:
    """Width and height of the first page, in pixels."""
    entries = _entries(body, _first(body))
    return _value(entries[WIDTH]), _value(entries[HEIGHT])


def first_rows(body: bytes, most: int) -> tuple[bytes, int]:
    """The TIFF, as Pillow writes one page, but only about ``most`` pixels high, and how many exactly; else all of it.

    Raises:
        ValueError: A strip is not all there.

    """
    first = _first(body)
    entries = _entries(body, first)
    height, rows = (_value(entries[tag]) for tag in (HEIGHT, ROWS_IN_STRIP))
    lengths = _values(body, entries[STRIP_LENGTHS])
    for place, length in zip(_values(body, entries[STRIPS]), lengths, strict=True):
        if place + length > len(body):
            raise ValueError("a strip is cut off")
    if len(lengths) == 1 and _value(entries[COMPRESSION]) != UNCOMPRESSED:
        return body, height
    # The place of a single strip of many would stand in the directory itself.
    count = 1 if len(lengths) == 1 else max(2, -(-most // rows))
    lower_height = most if len(lengths) == 1 else count * rows
    if lower_height >= height:
        return body, height
    lower = bytearray(body)
    for place, tag in enumerate(entries):
        entry = first + 2 + 12 * place
        if tag == HEIGHT:
            struct.pack_into("<HII", lower, entry + 2, LONG, 1, lower_height)
        elif tag in {STRIPS, STRIP_LENGTHS}:
            struct.pack_into("<I", lower, entry + 4, count)
    return bytes(lower), lower_height


def _first(body: bytes) -> int:
    """Where the first directory is."""
    return int.from_bytes(body[4:8], "little")


def _entries(data: bytes, place: int) -> dict[int, bytes]:
    """The entries of the directory at this place, by tag, in order."""
    (count,) = struct.unpack_from("<H", data, place)
    entries = (data[start : start + 12] for start in range(place + 2, place + 2 + 12 * count, 12))
    return {int.from_bytes(entry[:2], "little"): entry for entry in entries}


def _value(entry: bytes) -> int:
    """The number in an entry that has one."""
    return int.from_bytes(entry[8:10] if entry[2] == SHORT else entry[8:12], "little")


def _values(body: bytes, entry: bytes) -> list[int]:
    """The numbers in an entry that may have many, which then stand elsewhere."""
    count = int.from_bytes(entry[4:8], "little")
    if count == 1:
        return [_value(entry)]
    kind = "H" if entry[2] == SHORT else "I"
    return list(struct.unpack_from(f"<{count}{kind}", body, int.from_bytes(entry[8:12], "little")))
