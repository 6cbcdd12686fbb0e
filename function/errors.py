"""Every error that the function raises on purpose: one tree."""

import enum


class ResizeError(Exception):
    """Base of all errors raised on purpose."""


class SettingsError(ResizeError):
    """The function's environment is not what Terraform sets: names the variable and the fix."""


class EventError(ResizeError):
    """The event is of no known shape, or is about a bucket that is not ours."""


class UnsettledError(ResizeError):
    """The source object kept changing, or breaking off, while it was read; raised so that the event is retried."""


class BrokenOffError(ResizeError):
    """The source object could not be read to its end."""


class MalformedError(ResizeError):
    """A file does not have the structure that its format prescribes."""


class LateError(ResizeError):
    """What came before left too little time for this object; raised so that it is retried with a whole invocation's."""


class IncompleteError(ResizeError):
    """Some objects of an event could not be looked at; raised so that the event is retried."""


class Reason(enum.StrEnum):
    """Why an object has no image: the closed set that failure records and logs use."""

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
    """The object will never become an image, however often it is tried.

    Attributes:
        reason: One of the closed set.
        message: What is wrong, in a sentence for a person.

    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
