"""Objects that S3 does not hand out, or that are too large to be asked for: each a clear rejection."""

import json

from tests.faults import Fault, inject, release
from tests.images import encoded, picture
from tests.pipeline.conftest import Pipeline
from tools.local.invocation import log_events


def test_what_only_its_uploader_has_the_key_of_is_a_rejection(pipeline: Pipeline) -> None:
    key = "unreadable/customer-key.jpg"
    secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0" * 32}
    pipeline.upload(key, encoded(picture()), **secret)
    record = pipeline.failure(key)
    head = pipeline.client("s3").head_object(Bucket=pipeline.stack.source_bucket, Key=key, **secret)
    assert (record["reason"], record["etag"]) == ("customer_key", head["ETag"])


def test_what_is_archived_becomes_an_image_once_it_is_restored(pipeline: Pipeline) -> None:
    key = "unreadable/archived.jpg"
    pipeline.upload(key, encoded(picture()), StorageClass="GLACIER")
    assert pipeline.failure(key)["reason"] == "archived"
    restore = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    pipeline.client("s3").restore_object(Bucket=pipeline.stack.source_bucket, Key=key, RestoreRequest=restore)
    assert pipeline.image(key).size == (160, 120)


def test_an_object_of_5_gb_is_refused_by_its_size_and_never_read(pipeline: Pipeline) -> None:
    key, size = "unreadable/large.jpg", 5 << 30
    # S3 says so, and what follows its first bytes never comes.
    large = inject(pipeline.stack.aws, Fault("*", pipeline.stack.source_bucket, key, length=size, times=100))
    try:
        pipeline.upload(key, encoded(picture()))
        record = pipeline.failure(key)
    finally:
        release(pipeline.stack.aws, large)
    assert record["reason"] == "too_large"
    assert "decoding needs about 10" in record["message"]
    lines = [json.loads(event["message"]) for event in log_events(pipeline.stack) if event["message"].startswith("{")]
    assert [line["message"] for line in lines if line.get("key") == key] == ["rejected"]
