"""Colours of 16 bits a channel: resized without losing a bit, written only if they have more than 8, and proven."""

import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

from errors import RejectedError
from imaging import lower_bytes, proof
from imaging.formats.png import FIRST_ROWS
from imaging.limits import Clock
from imaging.losses import Lost
from imaging.render import render
from renditions import Rendition
from tests import pngs, tiffs
from tests.unit.rendering import LIMITS, output_body, render_one

Samples = np.ndarray[Any, np.dtype[Any]]

COLOUR_TYPES = {"RGB": 2, "LA": 4, "RGBA": 6}
"""Of a PNG."""

SIXTEEN = {"bits": "16 bits a channel were reduced to 8"}


def draw(mode: str, width: int, height: int) -> Samples:
    """Return random samples: for the errors of a filter, the worst."""
    samples = np.random.default_rng(width).integers(0, 1 << 16, (height, width, len(mode)))
    if mode.endswith("A"):
        # Few levels of alpha, so that there are areas without a visible colour.
        samples[..., -1] = np.random.default_rng(height).choice([0, 300, 40000, 65535], (height, width))
    return samples.astype(np.uint16)


def split(samples: Samples) -> tuple[Image.Image, Image.Image]:
    """Return the images of the upper and the lower bytes."""
    high, low = ((samples >> shift & 255).astype(np.uint8) for shift in (8, 0))
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    size = samples.shape[1], samples.shape[0]
    return Image.frombytes(mode, size, high.tobytes()), Image.frombytes(mode, size, low.tobytes())


def join(high: Image.Image, low: Image.Image) -> Samples:
    samples: Samples = np.asarray(high).astype(np.uint16) << 8 | np.asarray(low)
    return samples


def resize_planes(
    samples: Samples, size: tuple[int, int], resampling: Image.Resampling, box: tuple[float, float, float, float]
) -> Samples:
    """Return samples of each channel resized by itself as floating-point numbers, whole at once."""
    weighted = samples.astype(np.float64)
    has_alpha = samples.shape[2] in {2, 4}
    if has_alpha:
        weighted[..., :-1] *= weighted[..., -1:]
    planes = [
        np.asarray(Image.fromarray(weighted[..., band].astype(np.float32)).resize(size, resampling, box), np.float64)
        for band in range(samples.shape[2])
    ]
    if has_alpha:
        alpha = np.where(planes[-1] == 0, 1, planes[-1])
        planes = [*(plane / alpha for plane in planes[:-1]), planes[-1]]
    return np.stack(planes, axis=2).round().clip(0, 65535)


@pytest.mark.parametrize("resampling", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("mode", COLOUR_TYPES)
def test_strips_are_resized_as_the_whole(
    monkeypatch: pytest.MonkeyPatch, mode: str, resampling: Image.Resampling
) -> None:
    monkeypatch.setattr(lower_bytes, "STRIP_PIXELS", 1)
    monkeypatch.setattr(lower_bytes, "STRIP_ROWS", 24)
    for (width, height), size in itertools.product(
        ((90, 60), (31, 401), (1, 90), (64, 1)), ((45, 30), (13, 100), (1, 1), (90, 77))
    ):
        samples = draw(mode, width, height)
        for box in ((0.0, 0.0, width, height), (width * 0.1, height * 0.2, width * 0.8, height * 0.9)):
            resized = join(*lower_bytes.resize(*split(samples), size, resampling, box)).astype(float)
            difference = np.abs(resized - resize_planes(samples, size, resampling, box))
            # The less of a colour is visible, the less exact it is.
            visible = difference[resized[..., -1] > 6553] if mode.endswith("A") else difference
            assert visible.max(initial=0) <= 1


@pytest.mark.parametrize("mode", COLOUR_TYPES)
def test_halves_are_means_of_four_samples(mode: str) -> None:
    samples = draw(mode, 70, 600)
    resized = join(*lower_bytes.resize(*split(samples), (35, 300), Image.Resampling.BOX, (0, 0, 70, 600)))
    weights = samples[..., [-1]].astype(float) if mode.endswith("A") else np.ones((600, 70, 1))
    sums, total = (part.reshape(300, 2, 35, 2, -1).sum(axis=(1, 3)) for part in (samples * weights, weights))
    means = sums / np.maximum(total, 1)
    if mode.endswith("A"):
        means[..., -1] = total[..., 0] / 4
    assert np.abs(resized - means).max() <= 1


@pytest.mark.parametrize("mode", COLOUR_TYPES)
def test_a_constant_stays(mode: str) -> None:
    samples = np.full((50, 70, len(mode)), 0x1234, np.uint16)
    assert (
        join(*lower_bytes.resize(*split(samples), (33, 21), Image.Resampling.LANCZOS, (0, 0, 70, 50))) == 0x1234
    ).all()


def test_transparent_colours_do_not_show() -> None:
    samples = np.zeros((64, 64, 4), np.uint16)
    samples[:, :32] = 65535, 0, 0, 0
    samples[:, 32:] = 0, 0, 54321, 65535
    resized = join(*lower_bytes.resize(*split(samples), (20, 20), Image.Resampling.LANCZOS, (0, 0, 64, 64)))
    visible = resized[resized[..., 3] > 0]
    assert len(visible)
    assert (visible[:, :3] == (0, 0, 54321)).all()


def test_filters_end_at_black_and_white() -> None:
    samples = np.zeros((40, 40, 3), np.uint16)
    samples[:, 20:] = 65535
    resized = join(*lower_bytes.resize(*split(samples), (30, 30), Image.Resampling.BICUBIC, (0, 0, 40, 40)))
    assert (resized[:, :13] < 20000).all()
    assert (resized[:, 17:] > 45000).all()


def encode(samples: Samples, image_format: str) -> bytes:
    if image_format == "PNG":
        return pngs.png(samples, {2: 4, 3: 2, 4: 6}[samples.shape[2]], 16)
    return tiffs.tiff(samples, tiffs.Kind(16, tiffs.RGB, extra=(2,) if samples.shape[2] == 4 else ()))


@pytest.mark.parametrize(
    ("mode", "image_format"), [*((mode, "PNG") for mode in COLOUR_TYPES), ("RGB", "TIFF"), ("RGBA", "TIFF")]
)
def test_8_bits_stored_as_16_are_written_as_8(mode: str, image_format: str) -> None:
    eight = draw(mode, 40, 40) >> 8
    assert render_one(encode(eight * 257, image_format), scale=1).lost == {}
    body, small = (output_body(encode(eight * factor, image_format), scale=1) for factor in (256, 257))
    assert len(small) < len(body)
    high, low = split(eight * 257)
    assert lower_bytes.repeats(high, low)
    assert not lower_bytes.repeats(high, split(eight * 256)[1])


@pytest.mark.parametrize("to", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_outputs_of_8_bits_name_the_loss(image_format: str, to: str) -> None:
    assert render_one(encode(draw("RGB", 40, 40), image_format), to).lost == SIXTEEN


def test_each_output_names_its_own_loss() -> None:
    source = encode(draw("RGB", 64, 64), "PNG")
    wanted = [Rendition("deep", scale=1), Rendition("shallow", scale=0.5, format="webp"), Rendition("small", scale=0.2)]
    outputs = render(source, wanted, limits=LIMITS).outputs
    assert [[loss.what for loss in output.lost] for output in outputs] == [[], [Lost.BITS], []]
    # A deep output is never made from a shallow one.
    assert outputs[2].body == output_body(source, scale=0.2)


def test_16_bits_are_expected_to_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    expected: dict[str, float] = {}
    monkeypatch.setattr(Clock, "check", lambda _, step, nanoseconds: expected.update({step: nanoseconds}))
    source = encode(draw("RGB", 64, 64), "PNG")
    render_one(source)
    deep = dict(expected)
    render_one(encode(draw("RGB", 64, 64) >> 8, "PNG"), "webp")
    assert deep["decoding this PNG"] > 2 * expected["decoding this PNG"]
    render_one(encode((draw("RGB", 64, 64) >> 8) * 257, "PNG"))
    assert deep["encoding as PNG"] == 3 * expected["encoding as PNG"]


def test_separate_planes_keep_8_bits() -> None:
    samples, kind = draw("RGBA", 40, 40), tiffs.Kind(16, tiffs.RGB, extra=(2,), planar=2)
    assert render_one(tiffs.tiff(samples, kind)).lost == SIXTEEN


@pytest.mark.parametrize(("height", "row"), [(40, 39), (40, 0), (2 * FIRST_ROWS, FIRST_ROWS - 1)])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_the_proof_finds_a_wrong_lower_byte(image_format: str, height: int, row: int) -> None:
    samples = draw("RGB", 40, height)
    high, low = split(samples)
    body = output_body(encode(samples, image_format), scale=1)
    proof.check(body, image_format, [high], [low])
    samples[row, 7, 1] ^= 1
    wrong = split(samples)[1]
    with pytest.raises(RejectedError, match="whose values have 16 or 32 bits"):
        proof.check(body, image_format, [high], [wrong])


def test_the_proof_finds_an_output_of_8_bits() -> None:
    samples = draw("RGB", 40, 40)
    high, low = split(samples)
    for image_format, shallow in (
        ("PNG", pngs.png(samples >> 8, 2, 8)),
        ("TIFF", tiffs.tiff(samples >> 8, tiffs.Kind(8, tiffs.RGB))),
    ):
        with pytest.raises(RejectedError, match="8 bits a channel in place of 16"):
            proof.check(shallow, image_format, [high], [low])
