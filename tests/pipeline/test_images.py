"""An upload becomes a resized image, whatever the image and however it is uploaded."""

import numpy as np
import pytest
from PIL import Image

from tests.images import UPRIGHT_CORNERS, corners, encoded, picture
from tests.pipeline.conftest import Pipeline

ORIENTATION = 0x0112
TURNS = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}
"""What makes the stored pixels of each orientation from upright ones."""


def test_cake_jpg_becomes_resized_cake_jpg_at_half_size(pipeline: Pipeline) -> None:
    pipeline.upload(
        "images/cake.jpg", encoded(picture(640, 480)), CacheControl="max-age=60", Metadata={"album": "party"}
    )
    output = pipeline.output("images/cake.jpg")
    assert (output["ContentType"], output["CacheControl"]) == ("image/jpeg", "max-age=60")
    assert output["Metadata"]["album"] == "party"
    assert pipeline.image("images/cake.jpg").size == (320, 240)
    line = pipeline.log_line("written", "images/cake.jpg")
    assert line["outputs"] == [
        {"key": "images/resized-cake.jpg", "width": 320, "height": 240, "bytes": output["ContentLength"]}
    ]


@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_each_orientation_comes_out_upright(pipeline: Pipeline, orientation: int) -> None:
    stored = picture()
    for turn in TURNS[orientation]:
        stored = stored.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    key = f"orientation-{orientation}.jpg"
    pipeline.upload(key, encoded(stored, exif=exif))
    image = pipeline.image(key)
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_a_cmyk_jpeg_keeps_its_colours(pipeline: Pipeline) -> None:
    pipeline.upload("cmyk.jpg", encoded(picture(mode="CMYK")))
    image = pipeline.image("cmyk.jpg")
    assert (image.mode, image.size, corners(image)) == ("CMYK", (160, 120), UPRIGHT_CORNERS)


def test_a_png_keeps_its_alpha(pipeline: Pipeline) -> None:
    source = picture(mode="RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    pipeline.upload("alpha.png", encoded(source, "PNG"))
    alpha = np.asarray(pipeline.image("alpha.png").getchannel("A"), dtype=int)
    want = np.asarray(source.getchannel("A").resize((160, 120)), dtype=int)
    assert np.abs(alpha - want).max() <= 2


def test_a_palette_png_is_averaged_in_full_colour(pipeline: Pipeline) -> None:
    source = picture().quantize(64)
    pipeline.upload("palette.png", encoded(source, "PNG"))
    got = np.asarray(pipeline.image("palette.png").convert("RGB"), dtype=int)
    want = np.asarray(source.convert("RGB").resize((160, 120), Image.Resampling.BICUBIC), dtype=int)
    assert np.abs(got - want).mean() < 1.5


def test_an_animated_gif_keeps_its_frames(pipeline: Pipeline) -> None:
    frames = [picture().rotate(angle) for angle in (0, 90, 180)]
    pipeline.upload(
        "animated.gif",
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0),
    )
    image = pipeline.image("animated.gif")
    durations = []
    for number in range(image.n_frames):
        image.seek(number)
        durations.append(image.info["duration"])
    assert (image.size, image.info["loop"], durations) == ((160, 120), 0, [100, 200, 300])


def test_a_multipart_upload_of_20_mb(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2400, 3000, 3), dtype=np.uint8)
    body = encoded(Image.fromarray(noise), "PNG", compress_level=0)
    assert len(body) > 20_000_000
    path = tmp_path_factory.mktemp("upload") / "large.png"
    path.write_bytes(body)
    # boto3 splits what is over 8 MB, as the AWS CLI does.
    pipeline.client("s3").upload_file(str(path), pipeline.stack.source_bucket, "large.png")
    assert pipeline.image("large.png").size == (1500, 1200)


@pytest.mark.parametrize("key", ["a/b c+d%é.jpg", "three/folders deep/with spaces/cake.jpg", "no-extension"])
def test_the_output_is_beside_its_name_whatever_the_key(pipeline: Pipeline, key: str) -> None:
    pipeline.upload(key, encoded(picture()))
    assert pipeline.image(key).size == (160, 120)


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("notes.jpg", b"a text file", "not_an_image"),
        ("truncated.jpg", encoded(picture(640, 480))[:5000], "corrupt"),
        ("empty.png", b"", "not_an_image"),
        ("é" * 510, encoded(picture()), "key_too_long"),
    ],
)
def test_what_is_no_image_is_recorded_and_nothing_is_written(
    pipeline: Pipeline, key: str, body: bytes, reason: str
) -> None:
    pipeline.upload(key, body)
    record = pipeline.failure(key)
    assert (record["bucket"], record["key"], record["reason"]) == (pipeline.stack.source_bucket, key, reason)
    source = pipeline.client("s3").head_object(Bucket=pipeline.stack.source_bucket, Key=key)
    assert (record["etag"], record["version_id"]) == (source["ETag"], source["VersionId"])
    outputs = pipeline.client("s3").list_object_versions(Bucket=pipeline.stack.destination_bucket)
    assert not [version for version in outputs.get("Versions", []) if version["Key"].endswith(key)]
    assert pipeline.log_line("rejected", key)["reason"] == reason
