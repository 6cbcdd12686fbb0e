"""JPEG quality: it scores at least as high in SSIMULACRA2 as libjpeg's, in fewer bytes for that score."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.images import encode, load
from tests.unit.rendering import output_body
from tools.imaging.ssimulacra2 import score

SIZE = WIDTH, HEIGHT = 384, 320


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """Return noise whose spectrum falls as a photograph's does, in the chroma faster than in the luma."""
    generator = np.random.default_rng(0)
    frequencies = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :])
    frequencies[0, 0] = 1
    bands = []
    for fall, contrast in ((1.2, 45), (1.6, 18), (1.6, 18)):
        spectrum = np.fft.rfft2(generator.standard_normal((HEIGHT, WIDTH))) / frequencies**fall
        band = np.fft.irfft2(spectrum, (HEIGHT, WIDTH))
        bands.append(np.clip(128 + contrast * (band - band.mean()) / band.std(), 0, 255))
    return Image.fromarray(np.dstack(bands).astype(np.uint8), "YCbCr").convert("RGB")


@pytest.mark.parametrize(
    ("mode", "subsampling"), [("RGB", "4:2:0"), ("RGB", "4:2:2"), ("RGB", "4:4:4"), ("L", "4:4:4")]
)
@pytest.mark.parametrize("quality", [60, 75, 90])
def test_a_quality_scores_as_high_as_libjpegs_in_fewer_bytes_for_its_score(
    photo: Image.Image, quality: int, mode: str, subsampling: str
) -> None:
    source = encode(photo.convert(mode), quality=100, subsampling=subsampling)
    original = load(source)
    body = output_body(source, scale=1, quality=quality)
    reached = score(original, load(body))
    for other_quality in itertools.count(quality):
        other = encode(original, quality=other_quality, subsampling=subsampling, optimize=True)
        if score(original, load(other)) >= reached:
            break
    assert other_quality > quality
    assert len(body) < 0.97 * len(other)
