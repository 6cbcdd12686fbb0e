"""Find the losses of an output: those that the function names, and those that it does not name."""

import re
import struct
from collections.abc import Iterable

from imaging.decode import Picture
from imaging.losses import Loss

SRGB_PRIMARIES = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""The content of a PNG's ``cHRM`` chunk."""

HDR = {
    rb"(?i)hdr-?gain-?map|iso:ts:21496": "the HDR gain map was left out",
    # A `colr` box with the transfer function PQ or HLG (ITU-T H.273, table 3).
    rb"(?s)colrnclx..\0[\x10\x12]": "the HDR transfer function was ignored",
}
"""Marks of HDR in a source, and the loss: no output keeps them."""


def find_losses(picture: Picture, image_format: str, named: Iterable[Loss]) -> list[str]:
    """Return a sentence for each loss.

    Args:
        picture: The source's header.
        image_format: Of the output, by Pillow's name.
        named: By the function.

    """
    losses = [loss.why for loss in named]
    if image_format != "PNG" and picture.colour_chunks.get(b"cHRM", SRGB_PRIMARIES) != SRGB_PRIMARIES:
        losses.append("the primaries were ignored")
    losses += [sentence for mark, sentence in HDR.items() if re.search(mark, picture.header.source)]
    return list(dict.fromkeys(losses))
