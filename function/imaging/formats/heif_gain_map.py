"""The gain map of an AVIF or HEIC: its values, and a file whose main picture it is."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from errors import MalformedError
from imaging.formats import apple_note
from imaging.formats.avif_boxes import Bits, limit_parts, read_items
from imaging.formats.heif_items import HIDDEN, SEQUENCE, TONE_MAP, Items
from imaging.gain_map import Gains, make_apple_gains, make_apple_table, read_iso
from imaging.losses import Lost
from imaging.records import GainMapHeader, Header
from imaging.xmp import APPLE_GAIN_MAP, list_texts, parse

APPLE_HEADROOM = (APPLE_GAIN_MAP, "HDRGainMapHeadroom")
"""The property of Apple's XMP, which describes the gain map."""

XMP, MARK = b"mime", APPLE_HEADROOM[0].encode()
"""The type of items with XMP, and what the one that is parsed contains."""

VERSION = b"\0"
"""What stands before the values of ISO 21496-1 in a tone-mapped item (ISO/IEC 23008-12, amendment 1)."""

NO_REFERENCE = b"skip"
"""Replaces the kind of a reference, which decoders then ignore."""


def with_gain_map(header: Header, items: Items, exif: Sequence[bytes]) -> Header:
    """Add the gain map to the header of a file, or why it can't be kept.

    Args:
        header: Of the file.
        items: The file's.
        exif: The items that may be EXIF.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``, or items overlap.

    """
    data = header.source
    try:
        found = _find(data, items, exif)
        if found is None:
            return header
        item, gains, table = found
        shown = _replace_main_picture(data, items, item)
    except MalformedError as error:
        return replace(header, gain_map_problem=f"the gain map was left out: {error}")
    opened = replace(header, source=shown, readable=shown)
    opening_bytes = header.opening_bytes + len(data)
    return replace(header, gain_map=GainMapHeader(opened, gains, table), opening_bytes=opening_bytes)


def _find(data: bytes, items: Items, exif: Sequence[bytes]) -> tuple[int, Gains, list[int] | None] | None:
    """Return the item of the gain map, its values, and the table of its pixels; None if there is none."""
    if (tone_map := items.find_tone_map()) is not None:
        values = next((content for item, content in _read_items(data, items) if item == tone_map[0]), b"")
        if not values.startswith(VERSION):
            raise MalformedError("its values are missing, or of a later version")
        gains = read_iso(values[len(VERSION) :])
        if not gains.has_base_colours:
            raise MalformedError("it applies in another colour space than its image's")
        if data[8:12] == SEQUENCE:
            raise MalformedError("it belongs to a still beside the animation")
        return tone_map[1], gains, None
    for item in items.find_auxiliary(data, Lost.GAIN_MAP):
        headroom = _read_xmp_headroom(data, items) or next(filter(None, map(apple_note.read_headroom, exif)), None)
        if headroom is None:
            raise MalformedError("its headroom is unknown")
        return item, make_apple_gains(headroom), make_apple_table(headroom)
    return None


def _read_items(data: bytes, items: Items) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the data of each item that is no picture."""
    if items.located is not None:
        bits = Bits(memoryview(data)[items.located.start : items.located.end])
        for item, content in read_items(data, bits, items.item_data, limit_parts()):
            if items.kinds.get(item) in {TONE_MAP, XMP}:
                yield item, bytes(content)


def _read_xmp_headroom(data: bytes, items: Items) -> float | None:
    """Return the headroom that Apple states in XMP."""
    packets = (content for item, content in _read_items(data, items) if items.kinds[item] == XMP)
    packet = next((one for one in packets if MARK in one), b"")
    texts = list(list_texts(parse(packet).properties.get(APPLE_HEADROOM, ""))) if packet else []
    with contextlib.suppress(ValueError):
        return float(texts[0]) if texts else None
    return None


def _replace_main_picture(data: bytes, items: Items, item: int) -> bytes:
    """Return the file with another main picture, which is neither hidden nor auxiliary any more."""
    shown, place = bytearray(data), items.main_place
    if item >> 8 * len(place):
        raise MalformedError("its number has more bits than that of the main picture")
    shown[place.start : place.stop] = item.to_bytes(len(place), "big")
    if item in items.flags_at:
        shown[items.flags_at[item]] &= ~HIDDEN
    if item in items.auxiliary_at:
        start = items.auxiliary_at[item]
        shown[start : start + len(NO_REFERENCE)] = NO_REFERENCE
    return bytes(shown)
