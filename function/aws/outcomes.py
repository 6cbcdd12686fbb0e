"""An object's address, what an event says of the object, and what became of it."""

import enum
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from errors import EventError, Reason


@dataclass(frozen=True)
class ObjectAddress:
    """Where an object is, whatever its current content.

    Attributes:
        key: The key itself, with nothing of an envelope's encoding left in it.

    """

    bucket: str
    key: str


class Change(enum.Enum):
    """What happened to a version of an object, as far as it makes a difference."""

    ARRIVED = enum.auto()
    """It was uploaded, or restored from an archive: it is there."""

    DELETED = enum.auto()
    """It was deleted for good. S3 does not say whether it was the current version, or a delete marker."""

    EXPIRED = enum.auto()
    """A lifecycle rule deleted it for good. In a bucket with versions, a rule does so only to noncurrent ones."""


@dataclass(frozen=True)
class Notice:
    """What an event says of an object.

    Attributes:
        change: None where the event does not say, or where it makes no difference.
        version_id: The version that it happened to; None where the bucket keeps none, or the event does not name it.
        at: When it happened; None where the event does not say. Never naive.

    """

    address: ObjectAddress
    change: Change | None = None
    version_id: str | None = None
    at: datetime | None = None


class Status(enum.StrEnum):
    """How the look at an object ended; each is a success for the event's sender."""

    WRITTEN = "written"
    REJECTED = "rejected"
    REMOVED = "removed"
    GONE = "gone"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Rejection:
    """The record of an object that can have no image, as the failure queue holds it.

    Attributes:
        version_id: None where the bucket keeps no versions, or S3 does not tell.
        etag: As S3 gives it, in quotation marks.
        message: What is wrong, in a sentence for a person.
        at: When it was found, in ISO 8601.

    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    reason: Reason
    message: str
    at: str

    def to_json(self) -> str:
        """The body of the queue's message."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Outcome:
    """What became of one object.

    Attributes:
        output_keys: What was written or removed, one key a rendition.
        rejection: What is to be recorded; None unless rejected.

    """

    status: Status
    address: ObjectAddress
    output_keys: tuple[str, ...] = ()
    rejection: Rejection | None = None


@dataclass(frozen=True)
class Failure:
    """Why it is not known what became of an object: what is kept of an exception, whose traceback holds memory.

    Attributes:
        error: Class and message of the exception.
        is_final: Whether another attempt would fail too.

    """

    error: str
    is_final: bool

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Keep what a reply tells of ``error``."""
        return cls(f"{type(error).__name__}: {error}", isinstance(error, EventError))
