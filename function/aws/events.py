"""Every envelope that can reach the function: the objects it names, and the reply that its sender expects."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from aws.outcomes import EventType, Failure, ObjectAddress, ObjectEvent, Outcome
from errors import EventError, IncompleteError

Results = Mapping[ObjectAddress, Outcome | Failure]
"""The result of each object: a failure if the object has to be tried again."""


class BatchItem(NamedTuple):
    """The smallest unit that the sender delivers again: a message, a task, or else the whole event.

    Attributes:
        identifier: The ID of the message or task; empty for a whole event.
        events: The reports about objects, in the item's order.
        errors: The parts of the item that have an unknown shape.

    """

    identifier: str
    events: tuple[ObjectEvent, ...]
    errors: tuple[EventError, ...]

    @classmethod
    def of(cls, identifier: str, parsed: Iterator[ObjectEvent | EventError]) -> "BatchItem":
        """Make an item from a parser's results."""
        found = tuple(parsed)
        events = tuple(one for one in found if isinstance(one, ObjectEvent))
        return cls(identifier, events, tuple(one for one in found if isinstance(one, EventError)))

    @property
    def addresses(self) -> tuple[ObjectAddress, ...]:
        """The objects that the item names, without duplicates, in the item's order."""
        return tuple(dict.fromkeys(event.address for event in self.events))

    def list_failures(self, results: Results) -> list[str]:
        """Return why the item has to be delivered again, one sentence each; empty if it succeeded."""
        by_key = ((address.key, results[address]) for address in self.addresses)
        return [
            *(str(error) for error in self.errors),
            *(f"{key} ({result.error})" for key, result in by_key if isinstance(result, Failure)),
        ]


@dataclass(frozen=True)
class Envelope:
    """An event that is delivered again as a whole: from S3, SNS, EventBridge, Lambda or a person."""

    items: tuple[BatchItem, ...]

    @property
    def events(self) -> dict[ObjectAddress, list[ObjectEvent]]:
        """The reports about each object, in the event's order."""
        events: dict[ObjectAddress, list[ObjectEvent]] = {}
        for item in self.items:
            for event in item.events:
                events.setdefault(event.address, []).append(event)
        return events

    @property
    def errors(self) -> tuple[EventError, ...]:
        """The parts of the event that have an unknown shape."""
        return tuple(error for item in self.items for error in item.errors)

    def completed_outcomes(self, results: Results) -> tuple[Outcome, ...]:
        """Return the outcomes of the items that will not be delivered again, without duplicates."""
        completed = (item for item in self.items if not item.list_failures(results))
        addresses = dict.fromkeys(address for item in completed for address in item.addresses)
        return tuple(outcome for address in addresses if isinstance(outcome := results[address], Outcome))

    def reply(self, results: Results) -> dict[str, object]:
        """Return all outcomes. Only a person who sent the event by hand reads them.

        Raises:
            IncompleteError: Names every object that failed.

        """
        failures = [failure for item in self.items for failure in item.list_failures(results)]
        if failures:
            raise _make_incomplete_error(failures, len(results) + len(self.errors), "objects")
        return {"outcomes": [_describe(outcome) for outcome in results.values() if isinstance(outcome, Outcome)]}


class Messages(Envelope):
    """Messages of an SQS queue, which delivers only the failed ones again."""

    def reply(self, results: Results) -> dict[str, object]:
        """Return the messages that failed.

        Raises:
            IncompleteError: All messages failed. An event source mapping without ReportBatchItemFailures would take any
                reply for a success.

        """
        failed = {item.identifier: failures for item in self.items if (failures := item.list_failures(results))}
        if len(failed) == len(self.items):
            sentences = [failure for failures in failed.values() for failure in failures]
            raise _make_incomplete_error(sentences, len(self.items), "messages")
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


@dataclass(frozen=True)
class Tasks(Envelope):
    """Tasks of an S3 Batch Operations job: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html.

    Attributes:
        version: The envelope's schema version, 1.0 or 2.0.
        invocation_id: The reply repeats it.

    """

    version: str
    invocation_id: str

    def reply(self, results: Results) -> dict[str, object]:
        """Return the result of each task for the job's report; the job retries temporary failures itself."""
        return {
            "invocationSchemaVersion": self.version,
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": self.invocation_id,
            "results": [_make_task_result(item, results) for item in self.items],
        }


def parse(event: object) -> Envelope:
    """Recognise an event's envelope by its shape.

    Raises:
        EventError: The shape is unknown; the message quotes the first 200 characters.

    """
    match event:
        case {"invocationSchemaVersion": "1.0" | "2.0" as version, "invocationId": str(invocation), "tasks": [*tasks]}:
            items = tuple(BatchItem.of(str(_get(task, "taskId")), _parse_task(task)) for task in tasks)
            return Tasks(items, version, invocation)
        case {"Records": [*records]} if records and all(_get(one, "eventSource") == "aws:sqs" for one in records):
            return Messages(tuple(BatchItem.of(str(_get(one, "messageId")), _parse_record(one)) for one in records))
        case {"Records": [*_]}:
            return Envelope((BatchItem.of("", _parse_event(event)),))
        case _:
            item = BatchItem.of("", _parse_event(event))
            for error in item.errors:
                raise error
            return Envelope((item,))


def _parse_event(event: object) -> Iterator[ObjectEvent | EventError]:
    """Find the objects in an event, and in the events that it contains."""
    match event:
        case {"Records": [*records]}:
            for record in records:
                yield from _parse_record(record)
        case {"source": "aws.s3", "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **details}}}:
            # EventBridge does not encode keys: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
            event_type = _read_eventbridge_type(event)
            yield _make_object_event(bucket, key, event_type, details.get("version-id"), _get(event, "time"))
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            # S3 sends this test event when a notification is configured. It names no object.
            pass
        case {"Type": "Notification", "Message": str(message)}:
            # SNS wraps messages to a queue in this envelope, unless raw message delivery is on.
            yield from _parse_text(message)
        case {"requestContext": {"condition": str()}, "requestPayload": payload}:
            # Lambda's record of an event that failed for good, so that a redrive can send the record itself.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            yield from _parse_event(payload)
        case {"bucket": str(bucket), "key": str(key), "etag": str(), "reason": str()}:
            # The function's own record of a rejection.
            yield ObjectEvent(ObjectAddress(bucket, key))
        case _:
            yield EventError(f"The event has an unknown shape: {_excerpt(event)}")


def _parse_record(record: object) -> Iterator[ObjectEvent | EventError]:
    match record:
        case {
            "eventSource": "aws:s3",
            "eventVersion": str(version),
            "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **details}},
        } if version.partition(".")[0] == "2":
            # Keys in S3 notifications are form-encoded: "+" is a space.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
            event_type = _read_s3_type(_get(record, "eventName"))
            yield _make_object_event(
                bucket, unquote_plus(key), event_type, details.get("versionId"), _get(record, "eventTime")
            )
        case {"eventSource": "aws:sqs", "messageId": str(), "body": str(body)}:
            yield from _parse_text(body)
        case {"EventSource": "aws:sns", "Sns": {"Message": str(message)}}:
            yield from _parse_text(message)
        case _:
            yield EventError(f"The record is not an S3 notification of version 2: {_excerpt(record)}")


def _parse_task(task: object) -> Iterator[ObjectEvent | EventError]:
    match task:
        # Tasks have form-encoded keys, however the manifest encodes them.
        case {"taskId": str(), "s3Key": str(key), "s3BucketArn": str(arn)}:
            yield ObjectEvent(ObjectAddress(arn.rpartition(":")[2], unquote_plus(key)))
        case {"taskId": str(), "s3Key": str(key), "s3Bucket": str(bucket)}:
            yield ObjectEvent(ObjectAddress(bucket, unquote_plus(key)))
        case _:
            yield EventError(f"The task has an unknown shape: {_excerpt(task)}")


def _parse_text(text: str) -> Iterator[ObjectEvent | EventError]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        yield EventError(f"The message is not JSON: {text[:200]}")
    else:
        yield from _parse_event(event)


def _make_object_event(
    bucket: str, key: str, event_type: EventType | None, version_id: object, time: object
) -> ObjectEvent:
    """Make an object's event. Ignore a version ID or a time in a form that AWS doesn't send."""
    version = version_id if isinstance(version_id, str) else None
    return ObjectEvent(ObjectAddress(bucket, key), event_type, version, _parse_time(time))


def _read_s3_type(name: object) -> EventType | None:
    match str(name).split(":"):
        case ["ObjectCreated", _] | ["ObjectRestore", "Completed"]:
            return EventType.AVAILABLE
        case ["ObjectRemoved", "Delete"]:
            return EventType.DELETED
        case ["LifecycleExpiration", "Delete"]:
            return EventType.EXPIRED
        case _:
            return None


def _read_eventbridge_type(event: object) -> EventType | None:
    match event:
        case {"detail-type": "Object Created" | "Object Restore Completed"}:
            return EventType.AVAILABLE
        case {"detail": {"deletion-type": "Permanently Deleted", "reason": "DeleteObject"}}:
            return EventType.DELETED
        case {"detail": {"deletion-type": "Permanently Deleted", "reason": "Lifecycle Expiration"}}:
            return EventType.EXPIRED
        case _:
            return None


def _parse_time(time: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(str(time))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _make_task_result(item: BatchItem, results: Results) -> dict[str, object]:
    item_results = [results[address] for address in item.addresses]
    if failures := item.list_failures(results):
        is_final = item.errors or any(isinstance(result, Failure) and result.is_final for result in item_results)
        code, text = "PermanentFailure" if is_final else "TemporaryFailure", "; ".join(failures)
    else:
        (outcome,) = (result for result in item_results if isinstance(result, Outcome))
        if outcome.rejection:
            code, text = "PermanentFailure", f"{outcome.rejection.reason}: {outcome.rejection.message}"
        else:
            code, text = "Succeeded", f"{outcome.status}: {', '.join(outcome.output_keys)}".removesuffix(": ")
    return {"taskId": item.identifier, "resultCode": code, "resultString": text}


def _describe(outcome: Outcome) -> dict[str, object]:
    description: dict[str, object] = {
        "status": outcome.status,
        "key": outcome.address.key,
        "outputs": list(outcome.output_keys),
    }
    if outcome.rejection:
        description |= {"reason": outcome.rejection.reason, "message": outcome.rejection.message}
    return description


def _make_incomplete_error(failures: Sequence[str], total: int, unit: str) -> IncompleteError:
    return IncompleteError(f"{len(failures)} of {total} {unit} failed: {'; '.join(failures)}")


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _excerpt(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)[:200]
