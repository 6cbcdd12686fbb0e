"""A function that crashes: its event is retried, then recorded; no partial output is written; other uploads succeed."""

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

HANDLER = Path(__file__).with_name("crashing_function.py")
CRASHES = ("abort", "killed", "out-of-memory", "timeout")


@pytest.fixture(scope="module")
def crashing_pipeline(custom_pipeline: Pipeline) -> Iterator[Pipeline]:
    """Deploy the function with the handler that crashes, and the built function afterwards."""
    built = (stacks.DEPLOYMENT / "package" / "function.zip").read_bytes()
    package = io.BytesIO(built)
    with zipfile.ZipFile(package, "a") as archive:
        archive.write(HANDLER, HANDLER.name)
    client, name = custom_pipeline.client("lambda"), custom_pipeline.stack.function_name
    client.update_function_code(FunctionName=name, ZipFile=package.getvalue())
    client.update_function_configuration(FunctionName=name, Handler=f"{HANDLER.stem}.lambda_handler")
    yield custom_pipeline
    client.update_function_configuration(FunctionName=name, Handler="lambda_function.lambda_handler")
    client.update_function_code(FunctionName=name, ZipFile=built)


@pytest.fixture(scope="module")
def uploaded(crashing_pipeline: Pipeline) -> Pipeline:
    """The pipeline, after uploads that crash always, once or never."""
    noise = np.random.default_rng(1).integers(0, 256, (1900, 1900, 3), dtype=np.uint8)
    # The body of the output is large enough to be sent in several reads.
    body = encode(Image.fromarray(noise), quality=75)
    for crash in CRASHES:
        for folder in ("always", "once"):
            crashing_pipeline.upload(f"{folder}/{crash}.jpg", body)
            crashing_pipeline.upload(f"never/{folder}-{crash}.jpg", encode(picture()))
    return crashing_pipeline


@pytest.mark.parametrize("crash", CRASHES)
def test_an_event_whose_invocation_crashes_once_is_retried(uploaded: Pipeline, crash: str) -> None:
    assert load(uploaded.wait_for_object(TILE.output_key(f"once/{crash}.jpg"))["Bytes"]).size == (50, 50)
    assert uploaded.wait_for_object(f"mini/once/{crash}.jpg.jpg")["ContentLength"] > 3 << 14


@pytest.mark.parametrize("crash", CRASHES)
def test_an_event_whose_invocations_all_crash_is_recorded_and_leaves_no_partial_output(
    uploaded: Pipeline, crash: str
) -> None:
    record = uploaded.take_record(f"always/{crash}.jpg")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    keys = [key for key in uploaded.list_keys(uploaded.stack.destination_bucket) if f"always/{crash}" in key]
    assert f"mini/always/{crash}.jpg.jpg" not in keys
    for key in keys:
        # Outputs of other renditions, which were put at the same time, are whole.
        load(uploaded.wait_for_object(key)["Bytes"])


def test_other_uploads_are_resized(uploaded: Pipeline) -> None:
    for crash in CRASHES:
        for folder in ("always", "once"):
            output = uploaded.wait_for_object(TILE.output_key(f"never/{folder}-{crash}.jpg"))
            assert load(output["Bytes"]).size == (50, 50)
