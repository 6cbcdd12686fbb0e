"""A colour profile of given primaries, which Pillow cannot make: photo editors export in wider ones than sRGB."""

import struct

D50 = (0.9642, 1.0, 0.8249)
"""The white of every profile's own colours (ICC.1:2001-04, 6.1.6)."""

Colour = tuple[float, float, float]

PRO_PHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
PRO_PHOTO_GAMMA = 1.8
"""Red, green and blue of ProPhoto RGB, seen in D50 (ISO 22028-2, annex A)."""


def pro_photo() -> bytes:
    """The profile of ProPhoto RGB, as the bytes that an image holds."""
    # A curve of one number is a gamma, with 8 bits behind the point.
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * PRO_PHOTO_GAMMA)) + bytes(2)
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = [(b"wtpt", _xyz(D50)), *zip(names, map(_xyz, PRO_PHOTO), strict=True)]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    place = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += struct.pack(">4sII", name, place + len(body), len(content))
        body += content
    header = struct.pack(
        ">I4sI4s4s4s12s4s", place + len(body), b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp"
    )
    return (header + bytes(28) + _xyz(D50)[8:]).ljust(128, b"\0") + table + body


def _xyz(colour: Colour) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(part * 65536) for part in colour))
