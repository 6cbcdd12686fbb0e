"""Envelopes: the objects that an event names, and the reply that its sender expects."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aws.events import Envelope, Messages, Results, Tasks, parse
from aws.outcomes import EventType, Failure, ObjectAddress, ObjectEvent, Outcome, Rejection, Status
from aws.settings import Filter
from errors import EventError, IncompleteError, Reason, UnsettledError
from tests.unit.conftest import SETTINGS
from tools.operations.send import find_event, find_samples, read_event

EVENTS = Path(__file__).parents[2] / "events"
CAKE = ObjectAddress("src-bucket-image-in", "cake.jpg")
ODD = ObjectAddress("src-bucket-image-in", "a/b c+d%é.jpg")

SAMPLES: dict[str, tuple[type[Envelope], list[tuple[ObjectAddress, ...]]]] = {
    "batch-operations-1": (Tasks, [(CAKE,)]),
    "batch-operations-2": (Tasks, [(ODD,)]),
    "eventbridge": (Envelope, [(ODD,)]),
    "eventbridge-deleted": (Envelope, [(CAKE,)]),
    "eventbridge-restored": (Envelope, [(CAKE,)]),
    "expired": (Envelope, [(CAKE,)]),
    "on-failure": (Envelope, [(CAKE,)]),
    "put": (Envelope, [(CAKE,)]),
    "put-several": (Envelope, [(ODD, CAKE)]),
    "rejection": (Envelope, [(CAKE,)]),
    "restored": (Envelope, [(CAKE,)]),
    "sns": (Envelope, [(CAKE,)]),
    "sns-in-sqs": (Messages, [(CAKE,)]),
    "sqs": (Messages, [(CAKE,), (ODD,), ()]),
    "test-event": (Envelope, [()]),
}
"""The envelope of each sample, and the objects of each item. The samples encode ``ODD`` in four ways."""


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def find_addresses(event: object) -> tuple[ObjectAddress, ...]:
    return tuple(parse(event).events)


def make_written(address: ObjectAddress) -> Outcome:
    return Outcome(Status.WRITTEN, address, (f"resized-{address.key}",))


def make_rejected(address: ObjectAddress) -> Outcome:
    record = Rejection(address.bucket, address.key, None, '"etag"', Reason.CORRUPT, "it is cut off", "now")
    return Outcome(Status.REJECTED, address, rejection=record)


def message(body: object, identity: str = "1") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": identity, "eventSource": "aws:sqs", "body": text}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_sent_about_the_function_s_own_bucket_and_prefix(name: str) -> None:
    filters = (Filter("logos/", ".png"), Filter("photos/", ".jpg"))
    event = read_event(find_event(name), replace(SETTINGS, source_bucket="acme-uploads", filters=filters))
    expected = tuple(ObjectAddress("acme-uploads", f"photos/{one.key}") for one in find_addresses(load(name)))
    assert find_addresses(json.loads(event)) == expected


def test_a_file_of_the_user_s_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "put.json"
    file.write_bytes((EVENTS / "put.json").read_bytes())
    assert read_event(find_event(str(file)), SETTINGS) == file.read_bytes()


def test_every_envelope_has_a_sample() -> None:
    assert {path.stem for path in find_samples()} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_has_its_envelope_and_objects(name: str) -> None:
    kind, addresses = SAMPLES[name]
    envelope = parse(load(name))
    assert type(envelope) is kind
    assert [item.addresses for item in envelope.items] == addresses
    assert envelope.errors == ()


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"batch-operations-1", "batch-operations-2"}))
def test_every_envelope_is_found_inside_a_message_a_topic_or_a_record(name: str) -> None:
    event, addresses = load(name), find_addresses(load(name))
    wrapped = [
        {"Records": [message(event)]},
        {"Records": [message({"Type": "Notification", "Message": json.dumps(event)})]},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(event)}}]},
        {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event},
    ]
    assert [find_addresses(one) for one in wrapped] == [addresses] * 4


VERSION, EB_VERSION = "096fKKXTRTtl3on89fVO.nfljtsv6qko", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"
WINTER, AUTUMN = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "events"),
    [
        (
            "put-several",
            [
                ObjectEvent(ODD, EventType.AVAILABLE, VERSION, WINTER),
                # The bucket has no versions.
                ObjectEvent(CAKE, EventType.AVAILABLE, None, WINTER + timedelta(seconds=1)),
            ],
        ),
        ("put", [ObjectEvent(CAKE, EventType.AVAILABLE)]),
        ("sns-in-sqs", [ObjectEvent(CAKE, EventType.AVAILABLE, VERSION, WINTER)]),
        ("on-failure", [ObjectEvent(CAKE, EventType.AVAILABLE, VERSION, WINTER)]),
        ("eventbridge", [ObjectEvent(ODD, EventType.AVAILABLE, EB_VERSION, AUTUMN)]),
        ("eventbridge-deleted", [ObjectEvent(CAKE, None, EB_VERSION, AUTUMN)]),
        ("expired", [ObjectEvent(CAKE, EventType.EXPIRED, VERSION, WINTER)]),
        ("eventbridge-restored", [ObjectEvent(CAKE, EventType.AVAILABLE, EB_VERSION, AUTUMN)]),
        ("rejection", [ObjectEvent(CAKE)]),
        ("restored", [ObjectEvent(CAKE, EventType.AVAILABLE, VERSION, WINTER)]),
        ("batch-operations-1", [ObjectEvent(CAKE)]),
    ],
)
def test_an_event_has_its_type_version_and_time(name: str, events: list[ObjectEvent]) -> None:
    assert [one for found in parse(load(name)).events.values() for one in found] == events


@pytest.mark.parametrize(
    ("s3", "reason", "kind", "event_type"),
    [
        ("ObjectRemoved:Delete", "DeleteObject", "Permanently Deleted", EventType.DELETED),
        ("LifecycleExpiration:Delete", "Lifecycle Expiration", "Permanently Deleted", EventType.EXPIRED),
        ("ObjectRemoved:DeleteMarkerCreated", "DeleteObject", "Delete Marker Created", None),
        ("LifecycleExpiration:DeleteMarkerCreated", "Lifecycle Expiration", "Delete Marker Created", None),
    ],
)
def test_deletions_have_one_type_from_s3_and_eventbridge(
    s3: str, reason: str, kind: str, event_type: EventType | None
) -> None:
    by_s3, by_eventbridge = load("expired"), load("eventbridge-deleted")
    by_s3["Records"][0]["eventName"] = s3
    by_eventbridge["detail"] |= {"reason": reason, "deletion-type": kind}
    for event in (by_s3, by_eventbridge):
        ((object_event,),) = parse(event).events.values()
        assert object_event.type is event_type


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2026-01-31T12:00:00", WINTER),
        ("2026-01-31T13:00:00.000+01:00", WINTER),
        ("yesterday", None),
        (12, None),
        (None, None),
    ],
)
def test_a_handwritten_time_is_parsed_or_ignored(time: object, at: datetime | None) -> None:
    event = load("put")
    event["Records"][0]["eventTime"] = time
    event["Records"][0]["s3"]["object"]["versionId"] = None
    assert parse(event).events == {CAKE: [ObjectEvent(CAKE, EventType.AVAILABLE, None, at)]}


def test_an_object_that_is_named_twice_is_processed_once() -> None:
    event = load("put")
    event["Records"] *= 3
    assert find_addresses(event) == (CAKE,)
    assert find_addresses({"Records": [message(event, "1"), message(event, "2")]}) == (CAKE,)


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.6"])
def test_every_minor_version_is_accepted(version: str) -> None:
    event = load("put")
    event["Records"][0]["eventVersion"] = version
    assert find_addresses(event) == (CAKE,)


@pytest.mark.parametrize(
    "event",
    [
        *(None, {}, [], "cake.jpg", {"Records": "x"}, {"key": "é" * 1000}),
        load("eventbridge") | {"source": "aws.ec2"},
        load("eventbridge") | {"detail": {"object": {"key": "cake.jpg"}}},
        load("batch-operations-2") | {"invocationSchemaVersion": "3.0"},
    ],
)
def test_an_unknown_shape_is_an_error_that_shows_at_most_200_characters(event: object) -> None:
    with pytest.raises(EventError, match="unknown shape") as caught:
        parse(event)
    assert str(caught.value).endswith(json.dumps(event, ensure_ascii=False)[:200])


@pytest.mark.parametrize(
    "change", [{"eventVersion": "3.0"}, {"eventSource": "aws:sns"}, {"s3": {}}, {"eventVersion": 2}]
)
def test_an_unknown_record_fails_and_the_others_are_processed(change: dict[str, object]) -> None:
    event = load("put-several")
    event["Records"][0] |= change
    envelope = parse(event)
    assert tuple(envelope.events) == (CAKE,)
    with pytest.raises(IncompleteError, match=r"^1 of 2 objects failed: The record is not an S3 notification of versi"):
        envelope.reply({CAKE: make_written(CAKE)})


def test_the_reply_to_a_whole_event_has_all_outcomes() -> None:
    results: Results = {ODD: make_rejected(ODD), CAKE: make_written(CAKE)}
    assert parse(load("put-several")).reply(results) == {
        "outcomes": [
            {
                "status": "rejected",
                "key": ODD.key,
                "outputs": [],
                "reason": "corrupt",
                "message": "it is cut off",
            },
            {"status": "written", "key": "cake.jpg", "outputs": ["resized-cake.jpg"]},
        ]
    }


def test_only_the_messages_that_failed_are_delivered_again() -> None:
    event = load("sqs")
    failed = event["Records"][1]["messageId"]
    event["Records"] += [message("no JSON", "a"), message({"hello": "world"}, "b"), message("[" * 100_000, "c")]
    envelope = parse(event)
    reply = envelope.reply({CAKE: make_written(CAKE), ODD: Failure.from_exception(UnsettledError("changed"))})
    assert reply == {"batchItemFailures": [{"itemIdentifier": one} for one in (failed, "a", "b", "c")]}
    assert [str(error)[:40] for error in envelope.errors] == [
        "The message is not JSON: no JSON",
        'The event has an unknown shape: {"hello"',
        "The message is not JSON: " + 15 * "[",
    ]


def test_an_event_whose_messages_all_failed_is_an_error() -> None:
    envelope = parse(load("sns-in-sqs"))
    assert envelope.reply({CAKE: make_written(CAKE)}) == {"batchItemFailures": []}
    with pytest.raises(IncompleteError, match=r"^1 of 1 messages failed: cake.jpg \(UnsettledError: changed\)$"):
        envelope.reply({CAKE: Failure.from_exception(UnsettledError("changed"))})


@pytest.mark.parametrize(
    ("result", "code", "text"),
    [
        (make_written(CAKE), "Succeeded", "written: resized-cake.jpg"),
        (Outcome(Status.GONE, CAKE), "Succeeded", "gone"),
        (make_rejected(CAKE), "PermanentFailure", "corrupt: it is cut off"),
        (
            Failure.from_exception(EventError("another bucket")),
            "PermanentFailure",
            "cake.jpg (EventError: another bucket)",
        ),
        (Failure.from_exception(UnsettledError("changed")), "TemporaryFailure", "cake.jpg (UnsettledError: changed)"),
    ],
)
def test_a_job_receives_the_result_of_each_task(result: Outcome | Failure, code: str, text: str) -> None:
    event = load("batch-operations-1")
    assert parse(event).reply({CAKE: result}) == {
        "invocationSchemaVersion": "1.0",
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": event["invocationId"],
        "results": [{"taskId": event["tasks"][0]["taskId"], "resultCode": code, "resultString": text}],
    }


def test_an_unknown_task_fails_alone() -> None:
    event = load("batch-operations-2")
    event["tasks"].append({"taskId": "odd"})
    results: Any = parse(event).reply({ODD: make_written(ODD)})["results"]
    assert [(one["resultCode"], one["resultString"]) for one in results] == [
        ("Succeeded", f"written: resized-{ODD.key}"),
        ("PermanentFailure", 'The task has an unknown shape: {"taskId": "odd"}'),
    ]


def test_an_item_that_is_delivered_again_is_not_complete() -> None:
    results: Results = {ODD: make_rejected(ODD), CAKE: Failure.from_exception(UnsettledError("changed"))}
    # An S3 event is delivered again as a whole, messages one by one.
    assert parse(load("put-several")).completed_outcomes(results) == ()
    assert parse(load("sqs")).completed_outcomes(results) == (make_rejected(ODD),)
