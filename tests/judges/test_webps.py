"""WebPs of every kind: Chromium shows each output as it shows the source."""

from typing import Any

import numpy as np
import pytest

from tests.images import encode, picture
from tests.judges.chromium import Chromium
from tests.unit.rendering import output_body

SIZE = (128, 96)
CODER = 4
"""The largest mean difference that the codec may cause, of 255."""

KINDS: list[dict[str, Any]] = [
    {"quality": 90},
    {"quality": 40},
    {"lossless": True},
    {"quality": 90, "alpha_quality": 40},
]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize("options", KINDS, ids=repr)
def test_a_still_looks_like_its_source(chromium: Chromium, mode: str, options: dict[str, Any]) -> None:
    image = picture(*SIZE, mode)
    if mode in {"RGBA", "LA"}:
        image.putalpha(picture(*SIZE, "L"))
    source = encode(image, "WEBP", **options)
    wanted = chromium.still(source)
    whole, half = (chromium.still(output_body(source, scale=scale)) for scale in (1, 0.5))
    # Colours count in proportion to their alpha.
    alpha = wanted.pixels[..., 3:] / 255
    assert np.abs((whole.pixels.astype(int) - wanted.pixels)[..., :3] * alpha).mean() < CODER
    assert np.abs(whole.pixels[..., 3].astype(int) - wanted.pixels[..., 3]).mean() < CODER
    means = wanted.pixels.reshape(48, 2, 64, 2, 4).mean((1, 3))
    assert np.abs((half.pixels - means)[..., :3] * means[..., 3:] / 255).mean() < CODER
    assert np.abs(half.pixels - means)[..., 3].mean() < CODER


@pytest.mark.parametrize("options", KINDS, ids=repr)
def test_every_frame_looks_like_its_source(chromium: Chromium, options: dict[str, Any]) -> None:
    frames = [picture(*SIZE, "RGBA").rotate(turn) for turn in (0, 90, 180, 270)]
    for number, frame in enumerate(frames):
        frame.paste((0, 0, 0, 0), (16 * number, 16, 16 * number + 32, 64))
    source = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, **options)
    bodies = source, output_body(source, scale=1)
    wanted, got = (chromium.animation(body, "image/webp").frames for body in bodies)
    for one, other in zip(wanted, got, strict=True):
        assert np.abs((one.pixels.astype(int) - other.pixels)[..., :3] * (one.pixels[..., 3:] / 255)).mean() < CODER
        assert np.abs(one.pixels[..., 3].astype(int) - other.pixels[..., 3]).mean() < CODER
