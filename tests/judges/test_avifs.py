"""AVIFs: Chromium shows stills in every orientation and frames in the colours of their source."""

import numpy as np
import pytest
from PIL import Image

from tests.images import encode, encode_oriented, picture
from tests.judges.chromium import Chromium
from tests.unit.rendering import output_body

COLOURS = [(200, 40, 90), (20, 160, 220), (250, 250, 250), (5, 5, 5)]
CODER = 12
"""The largest difference that the codec may cause in a flat colour, of 255."""


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_the_frames_of_an_animation_have_the_colours_of_its_source(
    chromium: Chromium, image_format: str, mode: str
) -> None:
    frames = [Image.new(mode, (64, 48), colour) for colour in COLOURS]
    options = {"range": "limited"} if image_format == "AVIF" else {}
    source = encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100, **options)
    shown = chromium.animation(output_body(source, "avif"), "image/avif")
    for frame, colour in zip(shown.frames, COLOURS, strict=True):
        assert np.abs(frame.pixels[4:-4, 4:-4, :3].astype(int) - colour).max() <= CODER


@pytest.mark.parametrize("options", [{}, {"range": "limited"}, {"subsampling": "4:4:4"}, {"subsampling": "4:2:2"}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_still_looks_like_its_source(chromium: Chromium, mode: str, options: dict[str, str]) -> None:
    source = encode(picture(128, 96, mode), "AVIF", quality=95, **options)
    wanted, got = chromium.still(source), chromium.still(output_body(source, scale=1))
    assert np.abs(wanted.pixels.astype(int) - got.pixels).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_still_is_applied_once(chromium: Chromium, orientation: int) -> None:
    source = encode_oriented(picture(128, 96), orientation, "AVIF", quality=95)
    wanted, got = chromium.still(source), chromium.still(output_body(source, scale=1))
    assert wanted.pixels.shape == got.pixels.shape
    assert np.abs(wanted.pixels.astype(int) - got.pixels).mean() < 3
