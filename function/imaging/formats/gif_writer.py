"""Writes GIFs in which each frame stores only its differences from the frame before.

Pillow compresses the pixels. This module writes the blocks around them, because Pillow writes a second header for an
empty frame, and allows only one palette and one disposal method for all frames.
"""

import functools
import struct
from collections.abc import Sequence

from PIL import GifImagePlugin, Image, ImageChops

from imaging.formats.gif_blocks import EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER, XMP, XMP_END
from imaging.palette import IndexedImage, to_visible
from imaging.pillow import encoding

KEEP, CLEAR = 1, 2
"""Disposal methods (GIF89a specification, section 23)."""

MILLISECONDS = 10
"""The unit of a frame's duration."""

HAS_TABLE = 0x80
"""The flag of a colour table (sections 18 and 20)."""

Box = tuple[int, int, int, int]


def write(
    images: Sequence[Image.Image], frames: Sequence[IndexedImage], milliseconds: Sequence[int], plays: int | None
) -> bytes:
    """Write frames of one size. The first frame's palette becomes the global one.

    Args:
        images: The frames in full colour (L, LA, RGB or RGBA), at least one.
        frames: The indexed frames. If there are several, each palette has a transparent entry.
        milliseconds: How long each frame is shown; empty for a still.
        plays: How often an animation is played: 0 is forever, None writes no count.

    """
    first = frames[0].palette
    width, height = images[0].size
    parts = [
        b"GIF89a",
        struct.pack("<HHBBB", width, height, _make_table_flags(first.colours), 0, 0),
        _make_table(first.colours),
    ]
    if plays is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, plays, 0))
    shown = wanted = Image.new("RGBA", images[0].size)
    for index, (image, frame) in enumerate(zip(images, frames, strict=True)):
        before, wanted = wanted, to_visible(image)
        # A pixel that does not change keeps its shade, even if the palettes differ.
        changed = ImageChops.darker(_compute_difference(before, wanted), _compute_difference(shown, frame.shown))
        # A pixel can become transparent again only if the frame before is cleared.
        is_cleared = index + 1 < len(images) and _has_uncovered_pixels(wanted, to_visible(images[index + 1]))
        if milliseconds or frame.palette.transparent is not None:
            time = milliseconds[index] // MILLISECONDS if milliseconds else 0
            parts.append(_make_graphic_control(CLEAR if is_cleared else KEEP, time, frame.palette.transparent))
        box = (0, 0, width, height) if is_cleared or not index else changed.getbbox()
        parts += _make_image(frame, changed, box, is_first_palette=frame.palette == first)
        if is_cleared:
            shown = wanted = Image.new("RGBA", images[0].size)
        else:
            shown.paste(frame.shown, mask=changed.point([0] + 255 * [255]))
    return b"".join([*parts, bytes([TRAILER])])


def add_xmp(gif: bytes, packet: bytes) -> bytes:
    """Return a GIF with a packet of XMP, in UTF-8, before its trailer."""
    return gif[:-1] + bytes([EXTENSION]) + XMP + packet + XMP_END + gif[-1:]


def _compute_difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """Return the difference of two images in the channel that differs most."""
    return functools.reduce(ImageChops.lighter, ImageChops.difference(one, other).split())


def _has_uncovered_pixels(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether an opaque pixel of ``one`` is transparent in ``other``."""
    return ImageChops.subtract(one.getchannel("A"), other.getchannel("A")).getbbox() is not None


def _make_graphic_control(disposal: int, time: int, transparent: int | None) -> bytes:
    flags = disposal << 2 | (transparent is not None)
    return struct.pack("<BBBBHBB", EXTENSION, GRAPHIC_CONTROL, 4, flags, time, transparent or 0, 0)


def _make_image(frame: IndexedImage, changed: Image.Image, box: Box | None, *, is_first_palette: bool) -> list[bytes]:
    """Return the image block for a box of a frame; its unchanged pixels are transparent if the palette allows it."""
    image, palette = frame.image, frame.palette
    if palette.transparent is not None:
        image = image.copy()
        image.paste(palette.transparent, mask=changed.point([255] + 255 * [0]))
    # An image needs at least one pixel.
    left, top, right, bottom = box or (0, 0, 1, 1)
    table = b"" if is_first_palette else palette.colours
    flags = _make_table_flags(table) if table else 0
    descriptor = struct.pack("<BHHHHB", IMAGE, left, top, right - left, bottom - top, flags)
    with encoding("GIF"):
        # The first block is an image descriptor, which is replaced.
        _, *coded = GifImagePlugin.getdata(image.crop((left, top, right, bottom)))
    return [descriptor, _make_table(table), *coded]


def _make_table_flags(colours: bytes) -> int:
    """Return the flags of a colour table, whose size is a power of two up to 256."""
    return HAS_TABLE | max(1, (len(colours) // 3 - 1).bit_length()) - 1


def _make_table(colours: bytes) -> bytes:
    return colours.ljust(6 << (_make_table_flags(colours) & 7), b"\0") if colours else b""
