"""The images that everyone resizes: made once, always the same, and cached until `invoke clean`."""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tools.benchmarks import drawings
from tools.imaging.photos import Photographer, Size
from tools.imaging.pictures import turned_right

PREDICTOR = 317
HORIZONTAL = 2
"""What editors write with LZW: differences of neighbours, which are smaller (TIFF 6.0, section 14)."""

Draw = Callable[[Photographer, Size], Iterable[Image.Image]]


@dataclass(frozen=True)
class Input:
    """One image, and how it is made.

    Attributes:
        name: Of its file.
        format: In Pillow's name.
        size: Width and height as stored.
        draw: Gives its frames.
        options: Of Pillow's encoder.
        subsampling: Of a JPEG's chroma, which its outputs keep.
        is_turned: Whether it is displayed upright only by its EXIF orientation.
        has_palette: Whether a PNG has one.

    """

    name: str
    format: str
    size: Size
    draw: Draw
    options: Mapping[str, Any] = field(default_factory=dict)
    subsampling: str = "4:2:0"
    is_turned: bool = False
    has_palette: bool = False

    @property
    def displayed_size(self) -> Size:
        """Width and height once it is upright."""
        return self.size[::-1] if self.is_turned else self.size

    def encoded(self, photograph: Photographer) -> bytes:
        """Make it."""
        first, *others = self.draw(photograph, self.size)
        options = dict(self.options)
        if others:
            options |= {"save_all": True, "append_images": others, "duration": 80, "loop": 0}
        if self.format == "JPEG":
            options |= {"quality": 92, "subsampling": self.subsampling}
        if self.is_turned:
            options["exif"] = turned_right()
        target = io.BytesIO()
        first.save(target, self.format, **options)
        return target.getvalue()

    def cached(self, folder: Path, photograph: Photographer) -> Path:
        """Find it in ``folder``, or make it there."""
        path = folder / f"{self.name}-{self.size[0]}x{self.size[1]}.{self.format.lower()}"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            body = self.encoded(photograph)
            # Under its name only when it is whole: a run may be interrupted.
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(body)
            unfinished.rename(path)
        return path


def _photo(subject: str, mode: str = "RGB") -> Draw:
    return lambda photograph, size: [photograph(subject, size).convert(mode)]


def _cut_out(photograph: Photographer, size: Size) -> list[Image.Image]:
    return [drawings.cut_out(photograph("astronaut", size))]


def _chart(_: Photographer, size: Size) -> list[Image.Image]:
    return [drawings.chart(size)]


def _chart_in_palette(_: Photographer, size: Size) -> list[Image.Image]:
    return [drawings.chart(size).quantize(256)]


def _bouncing(_: Photographer, size: Size) -> Iterable[Image.Image]:
    return drawings.bouncing(size)


LARGE = (4000, 3000)
MEDIUM = (2400, 1600)
LZW = {"compression": "tiff_lzw", "tiffinfo": {PREDICTOR: HORIZONTAL}}

INPUTS = (
    Input("jpeg-2mp", "JPEG", (1632, 1224), _photo("coffee")),
    Input("jpeg-12mp", "JPEG", LARGE, _photo("coffee")),
    Input("jpeg-24mp", "JPEG", (6000, 4000), _photo("coffee")),
    Input("jpeg-48mp", "JPEG", (8000, 6000), _photo("coffee")),
    Input("jpeg-odd", "JPEG", (4001, 2999), _photo("chelsea")),
    Input("jpeg-444", "JPEG", LARGE, _photo("astronaut"), subsampling="4:4:4"),
    Input("jpeg-grey", "JPEG", LARGE, _photo("astronaut", "L")),
    Input("jpeg-progressive", "JPEG", LARGE, _photo("chelsea"), {"progressive": True}),
    Input("jpeg-turned", "JPEG", LARGE, _photo("coffee"), is_turned=True),
    Input("png-photo", "PNG", MEDIUM, _photo("coffee")),
    Input("png-rgba", "PNG", MEDIUM, _cut_out),
    Input("png-flat", "PNG", MEDIUM, _chart),
    Input("png-palette", "PNG", MEDIUM, _chart_in_palette, has_palette=True),
    Input("webp", "WEBP", MEDIUM, _photo("chelsea"), {"quality": 85}),
    Input("gif-photo", "GIF", (480, 360), drawings.panning),
    Input("gif-flat", "GIF", (480, 360), _bouncing),
    Input("avif", "AVIF", MEDIUM, _photo("astronaut"), {"quality": 80, "speed": 8}),
    Input("tiff-raw", "TIFF", LARGE, _photo("coffee")),
    Input("tiff-lzw", "TIFF", LARGE, _photo("chelsea"), LZW),
)
