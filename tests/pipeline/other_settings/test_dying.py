"""A function that dies: its event is tried again, then recorded; nothing half-written is seen, and neighbours live."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import encode, load, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.other_settings.conftest import TILE
from tools.local import stack as stacks

DYING = Path(__file__).with_name("dying.py")
DEATHS = ("abort", "killed", "out-of-memory", "timeout")


@pytest.fixture(scope="module")
def mortal(configured: Pipeline) -> Iterator[Pipeline]:
    """The pipeline with a function that dies; and with the one that was built, afterwards."""
    built = (stacks.DEPLOYMENT / "package" / "function.zip").read_bytes()
    package = io.BytesIO(built)
    with zipfile.ZipFile(package, "a") as archive:
        archive.write(DYING, DYING.name)
    client, name = configured.client("lambda"), configured.stack.function_name
    client.update_function_code(FunctionName=name, ZipFile=package.getvalue())
    client.update_function_configuration(FunctionName=name, Handler="dying.lambda_handler")
    yield configured
    client.update_function_configuration(FunctionName=name, Handler="lambda_function.lambda_handler")
    client.update_function_code(FunctionName=name, ZipFile=built)


@pytest.fixture(scope="module")
def uploaded(mortal: Pipeline) -> Pipeline:
    """Every death once and for good, and as many neighbours, all at once."""
    noise = np.random.default_rng(1).integers(0, 256, (1900, 1900, 3), dtype=np.uint8)
    # So large that its renditions are sent in several parts.
    body = encode(Image.fromarray(noise), quality=75)
    for death in DEATHS:
        for folder in ("always", "once"):
            mortal.upload(f"{folder}/{death}.jpg", body)
            mortal.upload(f"neighbours/{folder}-{death}.jpg", encode(picture()))
    return mortal


@pytest.mark.parametrize("death", DEATHS)
def test_who_dies_once_has_its_images_in_the_end(uploaded: Pipeline, death: str) -> None:
    assert load(uploaded.object(TILE.output_key(f"once/{death}.jpg"))["Bytes"]).size == (50, 50)
    assert uploaded.object(f"mini/once/{death}.jpg.jpg")["ContentLength"] > 3 << 14


@pytest.mark.parametrize("death", DEATHS)
def test_who_always_dies_is_recorded_and_leaves_nothing_half_written(uploaded: Pipeline, death: str) -> None:
    record = uploaded.failure(f"always/{death}.jpg")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    listing = uploaded.client("s3").list_objects_v2(Bucket=uploaded.stack.destination_bucket)
    assert not [found["Key"] for found in listing["Contents"] if f"always/{death}" in found["Key"]]


def test_neighbours_have_their_images(uploaded: Pipeline) -> None:
    for death in DEATHS:
        for folder in ("always", "once"):
            assert load(uploaded.object(f"tile/neighbours/{folder}-{death}.jpg")["Bytes"]).size == (50, 50)
