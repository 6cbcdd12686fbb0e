"""Reads, corrects and writes Photoshop's resources; one resource holds IPTC."""

import struct
from collections.abc import Mapping

from imaging.change import Change

SIGNATURE, HEADER = b"8BIM", b"Photoshop 3.0\0"
"""How a resource begins, and how a segment of a JPEG with resources begins (Adobe Photoshop File Formats Specification,
Image Resource Blocks)."""

IIM, DIGEST, RESOLUTION = 0x0404, 0x0425, 0x03ED
"""Numbers of resources: IPTC, its MD5, and pixels an inch."""

RIGHTS = frozenset({0x040A, 0x040B})
"""Resources that say whether the image is copyrighted, and the URL of its owner."""

PATHS = range(2000, 3000)
"""The numbers of resources of paths, and of the clipping path's name. Points are fractions of the image's sides."""

RESOLUTION_INFO = struct.Struct(">I4sI4s")
"""Pixels an inch across, in 16.16 fixed point; units; and the same down."""

MOST_RESOLUTION = (1 << 32) - 1

MAX_RESOURCES = 10_000


def read(data: bytes) -> tuple[dict[int, bytes], bool]:
    """Return the resources by number, up to the first that is damaged, and whether none is.

    The first of each number counts.
    """
    found: dict[int, bytes] = {}
    position = 0
    for _ in range(MAX_RESOURCES):
        if not data.startswith(SIGNATURE, position) or position + 7 > len(data):
            break
        number = int.from_bytes(data[position + 4 : position + 6], "big")
        # A name of Pascal's kind, padded to an even length.
        start = position + 6 + (data[position + 6] + 2) // 2 * 2 + 4
        end = start + int.from_bytes(data[start - 4 : start], "big")
        if not start <= end <= len(data):
            break
        found.setdefault(number, data[start:end])
        # Some writers don't pad the last one of a segment.
        position = end if data.startswith(SIGNATURE, end) else end + (end - start) % 2
    return found, not data[position:].strip(b"\0")


def correct(resources: Mapping[int, bytes], change: Change, *, has_whole_iim: bool) -> dict[int, bytes]:
    """Return the resources that are true of the output, except IPTC.

    The others hold thumbnails, layers, guides and slices in pixels, and the state of the editor.

    Args:
        resources: The source's.
        change: How the output shows it.
        has_whole_iim: Whether the output has the source's IPTC byte for byte.

    """
    kept = {number: data for number, data in resources.items() if number in RIGHTS}
    if has_whole_iim and DIGEST in resources:
        kept[DIGEST] = resources[DIGEST]
    if not change.is_moved:
        kept |= {number: data for number, data in resources.items() if number in PATHS}
    if len(stored := resources.get(RESOLUTION, b"")) == RESOLUTION_INFO.size:
        across, units, down, other_units = RESOLUTION_INFO.unpack(stored)
        scaled = change.scale_resolution((across, down))
        if scaled and max(scaled) <= MOST_RESOLUTION:
            kept[RESOLUTION] = RESOLUTION_INFO.pack(round(scaled[0]), units, round(scaled[1]), other_units)
    return kept


def write(resources: Mapping[int, bytes]) -> bytes:
    """Return the resources, without names."""
    return b"".join(
        SIGNATURE + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
        for number, data in resources.items()
    )
