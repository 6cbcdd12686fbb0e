"""The deployed function processes every envelope, and replies as its sender expects."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.faults import Fault, inject, release
from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tools.accept.pipeline import delete_versions, wait_for
from tools.common.paths import EVENTS
from tools.local.stack import RENDITION
from tools.operations.send import find_samples

CAKE, ODD = "cake.jpg", "a/b c+d%é.jpg"
SIZES = {CAKE: (120, 40), ODD: (40, 120)}
"""The keys in the sample events, and the size of each image."""

IMAGE, NO_IMAGE, UNREADABLE = "batch/fine é+.jpg", "batch/no image.jpg", "batch/failing.jpg"
FAILED, ARCHIVED = "redrive/hopeless.jpg", "redrive/archived.jpg"
TO_QUEUE, TO_TOPIC = "to-queue/a b+é.jpg", "to-topic/a b+é.jpg"

NO_FAILURES: dict[str, object] = {"batchItemFailures": []}
JOB = "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo"
TASK = "dGFza2lkZ29lc2hlcmUK"


def make_written_reply(*keys: str) -> dict[str, object]:
    """Return the reply to an event if outputs of all its objects were written."""
    return {"outcomes": [{"status": "written", "key": key, "outputs": [RENDITION.output_key(key)]} for key in keys]}


def make_job_reply(version: str, *tasks: tuple[str, str, str]) -> dict[str, object]:
    """Return the reply to a job of S3 Batch Operations, from the id, result code and result string of each task."""
    return {
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": JOB,
        "results": [dict(zip(("taskId", "resultCode", "resultString"), task, strict=True)) for task in tasks],
    }


@dataclass(frozen=True)
class Expected:
    """The expected result of a sample event.

    Attributes:
        written: The keys of the sources whose outputs are written.
        asynchronous: Whether some senders of the event don't wait for a reply.

    """

    written: tuple[str, ...]
    reply: dict[str, object]
    asynchronous: bool = False


EXPECTED = {
    "batch-operations-1": Expected((CAKE,), make_job_reply("1.0", (TASK, "Succeeded", "written: resized-cake.jpg"))),
    "batch-operations-2": Expected(
        (ODD,), make_job_reply("2.0", (TASK, "Succeeded", "written: a/resized-b c+d%é.jpg"))
    ),
    "eventbridge": Expected((ODD,), make_written_reply(ODD), asynchronous=True),
    # The object exists again.
    "eventbridge-deleted": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "eventbridge-restored": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    # The object has a newer version.
    "expired": Expected((), {"outcomes": [{"status": "ignored", "key": CAKE, "outputs": []}]}),
    "on-failure": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "put": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "put-several": Expected((ODD, CAKE), make_written_reply(ODD, CAKE), asynchronous=True),
    "rejection": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "restored": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "sns": Expected((CAKE,), make_written_reply(CAKE), asynchronous=True),
    "sns-in-sqs": Expected((CAKE,), NO_FAILURES),
    "sqs": Expected((CAKE, ODD), NO_FAILURES),
    "test-event": Expected((), make_written_reply()),
}


def make_sqs_message(message_id: str, body: str) -> dict[str, str]:
    """Return a message of SQS as Lambda passes it to the function."""
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs"}


@contextlib.contextmanager
def deny_reading(pipeline: Pipeline, key: str) -> Iterator[None]:
    """Deny the function's requests to read an object."""
    fault = Fault("GET", pipeline.stack.source_bucket, key, status=403, code="AccessDenied", times=1000)
    fault_id = inject(pipeline.stack.aws, fault)
    try:
        yield
    finally:
        release(pipeline.stack.aws, fault_id)


def has_output(pipeline: Pipeline, key: str) -> bool:
    """Return whether a source has its output."""
    return RENDITION.output_key(key) in pipeline.list_keys(pipeline.stack.destination_bucket)


def count_records(pipeline: Pipeline, key: str) -> int:
    """Return the number of records about an object in the failure queue."""
    return [json.loads(record["Body"]).get("key") for record in pipeline.peek_records()].count(key)


@pytest.fixture(scope="module")
def uploaded(pipeline: Pipeline) -> Pipeline:
    """The pipeline, after all objects were uploaded and their outputs written."""
    for key in (IMAGE, UNREADABLE, TO_QUEUE, TO_TOPIC):
        pipeline.upload(key, encode(picture()))
    pipeline.upload(NO_IMAGE, b"a text file")
    for key, size in SIZES.items():
        pipeline.upload(key, encode(picture(*size)))
    for key in (IMAGE, UNREADABLE, TO_QUEUE, TO_TOPIC, *SIZES):
        pipeline.wait_for_output(key)
    pipeline.take_record(NO_IMAGE)
    return pipeline


@pytest.mark.parametrize("name", sorted(path.stem for path in find_samples()))
def test_a_sample_event_is_processed_and_answered(uploaded: Pipeline, name: str) -> None:
    assert name in EXPECTED, f"No expected result of events/{name}.json: add it to EXPECTED"
    expected, event = EXPECTED[name], json.loads((EVENTS / f"{name}.json").read_text())
    uploaded.remove_outputs(*SIZES)
    assert uploaded.send(event) == expected.reply
    assert {key for key in SIZES if has_output(uploaded, key)} == set(expected.written)
    if expected.asynchronous:
        uploaded.remove_outputs(*SIZES)
        uploaded.send_asynchronously(event)
    for key in expected.written:
        assert uploaded.wait_for_image(key).size == tuple(side // 2 for side in SIZES[key])


def test_only_failed_messages_are_retried(uploaded: Pipeline) -> None:
    messages = [
        make_sqs_message(key, json.dumps(uploaded.make_notification(key))) for key in (UNREADABLE, NO_IMAGE, IMAGE)
    ]
    uploaded.remove_outputs(UNREADABLE, IMAGE)
    with deny_reading(uploaded, UNREADABLE):
        assert uploaded.send({"Records": messages}) == {"batchItemFailures": [{"itemIdentifier": UNREADABLE}]}
    assert (has_output(uploaded, UNREADABLE), has_output(uploaded, IMAGE)) == (False, True)
    assert uploaded.send({"Records": messages[:1]}) == NO_FAILURES
    assert has_output(uploaded, UNREADABLE)
    assert count_records(uploaded, NO_IMAGE) == 1
    assert uploaded.take_record(NO_IMAGE)["reason"] == "not_an_image"


def test_a_retried_event_records_a_rejection_once(uploaded: Pipeline) -> None:
    event = uploaded.make_notification(NO_IMAGE, UNREADABLE)
    with deny_reading(uploaded, UNREADABLE):
        error = uploaded.send(event)
    assert error["errorType"] == "IncompleteError"
    assert error["errorMessage"].startswith("1 of 2 objects failed: batch/failing.jpg (AccessDenied: ")
    statuses = {outcome["key"]: outcome["status"] for outcome in uploaded.send(event)["outcomes"]}
    assert statuses == {NO_IMAGE: "rejected", UNREADABLE: "written"}
    assert count_records(uploaded, NO_IMAGE) == 1
    uploaded.take_record(NO_IMAGE)


def test_each_task_of_a_job_gets_its_own_result(uploaded: Pipeline) -> None:
    tasks = [
        {"taskId": key, "s3Key": quote_plus(key, safe="/"), "s3Bucket": uploaded.stack.source_bucket}
        for key in (IMAGE, "batch/missing é.jpg", NO_IMAGE, UNREADABLE)
    ]
    tasks.insert(0, {"taskId": "foreign", "s3Key": quote_plus(IMAGE, safe="/"), "s3Bucket": "another-bucket"})
    with deny_reading(uploaded, UNREADABLE):
        reply = uploaded.send({"invocationSchemaVersion": "2.0", "invocationId": JOB, "job": {}, "tasks": tasks})
    record = uploaded.take_record(NO_IMAGE)
    foreign, *_, failed = reply["results"]
    assert "about the bucket 'another-bucket', but" in foreign["resultString"]
    assert "(AccessDenied) when calling the GetObject operation" in failed["resultString"]
    assert reply == make_job_reply(
        "2.0",
        ("foreign", "PermanentFailure", foreign["resultString"]),
        (IMAGE, "Succeeded", "written: batch/resized-fine é+.jpg"),
        ("batch/missing é.jpg", "Succeeded", "gone"),
        (NO_IMAGE, "PermanentFailure", f"not_an_image: {record['message']}"),
        (UNREADABLE, "TemporaryFailure", failed["resultString"]),
    )


def test_records_sent_as_events_are_processed(pipeline: Pipeline) -> None:
    with deny_reading(pipeline, FAILED):
        pipeline.upload(FAILED, encode(picture()))
        pipeline.upload(ARCHIVED, encode(picture()), StorageClass="GLACIER")
        rejection, failure = pipeline.take_record(ARCHIVED), pipeline.take_record(FAILED)
    assert (rejection["reason"], failure["responsePayload"]["errorType"]) == ("archived", "IncompleteError")
    restore = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    pipeline.client("s3").restore_object(Bucket=pipeline.stack.source_bucket, Key=ARCHIVED, RestoreRequest=restore)
    # The restore sends an event, which makes the output.
    pipeline.wait_for_image(ARCHIVED)
    pipeline.remove_outputs(ARCHIVED)
    records = {ARCHIVED: rejection, FAILED: failure}
    for key, record in records.items():
        assert pipeline.send(record) == make_written_reply(key)
        assert pipeline.wait_for_image(key).size == (160, 120)
    # As if the failure queue were an event source of the function.
    pipeline.remove_outputs(*records)
    messages = [make_sqs_message(key, json.dumps(record)) for key, record in records.items()]
    assert pipeline.send({"Records": messages}) == NO_FAILURES
    assert all(has_output(pipeline, key) for key in records)


@pytest.fixture
def queue_urls(uploaded: Pipeline) -> Iterator[list[str]]:
    """The URLs of two queues that receive S3's deletion events, one from S3 and one from an SNS topic."""
    s3, sqs, sns = (uploaded.client(service) for service in ("s3", "sqs", "sns"))
    bucket = uploaded.stack.source_bucket
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("from-s3", "from-sns")]
    arns = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for url in urls
    ]
    allow = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": arns[0]}]}
    sqs.set_queue_attributes(QueueUrl=urls[0], Attributes={"Policy": json.dumps(policy)})
    topic = sns.create_topic(Name="deletions")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns[1])
    deployed = s3.get_bucket_notification_configuration(Bucket=bucket)
    del deployed["ResponseMetadata"]

    def select_deletions(prefix: str) -> dict[str, Any]:
        rules = [{"Name": "prefix", "Value": prefix}]
        return {"Events": ["s3:ObjectRemoved:*"], "Filter": {"Key": {"FilterRules": rules}}}

    # Keep the deployed notification, which is about other events.
    configuration = {
        **deployed,
        "QueueConfigurations": [{"QueueArn": arns[0], **select_deletions("to-queue/")}],
        "TopicConfigurations": [{"TopicArn": topic, **select_deletions("to-topic/")}],
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    yield urls
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=deployed)
    # Before it deletes a bucket, Terraform suspends versioning. moto then fails for keys whose newest version is a
    # delete marker.
    delete_versions(s3, bucket, {TO_QUEUE, TO_TOPIC})
    sns.delete_topic(TopicArn=topic)
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_messages_from_s3_and_sns_are_processed(uploaded: Pipeline, queue_urls: list[str]) -> None:
    for key in (TO_QUEUE, TO_TOPIC):
        uploaded.client("s3").delete_object(Bucket=uploaded.stack.source_bucket, Key=key)
    sqs = uploaded.client("sqs")
    messages: list[dict[str, str]] = []

    def receive_both() -> bool | None:
        for url in queue_urls:
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            messages.extend(make_sqs_message(message["MessageId"], message["Body"]) for message in received)
        return sum("ObjectRemoved" in message["body"] for message in messages) == 2 or None

    wait_for(receive_both, "message about each deletion")
    # The messages may include S3's test event.
    assert uploaded.send({"Records": messages}) == NO_FAILURES
    for key in (TO_QUEUE, TO_TOPIC):
        uploaded.wait_for_log_line("gone", key)
