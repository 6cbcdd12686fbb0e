"""The rows: the image that every contestant resizes, and the targets for this function."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from tools.benchmarks import drawings
from tools.benchmarks.job import Wanted
from tools.benchmarks.photos import Photographer, Size
from tools.common.errors import ToolError
from tools.imaging.pictures import encode, make_turned_exif

QUICK_DIVISOR = 4
"""Divides both sides in a quick run."""

PARTS = ("curves", "cold", "latency")
"""The parts of the benchmark without rows, for ``--only``."""

PREDICTOR, HORIZONTAL = 317, 2
"""Editors write LZW with horizontal differencing, which makes it smaller (TIFF 6.0, section 14)."""

Draw = Callable[[Photographer, Size], Iterable[Image.Image]]
Targets = Mapping[str, float]
"""Bounds by the names of `results.RowResult.figures`."""


@dataclass(frozen=True)
class Row:
    """One line of the tables: an image to halve.

    Attributes:
        name: For ``--only``, and of the image's file.
        title: For the tables.
        format: Pillow's name.
        size: Width and height as stored.
        draw: Returns the frames.
        targets: For this function. ``limit`` and ``parts`` take part only in rows that have a target for them.
        options: For Pillow's encoder.
        subsampling: Chroma of a JPEG, which its outputs keep.
        is_turned: Whether its EXIF orientation turns it.
        has_palette: Whether a PNG has one.
        at_equal_bytes: Whether sharp compresses as well as this function instead of by its default.

    """

    name: str
    title: str
    format: str
    size: Size
    draw: Draw
    targets: Targets
    options: Mapping[str, Any] = field(default_factory=dict)
    subsampling: str = "4:2:0"
    is_turned: bool = False
    has_palette: bool = False
    at_equal_bytes: bool = False

    @property
    def outputs(self) -> tuple[Wanted, ...]:
        """Half the size; where parts are compared also a quarter, and a WebP 320 pixels wide."""
        half = self._scale(0.5)
        if "CPU / parts" not in self.targets:
            return (half,)
        width, height = self._displayed_size
        return half, self._scale(0.25), Wanted("WEBP", 320, math.floor(height * 320 / width + 0.5))

    def source(self, folder: Path, photograph: Photographer) -> Path:
        """Find the image in ``folder``, or make it there."""
        path = folder / f"{self.name}-{self.size[0]}x{self.size[1]}.{self.format.lower()}"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Rename only a complete file: a run may be interrupted.
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(self.encode(photograph))
            unfinished.rename(path)
        return path

    def encode(self, photograph: Photographer) -> bytes:
        """Make the image; the bytes are always equal."""
        first, *others = self.draw(photograph, self.size)
        options = dict(self.options)
        if others:
            options |= {"save_all": True, "append_images": others, "duration": 80, "loop": 0}
        if self.format == "JPEG":
            options |= {"quality": 92, "subsampling": self.subsampling}
        if self.is_turned:
            options["exif"] = make_turned_exif()
        return encode(first, self.format, **options)

    @property
    def _displayed_size(self) -> Size:
        return self.size[::-1] if self.is_turned else self.size

    def _scale(self, scale: float) -> Wanted:
        width, height = (math.floor(side * scale + 0.5) for side in self._displayed_size)
        return Wanted(self.format, width, height, scale)


def _choose_photo(subject: str, mode: str = "RGB") -> Draw:
    return lambda photograph, size: [photograph(subject, size).convert(mode)]


def _draw_chart_in_palette(photograph: Photographer, size: Size) -> list[Image.Image]:
    return [image.quantize(256) for image in drawings.chart(photograph, size)]


LARGE, MEDIUM, SMALL = (4000, 3000), (2400, 1600), (480, 360)
LZW = {"compression": "tiff_lzw", "tiffinfo": {PREDICTOR: HORIZONTAL}}

JPEG = {
    "CPU / usual": 0.25,
    "CPU / sharp": 0.45,
    "CPU / limit": 1.1,
    "PSNR below usual, dB": 0.3,
    "memory / usual": 0.4,
}
# The usual handler doesn't turn its output, so PSNR is compared with sharp's.
TURNED = {"CPU / usual": 0.33, "CPU / sharp": 0.5, "PSNR below sharp, dB": 0.3, "memory / usual": 0.4}
PNG = {"CPU / usual": 0.45, "CPU / sharp": 1.1, "bytes / usual": 1.04}
FLAT = {"CPU / usual": 0.6, "CPU / sharp": 1.2, "bytes / usual": 1.0, "bytes / source": 1.0}
WEBP = {"CPU / usual": 0.72, "CPU / sharp": 0.9, "bytes / usual": 1.01, "SSIM below usual": 0.003}
AVIF = {"CPU / usual": 0.6, "CPU / sharp": 0.15, "SSIM below usual": 0.003}
TIFF = {"CPU / usual": 0.4, "CPU / sharp": 1.0, "bytes / usual": 1.01}
TIFF_LZW = {"CPU / usual": 0.78, "CPU / sharp": 0.9, "bytes / usual": 1.01}

COFFEE, ASTRONAUT, CHELSEA = map(_choose_photo, ("coffee", "astronaut", "chelsea"))

ROWS = (
    Row("jpeg-2mp", "JPEG, 2 MP", "JPEG", (1632, 1224), COFFEE, JPEG),
    Row("jpeg-12mp", "JPEG, 12 MP", "JPEG", LARGE, COFFEE, JPEG),
    Row("jpeg-24mp", "JPEG, 24 MP", "JPEG", (6000, 4000), COFFEE, JPEG),
    Row("jpeg-48mp", "JPEG, 48 MP", "JPEG", (8000, 6000), COFFEE, JPEG),
    Row("jpeg-odd", "JPEG, odd sides", "JPEG", (4001, 2999), CHELSEA, JPEG),
    Row("jpeg-444", "JPEG, 4:4:4", "JPEG", LARGE, ASTRONAUT, JPEG | {"CPU / usual": 0.3}, subsampling="4:4:4"),
    Row("jpeg-grey", "JPEG, grey", "JPEG", LARGE, _choose_photo("astronaut", "L"), JPEG | {"CPU / usual": 0.42}),
    Row(
        "jpeg-progressive",
        "JPEG, progressive",
        "JPEG",
        LARGE,
        CHELSEA,
        JPEG | {"CPU / usual": 0.56, "CPU / sharp": 0.65},
        {"progressive": True},
    ),
    Row("jpeg-turned", "JPEG, orientation 6", "JPEG", LARGE, COFFEE, TURNED, is_turned=True),
    Row("jpeg-three", "JPEG, three renditions", "JPEG", LARGE, COFFEE, {"CPU / parts": 1.3}),
    Row("png-photo", "PNG, photo", "PNG", MEDIUM, COFFEE, PNG, at_equal_bytes=True),
    Row("png-rgba", "PNG, transparent photo", "PNG", MEDIUM, drawings.cut_out, PNG, at_equal_bytes=True),
    Row("png-flat", "PNG, flat graphics", "PNG", MEDIUM, drawings.chart, FLAT),
    Row("png-palette", "PNG, palette", "PNG", MEDIUM, _draw_chart_in_palette, FLAT, has_palette=True),
    Row("webp", "WebP", "WEBP", MEDIUM, CHELSEA, WEBP, {"quality": 85}),
    Row("avif", "AVIF", "AVIF", MEDIUM, ASTRONAUT, AVIF, {"quality": 80, "speed": 8}),
    Row("gif-photo", "GIF, 30 frames, photo", "GIF", SMALL, drawings.pan, {"CPU / sharp": 0.15, "PSNR, dB": 35}),
    Row("gif-flat", "GIF, 30 frames, flat", "GIF", SMALL, drawings.bounce, {"CPU / sharp": 0.15, "PSNR, dB": 40}),
    Row("tiff-raw", "TIFF, raw", "TIFF", LARGE, COFFEE, TIFF),
    Row("tiff-lzw", "TIFF, LZW", "TIFF", LARGE, CHELSEA, TIFF_LZW, LZW),
)


def choose(only: str, *, quick: bool) -> Sequence[Row]:
    """Return the row with that name, none for the name of a part, or all; with small images in a quick run.

    Raises:
        ToolError: No row or part has that name.

    """
    rows = [row for row in ROWS if only in {"", row.name}]
    if not rows and only not in PARTS:
        raise ToolError(f"No row {only}: use one of {', '.join((*(row.name for row in ROWS), *PARTS))}")
    divisor = QUICK_DIVISOR if quick else 1
    return [replace(row, size=(row.size[0] // divisor, row.size[1] // divisor)) for row in rows]
