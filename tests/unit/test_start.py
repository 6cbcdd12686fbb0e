"""The cold start imports and reads only what every image needs."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.conftest import ENVIRONMENT
from tools.common.paths import FUNCTION

SCRIPT = """
import gc, io, json, sys
folders, collections = [], []
sys.addaudithook(lambda name, arguments: folders.append(str(arguments[0])) if name == "os.listdir" else None)
gc.callbacks.append(lambda _, details: collections.append(details["generation"]))
import lambda_function
started = {
    "whole_collections": collections.count(2),
    "collects": gc.isenabled(),
    "folders": list(folders),
    "frozen": gc.get_freeze_count(),
    "modules": list(sys.modules),
    "unused": lambda_function.get_sqs.cache_info().currsize == 0,
    "sqs": lambda_function.get_sqs().meta.service_model.service_name,
}
from PIL import Image
from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
exif = Image.Exif()
exif[0x8298], exif[0x0112] = "The Baker", 6
for name in ("JPEG", "PNG", "WEBP"):
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, name, exif=exif)
    render(file.getvalue(), [Rendition("resized", scale=0.5)], limits=Limits(1 << 30))
started["later"] = sorted(set(sys.modules) - set(started["modules"]))
print(json.dumps(started))
"""

RARE = {
    "aws.completion",
    "aws.signing",
    "imaging.content_credentials",
    "imaging.embedded",
    "imaging.focus",
    "imaging.formats.apple_note",
    "imaging.formats.heif_gain_map",
    "imaging.formats.heif_items",
    "imaging.formats.jpeg_gain_map",
    "imaging.formats.jpeg_pictures",
    "imaging.gain_map",
    "imaging.iptc",
    "imaging.padding",
    "imaging.placeholder",
    "imaging.ssimulacra2",
    "imaging.thumbhash",
    "imaging.tone_mapping",
    "imaging.visual_quality",
    "imaging.xmp",
    "imaging.xmp_selection",
}
"""The function's modules that few deployments or images need: the first that needs one imports it."""


@pytest.fixture(scope="module")
def started() -> dict[str, Any]:
    """Return what a process reports right after it has imported the handler."""
    command = [sys.executable, "-c", SCRIPT]
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    environment = ENVIRONMENT | keys | {"PATH": os.environ["PATH"], "PYTHONPATH": str(FUNCTION)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_only_the_enabled_formats_of_pillow_are_loaded(started: dict[str, Any]) -> None:
    plugins = {name for name in started["modules"] if name.startswith("PIL.") and name.endswith("Plugin")}
    formats = ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP")
    assert plugins == {f"PIL.{name}ImagePlugin" for name in formats}
    assert not {"PIL.ImageCms", "PIL.ImageDraw", "PIL.ImageFont"} & set(started["modules"])


def test_modules_that_few_images_need_are_not_loaded(started: dict[str, Any]) -> None:
    files = {path.relative_to(FUNCTION).with_suffix("") for path in FUNCTION.rglob("*.py")}
    own = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert own - set(started["modules"]) == RARE


def test_plain_images_import_nothing_more(started: dict[str, Any]) -> None:
    # Pillow imports this before it first saves an image.
    assert started["later"] == ["PIL.PpmImagePlugin"]


def test_only_botocore_is_loaded_of_the_sdk(started: dict[str, Any]) -> None:
    packages = {name.partition(".")[0] for name in started["modules"]}
    assert "botocore" in packages
    assert not {"boto3", "s3transfer", "multiprocessing", "asyncio"} & packages


def test_only_the_folder_of_s3_is_searched_for_models(started: dict[str, Any]) -> None:
    data = [folder for folder in started["folders"] if "/botocore/data" in folder]
    assert {folder.rpartition("/data")[2] for folder in data} == {"/s3"}


def test_the_client_of_sqs_is_created_on_first_use(started: dict[str, Any]) -> None:
    assert started["unused"]
    assert started["sqs"] == "sqs"


def test_objects_of_the_start_are_exempt_from_garbage_collection(started: dict[str, Any]) -> None:
    assert started["whole_collections"] == 0
    assert started["frozen"] > 10_000
    assert started["collects"]
