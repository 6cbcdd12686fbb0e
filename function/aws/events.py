"""Every envelope that can reach the function: which objects it is about, and the reply that its sender wants."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from aws.outcomes import Change, Failure, Notice, ObjectAddress, Outcome
from errors import EventError, IncompleteError

Results = Mapping[ObjectAddress, Outcome | Failure]
"""What became of each object; a failure where it could not be looked at now."""


@dataclass(frozen=True)
class Part:
    """What its sender would deliver again as a whole.

    Attributes:
        identity: What its sender calls it; empty where an event has no parts.
        notices: What it says of objects, in its order.
        problems: What in it could not be understood, each with its first 200 characters.

    """

    identity: str
    notices: tuple[Notice, ...]
    problems: tuple[EventError, ...]

    @classmethod
    def of(cls, identity: str, found: Iterator[Notice | EventError]) -> "Part":
        """Sort what was found."""
        things = tuple(found)
        notices = tuple(thing for thing in things if isinstance(thing, Notice))
        return cls(identity, notices, tuple(thing for thing in things if isinstance(thing, EventError)))

    @property
    def addresses(self) -> tuple[ObjectAddress, ...]:
        """The objects that it is about, each once, in its order."""
        return tuple(dict.fromkeys(notice.address for notice in self.notices))

    def failures(self, results: Results) -> list[str]:
        """What keeps it from being done, one sentence each; empty when it is."""
        keyed = ((address.key, results[address]) for address in self.addresses)
        return [
            *(str(problem) for problem in self.problems),
            *(f"{key} ({result.error})" for key, result in keyed if isinstance(result, Failure)),
        ]


@dataclass(frozen=True)
class Envelope:
    """An event whose sender delivers all of it again, or nothing: S3, SNS, EventBridge, Lambda, a person."""

    parts: tuple[Part, ...]

    @property
    def addresses(self) -> tuple[ObjectAddress, ...]:
        """The objects that it is about, each once, in its order."""
        return tuple(self.notices)

    @property
    def notices(self) -> dict[ObjectAddress, list[Notice]]:
        """What it says of each object, in its order."""
        found: dict[ObjectAddress, list[Notice]] = {}
        for part in self.parts:
            for notice in part.notices:
                found.setdefault(notice.address, []).append(notice)
        return found

    @property
    def problems(self) -> tuple[EventError, ...]:
        """What in it could not be understood."""
        return tuple(problem for part in self.parts for problem in part.problems)

    def done(self, results: Results) -> tuple[Outcome, ...]:
        """The outcomes of the parts that will not be delivered again, each once."""
        parts = (part for part in self.parts if not part.failures(results))
        outcomes = (results[address] for address in dict.fromkeys(a for part in parts for a in part.addresses))
        return tuple(outcome for outcome in outcomes if isinstance(outcome, Outcome))

    def reply(self, results: Results) -> dict[str, object]:
        """The reply, which nobody reads but a person who sent the event by hand.

        Raises:
            IncompleteError: Some objects could not be looked at; names them all.

        """
        failures = [failure for part in self.parts for failure in part.failures(results)]
        if failures:
            raise _incomplete(failures, len(self.addresses) + len(self.problems), "objects")
        outcomes = (results[address] for address in self.addresses)
        return {"outcomes": [_described(outcome) for outcome in outcomes if isinstance(outcome, Outcome)]}


class Messages(Envelope):
    """Messages of an SQS queue: those that failed are delivered again, the others are not."""

    def reply(self, results: Results) -> dict[str, object]:
        """The messages that failed.

        Raises:
            IncompleteError: All failed. To SQS that is the same, and also right where its event source mapping does not
                ask which failed, and would take any reply for a success.

        """
        failed = {part.identity: why for part in self.parts if (why := part.failures(results))}
        if len(failed) == len(self.parts):
            raise _incomplete([one for failures in failed.values() for one in failures], len(self.parts), "messages")
        return {"batchItemFailures": [{"itemIdentifier": identity} for identity in failed]}


@dataclass(frozen=True)
class Tasks(Envelope):
    """Tasks of an S3 Batch Operations job: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html.

    Attributes:
        version: Of the envelope, 1.0 or 2.0.
        invocation_id: To be given back.

    """

    version: str
    invocation_id: str

    def reply(self, results: Results) -> dict[str, object]:
        """What became of each task, for the job's report; what may work later is tried again before the job ends."""
        return {
            "invocationSchemaVersion": self.version,
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": self.invocation_id,
            "results": [_task_result(part, results) for part in self.parts],
        }


def parse(event: object) -> Envelope:
    """Tell by its shape what an event is.

    What it says of an object never decides what becomes of it: it helps to understand S3's answer.

    Raises:
        EventError: It is of no known shape; the message shows its first 200 characters.

    """
    match event:
        case {"invocationSchemaVersion": "1.0" | "2.0" as version, "invocationId": str(invocation), "tasks": [*tasks]}:
            parts = tuple(Part.of(str(_member(task, "taskId")), _in_task(task)) for task in tasks)
            return Tasks(parts, version, invocation)
        case {"Records": [*records]} if records and all(_member(one, "eventSource") == "aws:sqs" for one in records):
            return Messages(tuple(Part.of(str(_member(one, "messageId")), _in_record(one)) for one in records))
        case {"Records": [*_]}:
            return Envelope((Part.of("", _in(event)),))
        case _:
            part = Part.of("", _in(event))
            for problem in part.problems:
                raise problem
            return Envelope((part,))


def _in(event: object) -> Iterator[Notice | EventError]:
    """The objects that an event is about, or one inside of another."""
    match event:
        case {"Records": [*records]}:
            for record in records:
                yield from _in_record(record)
        case {"source": "aws.s3", "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **about}}}:
            # EventBridge gives keys as they are: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
            address, change = ObjectAddress(bucket, key), _eventbridge_change(event)
            yield _notice(address, change, about.get("version-id"), _member(event, "time"))
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            # Sent by S3 itself when a notification is configured; about nothing.
            pass
        case {"Type": "Notification", "Message": str(message)}:
            # What SNS puts into a queue, unless it is asked for the message alone.
            yield from _in_text(message)
        case {"requestContext": {"condition": str()}, "requestPayload": payload}:
            # Lambda's record of an event that it gave up: a redrive is just a resend.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            yield from _in(payload)
        case {"bucket": str(bucket), "key": str(key), "etag": str(), "reason": str()}:
            # Our own record of a rejection.
            yield Notice(ObjectAddress(bucket, key))
        case _:
            yield EventError(f"An event of no known shape: {_excerpt(event)}")


def _in_record(record: object) -> Iterator[Notice | EventError]:
    match record:
        case {
            "eventSource": "aws:s3",
            "eventVersion": str(version),
            "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **about}},
        } if version.partition(".")[0] == "2":
            # Keys in S3 notifications are form-encoded: "+" is a space.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
            address, change = ObjectAddress(bucket, unquote_plus(key)), _s3_change(_member(record, "eventName"))
            yield _notice(address, change, about.get("versionId"), _member(record, "eventTime"))
        case {"eventSource": "aws:sqs", "messageId": str(), "body": str(body)}:
            yield from _in_text(body)
        case {"EventSource": "aws:sns", "Sns": {"Message": str(message)}}:
            yield from _in_text(message)
        case _:
            yield EventError(f"A record that is no S3 notification of version 2: {_excerpt(record)}")


def _in_task(task: object) -> Iterator[Notice | EventError]:
    match task:
        # Keys of tasks are form-encoded too, whatever the manifest's are.
        case {"taskId": str(), "s3Key": str(key), "s3BucketArn": str(arn)}:
            yield Notice(ObjectAddress(arn.rpartition(":")[2], unquote_plus(key)))
        case {"taskId": str(), "s3Key": str(key), "s3Bucket": str(bucket)}:
            yield Notice(ObjectAddress(bucket, unquote_plus(key)))
        case _:
            yield EventError(f"A task of no known shape: {_excerpt(task)}")


def _in_text(text: str) -> Iterator[Notice | EventError]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        yield EventError(f"A message that is no JSON: {text[:200]}")
    else:
        yield from _in(event)


def _notice(address: ObjectAddress, change: Change | None, version_id: object, time: object) -> Notice:
    """What an event says of an object; what is not as S3 or EventBridge sends it says nothing."""
    return Notice(address, change, version_id if isinstance(version_id, str) else None, _moment(time))


def _s3_change(name: object) -> Change | None:
    match str(name).split(":"):
        case ["ObjectCreated", _] | ["ObjectRestore", "Completed"]:
            return Change.ARRIVED
        case ["ObjectRemoved", "Delete"]:
            return Change.DELETED
        case ["LifecycleExpiration", "Delete"]:
            return Change.EXPIRED
        case _:
            return None


def _eventbridge_change(event: object) -> Change | None:
    match event:
        case {"detail-type": "Object Created" | "Object Restore Completed"}:
            return Change.ARRIVED
        case {"detail": {"deletion-type": "Permanently Deleted", "reason": "DeleteObject"}}:
            return Change.DELETED
        case {"detail": {"deletion-type": "Permanently Deleted", "reason": "Lifecycle Expiration"}}:
            return Change.EXPIRED
        case _:
            return None


def _moment(time: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(time))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _task_result(part: Part, results: Results) -> dict[str, object]:
    outcomes = [results[address] for address in part.addresses]
    if failures := part.failures(results):
        is_final = part.problems or any(isinstance(outcome, Failure) and outcome.is_final for outcome in outcomes)
        code, text = "PermanentFailure" if is_final else "TemporaryFailure", "; ".join(failures)
    else:
        (outcome,) = (outcome for outcome in outcomes if isinstance(outcome, Outcome))
        if outcome.rejection:
            code, text = "PermanentFailure", f"{outcome.rejection.reason}: {outcome.rejection.message}"
        else:
            code, text = "Succeeded", f"{outcome.status}: {', '.join(outcome.output_keys)}".removesuffix(": ")
    return {"taskId": part.identity, "resultCode": code, "resultString": text}


def _described(outcome: Outcome) -> dict[str, object]:
    described: dict[str, object] = {
        "status": outcome.status,
        "key": outcome.address.key,
        "outputs": list(outcome.output_keys),
    }
    if outcome.rejection:
        described |= {"reason": outcome.rejection.reason, "message": outcome.rejection.message}
    return described


def _incomplete(failures: Sequence[str], total: int, what: str) -> IncompleteError:
    return IncompleteError(f"{len(failures)} of {total} {what} failed: {'; '.join(failures)}")


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _excerpt(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)[:200]
