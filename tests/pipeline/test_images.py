"""Uploads of every kind of image become resized images; other files are recorded."""

import pytest

from tests.pipeline.conftest import Pipeline
from tools.accept import uploads

FORMATS, REJECTED = uploads.draw_formats(), uploads.draw_rejected()


def test_cake_jpg_becomes_resized_cake_jpg_at_half_size(pipeline: Pipeline) -> None:
    uploads.check_photo(pipeline)
    assert "images/resized-cake.jpg" in pipeline.list_keys(pipeline.destination_bucket)


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_keeps_its_orientation_mode_and_frames(pipeline: Pipeline, name: str) -> None:
    uploads.check_format(pipeline, name, FORMATS[name])


def test_a_multipart_upload_of_20_mb_is_resized(pipeline: Pipeline) -> None:
    uploads.check_multipart(pipeline)


@pytest.mark.parametrize("key", uploads.ODD_KEYS)
def test_an_image_with_an_unusual_key_is_resized(pipeline: Pipeline, key: str) -> None:
    uploads.check_key(pipeline, key)


@pytest.mark.parametrize("key", REJECTED)
def test_a_rejected_upload_is_recorded_and_has_no_output(pipeline: Pipeline, key: str) -> None:
    uploads.check_rejection(pipeline, key, *REJECTED[key])
