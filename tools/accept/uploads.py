"""Checks of what uploads become: an output of each image, a record of each other file, nothing of a deleted one."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops, ImageStat

from tools.accept.pipeline import CheckError, Pipeline, expect, wait_for
from tools.imaging.pictures import encode, make_turned_exif

SIZE, HALF = (320, 240), (160, 120)

MEAN_DIFFERENCE = 12
"""Of 255 levels. Palettes and chroma subsampling stay below 3; a turned or mirrored picture is above 40."""

PHOTO, KEEP_HEADERS = "images/cake.jpg", {"CacheControl": "max-age=60", "Metadata": {"album": "party"}}

ODD_KEYS = ("a/b c+d%é.jpg", "three/folders deep/with spaces/cake.jpg", "no-extension")

TRIGGER_SECONDS = 10
"""Time between two uploads until the first output appears."""

MULTIPART_BYTES = 20_000_000
"""boto3 uploads files over 8 MB in parts, as the AWS CLI does."""


def draw(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw a smooth picture whose corners have four colours, which show any rotation, flip or crop."""
    corners = Image.new("RGB", (2, 2))
    corners.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    return corners.resize(size, Image.Resampling.BILINEAR).convert(mode)


@dataclass(frozen=True)
class Format:
    """An image to upload, of a format and mode.

    Attributes:
        body: The file.
        mode: Pillow's mode of the output; empty if Pillow chooses it.
        frames: Number of frames of source and output.

    """

    body: bytes
    mode: str = "RGB"
    frames: int = 1


def draw_formats() -> dict[str, Format]:
    """Draw an image of every format, among them those that Pillow's ``thumbnail`` and ``save`` would spoil."""
    picture = draw()
    frames: dict[str, Any] = {
        "save_all": True,
        "append_images": [picture.rotate(90), picture.rotate(180)],
        "duration": 100,
    }
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    return {
        "turned.jpg": Format(encode(turned, "JPEG", exif=make_turned_exif())),
        "cmyk.jpg": Format(encode(draw("CMYK"), "JPEG"), "CMYK"),
        "alpha.png": Format(encode(draw("LA"), "PNG"), "LA"),
        "animated.gif": Format(encode(picture, "GIF", **frames), "", 3),
        "animated.webp": Format(encode(picture, "WEBP", **frames), frames=3),
        "scan.tif": Format(encode(picture, "TIFF", compression="tiff_lzw")),
        "drawing.bmp": Format(encode(picture, "BMP")),
        "photo.avif": Format(encode(picture, "AVIF")),
    }


def draw_rejected() -> dict[str, tuple[bytes, str]]:
    """Return uploads that can't be resized: key to body and reason."""
    photo = encode(draw(size=(640, 480)), "JPEG")
    return {
        "notes.jpg": (b"a text file", "not_an_image"),
        "truncated.jpg": (photo[: len(photo) // 2], "corrupt"),
        "empty.png": (b"", "not_an_image"),
        "é" * 510: (photo, "key_too_long"),
    }


def check_trigger(pipeline: Pipeline) -> None:
    """Upload until an output appears: a new notification, role or versioned bucket may take minutes to work on AWS."""
    began, body, keys = time.monotonic(), encode(draw(), "JPEG"), list[str]()

    def poll() -> bool | None:
        if time.monotonic() - began >= len(keys) * TRIGGER_SECONDS:
            keys.append(f"first/{len(keys)}.jpg")
            pipeline.upload(keys[-1], body)
        return not pipeline.list_keys(pipeline.destination_bucket).isdisjoint(pipeline.list_targets(*keys)) or None

    wait_for(poll, "output of the first uploads")


def check_photo(pipeline: Pipeline) -> None:
    """Upload a photo: its output has half its size and its headers, and the log says so."""
    pipeline.upload(PHOTO, encode(draw(), "JPEG"), **KEEP_HEADERS)
    output = pipeline.wait_for_output(PHOTO)
    expect(output["ContentType"], "image/jpeg", "content type")
    expect(output["CacheControl"], KEEP_HEADERS["CacheControl"], "Cache-Control")
    expect(output["Metadata"].get("album"), "party", "metadata")
    _expect_half(pipeline, PHOTO)
    written = {"key": pipeline.list_targets(PHOTO)[0], "width": HALF[0], "height": HALF[1], "lost": []}
    line = pipeline.wait_for_log_line("written", PHOTO)
    expect(line["outputs"], [{**written, "bytes": output["ContentLength"]}], "outputs in the log")


def check_format(pipeline: Pipeline, name: str, one: Format) -> None:
    """Upload an image of a format: the output keeps its orientation, mode and frames."""
    key = f"formats/{name}"
    pipeline.upload(key, one.body)
    image = _expect_half(pipeline, key)
    expect(getattr(image, "n_frames", 1), one.frames, "frames")
    expect(image.mode, one.mode or image.mode, "mode")


def check_multipart(pipeline: Pipeline) -> None:
    """Upload a file in parts."""
    noise = Image.effect_noise((3000, 2400), 64)
    body = encode(Image.merge("RGB", [noise] * 3), "PNG", compress_level=0)
    if len(body) < MULTIPART_BYTES:
        raise CheckError(f"The file to upload has only {len(body):,} bytes")
    pipeline.client("s3").upload_fileobj(io.BytesIO(body), pipeline.source_bucket, "large.png")
    expect(pipeline.wait_for_image("large.png").size, (1500, 1200), "size")


def check_key(pipeline: Pipeline, key: str) -> None:
    """Upload an image with an unusual key."""
    pipeline.upload(key, encode(draw(), "JPEG"))
    _expect_half(pipeline, key)


def check_rejection(pipeline: Pipeline, key: str, body: bytes, reason: str) -> None:
    """Upload a file that can't be resized: the failure queue has one record of it, and the destination nothing."""
    pipeline.upload(key, body)
    s3, record = pipeline.client("s3"), pipeline.take_record(key)
    source = s3.head_object(Bucket=pipeline.source_bucket, Key=key)
    expected: Mapping[str, object] = {
        "bucket": pipeline.source_bucket,
        "key": key,
        "reason": reason,
        "etag": source["ETag"],
        "version_id": source["VersionId"],
    }
    expect({name: record.get(name) for name in expected}, expected, "record")
    written = s3.list_object_versions(Bucket=pipeline.destination_bucket).get("Versions", [])
    expect([one["Key"] for one in written if one["Key"].endswith(key)], [], "outputs")
    expect(pipeline.wait_for_log_line("rejected", key)["reason"], reason, "reason in the log")


def check_overwriting(pipeline: Pipeline) -> None:
    """Upload a large image and at once a small one under its key: the output is made from the small one."""
    key = "overwritten.jpg"
    pipeline.upload(key, encode(draw(size=(4000, 3000)), "JPEG"))
    pipeline.upload(key, encode(draw(), "JPEG"))
    pipeline.wait_for_log_line("written", key)
    _expect_half(pipeline, key)


def check_deletions(pipeline: Pipeline) -> None:
    """Delete uploads, alone and several at once: with ``mirror_deletes``, only their outputs are removed."""
    s3, source = pipeline.client("s3"), pipeline.source_bucket
    one, two, three, kept = keys = [f"mirror/{name}.png" for name in ("one", "two", "three", "kept")]
    for key in keys:
        pipeline.upload(key, encode(draw(), "PNG"))
    pipeline.wait_for_targets(*keys)
    s3.delete_object(Bucket=source, Key=one)
    s3.delete_objects(Bucket=source, Delete={"Objects": [{"Key": two}, {"Key": three}]})
    deleted = set(pipeline.list_targets(one, two, three))
    wait_for(lambda: deleted.isdisjoint(pipeline.list_keys(pipeline.destination_bucket)) or None, "removal of outputs")
    removed = pipeline.wait_for_log_line("removed", two)["outputs"]
    expect(removed, [{"key": key} for key in pipeline.list_targets(two)], "outputs in the log")
    left = set(pipeline.list_targets(kept)) - pipeline.list_keys(pipeline.destination_bucket)
    expect(left, set(), "removed outputs of an upload that was not deleted")


def _expect_half(pipeline: Pipeline, key: str) -> Image.Image:
    """Wait for an upload's output, and compare it with the picture at half its size; return it."""
    image: Image.Image = pipeline.wait_for_image(key)
    expect(image.size, HALF, "size")
    difference = ImageChops.difference(
        image.convert("RGB"), draw("L" if image.mode == "LA" else "RGB", HALF).convert("RGB")
    )
    mean = max(ImageStat.Stat(difference).mean)
    if mean > MEAN_DIFFERENCE:
        raise CheckError(f"The output differs from the upload by {mean:.0f} of 255 levels")
    return image
