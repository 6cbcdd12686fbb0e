"""A score in place of a quality: which outputs it changes, and how much work the search is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from errors import Reason, RejectedError
from imaging import visual_quality
from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
from tests.images import encode, load, picture
from tests.unit.rendering import output_body

SIZE = 240, 200
PHOTO = Image.blend(picture(*SIZE), Image.effect_noise(SIZE, 80).convert("RGB"), 0.15)
TRANSPARENT = PHOTO.copy()
TRANSPARENT.putalpha(Image.radial_gradient("L").resize(SIZE))


@pytest.mark.parametrize("to", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("photo", [PHOTO, PHOTO.convert("L"), TRANSPARENT], ids=lambda photo: str(photo.mode))
def test_a_higher_score_takes_more_bytes(photo: Image.Image, to: str) -> None:
    source = encode(photo, "PNG")
    sizes = [len(output_body(source, to, scale=1, ssimulacra2=score)) for score in (40, 60, 80)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("to", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("size", [(240, 200), (1200, 900)])
def test_padding_does_not_raise_the_score(to: str, size: tuple[int, int]) -> None:
    photo = PHOTO.resize(size)
    options = {"width": size[0], "height": 2 * size[1], "fit": "contain", "ssimulacra2": 70}
    padded = load(output_body(encode(photo, "PNG"), to, **options)).convert("RGB")
    part = padded.crop((0, size[1] // 2, size[0], size[1] // 2 + size[1]))
    assert visual_quality.compare(photo, part) == pytest.approx(70, abs=3)


def test_a_cmyk_jpeg_and_an_animation_have_scores() -> None:
    animation = encode(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(9)], duration=100)
    for source in (encode(PHOTO.convert("CMYK"), quality=95), animation):
        low, high = (len(output_body(source, scale=1, ssimulacra2=score)) for score in (40, 70))
        assert low < high


@pytest.mark.parametrize(
    "source",
    [
        encode(PHOTO, "PNG"),
        encode(PHOTO.quantize(16), "GIF"),
        encode(PHOTO, "TIFF", compression="jpeg", quality=90),
        encode(PHOTO, "WEBP", lossless=True),
    ],
)
def test_formats_without_a_search_ignore_it(source: bytes) -> None:
    assert output_body(source, ssimulacra2=40) == output_body(source)


@pytest.mark.parametrize("size", [(1, 1), (95, 400), (1200, 1000), (95, 9000), (9000, 96), (3000, 1)])
def test_any_size_has_a_quality(size: tuple[int, int]) -> None:
    source = encode(picture(*size), "PNG")
    assert output_body(source, "jpeg", scale=1, ssimulacra2=70)


def test_a_sample_shows_each_of_its_tiles_as_encoded() -> None:
    wide = picture(1200, 1000)
    chosen = visual_quality.choose_tiles(wide)
    sample = chosen.cut(wide)
    assert sample.width * sample.height == visual_quality.SAMPLE_PIXELS
    assert sum(chosen.shares) == pytest.approx(1)
    tile = visual_quality.TILE
    shown = chosen.stack(sample)
    tiles = {shown.crop((0, top, tile, top + tile)).tobytes() for top in range(0, shown.height, tile)}
    lattice = range(visual_quality.MARGIN, 1200 - tile, tile)
    assert tiles <= {wide.crop((x, y, x + tile, y + tile)).tobytes() for x in lattice for y in lattice}


def test_a_sparse_image_is_sampled_where_it_has_detail() -> None:
    sparse = Image.new("RGB", (2000, 1500), "white")
    sparse.paste(PHOTO, (800, 600))
    tiles = visual_quality.choose_tiles(sparse)
    shown = tiles.stack(tiles.cut(sparse))
    detailed = [
        share
        for index, share in enumerate(tiles.shares)
        if len(set(shown.crop((0, index * 80, 80, index * 80 + 80)).tobytes())) > 9
    ]
    assert len(detailed) > len(tiles.shares) / 4
    # The photo touches 3 or 4 tiles across and down, of 24 by 18.
    assert sum(detailed) == pytest.approx(12 / (24 * 18), rel=0.4)


@pytest.mark.parametrize("size", [SIZE, (1200, 1000), (1, 1), (5, 2000)])
def test_an_identical_image_has_the_highest_score(size: tuple[int, int]) -> None:
    photo = PHOTO.resize(size)
    assert visual_quality.compare(photo, photo) == pytest.approx(100, abs=0.05)


@given(st.integers(30, 90), st.integers(10, 95), st.lists(st.floats(-50, 100), min_size=10))
def test_the_search_ends_for_any_encoder(target: int, first: int, scores: list[float]) -> None:
    tried: list[int] = []

    def count(quality: int) -> float:
        tried.append(quality)
        return scores[len(tried) - 1]

    found = visual_quality._search(count, first, target, 5)
    assert len(tried) == len(set(tried)) <= 5
    assert found in tried
    assert set(tried) <= set(range(visual_quality.LEAST_QUALITY, visual_quality.MOST_QUALITY + 1))


@given(st.floats(30, 90), st.floats(20, 70), st.floats(visual_quality.LEAST_SLOPE, 1.5))
def test_the_search_finds_the_score_of_a_steady_encoder(target: float, start: float, slope: float) -> None:
    def score(quality: float) -> float:
        return start + slope * (quality - 10)

    found = visual_quality._search(score, 70, target, 5)
    reachable = min(max(target, score(10)), score(95))
    assert abs(score(found) - reachable) <= max(visual_quality.NEAR, slope / 2 + 1e-6)


def test_its_memory_and_time_are_predicted() -> None:
    source = encode(picture(4000, 3000))
    needs: dict[str, Any] = {"scale": 0.25, "format": "jpeg"}
    small = Limits(160 << 20)
    render(source, [Rendition("r", **needs)], limits=small)
    with pytest.raises(RejectedError) as caught:
        render(source, [Rendition("r", **needs, ssimulacra2=70)], limits=small)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_large_image_has_time_for_few_whole_encodings() -> None:
    once = 10e9
    needed = visual_quality.nanoseconds_for(100 * visual_quality.SAMPLE_PIXELS, once)
    assert visual_quality.MOST_ENCODES * once <= needed < (visual_quality.MOST_ENCODES + 1) * once
    assert visual_quality.nanoseconds_for(visual_quality.SAMPLE_PIXELS, once) >= visual_quality.MOST_TRIALS * once
