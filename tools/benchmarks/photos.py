"""Photographs of any size: real ones, enlarged octave by octave, with texture and a camera's noise added."""

import math
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tools.common import pip
from tools.common.errors import ToolError

PACKAGE = "scikit-image==0.26.0"
"""Its wheel contains the photographs; nothing else in it is used."""

SUBJECTS = {"coffee": "CC0, Rachel Michetti", "astronaut": "public domain, NASA", "chelsea": "CC0, Stefan van der Walt"}
"""The photographs' file names in the wheel, and their licences."""

Size = tuple[int, int]
Photographer = Callable[[str, Size], Image.Image]
"""Returns a photograph of a subject in a size."""

Plane = NDArray[np.float32]

DETAIL = 0.8
"""Contrast that each octave adds, relative to the photograph's finest octave."""

NOISE = 2.2
"""Standard deviation of a pixel out of 255, as of a camera in good light."""


def photographer(cache: Path) -> Photographer:
    """Return a photographer that keeps the originals in ``cache``, and downloads them on first use.

    Both calls raise ToolError if the download fails.
    """

    def take(subject: str, size: Size) -> Image.Image:
        path = cache / f"{subject}.png"
        if not path.exists():
            _download(cache)
        with Image.open(path) as original:
            return enlarge(original.convert("RGB"), size)

    return take


def enlarge(photo: Image.Image, size: Size) -> Image.Image:
    """Crop a photograph to the proportions of ``size``, then enlarge or shrink it; the result is deterministic."""
    octaves = max(0, math.ceil(math.log2(max(size[0] / photo.width, size[1] / photo.height))))
    start = math.ceil(size[0] / 2**octaves), math.ceil(size[1] / 2**octaves)
    fitted = ImageOps.fit(photo, start, Image.Resampling.LANCZOS)
    generator = np.random.default_rng(1)
    texture = _finest_octave(np.asarray(fitted.convert("L"), np.float32))
    bands = [np.asarray(band, np.float32) for band in fitted.split()]
    for _ in range(octaves):
        bands = [_double(band) for band in bands]
        # The texture is grey, and green's contrast is closest to that of luma.
        detail = _make_detail(bands[1], texture, generator)
        bands = [band + detail for band in bands]
    return Image.merge("RGB", [_develop(band[: size[1], : size[0]], generator) for band in bands])


def _download(cache: Path) -> None:
    """Download the wheel and extract the photographs."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            pip.run("download", *pip.OPTIONS, "--only-binary", ":all:", "--dest", folder, PACKAGE)
        except ToolError as error:
            raise ToolError(f"Cannot download {PACKAGE}, which contains the photographs: {error}") from None
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for subject in SUBJECTS:
                (cache / f"{subject}.png").write_bytes(archive.read(f"skimage/data/{subject}.png"))


def _double(plane: Plane) -> Plane:
    height, width = plane.shape
    image = Image.fromarray(plane).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def _finest_octave(plane: Plane) -> Plane:
    """Return the detail that halving removes."""
    image = Image.fromarray(plane)
    return plane - np.asarray(image.reduce(2).resize(image.size, Image.Resampling.BICUBIC), np.float32)


def _make_detail(plane: Plane, texture: Plane, generator: np.random.Generator) -> Plane:
    """Return texture for a plane that was just doubled, in proportion to its local contrast."""
    height, width = plane.shape
    # A plane that was just doubled lacks its finest octave: measure the next coarser one.
    contrast = Image.fromarray(np.abs(_finest_octave(np.asarray(Image.fromarray(plane).reduce(2), np.float32))))
    smooth = contrast.reduce(min(4, *contrast.size)).resize((width, height), Image.Resampling.BILINEAR)
    # Mirroring avoids seams; turning and shifting keeps octaves from repeating each other.
    turned = np.rot90(texture, int(generator.integers(4)))
    tile = np.block([[turned, turned[:, ::-1]], [turned[::-1], turned[::-1, ::-1]]])
    tile = np.roll(tile, tuple(int(shift) for shift in generator.integers(0, tile.shape)), (0, 1))
    repeats = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    tiled = np.tile(tile, repeats)[:height, :width]
    mean = float(np.abs(texture).mean()) or 1.0
    detail: Plane = tiled * np.asarray(smooth, np.float32) * np.float32(DETAIL / mean)
    return detail


def _develop(plane: Plane, generator: np.random.Generator) -> Image.Image:
    """Add noise and convert to eight bits."""
    noisy = plane + NOISE * generator.standard_normal(plane.shape, np.float32)
    return Image.fromarray(np.uint8(np.clip(np.rint(noisy), 0, 255)))
