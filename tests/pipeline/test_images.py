"""Uploads of every kind of image become resized images; other files are recorded."""

import numpy as np
import pytest
from PIL import Image

from tests.images import corners, encode, encode_oriented, picture
from tests.pipeline.conftest import Pipeline

FRAMES = [picture().rotate(angle) for angle in (0, 90, 180)]
KINDS = {
    "turned.jpg": encode_oriented(picture(), 6, "JPEG"),
    "cmyk.jpg": encode(picture(mode="CMYK")),
    "alpha.png": encode(picture(mode="LA"), "PNG"),
    "animated.gif": encode(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:], duration=100),
}
"""Images that Pillow's ``thumbnail`` and ``save`` would spoil."""


def test_cake_jpg_becomes_resized_cake_jpg_at_half_size(pipeline: Pipeline) -> None:
    pipeline.upload(
        "images/cake.jpg", encode(picture(640, 480)), CacheControl="max-age=60", Metadata={"album": "party"}
    )
    output = pipeline.wait_for_output("images/cake.jpg")
    assert (output["ContentType"], output["CacheControl"]) == ("image/jpeg", "max-age=60")
    assert output["Metadata"]["album"] == "party"
    assert pipeline.wait_for_image("images/cake.jpg").size == (320, 240)
    line = pipeline.wait_for_log_line("written", "images/cake.jpg")
    assert line["outputs"] == [
        {"key": "images/resized-cake.jpg", "width": 320, "height": 240, "bytes": output["ContentLength"], "lost": []}
    ]


@pytest.mark.parametrize("name", KINDS)
def test_an_image_keeps_its_orientation_mode_and_frames(pipeline: Pipeline, name: str) -> None:
    pipeline.upload(f"kinds/{name}", KINDS[name])
    image, mode = pipeline.wait_for_image(f"kinds/{name}"), {"cmyk.jpg": "CMYK", "alpha.png": "LA"}.get(name, "RGB")
    assert getattr(image, "n_frames", 1) == (3 if name == "animated.gif" else 1)
    # The function's gif module, once imported, changes the mode in which Pillow opens GIFs.
    image = image.convert(mode) if name == "animated.gif" else image
    assert (image.size, image.mode) == ((160, 120), mode)
    assert corners(image) == corners(picture(mode=mode))


def test_a_multipart_upload_of_20_mb_is_resized(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2400, 3000, 3), dtype=np.uint8)
    body = encode(Image.fromarray(noise), "PNG", compress_level=0)
    assert len(body) > 20_000_000
    path = tmp_path_factory.mktemp("upload") / "large.png"
    path.write_bytes(body)
    # boto3 uploads files over 8 MB in parts, as the AWS CLI does.
    pipeline.client("s3").upload_file(str(path), pipeline.stack.source_bucket, "large.png")
    assert pipeline.wait_for_image("large.png").size == (1500, 1200)


@pytest.mark.parametrize("key", ["a/b c+d%é.jpg", "three/folders deep/with spaces/cake.jpg", "no-extension"])
def test_an_image_with_an_unusual_key_is_resized(pipeline: Pipeline, key: str) -> None:
    pipeline.upload(key, encode(picture()))
    assert pipeline.wait_for_image(key).size == (160, 120)


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("notes.jpg", b"a text file", "not_an_image"),
        ("truncated.jpg", encode(picture(640, 480))[:5000], "corrupt"),
        ("empty.png", b"", "not_an_image"),
        ("é" * 510, encode(picture()), "key_too_long"),
    ],
)
def test_a_rejected_upload_is_recorded_and_has_no_output(
    pipeline: Pipeline, key: str, body: bytes, reason: str
) -> None:
    pipeline.upload(key, body)
    record = pipeline.take_record(key)
    assert (record["bucket"], record["key"], record["reason"]) == (pipeline.stack.source_bucket, key, reason)
    source = pipeline.client("s3").head_object(Bucket=pipeline.stack.source_bucket, Key=key)
    assert (record["etag"], record["version_id"]) == (source["ETag"], source["VersionId"])
    outputs = pipeline.client("s3").list_object_versions(Bucket=pipeline.stack.destination_bucket)
    assert not [version for version in outputs.get("Versions", []) if version["Key"].endswith(key)]
    assert pipeline.wait_for_log_line("rejected", key)["reason"] == reason
