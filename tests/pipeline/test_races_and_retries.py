"""Races, failures and retries: the newest upload wins, and no upload is lost."""

import pytest

from aws.reconcile import ATTEMPTS
from tests.faults import Fault, await_held, inject, release
from tests.images import encode, load, picture
from tests.pipeline.conftest import Pipeline


def test_the_newer_upload_wins_over_a_slow_reader_of_the_older_one(pipeline: Pipeline) -> None:
    key = "race.jpg"
    held = inject(pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, key, hold=True))
    pipeline.upload(key, encode(picture(400, 400)))
    # S3 has answered the first invocation with the first version, but the invocation hasn't received it yet.
    await_held(pipeline.stack.aws, held)
    pipeline.upload(key, encode(picture(200, 200)))
    newer = pipeline.wait_for_output(key)
    assert load(newer["Bytes"]).size == (100, 100)
    release(pipeline.stack.aws, held)
    # The first invocation writes the older image, checks the source again, and writes the newer image.
    pipeline.wait_for_log_line("changed", key)
    pipeline.wait_for_log_line("written", key, count=3)
    assert pipeline.wait_for_image(key).size == (100, 100)


def test_a_failed_put_is_retried(pipeline: Pipeline) -> None:
    # botocore gives up after three attempts; Lambda retries the event.
    inject(pipeline.stack.aws, Fault("PUT", pipeline.stack.destination_bucket, "*retried.jpg", status=503, times=3))
    pipeline.upload("retried.jpg", encode(picture()))
    assert pipeline.wait_for_image("retried.jpg").size == (160, 120)
    assert pipeline.wait_for_log_line("failed", "retried.jpg")["level"] == "ERROR"


def test_an_upload_that_s3_does_not_show_yet_is_retried(pipeline: Pipeline) -> None:
    key = "unknown-yet.jpg"
    # For up to 15 minutes after versioning is first enabled, S3 may answer 404, without x-amz-delete-marker.
    not_found = Fault("GET", pipeline.stack.source_bucket, key, status=404, code="NoSuchKey", times=ATTEMPTS)
    inject(pipeline.stack.aws, not_found)
    pipeline.upload(key, encode(picture()))
    assert pipeline.wait_for_image(key).size == (160, 120)
    pipeline.wait_for_log_line("missing", key, count=ATTEMPTS)
    assert "was missing without a delete marker" in pipeline.wait_for_log_line("failed", key)["errorMessage"]


def test_a_permission_that_takes_effect_late_loses_nothing(pipeline: Pipeline) -> None:
    key = "soon-permitted.jpg"
    # IAM is eventually consistent: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
    fault = Fault("GET", pipeline.stack.source_bucket, key, status=403, code="AccessDenied", times=2)
    inject(pipeline.stack.aws, fault)
    pipeline.upload(key, encode(picture()))
    assert pipeline.wait_for_image(key).size == (160, 120)
    assert "AccessDenied" in pipeline.wait_for_log_line("failed", key, count=2)["errorMessage"]


@pytest.mark.parametrize("delay", [0, 1], ids=["at once", "later"])
def test_a_notification_that_comes_again_changes_nothing(pipeline: Pipeline, delay: float) -> None:
    key = f"notified-again-after-{delay}.jpg"
    pipeline.upload(key, encode(picture()))
    if delay:
        pipeline.wait_for_output(key)
    pipeline.send_asynchronously(pipeline.make_notification(key))
    pipeline.wait_for_log_line("written", key, count=2)
    assert pipeline.wait_for_image(key).size == (160, 120)


def test_an_upload_deleted_while_it_is_read_is_gone(pipeline: Pipeline) -> None:
    key = "deleted-soon.jpg"
    held = inject(pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, key, hold=True))
    pipeline.upload(key, encode(picture()))
    await_held(pipeline.stack.aws, held)
    pipeline.client("s3").delete_object(Bucket=pipeline.stack.source_bucket, Key=key)
    release(pipeline.stack.aws, held)
    pipeline.wait_for_log_line("gone", key)


def test_an_event_that_fails_three_times_is_recorded_and_can_be_sent_again(pipeline: Pipeline) -> None:
    broken = inject(
        pipeline.stack.aws, Fault("GET", pipeline.stack.source_bucket, "hopeless.jpg", status=500, times=1000)
    )
    pipeline.upload("hopeless.jpg", encode(picture()))
    record = pipeline.take_record("hopeless.jpg")
    release(pipeline.stack.aws, broken)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "IncompleteError"
    assert "1 of 1 objects failed: hopeless.jpg" in record["responsePayload"]["errorMessage"]
    pipeline.send(record["requestPayload"])
    assert pipeline.wait_for_image("hopeless.jpg").size == (160, 120)


@pytest.mark.parametrize("metadata", [{"album": "a"}, {"album": "b"}])
def test_an_upload_of_the_same_bytes_updates_the_metadata(pipeline: Pipeline, metadata: dict[str, str]) -> None:
    body = encode(picture())
    pipeline.upload("metadata.jpg", body, Metadata=metadata)

    assert pipeline.wait_for_output("metadata.jpg")["Metadata"]["album"] == metadata["album"]


def test_a_second_plan_is_empty(pipeline: Pipeline) -> None:
    assert "No changes" in pipeline.terraform.run("plan", "-no-color", "-input=false")
