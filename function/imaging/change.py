"""What the selection of metadata depends on: the stored blocks, how the pixels change, and what a format holds."""

import math
from typing import NamedTuple

from imaging.losses import Lost


class Blocks(NamedTuple):
    """Metadata beside EXIF, as it is stored.

    Attributes:
        xmp: The packet.
        extensions: A JPEG's segments with parts of extended XMP.
        iptc: IIM that is stored by itself.
        photoshop: Photoshop's resources; one resource may be IIM.

    """

    xmp: bytes = b""
    extensions: tuple[bytes, ...] = ()
    iptc: bytes = b""
    photoshop: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.xmp or self.iptc or self.photoshop)


class Capacity(NamedTuple):
    """What a format holds.

    Attributes:
        kinds: Which of EXIF, XMP and IPTC it has a place for.
        most_bytes: The most bytes of each. The default bounds memory.

    """

    kinds: frozenset[Lost]
    most_bytes: int = 1 << 20


class Change(NamedTuple):
    """How an output shows its source.

    Attributes:
        size: Width and height of the output in pixels, as displayed.
        scale: Output pixels for one pixel of the source, across and down as displayed.
        is_moved: Whether it is cropped, padded, turned or mirrored, so that places in the source are elsewhere.
        swaps_sides: Whether its width is the stored height of the source.
        media_type: Of the output.

    """

    size: tuple[int, int]
    scale: tuple[float, float]
    is_moved: bool
    swaps_sides: bool
    media_type: str

    def scale_resolution(self, stored: tuple[float, ...]) -> tuple[float, float] | None:
        """Return the resolution with which the output has its source's printed size.

        Args:
            stored: The source's, across and down as its pixels are stored.

        Returns:
            Across and down as displayed; None if the source's is not two positive numbers.

        """
        across, down = stored[::-1] if self.swaps_sides else stored
        scaled = across * self.scale[0], down * self.scale[1]
        return scaled if all(math.isfinite(value) and value > 0 for value in scaled) else None
