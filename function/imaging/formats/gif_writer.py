"""Writes a GIF: of each frame what differs from the frame before.

Pillow codes the pixels. The blocks around them are written here: Pillow writes a second header where a frame is empty,
and has one palette and one disposal for all frames.
"""

import functools
import struct
from collections.abc import Sequence

from PIL import GifImagePlugin, Image, ImageChops

from imaging.formats.gif_blocks import EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER
from imaging.palette import IndexedImage, to_visible
from imaging.pillow import encoding

KEEP, CLEAR = 1, 2
"""What is done with a frame before the next one is shown (GIF89a specification, section 23)."""

MILLISECONDS = 10
"""The unit of a frame's time."""

HAS_TABLE = 0x80
"""That a colour table follows (sections 18 and 20)."""

Box = tuple[int, int, int, int]


def write(
    images: Sequence[Image.Image], frames: Sequence[IndexedImage], milliseconds: Sequence[int], plays: int | None
) -> bytes:
    """Write frames of one size, the first one's palette as that of all.

    Args:
        images: The frames in full colour (L, LA, RGB or RGBA), at least one.
        frames: The same in palettes. If there are several, each palette has a transparent entry.
        milliseconds: How long each is shown; empty for a still.
        plays: How often an animation is repeated: 0 is for ever, None says nothing.

    """
    first = frames[0].palette
    width, height = images[0].size
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, _table_flags(first.colours), 0, 0), _table(first.colours)]
    if plays is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, plays, 0))
    shown = wanted = Image.new("RGBA", images[0].size)
    for index, (image, frame) in enumerate(zip(images, frames, strict=True)):
        before, wanted = wanted, to_visible(image)
        # What does not change keeps the colour that another palette gave it.
        changed = ImageChops.darker(_difference(before, wanted), _difference(shown, frame.shown))
        # What is seen can be covered, and uncovered only if the frame that covers it is cleared.
        is_cleared = index + 1 < len(images) and _uncovers(wanted, to_visible(images[index + 1]))
        if milliseconds or frame.palette.transparent is not None:
            time = milliseconds[index] // MILLISECONDS if milliseconds else 0
            parts.append(_control(CLEAR if is_cleared else KEEP, time, frame.palette.transparent))
        box = (0, 0, width, height) if is_cleared or not index else changed.getbbox()
        parts += _image(frame, changed, box, is_first_palette=frame.palette == first)
        if is_cleared:
            shown = wanted = Image.new("RGBA", images[0].size)
        else:
            shown.paste(frame.shown, mask=changed.point([0] + 255 * [255]))
    return b"".join([*parts, bytes([TRAILER])])


def _difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """How much two images differ, in the channel that differs most."""
    return functools.reduce(ImageChops.lighter, ImageChops.difference(one, other).split())


def _uncovers(one: Image.Image, other: Image.Image) -> bool:
    """Whether what ``one`` shows is transparent in ``other``."""
    return ImageChops.subtract(one.getchannel("A"), other.getchannel("A")).getbbox() is not None


def _control(disposal: int, time: int, transparent: int | None) -> bytes:
    flags = disposal << 2 | (transparent is not None)
    return struct.pack("<BBBBHBB", EXTENSION, GRAPHIC_CONTROL, 4, flags, time, transparent or 0, 0)


def _image(frame: IndexedImage, changed: Image.Image, box: Box | None, *, is_first_palette: bool) -> list[bytes]:
    """The block of a frame, of all of it or of the part that changes; transparent where nothing changes."""
    image, palette = frame.image, frame.palette
    if palette.transparent is not None:
        image = image.copy()
        image.paste(palette.transparent, mask=changed.point([255] + 255 * [0]))
    # An image of no pixel is none.
    left, top, right, bottom = box or (0, 0, 1, 1)
    table = b"" if is_first_palette else palette.colours
    flags = _table_flags(table) if table else 0
    position = struct.pack("<BHHHHB", IMAGE, left, top, right - left, bottom - top, flags)
    with encoding("GIF"):
        # The first is such a position.
        _, *coded = GifImagePlugin.getdata(image.crop((left, top, right, bottom)))
    return [position, _table(table), *coded]


def _table_flags(colours: bytes) -> int:
    """What says that a colour table of two to the power of one to eight entries follows."""
    return HAS_TABLE | max(1, (len(colours) // 3 - 1).bit_length()) - 1


def _table(colours: bytes) -> bytes:
    return colours.ljust(6 << (_table_flags(colours) & 7), b"\0") if colours else b""
