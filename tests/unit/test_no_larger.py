"""An output is no larger than a source of its format, even if the source has a low quality."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging import saving
from imaging.formats import avif, jpeg_segments, webp
from imaging.records import Job, Options
from tests.images import encode, load, picture
from tests.unit.rendering import output_body

PHOTO = Image.blend(picture(256, 192), Image.effect_noise((256, 192), 80).convert("RGB"), 0.15)


def make_source(image_format: str, quality: int, *, is_animated: bool) -> bytes:
    frames = [PHOTO.rotate(turn) for turn in (5, 10, 15)]
    options: dict[str, Any] = {"save_all": True, "append_images": frames, "duration": 100} if is_animated else {}
    return encode(PHOTO, image_format, quality=quality, **options)


@pytest.mark.parametrize("scale", [0.5, 1])
@pytest.mark.parametrize("is_animated", [False, True])
@pytest.mark.parametrize("quality", [20, 40, 60])
@pytest.mark.parametrize("image_format", ["AVIF", "WEBP"])
def test_a_source_of_low_quality_does_not_grow(
    image_format: str, quality: int, is_animated: bool, scale: float
) -> None:
    source = make_source(image_format, quality, is_animated=is_animated)
    body = output_body(source, scale=scale)
    # Quality 20 is near the lowest that is tried, and a slower encoder wrote the source.
    assert len(body) <= len(source) * (1.25 if quality == 20 and scale == 1 else 1)
    # The quality is not lowered further than necessary.
    if scale == 1 and not is_animated:
        assert len(body) > 0.75 * len(source)
        error = np.abs(np.asarray(load(body), dtype=int) - np.asarray(load(source))).mean()
        assert error < np.abs(np.asarray(load(source), dtype=int) - np.asarray(PHOTO)).mean() + 4


@pytest.mark.parametrize("is_animated", [False, True])
@pytest.mark.parametrize("image_format", ["AVIF", "WEBP"])
def test_padding_lowers_no_quality(monkeypatch: pytest.MonkeyPatch, image_format: str, is_animated: bool) -> None:
    source = make_source(image_format, 50, is_animated=is_animated)
    save, qualities = saving.save, list[int]()

    def note_quality(job: Job, images: Sequence[Image.Image], options: Options) -> bytes:
        qualities.append(options["quality"])
        return save(job, images, options)

    for module in (avif, webp):
        monkeypatch.setattr(module, "save", note_quality)
    output_body(source, scale=1)
    whole = qualities[-1]
    assert whole < qualities[0]
    output_body(source, width=1600, height=1200, fit="contain")
    assert qualities[-1] == whole


@pytest.mark.parametrize("image_format", ["AVIF", "WEBP"])
def test_the_quality_of_a_rendition_is_kept(image_format: str) -> None:
    source = make_source(image_format, 20, is_animated=False)
    assert len(output_body(source, scale=1, quality=90)) > 2 * len(source)


@pytest.mark.parametrize("image_format", ["AVIF", "WEBP"])
def test_the_number_of_encodings_is_limited(monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
    source = make_source(image_format, 5, is_animated=False)
    save, count = saving.save, 0

    def count_saves(*arguments: Any) -> bytes:
        nonlocal count
        count += 1
        return save(*arguments)

    for module in (avif, webp):
        monkeypatch.setattr(module, "save", count_saves)
    output_body(source, scale=1)
    assert 1 < count <= 1 + saving.MOST_TRIES


def test_a_jpeg_keeps_its_quality_with_optimised_huffman_tables() -> None:
    source = encode(PHOTO, quality=50, optimize=True)
    body = output_body(source, scale=1)
    tables = [load(jpeg).quantization for jpeg in (body, source)]  # type: ignore[attr-defined]
    assert tables[0] == tables[1]
    assert len(body) < 1.01 * len(source)


@pytest.mark.parametrize("scale", [0.5, 1])
@pytest.mark.parametrize("quality", [20, 50, 95])
def test_a_tiff_of_jpegs_keeps_its_quality_and_does_not_grow(quality: int, scale: float) -> None:
    # The second page has a higher quality.
    for mode in ("RGB", "YCbCr", "L"):
        later = PHOTO.convert(mode)
        later.encoderinfo = {"compression": "jpeg", "quality": 100}
        options: dict[str, Any] = {"compression": "jpeg", "save_all": True, "append_images": [later]}
        source = encode(PHOTO.convert(mode), "TIFF", quality=quality, **options)
        body = output_body(source, scale=scale)
        assert len(body) <= len(source)
        wanted = encode(PHOTO, quality=min(quality, 80))
        tables = jpeg_segments.read_tables(load(body).tag_v2[347])  # type: ignore[attr-defined]
        # The file stores them in zigzag order, and libtiff lets them exceed 255.
        assert sorted(min(255, step) for step in tables[0]) == sorted(load(wanted).quantization[0])  # type: ignore[attr-defined]
