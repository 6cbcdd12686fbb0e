"""JPEGs that their decoder shrinks: outputs have the position and the fidelity of a full decode."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.render import render
from renditions import Rendition
from tests.images import STORED, encode, encode_oriented, load
from tests.unit.rendering import LIMITS

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

sides = st.integers(150, 640)
lengths = st.integers(40, 200)
renditions = st.one_of(
    st.builds(Rendition, st.just("r"), scale=st.sampled_from([0.125, 0.25, 0.5]) | st.floats(0.1, 0.6)),
    st.builds(Rendition, st.just("r"), width=lengths),
    st.builds(Rendition, st.just("r"), height=lengths),
    st.builds(Rendition, st.just("r"), width=lengths, height=lengths, fit=st.just("cover")),
)


def draw_waves(width: int, height: int) -> Image.Image:
    """Return a picture of phase-shifted waves: at every place some channel has a slope, across and down."""
    phases = np.arange(3) * math.tau / 3
    across = np.sin(math.tau * 4 * np.linspace(0, 1, width)[None, :, None] + phases)
    down = np.sin(math.tau * 3 * np.linspace(0, 1, height)[:, None, None] + phases)
    return Image.fromarray(np.uint8(127.5 + 55 * across + 55 * down))


def draw_detail(width: int, height: int) -> Image.Image:
    """Return a grey picture with detail of every size, weaker the finer it is, as in a photo."""
    random = np.random.default_rng(5)
    layers = []
    steps = (2, 4, 8, 16, 32, 64, 128)
    for step in steps:
        noise = Image.fromarray(random.integers(0, 256, (-(-height // step), -(-width // step)), dtype=np.uint8))
        layers.append(np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), dtype=float))
    mean = np.average(layers, axis=0, weights=[step**0.7 for step in steps])
    return Image.fromarray(np.uint8(np.clip(1.6 * mean - 70, 0, 255)))


def render_outputs(source: bytes, *asked: Rendition) -> list[Pixels]:
    made = render(source, asked, limits=LIMITS).outputs
    return [np.asarray(load(output.body).convert("RGB"), dtype=np.float64) for output in made]


def measure_displacement(got: Pixels, want: Pixels) -> float:
    """Return the largest offset, in pixels, of an outer quarter of a picture: least squares over its slopes."""
    down, across = np.gradient(want, axis=(0, 1))
    height, width = (max(2, side // 4) for side in want.shape[:2])
    found: list[float] = []
    for area in np.s_[:height, :], np.s_[-height:, :], np.s_[:, :width], np.s_[:, -width:]:
        slopes = np.column_stack([across[area].ravel(), down[area].ravel()])
        found += np.linalg.lstsq(slopes, (want - got)[area].ravel(), rcond=None)[0].tolist()
    return max(map(abs, found))


def measure_fidelity(got: Pixels, want: Pixels) -> float:
    """Return the PSNR of a picture, in dB."""
    return 10 * math.log10(255**2 / max(1e-3, float(np.square(got - want).mean())))


def is_decoders_half(rendition: Rendition, size: tuple[int, int]) -> bool:
    """Tell whether the decoder halved odd sides, which docs/images.md lists as a limit."""
    return rendition.fit == "inside" and rendition.place(size).size == (-(-size[0] // 2), -(-size[1] // 2))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(sides, sides, st.sampled_from(list(STORED)), st.booleans(), st.lists(renditions, min_size=1, max_size=3))
def test_an_output_has_the_position_of_a_full_decode(
    width: int, height: int, orientation: int, progressive: bool, asked: list[Rendition]
) -> None:
    options: dict[str, Any] = {"quality": 95, "subsampling": 0, "progressive": progressive}
    source = encode_oriented(draw_waves(width, height), orientation, "JPEG", **options)
    whole = encode(load(encode(draw_waves(width, height), **options)), "PNG")
    lossless = [replace(rendition, format="png") for rendition in asked]
    for rendition, got in zip(lossless, render_outputs(source, *lossless), strict=True):
        (want,) = render_outputs(whole, rendition)
        most = 0.55 if is_decoders_half(rendition, (width, height)) else 0.1
        assert measure_displacement(got, want) < most


@pytest.mark.parametrize("width", [400, 250, 249, 240, 160, 125, 124, 100, 64])
def test_an_output_has_the_fidelity_of_a_full_decode(width: int) -> None:
    shown = draw_detail(1001, 701)
    source = encode(shown, quality=92)
    rendition = Rendition("r", width=width, format="jpeg")
    want = np.asarray(
        shown.resize(rendition.place(shown.size).size, Image.Resampling.BICUBIC).convert("RGB"), dtype=float
    )
    shrunk, whole = (
        measure_fidelity(render_outputs(body, rendition)[0], want) for body in (source, encode(load(source), "PNG"))
    )
    assert shrunk > whole - 0.5
