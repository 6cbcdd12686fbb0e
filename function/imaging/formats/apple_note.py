"""Apple's maker note in EXIF: the headroom of a photo's gain map."""

import struct

from imaging.formats.tiff_directories import SIGNATURES, Layout

EXIF_DIRECTORY, MAKER_NOTE = 34665, 37500
"""Tags (Exif 2.32, 4.6.3 and 4.6.5)."""

SIGNATURE, BYTE_ORDER, DIRECTORY = b"Apple iOS\0", 12, 14
"""How the note begins, and the offsets of its byte order and its directory. Offsets count from its beginning."""

HEADROOM, GAIN = 33, 48
"""Tags of the note."""


def read_headroom(exif: bytes) -> float | None:
    """Return the brightest white of the HDR rendition over the white of standard range; None if it is unknown.

    The numbers are Apple's: developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos

    Args:
        exif: EXIF from the header of its TIFF on.

    """
    if not exif.startswith(SIGNATURES):
        return None
    layout = Layout.of(exif)
    details = layout.number(layout.find(exif, layout.first(exif), EXIF_DIRECTORY))
    note = layout.find(exif, details, MAKER_NOTE)
    if not note.startswith(SIGNATURE):
        return None
    inner = Layout("little" if note.startswith(b"II", BYTE_ORDER) else "big", is_big=False)
    headroom, gain = (_read_rational(note, inner, tag) for tag in (HEADROOM, GAIN))
    if headroom is None:
        return None
    # Many photos lack the gain. Chromium reads it as 0, too.
    gain = max(0.0, gain or 0.0)
    if headroom < 1:
        stops = 1.8 - 20 * gain if gain <= 0.01 else 1.601 - 0.101 * gain
    else:
        stops = 3.0 - 70 * gain if gain <= 0.01 else 2.303 - 0.303 * gain
    return float(2 ** max(stops, 0.0))


def _read_rational(note: bytes, layout: Layout, tag: int) -> float | None:
    data = layout.find(note, DIRECTORY, tag)
    over, under = struct.unpack(f"{layout.sign}ii", data) if len(data) == struct.calcsize("ii") else (0, 0)
    return over / under if under else None
