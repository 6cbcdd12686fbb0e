"""The failure queue: every message is parsed, and a sample leaves all of them there."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aws.outcomes import ObjectAddress
from tools.operations import NOT_UNDERSTOOD, UNDELIVERED
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import Depth, FailureQueue, Record, Selection
from tools.operations.send import find_samples

BUCKET = "src-bucket-image-in"
CAKE, ODD = ObjectAddress(BUCKET, "cake.jpg"), ObjectAddress(BUCKET, "a/b c+d%é.jpg")
SAMPLES = {path.stem: path.read_text() for path in find_samples()}
REJECTION, GIVEN_UP = json.loads(SAMPLES["rejection"]), json.loads(SAMPLES["on-failure"])

EVENTS: dict[str, tuple[ObjectAddress, ...]] = {
    "batch-operations-1": (CAKE,),
    "batch-operations-2": (ODD,),
    "eventbridge": (ODD,),
    "eventbridge-deleted": (CAKE,),
    "eventbridge-restored": (CAKE,),
    "expired": (CAKE,),
    "put": (CAKE,),
    "put-several": (ODD, CAKE),
    "restored": (CAKE,),
    "sns": (CAKE,),
    "sns-in-sqs": (CAKE,),
    "sqs": (CAKE, ODD),
}
"""The objects of sample events that are not records."""

ALL = [f"{number:02}.jpg" for number in range(25)]
"""Keys of a queue's records."""


def message(body: str) -> dict[str, Any]:
    """Return a message as SQS does."""
    return {
        "MessageId": "id",
        "ReceiptHandle": "receipt",
        "Body": body,
        "Attributes": {"SentTimestamp": "1795605599123", "ApproximateReceiveCount": "2"},
    }


def record(body: object) -> Record:
    """Parse a message with this JSON."""
    return Record.of(message(json.dumps(body)))


def test_a_rejection_has_its_object_and_reason() -> None:
    found = Record.of(message(SAMPLES["rejection"]))
    sent = datetime(2026, 11, 25, 11, 19, 59, 123000, UTC)
    why = "the content is not a JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF image"
    body = SAMPLES["rejection"]
    assert found == Record("id", "receipt", sent, 2, body, REJECTION, "not_an_image", (CAKE,), REJECTION["etag"], why)
    assert found.is_rejection


def test_a_given_up_event_has_its_objects_and_last_error() -> None:
    found = Record.of(message(SAMPLES["on-failure"]))
    assert (found.event, found.reason, found.addresses) == (GIVEN_UP, "RetriesExhausted", (CAKE,))
    assert found.message.startswith("1 of 1 objects failed: cake.jpg (ClientError: ")
    assert not found.is_rejection


@pytest.mark.parametrize("payload", [None, "Task timed out", {}, {"errorMessage": ""}, ["x"]])
def test_a_given_up_event_may_have_no_error(payload: object) -> None:
    # A killed function has none.
    told = record(GIVEN_UP | {"responsePayload": payload})
    untold = record({name: part for name, part in GIVEN_UP.items() if name != "responsePayload"})
    for found in (told, untold):
        assert (found.reason, found.addresses, found.message) == ("RetriesExhausted", (CAKE,), "")


def test_every_sample_is_a_record_or_an_event() -> None:
    assert set(SAMPLES) == {"rejection", "on-failure", "test-event", *EVENTS}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_can_be_sent_like_a_record(name: str) -> None:
    found = Record.of(message(SAMPLES[name]))
    assert (found.reason, found.addresses, found.etag, found.message) == (UNDELIVERED, EVENTS[name], "", "")
    assert found.event == json.loads(SAMPLES[name])


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "mine"},
        {"reason": 1, "etag": '"1"'},
        {"reason": "mine", "etag": None},
        {"requestContext": ["condition"]},
        {"requestContext": {"condition": 1}},
    ],
)
def test_an_event_that_resembles_a_record_stays_an_event(change: dict[str, object]) -> None:
    found = record(json.loads(SAMPLES["put"]) | change)
    assert (found.reason, found.addresses, found.is_rejection) == (UNDELIVERED, (CAKE,), False)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON é",
        "null",
        "[]",
        json.dumps([REJECTION]),
        "{}",
        '{"reason": "corrupt", "key": "cake.jpg"}',
        json.dumps(REJECTION | {"key": 1}),
        "[" * 100_000,
        '{"requestContext": {"condition": "x"}, "requestPayload": ' * 2000 + "{}" + "}" * 2000,
        "1" * 5000,
        '{"Records": [{"eventSource": "aws:dynamodb"}]}',
        '{"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "text"}]}',
        '{"Records": []}',
        SAMPLES["test-event"],
    ],
    ids=[
        "empty",
        "text",
        "null",
        "list",
        "list of one",
        "object",
        "half a record",
        "no key",
        "deep",
        "record",
        "long",
        "records of another service",
        "a message of another service",
        "no records",
        "S3's test event",
    ],
)
def test_any_other_message_is_kept_as_text_and_never_sent(body: str) -> None:
    found = Record.of(message(body))
    assert (found.event, found.reason, found.addresses, found.etag) == (None, NOT_UNDERSTOOD, (), "")
    assert found.message.startswith("The ")
    assert len(found.message) < 300
    assert found.body == body
    assert found.find_obstacle(BUCKET) == "neither a record nor an event about an object"


@pytest.mark.parametrize(
    ("name", "bucket", "obstacle"),
    [
        ("rejection", BUCKET, ""),
        ("sqs", "uploads", f"about the bucket {BUCKET}, not uploads"),
    ],
)
def test_a_record_of_another_bucket_cannot_be_used(name: str, bucket: str, obstacle: str) -> None:
    assert Record.of(message(SAMPLES[name])).find_obstacle(bucket) == obstacle


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(), ["rejection", "on-failure", "put-several"]),
        (Selection(reason="not_an_image"), ["rejection"]),
        (Selection(reason="RetriesExhausted"), ["on-failure"]),
        (Selection(reason="not_an"), []),
        (Selection(prefix="cake"), ["rejection", "on-failure", "put-several"]),
        (Selection(prefix="a/b "), ["put-several"]),
        (Selection(prefix="ake"), []),
        (Selection(reason="not_an_image", prefix="a/"), []),
        (Selection(reason="not_an_image", prefix="cake.jpg"), ["rejection"]),
    ],
)
def test_a_selection_is_by_reason_and_prefix(selection: Selection, fits: list[str]) -> None:
    names = ("rejection", "on-failure", "put-several")
    assert [name for name in names if selection.matches(Record.of(message(SAMPLES[name])))] == fits


@pytest.fixture
def queue(deployment: Deployment) -> FailureQueue:
    """A queue with a rejection of each key."""
    sqs, url = deployment.client("sqs", None), deployment.settings.failure_queue_url
    entries = [{"Id": key[:2], "MessageBody": json.dumps(REJECTION | {"key": key})} for key in ALL]
    for start in range(0, len(entries), 10):
        sqs.send_message_batch(QueueUrl=url, Entries=entries[start : start + 10])
    return FailureQueue(deployment)


def counts(depth: Depth) -> tuple[int, int]:
    return depth.visible, depth.in_flight


def keys(records: list[Record]) -> list[str]:
    return [address.key for record in records for address in record.addresses]


def test_a_sample_is_sorted_by_age_and_stays_in_the_queue(queue: FailureQueue) -> None:
    for _ in range(2):
        assert keys(queue.sample(1000)) == ALL
        assert counts(queue.depth()) == (25, 0)


def test_a_sample_ends_at_its_limit(queue: FailureQueue) -> None:
    assert keys(queue.sample(15)) == ALL[:20]
    assert counts(queue.depth()) == (25, 0)


def test_a_sample_that_fails_releases_its_messages(queue: FailureQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    receive, left = queue.receive, iter([True, True])
    monkeypatch.setattr(FailureQueue, "receive", lambda _, seconds: next(left) and receive(seconds))
    with pytest.raises(StopIteration):
        queue.sample(1000)
    assert counts(queue.depth()) == (25, 0)


def test_a_message_received_twice_is_one_record_with_the_latest_receipt(
    queue: FailureQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = record(REJECTION), replace(record(REJECTION), receipt="another")
    received = iter([[first], [again], []])
    shown: list[Record] = []
    monkeypatch.setattr(FailureQueue, "receive", lambda *_: next(received))
    monkeypatch.setattr(FailureQueue, "hide", lambda _, records, seconds: shown.extend(() if seconds else records))
    assert queue.sample(1000) == shown == [again]


def test_a_received_message_is_hidden_until_it_is_released_or_deleted(queue: FailureQueue) -> None:
    first = queue.receive(60, limit=3)
    assert counts(queue.depth()) == (22, 3)
    # SQS refuses requests for more.
    assert len(queue.receive(60, limit=11)) == 10
    queue.delete(first[0])
    assert counts(queue.depth()) == (12, 12)
    queue.hide(first[1:2], 60)
    assert counts(queue.depth()) == (12, 12)
    queue.hide(first[1:], 0)
    assert counts(queue.depth()) == (14, 10)


def test_the_time_is_sqs_s_in_whole_seconds(queue: FailureQueue) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= queue.depth().at <= datetime.now(UTC)
