"""The settings ``renditions``, ``metadata``, ``max_pixels``, ``content_credentials`` and ``events``, and HEIC."""

import io

import c2pa
from PIL import Image

from tests.certificates import Authority
from tests.images import HEIC_PICTURE, UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.test_iam import Policy


def test_each_rendition_applies_its_own_options(custom_pipeline: Pipeline) -> None:
    source = picture(mode="RGBA")
    source.putalpha(0)
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    custom_pipeline.upload("a/cake.png", encode(source, "PNG", exif=exif))
    keys = ("web/a/cake.png.webp", "tile/a/cake.png", "mini/a/cake.png.jpg")
    web, tile, mini = map(custom_pipeline.wait_for_object, keys)
    assert (web["ContentType"], web["CacheControl"], load(web["Bytes"]).size) == (
        "image/webp",
        "max-age=31536000",
        (100, 75),
    )
    assert (tile["ContentType"], load(tile["Bytes"]).size) == ("image/png", (50, 50))
    assert (mini["ContentType"], mini["StorageClass"]) == ("image/jpeg", "STANDARD_IA")
    image = load(mini["Bytes"])
    assert (image.size, corners(image)) == ((80, 60), [(2, 0, 0)] * 4)
    assert image.getexif()[0x010F] == "a camera's maker"


def test_heic_becomes_a_jpeg_under_the_unchanged_key(custom_pipeline: Pipeline) -> None:
    custom_pipeline.upload("phone.heic", HEIC_PICTURE.read_bytes())
    tile = custom_pipeline.wait_for_object("tile/phone.heic")
    assert tile["ContentType"] == "image/jpeg"
    assert load(tile["Bytes"]).size == (48, 48)
    assert corners(load(custom_pipeline.wait_for_object("web/phone.heic.webp")["Bytes"])) == UPRIGHT_CORNERS


def test_outputs_are_signed_with_the_key_of_kms(custom_pipeline: Pipeline, authority: Authority) -> None:
    custom_pipeline.upload("signed.png", encode(picture(), "PNG"))
    context = c2pa.Context.from_dict({"trust": {"user_anchors": authority.root}})
    for key in ("web/signed.png.webp", "tile/signed.png", "mini/signed.png.jpg"):
        output = custom_pipeline.wait_for_object(key)
        reader = c2pa.Reader(output["ContentType"], io.BytesIO(output["Bytes"]), context=context)
        assert reader.get_validation_state() == "Trusted"
    with Policy.read(custom_pipeline, custom_pipeline.role_arn).without("kms:Sign"):
        reply = custom_pipeline.send(custom_pipeline.make_notification("signed.png"))
        assert "is not authorized to perform: kms:Sign" in reply["errorMessage"]


def test_an_image_over_max_pixels_is_rejected_with_both_numbers(custom_pipeline: Pipeline) -> None:
    custom_pipeline.upload("too-many-pixels.png", encode(Image.new("1", (2001, 2000)), "PNG"))
    record = custom_pipeline.take_record("too-many-pixels.png")
    assert record["reason"] == "too_large"
    assert "4002000" in record["message"]
    assert "4000000" in record["message"]


def test_an_upload_fails_without_permission_to_send_its_completion_event(custom_pipeline: Pipeline) -> None:
    custom_pipeline.upload("untold.jpg", encode(picture()))
    custom_pipeline.wait_for_object("tile/untold.jpg")
    event, policy = (
        custom_pipeline.make_notification("untold.jpg"),
        Policy.read(custom_pipeline, custom_pipeline.role_arn),
    )
    assert policy.actions.count("events:PutEvents") == 1
    with policy.without("events:PutEvents"):
        assert "AccessDenied" in custom_pipeline.send(event)["errorMessage"]
    assert "outcomes" in custom_pipeline.send(event)
