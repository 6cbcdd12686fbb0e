"""An object's address, and what became of the object."""

import enum
import json
from dataclasses import asdict, dataclass

from errors import EventError, Reason


@dataclass(frozen=True)
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
