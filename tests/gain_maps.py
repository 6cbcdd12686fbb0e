"""JPEGs with a gain map and other pictures, built byte by byte, as phones write them."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image

from tests.images import encode, picture, segment

ISO_NAME, XMP_NAME = b"urn:iso:std:iso:ts:21496:-1\0", b"http://ns.adobe.com/xap/1.0/\0"

NAMESPACES = {
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "apdi": "http://ns.apple.com/pixeldatainfo/1.0/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
}

STOPS = 2.5
"""The gain of the brightest pixels, which is also the headroom."""

ULTRA_HDR = f'hdrgm:Version="1.0" hdrgm:GainMapMin="0" hdrgm:GainMapMax="{STOPS}" hdrgm:HDRCapacityMax="{STOPS}"'
"""The properties of a map in XMP; the others have their defaults."""

APPLE = (
    "<apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap</apdi:AuxiliaryImageType>"
    "<HDRGainMap:HDRGainMapVersion>65536</HDRGainMap:HDRGainMapVersion>"
)

ISO = (
    bytes(4)
    + b"\x40"
    + b"".join(struct.pack(">iI", round(value * 64), 64) for value in (0, STOPS, 0, STOPS, 1, 1 / 64, 1 / 64))
)
"""The values of a map in ISO 21496-1: one channel in the base's colour space."""


class Other(NamedTuple):
    """A picture behind the main one, and its kind in the directory."""

    body: bytes
    kind: int = 0


def xmp(attributes: str, elements: str = "") -> bytes:
    """Return a segment with XMP."""
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    body = f'<rdf:Description rdf:about="" {spaces} {attributes}>{elements}</rdf:Description>'
    return segment(
        0xE1, XMP_NAME + f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {rdf}>{body}</rdf:RDF></x:xmpmeta>'.encode()
    )


def directory(items: Sequence[Mapping[str, Any]]) -> str:
    """Return the container's directory as an element of XMP."""
    listed = "".join(
        '<rdf:li rdf:parseType="Resource"><Container:Item '
        + " ".join(f'Item:{name}="{value}"' for name, value in item.items())
        + "/></rdf:li>"
        for item in items
    )
    return f"<Container:Directory><rdf:Seq>{listed}</rdf:Seq></Container:Directory>"


def add(body: bytes, *segments: bytes) -> bytes:
    """Return the JPEG with more segments at its beginning."""
    return body[:2] + b"".join(segments) + body[2:]


def combine(main: bytes, others: Sequence[Other], order: str = ">") -> bytes:
    """Return the main picture with the others behind it, and with their directory (CIPA DC-007)."""
    empty = _make_mpf(order, [(0, 0, 0)] * (len(others) + 1))
    total = len(main) + len(empty)
    # The directory is the first segment; offsets count from its header, after marker, length and name.
    places, kinds = [total - 10], [0x030000, *(other.kind for other in others)]
    for other in others:
        places.append(places[-1] + len(other.body))
    sizes = [total, *(len(other.body) for other in others)]
    rows = list(zip(kinds, sizes, [0, *places], strict=False))
    return b"".join((add(main, _make_mpf(order, rows)), *(other.body for other in others)))


def _make_mpf(order: str, rows: Sequence[tuple[int, int, int]]) -> bytes:
    head = b"MM\0*" if order == ">" else b"II*\0"
    tags = struct.pack(
        f"{order}IHHHI4sHHIIHHIII",
        8,
        3,
        0xB000,
        7,
        4,
        b"0100",
        0xB001,
        4,
        1,
        len(rows),
        0xB002,
        7,
        16 * len(rows),
        50,
        0,
    )
    entries = b"".join(struct.pack(f"{order}IIIHH", kind, size, place, 0, 0) for kind, size, place in rows)
    return segment(0xE2, b"MPF\0" + head + tags + entries)


def iso_jpeg(base: bytes, gain_map: bytes, values: bytes = ISO) -> bytes:
    """Return a JPEG with a gain map of ISO 21496-1."""
    behind = add(gain_map, segment(0xE2, ISO_NAME + values))
    return combine(add(base, segment(0xE2, ISO_NAME + bytes(4))), [Other(behind)])


def ultra_hdr_jpeg(base: bytes, gain_map: bytes, values: str = ULTRA_HDR, elements: str = "") -> bytes:
    """Return a JPEG with a gain map of Ultra HDR."""
    behind = add(gain_map, xmp(values, elements))
    items: list[dict[str, Any]] = [
        {"Semantic": "Primary", "Mime": "image/jpeg"},
        {"Semantic": "GainMap", "Mime": "image/jpeg", "Length": len(behind)},
    ]
    return combine(add(base, xmp('hdrgm:Version="1.0"', directory(items))), [Other(behind)])


def apple_jpeg(base: bytes, gain_map: bytes, headroom: str = "4.0") -> bytes:
    """Return a JPEG with a gain map of Apple's, whose headroom is in XMP."""
    stated = f"<HDRGainMap:HDRGainMapHeadroom>{headroom}</HDRGainMap:HDRGainMapHeadroom>" if headroom else ""
    return combine(base, [Other(add(gain_map, xmp("", APPLE + stated)))])


def hdr_pictures(
    width: int = 320, height: int = 240, scale: int = 4, mode: str = "L", **options: Any
) -> tuple[bytes, bytes]:
    """Return a picture, and a map of the same content, whose sides are divided by ``scale``."""
    small = picture(width, height).resize((width // scale, height // scale), Image.Resampling.BOX).convert(mode)
    return encode(picture(width, height), quality=90, **options), encode(small, quality=95, subsampling=0)
