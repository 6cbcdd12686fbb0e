"""Every envelope, sent to the deployed function: the reply is what its sender wants, and the work is done."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.faults import Fault, inject, release
from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline, awaited
from tools.common.paths import EVENTS
from tools.local.stack import RENDITION

CAKE, ODD = "cake.jpg", "a/b c+d%é.jpg"
SIZES = {CAKE: (120, 40), ODD: (40, 120)}
"""The objects that the samples are about."""

FINE, NO_IMAGE, FAILING = "batch/fine é+.jpg", "batch/no image.jpg", "batch/failing.jpg"
HOPELESS, ARCHIVED = "redrive/hopeless.jpg", "redrive/archived.jpg"
TO_QUEUE, TO_TOPIC = "to-queue/a b+é.jpg", "to-topic/a b+é.jpg"

NO_FAILURES: dict[str, object] = {"batchItemFailures": []}
JOB = "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo"
TASK = "dGFza2lkZ29lc2hlcmUK"


def outcomes(*written: str) -> dict[str, object]:
    """The reply to an event whose objects all have outputs."""
    return {"outcomes": [{"status": "written", "key": key, "outputs": [RENDITION.output_key(key)]} for key in written]}


def results(version: str, *tasks: tuple[str, str, str]) -> dict[str, object]:
    """The reply to a job: of each task its identity, its result's code and what is said of it."""
    return {
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": JOB,
        "results": [dict(zip(("taskId", "resultCode", "resultString"), task, strict=True)) for task in tasks],
    }


@dataclass(frozen=True)
class Expected:
    """What is to come of a sample.

    Attributes:
        written: The objects whose outputs are made.
        asynchronous: Whether there are senders of it that do not wait for a reply.

    """

    written: tuple[str, ...]
    reply: dict[str, object]
    asynchronous: bool = False


EXPECTED = {
    "batch-operations-1": Expected((CAKE,), results("1.0", (TASK, "Succeeded", "written: resized-cake.jpg"))),
    "batch-operations-2": Expected((ODD,), results("2.0", (TASK, "Succeeded", "written: a/resized-b c+d%é.jpg"))),
    "eventbridge": Expected((ODD,), outcomes(ODD), asynchronous=True),
    # It is there again by now.
    "eventbridge-deleted": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "eventbridge-restored": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    # It has another version by now.
    "expired": Expected((), {"outcomes": [{"status": "ignored", "key": CAKE, "outputs": []}]}),
    "on-failure": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "put": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "put-several": Expected((ODD, CAKE), outcomes(ODD, CAKE), asynchronous=True),
    "rejection": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "restored": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "sns": Expected((CAKE,), outcomes(CAKE), asynchronous=True),
    "sns-in-sqs": Expected((CAKE,), NO_FAILURES),
    "sqs": Expected((CAKE, ODD), NO_FAILURES),
    "test-event": Expected((), outcomes()),
}


def message(identity: str, body: str) -> dict[str, str]:
    """A message of a queue, as Lambda hands it over."""
    return {"messageId": identity, "body": body, "eventSource": "aws:sqs"}


@contextlib.contextmanager
def unreadable(pipeline: Pipeline, key: str) -> Iterator[None]:
    """Let no function read an object."""
    fault = Fault("GET", pipeline.stack.source_bucket, key, status=403, code="AccessDenied", times=1000)
    broken = inject(pipeline.stack.aws, fault)
    try:
        yield
    finally:
        release(pipeline.stack.aws, broken)


def has_output(pipeline: Pipeline, key: str) -> bool:
    """Whether an object has its output now."""
    return RENDITION.output_key(key) in pipeline.keys(pipeline.stack.destination_bucket)


def rejections(pipeline: Pipeline, key: str) -> int:
    """How many records of an object are in the failure queue."""
    return [json.loads(one["Body"]).get("key") for one in pipeline.failures()].count(key)


@pytest.fixture(scope="module")
def uploaded(pipeline: Pipeline) -> Pipeline:
    """The pipeline, with all objects uploaded at once, and with the outputs that they can have."""
    for key in (FINE, FAILING, TO_QUEUE, TO_TOPIC):
        pipeline.upload(key, encode(picture()))
    pipeline.upload(NO_IMAGE, b"a text file")
    for key, size in SIZES.items():
        pipeline.upload(key, encode(picture(*size)))
    for key in (FINE, FAILING, TO_QUEUE, TO_TOPIC, *SIZES):
        pipeline.output(key)
    pipeline.failure(NO_IMAGE)
    return pipeline


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.iterdir()))
def test_a_sample_is_answered_as_its_sender_wants(uploaded: Pipeline, name: str) -> None:
    assert name in EXPECTED, "a new sample: tell above what is to come of it"
    expected, event = EXPECTED[name], json.loads((EVENTS / f"{name}.json").read_text())
    uploaded.remove_outputs(*SIZES)
    assert uploaded.send(event) == expected.reply
    assert {key for key in SIZES if has_output(uploaded, key)} == set(expected.written)
    if expected.asynchronous:
        uploaded.remove_outputs(*SIZES)
        uploaded.send_asynchronously(event)
    for key in expected.written:
        assert uploaded.image(key).size == tuple(side // 2 for side in SIZES[key])


def test_of_messages_only_those_that_failed_come_again(uploaded: Pipeline) -> None:
    messages = [message(key, json.dumps(uploaded.notification(key))) for key in (FAILING, NO_IMAGE, FINE)]
    uploaded.remove_outputs(FAILING, FINE)
    with unreadable(uploaded, FAILING):
        assert uploaded.send({"Records": messages}) == {"batchItemFailures": [{"itemIdentifier": FAILING}]}
    assert (has_output(uploaded, FAILING), has_output(uploaded, FINE)) == (False, True)
    assert uploaded.send({"Records": messages[:1]}) == NO_FAILURES
    assert has_output(uploaded, FAILING)
    assert rejections(uploaded, NO_IMAGE) == 1
    assert uploaded.failure(NO_IMAGE)["reason"] == "not_an_image"


def test_an_event_that_comes_again_as_a_whole_records_a_rejection_once(uploaded: Pipeline) -> None:
    event = uploaded.notification(NO_IMAGE, FAILING)
    with unreadable(uploaded, FAILING):
        error = uploaded.send(event)
    assert error["errorType"] == "IncompleteError"
    assert error["errorMessage"].startswith("1 of 2 objects failed: batch/failing.jpg (AccessDenied: ")
    statuses = {one["key"]: one["status"] for one in uploaded.send(event)["outcomes"]}
    assert statuses == {NO_IMAGE: "rejected", FAILING: "written"}
    assert rejections(uploaded, NO_IMAGE) == 1
    uploaded.failure(NO_IMAGE)


def test_each_task_of_a_job_has_its_own_result(uploaded: Pipeline) -> None:
    tasks = [
        {"taskId": key, "s3Key": quote_plus(key, safe="/"), "s3Bucket": uploaded.stack.source_bucket}
        for key in (FINE, "batch/missing é.jpg", NO_IMAGE, FAILING)
    ]
    tasks.insert(0, {"taskId": "foreign", "s3Key": quote_plus(FINE, safe="/"), "s3Bucket": "another-bucket"})
    with unreadable(uploaded, FAILING):
        reply = uploaded.send({"invocationSchemaVersion": "2.0", "invocationId": JOB, "job": {}, "tasks": tasks})
    record = uploaded.failure(NO_IMAGE)
    (foreign, *_, failed) = reply["results"]
    assert "about the bucket 'another-bucket', but" in foreign["resultString"]
    assert "(AccessDenied) when calling the GetObject operation" in failed["resultString"]
    assert reply == results(
        "2.0",
        ("foreign", "PermanentFailure", foreign["resultString"]),
        (FINE, "Succeeded", "written: batch/resized-fine é+.jpg"),
        ("batch/missing é.jpg", "Succeeded", "gone"),
        (NO_IMAGE, "PermanentFailure", f"not_an_image: {record['message']}"),
        (FAILING, "TemporaryFailure", failed["resultString"]),
    )


def test_records_that_are_sent_back_do_the_work(pipeline: Pipeline) -> None:
    with unreadable(pipeline, HOPELESS):
        pipeline.upload(HOPELESS, encode(picture()))
        pipeline.upload(ARCHIVED, encode(picture()), StorageClass="GLACIER")
        rejection, failure = pipeline.failure(ARCHIVED), pipeline.failure(HOPELESS)
    assert (rejection["reason"], failure["responsePayload"]["errorType"]) == ("archived", "IncompleteError")
    restore = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    pipeline.client("s3").restore_object(Bucket=pipeline.stack.source_bucket, Key=ARCHIVED, RestoreRequest=restore)
    # Which is an event, too.
    pipeline.image(ARCHIVED)
    pipeline.remove_outputs(ARCHIVED)
    records = {ARCHIVED: rejection, HOPELESS: failure}
    for key, record in records.items():
        assert pipeline.send(record) == outcomes(key)
        assert pipeline.image(key).size == (160, 120)
    # As if their queue were a trigger.
    pipeline.remove_outputs(*records)
    messages = [message(key, json.dumps(record)) for key, record in records.items()]
    assert pipeline.send({"Records": messages}) == NO_FAILURES
    assert all(has_output(pipeline, key) for key in records)


@pytest.fixture
def notified(uploaded: Pipeline) -> Iterator[list[str]]:
    """URLs of two queues that are told of deletions, one by S3 and one by a topic of SNS that S3 tells."""
    s3, sqs, sns = (uploaded.client(service) for service in ("s3", "sqs", "sns"))
    bucket = uploaded.stack.source_bucket
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("told-by-s3", "told-by-sns")]
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

    def below(prefix: str) -> dict[str, Any]:
        rules = [{"Name": "prefix", "Value": prefix}]
        return {"Events": ["s3:ObjectRemoved:*"], "Filter": {"Key": {"FilterRules": rules}}}

    # Beside what is deployed, which is about other events.
    configuration = {
        **deployed,
        "QueueConfigurations": [{"QueueArn": arns[0], **below("to-queue/")}],
        "TopicConfigurations": [{"TopicArn": topic, **below("to-topic/")}],
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    yield urls
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=deployed)
    # When Terraform has suspended a bucket's versions to destroy it, moto fails where a delete marker is the last.
    uploaded.erase(bucket, TO_QUEUE, TO_TOPIC)
    sns.delete_topic(TopicArn=topic)
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_messages_that_really_arrived_are_understood(uploaded: Pipeline, notified: list[str]) -> None:
    for key in (TO_QUEUE, TO_TOPIC):
        uploaded.client("s3").delete_object(Bucket=uploaded.stack.source_bucket, Key=key)
    sqs = uploaded.client("sqs")
    arrived: list[dict[str, str]] = []

    def both() -> bool | None:
        for url in notified:
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            arrived.extend(message(one["MessageId"], one["Body"]) for one in received)
        return sum("ObjectRemoved" in one["body"] for one in arrived) == 2 or None

    awaited(both, "a message of each deletion")
    # S3's test event may be among them.
    assert uploaded.send({"Records": arrived}) == NO_FAILURES
    for key in (TO_QUEUE, TO_TOPIC):
        uploaded.log_line("gone", key)
