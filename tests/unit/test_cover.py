"""Cropping and fitting, compared by pixels: outputs are upright, centred and never enlarged."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from imaging.render import render
from renditions import Rendition
from tests.images import STORED, encode, encode_oriented, load, picture
from tests.unit.rendering import LIMITS, output_image, render_one

COVER: dict[str, Any] = {"fit": "cover"}


def measure_distance(got: Image.Image, shown: Image.Image, **options: Any) -> float:
    """Return the mean difference between an output and the rendition of the upright picture."""
    placement = Rendition("r", **options).place(shown.size)
    assert got.size == placement.size
    want = shown.resize(placement.size, Image.Resampling.BOX, box=placement.box)
    return float(np.abs(np.asarray(got.convert("RGB"), dtype=int) - np.asarray(want, dtype=int)).mean())


@pytest.mark.parametrize(
    "options",
    [
        {"width": 40, "height": 40, **COVER},
        {"width": 33, "height": 90, **COVER},
        {"width": 90, "height": 11, **COVER},
        {"width": 100, "height": 30},
        {"width": 37},
        {"height": 41},
        {"scale": 0.3},
        {"scale": 0.125},
    ],
)
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("image_format", "encoding"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_every_orientation_has_equal_outputs(
    image_format: str, encoding: dict[str, Any], orientation: int, options: dict[str, Any]
) -> None:
    shown = picture(301, 203)
    assert (
        measure_distance(
            output_image(encode_oriented(shown, orientation, image_format, **encoding), **options), shown, **options
        )
        < 4
    )


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_the_size_of_a_source_is_that_of_its_upright_picture(image_format: str, orientation: int) -> None:
    # A JPEG's decoder shrinks it.
    assert render_one(encode_oriented(picture(301, 203), orientation, image_format), scale=0.1).size == (301, 203)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["JPEG", "PNG"]),
    st.sampled_from(list(STORED)),
    st.integers(1, 130),
    st.integers(1, 130),
    st.integers(1, 150),
    st.integers(1, 150),
)
def test_a_cover_is_centred_and_never_enlarged(
    image_format: str, orientation: int, width: int, height: int, across: int, down: int
) -> None:
    shown = picture(width, height)
    encoding = {"quality": 95, "subsampling": 0} if image_format == "JPEG" else {}
    source = encode_oriented(shown, orientation, image_format, **encoding)
    got = output_image(source, width=across, height=down, **COVER)
    assert got.width <= min(across, width)
    assert got.height <= min(down, height)
    # In a tiny picture, half a pixel is a large difference.
    assert measure_distance(got, shown, width=across, height=down, **COVER) < 6 + 400 / min(got.size)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize(
    ("size", "tile", "made"),
    [
        ((1, 60), (10, 1), (1, 1)),
        ((13, 51), (100, 105), (13, 14)),
        ((1, 1), (99, 1), (1, 1)),
        ((8, 8), (9, 9), (8, 8)),
    ],
)
def test_a_picture_smaller_than_its_tile_is_only_cropped(
    image_format: str, size: tuple[int, int], tile: tuple[int, int], made: tuple[int, int]
) -> None:
    assert output_image(encode(picture(*size), image_format), width=tile[0], height=tile[1], **COVER).size == made


def test_one_decoding_serves_the_largest_of_several_renditions() -> None:
    shown = picture(1601, 1203)
    asked: list[dict[str, Any]] = [
        {"width": 100},
        {"width": 90, "height": 90, **COVER},
        {"scale": 0.5},
        {"scale": 0.26},
        {"width": 1500, "height": 9, **COVER},
    ]
    renditions = [Rendition(f"r{number}", **options) for number, options in enumerate(asked)]
    outputs = render(encode_oriented(shown, 6, "JPEG", quality=95), renditions, limits=LIMITS).outputs
    for made, options in zip(outputs, asked, strict=True):
        assert measure_distance(load(made.body), shown, **options) < 4


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_other_renditions_do_not_change_an_output(mode: str, orientation: int) -> None:
    noise = Image.effect_noise((1200, 800), 60)
    shown = Image.merge("RGB", [noise, ImageChops.offset(noise, 5), picture(1200, 800).getchannel("R")])
    wide = noise.convert("I").point(lambda level: level * 257 + 0).convert("I;16")
    source = encode_oriented(wide if mode == "I;16" else shown.convert(mode), orientation, "PNG")
    asked = [
        Rendition("tile", width=40, height=40, fit="cover"),
        Rendition("half", scale=0.5),
        Rendition("tiny", width=30),
        Rendition("quarter", scale=0.25),
        Rendition("strip", width=200, height=20, fit="cover"),
    ]
    for rendition, made in zip(asked, render(source, asked, limits=LIMITS).outputs, strict=True):
        together = np.asarray(load(made.body), dtype=float)
        alone = np.asarray(load(render(source, [rendition], limits=LIMITS).outputs[0].body), dtype=float)
        assert together.shape == alone.shape
        assert np.abs(together - alone).mean() < (2 * 257 if mode == "I;16" else 2)


def test_a_small_rendition_is_made_from_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    resize = Image.Image.resize

    def spy(self: Image.Image, *arguments: Any, **options: Any) -> Image.Image:
        read.append(self.size)
        return resize(self, *arguments, **options)

    source = encode(picture(1600, 1200), "PNG")
    monkeypatch.setattr(Image.Image, "resize", spy)
    render(source, [Rendition("tiny", width=90), Rendition("quarter", scale=0.26)], limits=LIMITS)
    assert read[:2] == [(1600, 1200), (416, 312)]


@pytest.mark.parametrize("scale", [1, 0.999])
@pytest.mark.parametrize("orientation", [1, 6])
def test_one_pixel_lines_at_the_edges_survive_full_size(orientation: int, scale: float) -> None:
    shown = Image.new("RGB", (64, 48), "white")
    shown.paste("black", (0, 0, 64, 1))
    shown.paste("black", (0, 0, 1, 48))
    got = np.asarray(output_image(encode_oriented(shown, orientation, "PNG"), scale=scale).convert("L"))
    assert got.shape == (48, 64)
    assert max(got[0, 30], got[30, 0]) < 40
    assert min(got[30, 63], got[47, 30]) > 215


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8, 9])
def test_a_decoder_divides_by_the_displayed_sides(orientation: int) -> None:
    random = np.random.default_rng(0).integers(0, 256, (40, 320), dtype=np.uint8)
    stored = Image.fromarray(random).resize((1280, 160), Image.Resampling.NEAREST).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Half of the displayed sides, and an eighth or less of the stored sides.
    swaps = 5 <= orientation <= 8
    options: dict[str, Any] = {"width": 80} if swaps else {"height": 80}
    jpeg, png = (
        np.asarray(output_image(encode(stored, image_format, exif=exif, **more), **options).convert("L"), dtype=int)
        for image_format, more in (("JPEG", {"quality": 95}), ("PNG", {}))
    )
    assert jpeg.shape == png.shape == ((640, 80) if swaps else (80, 640))
    assert np.abs(jpeg - png).mean() < 10
