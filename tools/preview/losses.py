"""Find the losses of an output: those that the function names, and those that it does not name."""

import re
from collections.abc import Iterable

from imaging.decode import Picture
from imaging.losses import Loss

HDR = {rb"(?i)hdr-?gain-?map|iso:ts:21496": "the HDR gain map was left out"}
"""Marks of HDR in a source, and the loss: no output keeps them."""


def find_losses(picture: Picture, named: Iterable[Loss]) -> list[str]:
    """Return a sentence for each loss.

    Args:
        picture: The source's header.
        named: By the function.

    """
    losses = [loss.why for loss in named]
    losses += [sentence for mark, sentence in HDR.items() if re.search(mark, picture.header.source)]
    return list(dict.fromkeys(losses))
