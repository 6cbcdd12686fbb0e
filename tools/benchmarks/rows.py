"""The rows: which image becomes what, and what ours is to reach."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tools.benchmarks import targets
from tools.benchmarks.inputs import INPUTS, Input
from tools.benchmarks.job import Wanted
from tools.benchmarks.results import Target
from tools.common.errors import ToolError

QUICK_DIVISOR = 4
"""Of both sides, in a quick run."""


@dataclass(frozen=True)
class Row:
    """One line of the tables.

    Attributes:
        name: What ``--only`` takes.
        title: The same for people.
        image: What is resized.
        targets: What ours is to reach.
        has_limit: Whether libjpeg-turbo's programs can do it.
        has_parts: Whether its yardstick is one decode and the encodes.
        at_equal_bytes: Whether sharp is to compress as well as ours, rather than as it does by default.

    """

    name: str
    title: str
    image: Input
    targets: tuple[Target, ...]
    has_limit: bool = False
    has_parts: bool = False
    at_equal_bytes: bool = False

    @property
    def outputs(self) -> tuple[Wanted, ...]:
        """Half the size; and a quarter, and a WebP 320 pixels wide, where the parts are compared."""
        half = self._scaled(0.5)
        if not self.has_parts:
            return (half,)
        width, height = self.image.displayed_size
        return half, self._scaled(0.25), Wanted("WEBP", 320, math.floor(height * 320 / width + 0.5))

    def quick(self) -> "Row":
        """The same with a small image."""
        width, height = self.image.size
        return replace(self, image=replace(self.image, size=(width // QUICK_DIVISOR, height // QUICK_DIVISOR)))

    def _scaled(self, scale: float) -> Wanted:
        width, height = (math.floor(side * scale + 0.5) for side in self.image.displayed_size)
        return Wanted(self.image.format, width, height, scale)


_IMAGES = {image.name: image for image in INPUTS}


def _jpeg(name: str, title: str, classic: float = 0.25, sharp: float = 0.42) -> Row:
    wanted = (
        targets.cpu("classic", classic),
        targets.cpu("sharp", sharp),
        targets.cpu("limit", 1.10),
        targets.psnr_below("classic", 0.3),
        targets.memory("classic", 0.4),
    )
    return Row(name, title, _IMAGES[name], wanted, has_limit=True)


def _other(name: str, title: str, *wanted: Target, at_equal_bytes: bool = False) -> Row:
    return Row(name, title, _IMAGES[name], wanted, at_equal_bytes=at_equal_bytes)


_PNG = (targets.cpu("classic", 0.45), targets.cpu("sharp", 1.1), targets.size("classic", 1.04))
_FLAT = (
    targets.cpu("classic", 0.60),
    targets.cpu("sharp", 1.2),
    targets.size("classic", 1.0),
    targets.size_of_source(1.0),
)

ROWS = (
    _jpeg("jpeg-2mp", "JPEG, 2 MP"),
    _jpeg("jpeg-12mp", "JPEG, 12 MP"),
    _jpeg("jpeg-24mp", "JPEG, 24 MP"),
    _jpeg("jpeg-48mp", "JPEG, 48 MP"),
    _jpeg("jpeg-odd", "JPEG, odd sides"),
    _jpeg("jpeg-444", "JPEG, 4:4:4", 0.30),
    _jpeg("jpeg-grey", "JPEG, grey", 0.42),
    _jpeg("jpeg-progressive", "JPEG, progressive", 0.56, 0.65),
    _other(
        "jpeg-turned",
        "JPEG, orientation 6",
        targets.cpu("classic", 0.33),
        targets.cpu("sharp", 0.50),
        # The classic handler's lies on its side.
        targets.psnr_below("sharp", 0.3),
        targets.memory("classic", 0.4),
    ),
    Row(
        "jpeg-three",
        "JPEG, three renditions",
        _IMAGES["jpeg-12mp"],
        (targets.cpu("parts", 1.3),),
        has_parts=True,
    ),
    _other("png-photo", "PNG, photo", *_PNG, at_equal_bytes=True),
    _other("png-rgba", "PNG, transparent photo", *_PNG, at_equal_bytes=True),
    _other("png-flat", "PNG, flat graphics", *_FLAT),
    _other("png-palette", "PNG, palette", *_FLAT),
    _other(
        "webp",
        "WebP",
        targets.cpu("classic", 0.72),
        targets.cpu("sharp", 0.90),
        targets.size("classic", 1.01),
        targets.ssim_below("classic", 0.003),
    ),
    _other(
        "avif",
        "AVIF",
        targets.cpu("classic", 0.60),
        targets.cpu("sharp", 0.15),
        targets.ssim_below("classic", 0.003),
    ),
    _other("gif-photo", "GIF, 30 frames, photo", targets.cpu("sharp", 0.15), targets.psnr(35)),
    _other("gif-flat", "GIF, 30 frames, flat", targets.cpu("sharp", 0.15), targets.psnr(40)),
    _other(
        "tiff-raw",
        "TIFF, raw",
        targets.cpu("classic", 0.40),
        targets.cpu("sharp", 1.0),
        targets.size("classic", 1.01),
    ),
    _other(
        "tiff-lzw",
        "TIFF, LZW",
        targets.cpu("classic", 0.78),
        targets.cpu("sharp", 0.9),
        targets.size("classic", 1.01),
    ),
)


def chosen(only: str, *, quick: bool) -> Sequence[Row]:
    """Find the row of that name, or all.

    Raises:
        ToolError: There is none.

    """
    rows = [row for row in ROWS if only in {"", row.name}]
    if not rows:
        raise ToolError(f"No row {only}: use one of {', '.join(row.name for row in ROWS)}")
    return [row.quick() for row in rows] if quick else rows
