"""Nothing is stale and nothing is lost: races, failures and retries."""

import json

import pytest

from aws.reconcile import ATTEMPTS
from tests.faults import Fault, await_held, inject, release
from tests.images import encode, load, picture
from tests.pipeline.conftest import Pipeline, awaited


def test_the_newer_of_two_uploads_stays_though_the_first_reader_is_slow(pipeline: Pipeline) -> None:
    key = "race.jpg"
    slow = inject(pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, key, hold=True))
    pipeline.upload(key, encode(picture(400, 400)))
    # The first handler has been answered with the first version, but has not received it yet.
    await_held(pipeline.stack.aws, slow)
    pipeline.upload(key, encode(picture(200, 200)))
    newer = pipeline.output(key)
    assert load(newer["Bytes"]).size == (100, 100)
    release(pipeline.stack.aws, slow)
    # It writes the older image, looks again, and writes the newer one.
    pipeline.log_line("changed", key)
    pipeline.log_line("written", key, times=3)
    assert pipeline.image(key).size == (100, 100)


def test_a_failing_write_is_retried_until_it_works(pipeline: Pipeline) -> None:
    # botocore gives up after three attempts; Lambda tries the event again.
    inject(pipeline.stack.aws, Fault("PUT", pipeline.stack.destination_bucket, "*retried.jpg", status=503, times=3))
    pipeline.upload("retried.jpg", encode(picture()))
    assert pipeline.image("retried.jpg").size == (160, 120)
    assert pipeline.log_line("failed", "retried.jpg")["level"] == "ERROR"


def test_a_version_that_s3_does_not_know_yet_is_read_when_it_does(pipeline: Pipeline) -> None:
    key = "unknown-yet.jpg"
    # As for up to 15 minutes after a bucket first keeps versions: no delete marker is spoken of.
    unknown = Fault("GET", pipeline.stack.source_bucket, key, status=404, code="NoSuchKey", times=ATTEMPTS)
    inject(pipeline.stack.aws, unknown)
    pipeline.upload(key, encode(picture()))
    assert pipeline.image(key).size == (160, 120)
    pipeline.log_line("missing", key, times=ATTEMPTS)
    assert "was missing without a delete marker" in pipeline.log_line("failed", key)["errorMessage"]


def test_an_upload_that_is_deleted_by_its_turn_is_gone(pipeline: Pipeline) -> None:
    key = "deleted-soon.jpg"
    slow = inject(pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, key, hold=True))
    pipeline.upload(key, encode(picture()))
    await_held(pipeline.stack.aws, slow)
    pipeline.client("s3").delete_object(Bucket=pipeline.stack.source_bucket, Key=key)
    release(pipeline.stack.aws, slow)
    pipeline.log_line("gone", key)


def test_an_event_that_fails_for_good_ends_in_the_failure_queue(pipeline: Pipeline) -> None:
    broken = inject(
        pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, "hopeless.jpg", status=500, times=1000)
    )
    pipeline.upload("hopeless.jpg", encode(picture()))
    record = pipeline.failure("hopeless.jpg")
    release(pipeline.stack.aws, broken)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "IncompleteError"
    assert "1 of 1 objects failed: hopeless.jpg" in record["responsePayload"]["errorMessage"]
    # What is in the record is the event: sent again, it does what it could not do before.
    pipeline.client("lambda").invoke(
        FunctionName=pipeline.stack.function_name, Payload=json.dumps(record["requestPayload"])
    )
    assert pipeline.image("hopeless.jpg").size == (160, 120)


@pytest.mark.parametrize("metadata", [{"album": "a"}, {"album": "b"}])
def test_the_same_bytes_again_bring_their_new_metadata(pipeline: Pipeline, metadata: dict[str, str]) -> None:
    body = encode(picture())
    pipeline.upload("metadata.jpg", body, Metadata=metadata)

    def ask() -> bool | None:
        return pipeline.output("metadata.jpg")["Metadata"]["album"] == metadata["album"] or None

    assert awaited(ask, f"an output with {metadata}")


def test_a_second_plan_is_empty(pipeline: Pipeline) -> None:
    assert "No changes" in pipeline.terraform().run("plan", "-no-color", "-input=false")
