"""An object's address, what an event reports about the object, and the outcome of processing it."""

import enum
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from errors import EventError, Reason


@dataclass(frozen=True)
class ObjectAddress:
    """Where an object is, whatever its current content.

    Attributes:
        key: The decoded key. S3 notifications and Batch Operations encode it.

    """

    bucket: str
    key: str


class EventType(enum.Enum):
    """What happened to a version of an object: the cases that the function treats differently."""

    AVAILABLE = enum.auto()
    """It was uploaded, or restored from an archive."""

    DELETED = enum.auto()
    """It was deleted permanently. S3 does not say whether it was the current version or a delete marker."""

    EXPIRED = enum.auto()
    """A lifecycle rule deleted it permanently. In a versioned bucket, rules do this only to noncurrent versions."""


class ObjectEvent(NamedTuple):
    """What an event reports about one object.

    Attributes:
        type: None if the event does not say, or if the function does not need to know.
        version_id: The version that the event is about; None if the bucket is not versioned or the event does not say.
        time: When it happened; None if the event does not say. Always has a time zone.

    """

    address: ObjectAddress
    type: EventType | None = None
    version_id: str | None = None
    time: datetime | None = None


class Status(enum.StrEnum):
    """How the processing of an object ended. The event's sender sees each of them as a success."""

    WRITTEN = "written"
    REJECTED = "rejected"
    REMOVED = "removed"
    GONE = "gone"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Rejection:
    """The failure queue's record of an object that can't be resized.

    Attributes:
        version_id: None if the bucket is not versioned, or S3 does not say.
        etag: As S3 returns it, in quotation marks.
        message: What is wrong and what to do, in one sentence.
        at: When the object was rejected, in ISO 8601.

    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    reason: Reason
    message: str
    at: str

    def to_json(self) -> str:
        """Return the body of the queue's message."""
        return json.dumps(asdict(self))


class Outcome(NamedTuple):
    """The result of processing one object.

    Attributes:
        output_keys: The outputs that were written or removed, one key for each rendition.
        rejection: The record for the failure queue; None unless the object was rejected.

    """

    status: Status
    address: ObjectAddress
    output_keys: tuple[str, ...] = ()
    rejection: Rejection | None = None


class Failure(NamedTuple):
    """Why an object has no outcome. It replaces the exception, whose traceback would keep images in memory.

    Attributes:
        error: Class and message of the exception.
        is_final: Whether another attempt would fail too.

    """

    error: str
    is_final: bool

    @classmethod
    def from_exception(cls, error: Exception) -> "Failure":
        """Keep the parts of ``error`` that a reply contains."""
        return cls(f"{type(error).__name__}: {error}", isinstance(error, EventError))
