"""Outputs of half the size: lossless ones are means of four pixels, lossy ones are resized with a wider filter."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from renditions import Rendition
from tests.images import encode
from tests.unit.test_shrunk import Pixels, draw_detail, measure_fidelity, render_outputs

SIDES = WIDTH, HEIGHT = 640, 480
Halve = Callable[[Image.Image], Image.Image]


def average(image: Image.Image) -> Image.Image:
    return image.reduce(2)


def filter_widely(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def to_pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def find_closest(got: Pixels, image: Image.Image) -> Halve:
    """Return the way of halving ``image`` whose result is closest to ``got``."""
    return max(average, filter_widely, key=lambda halve: measure_fidelity(got, to_pixels(halve(image))))


@pytest.mark.parametrize(
    ("image_format", "halve"),
    [
        ("png", average),
        ("jpeg", filter_widely),
        ("webp", filter_widely),
        ("avif", filter_widely),
    ],
)
def test_a_lossy_output_is_halved_with_a_wider_filter(image_format: str, halve: Halve) -> None:
    image = draw_detail(*SIDES)
    rendition = Rendition("half", scale=0.5, format=image_format, quality=95)
    (got,) = render_outputs(encode(image, "PNG"), rendition)
    assert find_closest(got, image) is halve


def test_the_quarter_of_a_jpeg_is_averaged_from_its_decoders_half() -> None:
    source = encode(draw_detail(*SIDES), quality=95)
    half = Image.open(io.BytesIO(source))
    half.draft(None, (WIDTH // 2, HEIGHT // 2))
    half.load()
    asked = [Rendition(name, scale=scale, quality=95) for name, scale in (("half", 0.5), ("quarter", 0.25))]
    assert find_closest(render_outputs(source, *asked)[1], half) is average


def test_a_half_does_not_depend_on_a_whole_beside_it() -> None:
    source = encode(draw_detail(*SIDES), "PNG")
    half, whole = Rendition("half", scale=0.5), Rendition("whole", scale=1)
    (alone,), (_, together) = render_outputs(source, half), render_outputs(source, whole, half)
    assert np.array_equal(alone, together)
