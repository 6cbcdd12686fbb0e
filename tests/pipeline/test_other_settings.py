"""The pipeline deployed with other settings: several renditions from one upload, all EXIF, and HEIC."""

from collections.abc import Iterator

import pytest
from PIL import Image

from tests.images import HEIC_PICTURE, UPRIGHT_CORNERS, corners, decoded, encoded, picture
from tests.pipeline.conftest import Pipeline
from tools import stack as stacks
from tools.cli import say

SETTINGS = """
metadata   = "all"
max_pixels = 1000000
renditions = {
  web  = { key = "{rendition}/{dir}{name}", width = 100, format = "webp", cache_control = "max-age=31536000" }
  tile = { key = "{rendition}/{dir}{name}", width = 50, height = 50, fit = "cover" }
  mini = {
    key           = "{rendition}/{dir}{name}"
    scale         = 0.25
    format        = "jpeg"
    background    = "#ff0000"
    storage_class = "STANDARD_IA"
  }
}
"""


@pytest.fixture(scope="module")
def configured(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The same pipeline with settings of its own, and with its defaults again afterwards."""
    var_file = tmp_path_factory.mktemp("settings") / "several.tfvars"
    var_file.write_text(SETTINGS)
    stacks.up(say, var_file=var_file, heic=True)
    yield pipeline
    stacks.up(say)


def test_every_rendition_is_made_as_asked(configured: Pipeline) -> None:
    source = picture(mode="RGBA")
    source.putalpha(0)
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    configured.upload("a/cake.png", encoded(source, "PNG", exif=exif))
    web, tile, mini = (
        configured.object(key) for key in ("web/a/cake.png.webp", "tile/a/cake.png", "mini/a/cake.png.jpg")
    )
    assert (web["ContentType"], web["CacheControl"], decoded(web["Bytes"]).size) == (
        "image/webp",
        "max-age=31536000",
        (100, 75),
    )
    assert (tile["ContentType"], decoded(tile["Bytes"]).size) == ("image/png", (50, 50))
    assert (mini["ContentType"], mini["StorageClass"]) == ("image/jpeg", "STANDARD_IA")
    image = decoded(mini["Bytes"])
    assert (image.size, corners(image)) == ((80, 60), [(2, 0, 0)] * 4)
    assert image.getexif()[0x010F] == "a camera's maker"


def test_heic_becomes_a_jpeg_under_its_own_name(configured: Pipeline) -> None:
    configured.upload("phone.heic", HEIC_PICTURE.read_bytes())
    tile = configured.object("tile/phone.heic")
    assert tile["ContentType"] == "image/jpeg"
    assert decoded(tile["Bytes"]).size == (48, 48)
    assert corners(decoded(configured.object("web/phone.heic.webp")["Bytes"])) == UPRIGHT_CORNERS


def test_more_than_max_pixels_is_refused_with_both_numbers(configured: Pipeline) -> None:
    configured.upload("large.png", encoded(Image.new("1", (1001, 1000)), "PNG"))
    record = configured.failure("large.png")
    assert record["reason"] == "too_large"
    assert "1001000" in record["message"]
    assert "1000000" in record["message"]
