"""Every envelope that can reach the function: which objects it is about, and the reply that its sender wants."""

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from errors import EventError


@dataclass(frozen=True, order=True)
class ObjectAddress:
    """Where an object is, whatever its current content.

    Attributes:
        key: The key itself, with nothing of an envelope's encoding left in it.

    """

    bucket: str
    key: str


class Status(enum.StrEnum):
    """How the look at an object ended; each is a success for the event's sender."""

    WRITTEN = "written"
    REJECTED = "rejected"
    GONE = "gone"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """What became of one object.

    Attributes:
        output_keys: What was written, one key a rendition; empty unless written.

    """

    status: Status
    address: ObjectAddress
    output_keys: tuple[str, ...] = ()


def addresses(event: object) -> tuple[ObjectAddress, ...]:
    """The objects that ``event`` is about, each once, in the event's order.

    What happened to them does not matter: whoever looks, looks at the object as it is now.

    Raises:
        EventError: The event is of no known shape; the message shows its first 200 characters.

    """
    match event:
        case {"Records": [*records]}:
            return tuple(dict.fromkeys(_s3_record(record) for record in records))
        case {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}},
        }:
            # EventBridge gives keys as they are.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
            return (ObjectAddress(bucket, key),)
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            # Sent by S3 itself when a notification is configured.
            return ()
        case _:
            raise EventError(f"An event of no known shape: {_excerpt(event)}")


def reply(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The reply to S3 and to EventBridge: nobody reads it but a person who sent the event by hand."""
    return {
        "outcomes": [
            {"status": outcome.status, "key": outcome.address.key, "outputs": list(outcome.output_keys)}
            for outcome in outcomes
        ]
    }


def _s3_record(record: object) -> ObjectAddress:
    match record:
        case {
            "eventSource": "aws:s3",
            "eventVersion": str(version),
            "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}},
        } if version.partition(".")[0] == "2":
            # Keys in S3 notifications are form-encoded: "+" is a space.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
            return ObjectAddress(bucket, unquote_plus(key))
        case _:
            raise EventError(f"A record that is no S3 notification of version 2: {_excerpt(record)}")


def _excerpt(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)[:200]
