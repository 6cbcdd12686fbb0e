"""docs/images.md: its tables of the largest images and of losses agree with the code."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imaging.decode import Picture
from imaging.formats import ENCODERS, inspect
from imaging.limits import RUNTIME_BYTES
from imaging.losses import Lost
from imaging.predict import predict
from renditions import Rendition
from tests import pngs
from tests.images import encode
from tools.common.paths import ROOT

SIDE = 8000
"""Pixels a side, large enough that the memory per row and column is negligible."""

MANY = 1_000_000
"""Bytes appended to an image, to measure the memory per byte of the file."""

DEEP = np.random.default_rng(0).integers(0, 1 << 16, (800, 800, 4))
"""Samples of 16 bits."""

NOISE = Image.merge("RGB", [Image.effect_noise((800, 800), 99) for _ in range(3)])
"""An image whose header is a negligible part of the file, as in a large image."""

TYPICAL = {
    "JPEG": (encode(NOISE), 0.4),
    "progressive JPEG": (encode(NOISE, progressive=True), 0.4),
    "PNG": (encode(NOISE.convert("RGBA"), "PNG"), 2.5),
    "PNG, 16 bits": (pngs.png(DEEP, 6, 16), 6.0),
    "WebP": (encode(NOISE, "WEBP"), 0.15),
    "AVIF": (encode(NOISE, "AVIF"), 0.1),
    "TIFF, LZW": (encode(NOISE, "TIFF", compression="tiff_lzw"), 3.0),
}
"""An image of each kind, and the bytes per pixel that a photo typically takes."""


def read_table() -> dict[tuple[str, int], int]:
    """Return the table's megapixels by kind and ``memory_size``."""
    text = (ROOT / "docs" / "images.md").read_text()
    header, _, *rows = re.findall(r"^\|(.*)\|$", text[text.index("| `memory_size` | JPEG") :], re.MULTILINE)[:6]
    kinds = [cell.strip() for cell in header.split("|")][1:]
    table: dict[tuple[str, int], int] = {}
    for row in rows:
        memory, *megapixels = (int(cell) for cell in row.split("|"))
        table |= {(kind, memory): value for kind, value in zip(kinds, megapixels, strict=True)}
    return table


def set_size(source: bytes, side: int) -> bytes:
    """Return the source; in a JPEG, set the header's width and height to ``side``."""
    for frame in (b"\xff\xc0", b"\xff\xc2"):
        before, marker, behind = source.partition(frame)
        if source.startswith(b"\xff\xd8") and marker:
            return before + marker + behind[:3] + 2 * side.to_bytes(2, "big") + behind[7:]
    return source


@pytest.mark.parametrize("kind", TYPICAL)
def test_the_largest_image_for_each_memory_size_matches_the_estimate(kind: str) -> None:
    source, bytes_per_pixel = TYPICAL[kind]
    image = Picture(inspect(source))
    image.shrink_on_load(2)
    image.keep_lower_bytes()
    image.kinds = Counter({(mode, (SIDE, SIDE)): 1 for mode, _ in image.kinds})

    def predict_bytes(more: int) -> int:
        header = inspect(set_size(source, SIDE))
        image.header = replace(header, source=header.source + bytes(more))
        return predict(image, [Rendition("half", scale=0.5)], [ENCODERS[image.format]]).peak_bytes

    per_byte = (predict_bytes(MANY) - predict_bytes(0)) / MANY
    per_pixel = (predict_bytes(0) - per_byte * len(source)) / SIDE**2 + per_byte * bytes_per_pixel
    rows = {memory: megapixels for (name, memory), megapixels in read_table().items() if name == kind}
    assert rows == {memory: int(((memory << 20) - RUNTIME_BYTES) / per_pixel / 1e6) for memory in rows}
    assert len(rows) == 4


def test_every_name_of_a_loss_is_documented() -> None:
    section = (ROOT / "docs" / "images.md").read_text().partition("\n## What can be lost\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == [what.value for what in Lost]
