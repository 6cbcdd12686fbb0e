"""All exceptions that the function raises on purpose."""

import enum


class ResizeError(Exception):
    """Base class of the function's own exceptions."""


class SettingsError(ResizeError):
    """An environment variable is missing or invalid. The message names it and says what to set."""


class EventError(ResizeError):
    """The event has an unknown shape, or is about a bucket other than the source."""


class UnsettledError(ResizeError):
    """The source object changed or could not be read in every attempt; Lambda retries the event."""


class UnsentError(ResizeError):
    """EventBridge refused a completion event; Lambda retries the source's event."""


class BrokenOffError(ResizeError):
    """The connection broke while the source object was read."""


class MalformedError(ResizeError):
    """A file does not have the structure that its format requires."""


class LateError(ResizeError):
    """The invocation's other objects left too little time for this one; Lambda retries the event."""


class IncompleteError(ResizeError):
    """Some objects of an event failed; its sender delivers the event again."""


class Reason(enum.StrEnum):
    """Why an object can't be resized: the closed set that records and logs use."""

    NOT_AN_IMAGE = "not_an_image"
    HEIC_NOT_BUILT_IN = "heic_not_built_in"
    UNSUPPORTED = "unsupported"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    KEY_TOO_LONG = "key_too_long"
    UNFAITHFUL = "unfaithful"
    ARCHIVED = "archived"
    CUSTOMER_KEY = "customer_key"


class RejectedError(ResizeError):
    """The object can't be resized; a retry would fail in the same way.

    Attributes:
        message: What is wrong and what to do, in one sentence.

    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
