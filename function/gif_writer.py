"""Writes a GIF: of each frame what differs from the frame before.

Pillow codes the pixels. The blocks around them are written here: Pillow writes a second header where a frame is empty,
and has one palette and one disposal for all frames.
"""

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import GifImagePlugin, Image, ImageChops

from gif import EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER
from pillow import encoding

KEEP, CLEAR = 1, 2
"""What is done with a frame before the next one is shown (GIF89a specification, section 23)."""

MILLISECONDS = 10
"""The unit of a frame's time."""

HAS_TABLE = 0x80
"""That a colour table follows (sections 18 and 20)."""


@dataclass(frozen=True)
class Painted:
    """A frame in a palette.

    Attributes:
        image: Its pixels are entries of the palette.
        colours: Red, green and blue of up to 256 entries.
        transparent: The entry that is no colour; None where there is none.

    """

    image: Image.Image
    colours: bytes
    transparent: int | None

    @property
    def shown(self) -> Image.Image:
        """What a viewer sees, in RGBA; what is transparent has no colour."""
        entries = [self.colours[start : start + 3] + b"\xff" for start in range(0, len(self.colours), 3)]
        if self.transparent is not None:
            entries[self.transparent] = bytes(4)
        coloured = self.image.copy()
        coloured.putpalette(b"".join(entries), "RGBA")
        return coloured.convert("RGBA")


def write(frames: Sequence[Painted], milliseconds: Sequence[int], plays: int | None) -> bytes:
    """Write frames of one size, the first one's palette as that of all.

    Args:
        frames: At least one. If there are several, each has a transparent entry.
        milliseconds: How long each is shown; empty for a still.
        plays: How often an animation is repeated: 0 is for ever, None says nothing.

    """
    first = frames[0]
    width, height = first.image.size
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, _table_flags(first.colours), 0, 0), _table(first.colours)]
    if plays is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, plays, 0))
    blank = Image.new("RGBA", first.image.size)
    before, shown = blank, first.shown
    for index, frame in enumerate(frames):
        following = frames[index + 1].shown if index + 1 < len(frames) else shown
        # What is seen can be covered, and uncovered only if the frame that covers it is cleared.
        is_cleared = ImageChops.subtract(shown.getchannel("A"), following.getchannel("A")).getbbox() is not None
        if milliseconds or frame.transparent is not None:
            time = milliseconds[index] // MILLISECONDS if milliseconds else 0
            parts.append(_control(CLEAR if is_cleared else KEEP, time, frame.transparent))
        table = b"" if frame.colours == first.colours else frame.colours
        parts += _image(frame, before, shown, table, is_whole=is_cleared or index == 0)
        before, shown = blank if is_cleared else shown, following
    return b"".join([*parts, bytes([TRAILER])])


def _control(disposal: int, time: int, transparent: int | None) -> bytes:
    flags = disposal << 2 | (transparent is not None)
    return struct.pack("<BBBBHBB", EXTENSION, GRAPHIC_CONTROL, 4, flags, time, transparent or 0, 0)


def _image(frame: Painted, before: Image.Image, shown: Image.Image, table: bytes, *, is_whole: bool) -> list[bytes]:
    """The block of a frame, of all of it or of the part that changes; transparent where nothing changes."""
    differs = functools.reduce(ImageChops.lighter, ImageChops.difference(before, shown).split())
    image, box = frame.image, (0, 0, *frame.image.size)
    if frame.transparent is not None:
        image = image.copy()
        image.paste(frame.transparent, mask=differs.point([255] + 255 * [0]))
    if not is_whole:
        # An image of no pixel is none.
        box = differs.getbbox() or (0, 0, 1, 1)
    left, top, right, bottom = box
    flags = _table_flags(table) if table else 0
    position = struct.pack("<BHHHHB", IMAGE, left, top, right - left, bottom - top, flags)
    with encoding("GIF"):
        # The first is such a position.
        _, *coded = GifImagePlugin.getdata(image.crop(box))
    return [position, _table(table), *coded]


def _table_flags(colours: bytes) -> int:
    """What says that a colour table of two to the power of one to eight entries follows."""
    return HAS_TABLE | max(1, (len(colours) // 3 - 1).bit_length()) - 1


def _table(colours: bytes) -> bytes:
    return colours.ljust(6 << (_table_flags(colours) & 7), b"\0") if colours else b""
