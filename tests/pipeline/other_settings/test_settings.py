"""Several renditions from one upload, all EXIF, HEIC, and a limit of pixels."""

from PIL import Image

from tests.images import HEIC_PICTURE, UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pipeline.conftest import Pipeline


def test_every_rendition_is_made_as_asked(configured: Pipeline) -> None:
    source = picture(mode="RGBA")
    source.putalpha(0)
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    configured.upload("a/cake.png", encode(source, "PNG", exif=exif))
    web, tile, mini = (
        configured.object(key) for key in ("web/a/cake.png.webp", "tile/a/cake.png", "mini/a/cake.png.jpg")
    )
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


def test_heic_becomes_a_jpeg_under_its_own_name(configured: Pipeline) -> None:
    configured.upload("phone.heic", HEIC_PICTURE.read_bytes())
    tile = configured.object("tile/phone.heic")
    assert tile["ContentType"] == "image/jpeg"
    assert load(tile["Bytes"]).size == (48, 48)
    assert corners(load(configured.object("web/phone.heic.webp")["Bytes"])) == UPRIGHT_CORNERS


def test_more_than_max_pixels_is_refused_with_both_numbers(configured: Pipeline) -> None:
    configured.upload("too-many-pixels.png", encode(Image.new("1", (2001, 2000)), "PNG"))
    record = configured.failure("too-many-pixels.png")
    assert record["reason"] == "too_large"
    assert "4002000" in record["message"]
    assert "4000000" in record["message"]
