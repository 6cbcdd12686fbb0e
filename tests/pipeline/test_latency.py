"""The benchmark deploys the usual handler beside this function, and times the uploads of both."""

import io
from pathlib import Path

from PIL import Image

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tools.benchmarks import latency


def test_uploads_to_both_handlers_are_timed_until_their_outputs_are_there(pipeline: Pipeline, tmp_path: Path) -> None:
    stack, s3 = pipeline.stack, pipeline.client("s3")
    usual = latency.deploy_usual(stack, latency.make_package(tmp_path))
    ours = latency.Pipeline(stack, stack.function_name, stack.source_bucket, stack.destination_bucket)
    body = encode(picture(64, 48))
    assert ours.time_upload(body) > 0
    assert usual.time_upload(body) > 0
    assert usual.time_cold_upload(body) > 0
    settings = pipeline.client("lambda").get_function_configuration(FunctionName=usual.function)
    assert settings["Environment"]["Variables"] == {"DESTINATION_BUCKET": usual.destination_bucket, "START": "0"}
    outputs = s3.list_objects_v2(Bucket=usual.destination_bucket)["Contents"]
    assert len(outputs) == 2
    for one in outputs:
        written = s3.get_object(Bucket=usual.destination_bucket, Key=one["Key"])["Body"].read()
        with Image.open(io.BytesIO(written)) as image:
            assert image.size == (32, 24)
