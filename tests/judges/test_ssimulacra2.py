"""SSIMULACRA2 falls as an encoder's quality does, and renditions reach the score that they state."""

import io

import numpy as np
import pytest
from PIL import Image, ImageChops

from tests.unit.rendering import output_body
from tools.imaging.pictures import cake, encode
from tools.imaging.ssimulacra2 import score


def test_an_equal_image_has_the_highest_score_and_each_lower_quality_a_lower_one() -> None:
    reference = cake(400, 300)
    encoded = [Image.open(io.BytesIO(encode(reference, "JPEG", quality=quality))) for quality in (95, 75, 30)]
    scores = [score(reference, image) for image in (reference, *encoded)]
    assert scores[0] == 100
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 85
    assert scores[-1] < 70


def draw_grain(size: tuple[int, int]) -> Image.Image:
    """Draw a cake with grain of five scales, since any quality is too high for the bare cake."""
    image, random = cake(*size), np.random.default_rng(1)
    for scale in (1, 2, 4, 8, 16):
        noise = random.normal(128, 12, (size[1] // scale, size[0] // scale, 3)).clip(0, 255).astype(np.uint8)
        grain = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        image = ImageChops.add(image, grain, 1, -128)
    return image


# Tiles of the largest image are tried.
@pytest.mark.parametrize(("size", "target"), [((400, 300), 70), ((640, 480), 80), ((1200, 900), 72.5)])
@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "AVIF"])
def test_a_rendition_reaches_its_score(image_format: str, size: tuple[int, int], target: float) -> None:
    wanted = draw_grain(size)
    body = output_body(encode(wanted, "PNG"), image_format.lower(), scale=1, ssimulacra2=target)
    assert score(wanted, Image.open(io.BytesIO(body)).convert("RGB")) == pytest.approx(target, abs=2)
