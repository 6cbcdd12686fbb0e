"""Find the losses of an output: those that the function logs in ``lost``, and those that it does not log."""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from imaging.colour import WIDE
from imaging.decode import Picture
from imaging.records import Frame

SRGB_PRIMARIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""The content of a PNG's ``cHRM`` chunk."""

WITH_ALPHA = frozenset({"LA", "RGBA"})

HDR = {
    rb"(?i)hdr-?gain-?map|iso:ts:21496": "the HDR gain map was left out",
    # A `colr` box with the transfer function PQ or HLG (ITU-T H.273, table 3).
    rb"(?s)colrnclx..\0[\x10\x12]": "the HDR transfer function was ignored",
}
"""Marks of HDR in a source, and the loss: no output keeps them."""


def find_losses(
    picture: Picture, source: Sequence[Frame], written: Sequence[Frame], image_format: str, logged: str
) -> list[str]:
    """Return a sentence for each loss.

    Args:
        picture: The source's header.
        source: All frames of the source, scaled.
        written: The frames that the encoder receives.
        image_format: Of the output, by Pillow's name.
        logged: ``lost`` in the function's log.

    """
    losses = [*filter(None, logged.split("; ")), *_find_missing(picture, source, written)]
    losses += _find_conversions(list(zip(source, written, strict=False)))
    if image_format != "PNG" and picture.colour_chunks.get(b"cHRM", SRGB_PRIMARIES) != SRGB_PRIMARIES:
        losses.append("the primaries were ignored")
    losses += [sentence for mark, sentence in HDR.items() if re.search(mark, picture.header.source)]
    return list(dict.fromkeys(losses))


def _find_missing(picture: Picture, source: Sequence[Frame], written: Sequence[Frame]) -> Iterator[str]:
    count = len(source) - picture.has_default_image
    if len(written) < count:
        yield f"{count - len(written)} of {count} {'frames' if picture.is_animated else 'pages'} were left out"


def _find_conversions(frames: Sequence[tuple[Frame, Frame]]) -> Iterator[str]:
    for mode, kept in sorted({(one.image.mode, other.image.mode) for one, other in frames}):
        if mode in WIDE and kept not in WIDE:
            yield f"{16 if mode == 'I;16' else 32} bits a channel were reduced to 8"
        if mode in {"CMYK", "LAB"} and kept != mode:
            yield f"{mode} was converted to sRGB"
    if any(_is_transparent(one) and other.image.mode not in WITH_ALPHA for one, other in frames):
        yield "transparency was replaced by the background"


def _is_transparent(frame: Frame) -> bool:
    """Tell whether a pixel is transparent: the alpha channel of most screenshots is opaque."""
    if frame.image.mode not in WITH_ALPHA:
        return False
    least: Any = frame.image.getchannel("A").getextrema()[0]
    return bool(least < 255)
