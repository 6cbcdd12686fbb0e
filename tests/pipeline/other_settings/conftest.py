"""The pipeline with other settings. All tests of this folder share it, because a deployment takes half a minute."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from renditions import Rendition
from tests.certificates import Authority, make_kms_key
from tests.pipeline.conftest import Pipeline
from tests.uploads import make_completion_queue
from tools.common.cli import say
from tools.local import stack as stacks
from tools.operations.deployment import Target, find

SETTINGS = """
metadata         = "all"
max_pixels       = 4000000
manifest         = true
mirror_deletes   = true
batch_operations = true
events           = { eventbridge_bus_arn = "arn:aws:events:eu-west-2:123456789012:event-bus/completions" }
function         = { timeout = 12, memory_size = 512, reserved_concurrent_executions = 2 }
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

TILE = Rendition("tile", width=50, height=50, fit="cover", key="{rendition}/{dir}{name}")
"""The function's form of the rendition ``tile``."""


@pytest.fixture(scope="package")
def authority() -> Authority:
    """The root of the certificate of the key that signs outputs."""
    return Authority()


@pytest.fixture(scope="package")
def custom_pipeline(
    pipeline: Pipeline, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """Deploy ``SETTINGS`` and a key that signs outputs, and the default settings afterwards."""
    arn, public_key = make_kms_key(pipeline.client("kms"))
    key = {"kms_key_arn": arn, "certificate_chain": authority.chain(public_key)}
    var_file = tmp_path_factory.mktemp("settings") / "other.tfvars"
    var_file.write_text(f"{SETTINGS}\ncontent_credentials = {json.dumps(key)}\n")
    make_completion_queue(pipeline.stack)
    stacks.up(say, var_file=var_file, extras=["heic", "c2pa"])
    yield replace(pipeline, deployment=find(Target(local=True)))
    stacks.up(say)
