"""Makes the destination agree with the current state of one source object."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws import source
from aws.content_encoding import decompress
from aws.description import Description, RenditionDescription, SourceDescription
from aws.destination import FOCUS, Destination
from aws.outcomes import EventType, ObjectAddress, ObjectEvent, Outcome, Rejection, Status
from aws.settings import Settings
from aws.source import Absence, Identity
from errors import BrokenOffError, EventError, LateError, Reason, RejectedError, UnsettledError
from imaging import memory
from imaging.losses import summarize
from imaging.render import Output, Rendered, render
from renditions import Focus, Point

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

    from aws.completion import Completions
    from aws.signing import Signing

ATTEMPTS = 3
"""How often an object is processed if it changes meanwhile. After that, Lambda retries the event."""

SMALL_SHARE = 128
"""A source or its outputs may stay in memory beside another image if they take at most a 128th of the memory."""

FULL_SHARE = 0.9
"""Reject an image as too slow only if it had at least this share of the timeout; otherwise, let it be retried."""

MOST_LOGGED = 40
"""The most characters to log of a point that can't be read."""

PROPAGATION = timedelta(minutes=20)
"""How long S3 may answer 404 for a version that exists: 15 minutes after versioning is enabled, and a margin.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
"""

logger = logging.getLogger(__name__)

SecondsLeft = Callable[[], float]
"""Returns how long the invocation may still take."""


@dataclass(frozen=True)
class Reconciler:
    """Writes and removes the outputs of source objects.

    Attributes:
        signing: Makes what signs Content Credentials; None if outputs have none.
        completions: Sends completion events; None if nobody wants them.
        rendering: Held while an image is rendered, because one image may take all of the memory.

    """

    s3: "S3Client"
    settings: Settings
    signing: "Signing | None" = None
    completions: "Completions | None" = None
    rendering: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def destination(self) -> Destination:
        """The bucket that outputs are written to."""
        return Destination(self.s3, self.settings.destination_bucket, self.settings.targets)

    def reconcile(
        self, address: ObjectAddress, seconds_left: SecondsLeft, events: Sequence[ObjectEvent] = ()
    ) -> Outcome:
        """Make the destination agree with the object at ``address``.

        A slow invocation may overwrite the outputs of a newer upload. So every invocation re-checks the source after
        its last write, and processes the object again if it changed. The last writer always sees the newest upload.

        Args:
            address: The object's address; the object need not exist.
            seconds_left: How long the invocation may still take.
            events: What the event reports about the object.

        Raises:
            EventError: The object is not in the source bucket.
            LateError: The invocation's other objects left too little time.
            UnsettledError: In every attempt, the object changed, broke off, or was unexpectedly missing.
            botocore.exceptions.BotoCoreError, ClientError: A request failed; a retry may succeed.

        """
        self._check_bucket(address)
        if why := self._find_reason_to_ignore(address, events):
            return _log_outcome(Outcome(Status.IGNORED, address), why=why)
        last_seen = _find_last_seen(events)
        refused: Identity | Absence | None = None
        for _ in range(ATTEMPTS):
            try:
                response = source.get(self.s3, address)
            except RejectedError as error:
                # The error does not name the version, and the object may change before the HEAD. So reject the object
                # only if two HEADs, each after an error, return one identity.
                confirmed_at = datetime.now(UTC)
                previous, refused = refused, source.head(self.s3, address)
                if isinstance(refused, Identity) and refused == previous:
                    return self._settle(_make_rejection(address, refused, error), confirmed_at, refused)
                continue
            if isinstance(response, Absence):
                outcome = self._process_absence(address, response, last_seen)
            else:
                outcome = self._process_object(address, response, seconds_left)
                last_seen = datetime.now(UTC) if "VersionId" in response else last_seen
            if outcome is not None:
                return outcome
        raise UnsettledError(
            f"In each of {ATTEMPTS} attempts s3://{address.bucket}/{address.key} changed, broke off, "
            "or was missing without a delete marker although a version of it existed a few minutes ago"
        )

    def _check_bucket(self, address: ObjectAddress) -> None:
        """Refuse an object of another bucket. S3 would only answer that the role has no permission."""
        if address.bucket != self.settings.source_bucket:
            raise EventError(
                f"The event is about the bucket {address.bucket!r}, "
                f"but this function's source is {self.settings.source_bucket!r}: check which buckets notify it"
            )

    def _find_reason_to_ignore(self, address: ObjectAddress, events: Sequence[ObjectEvent]) -> str | None:
        # A notification may have no filter, and a backfill may name keys that this function does not handle.
        if why := self.settings.why_no_upload(address.key):
            return why
        if self._is_noncurrent_deletion(address, events):
            return "a noncurrent version was deleted"
        return None

    def _is_noncurrent_deletion(self, address: ObjectAddress, events: Sequence[ObjectEvent]) -> bool:
        """Tell whether all events are permanent deletions of noncurrent versions.

        S3 does not say whether a person deleted the current version or a delete marker. If so, an older version has
        become current, and the outputs are not made from it.
        """
        types = {event.type if event.version_id else None for event in events}
        if not types or not types <= {EventType.DELETED, EventType.EXPIRED}:
            return False
        current = source.head(self.s3, address)
        if not isinstance(current, Identity):
            return False
        # The role may read outputs only with mirror_deletes. They don't show whether their completion event was sent.
        can_tell = self.settings.mirror_deletes and self.completions is None
        return types == {EventType.EXPIRED} or (can_tell and self.destination.has_outputs_of(address.key, current))

    def _process_absence(self, address: ObjectAddress, absence: Absence, last_seen: datetime | None) -> Outcome | None:
        """Remove the outputs of a deleted object, with ``mirror_deletes``.

        Shortly after a version was last seen, only a delete marker proves that the object was deleted.

        Returns:
            None if the object may exist after all, or exists again.

        """
        if absence is Absence.NO_VERSION and last_seen is not None and datetime.now(UTC) - last_seen < PROPAGATION:
            _log("missing", address)
            return None
        gone = Outcome(Status.GONE, address)
        if not self.settings.mirror_deletes:
            return _log_outcome(gone)
        removed = self.destination.remove(address.key)
        confirmed_at = datetime.now(UTC)
        if source.head(self.s3, address) is not absence:
            _log("changed", address)
            return None
        # Send the event even if nothing was removed: the attempt before may have removed all, and failed to send it.
        return self._settle(Outcome(Status.REMOVED, address, removed) if removed else gone, confirmed_at)

    def _process_object(
        self, address: ObjectAddress, response: "GetObjectOutputTypeDef", seconds_left: SecondsLeft
    ) -> Outcome | None:
        """Write the outputs of an object, or reject it; return None if it changed meanwhile or could not be read."""
        if self.destination.is_output(address.bucket, address.key, response["Metadata"]):
            response["Body"].close()
            return _log_outcome(Outcome(Status.IGNORED, address), why="the object is an output")
        identity, description = Identity.of(response), None
        try:
            description = self._write_outputs(address, response, seconds_left)
            outcome = Outcome(Status.WRITTEN, address, tuple(one.key for one in description.renditions))
        except BrokenOffError as error:
            _log("broken_off", address, why=str(error))
            return None
        except RejectedError as error:
            outcome = _make_rejection(address, identity, error)
        finally:
            # A large object that is rejected for its size must not be downloaded further.
            response["Body"].close()
        confirmed_at = datetime.now(UTC)
        if source.head(self.s3, address) != identity:
            _log("changed", address)
            return None
        return self._settle(outcome, confirmed_at, identity, description)

    def _settle(
        self,
        outcome: Outcome,
        confirmed_at: datetime,
        identity: Identity | None = None,
        description: Description | None = None,
    ) -> Outcome:
        """Send the completion event of a state that the last check confirmed, then log and return its outcome.

        The handler records a rejection later. If that fails, the retry sends the event again, which its idempotency key
        shows; the other order could fill the failure queue with records that nothing marks as repetitions.
        """
        if self.completions:
            self.completions.send(outcome, confirmed_at, identity, description)
        if outcome.status is Status.WRITTEN:
            # Logged before the last check.
            return outcome
        return _log_outcome(outcome)

    def _write_outputs(
        self, address: ObjectAddress, response: "GetObjectOutputTypeDef", seconds_left: SecondsLeft
    ) -> Description:
        """Render all renditions of the object, then write them, and return what was written.

        One image is rendered at a time. Meanwhile a small object is read, or small outputs are written.
        """
        started, size = time.perf_counter(), response["ContentLength"]
        # Reject what can't be written before anything is read.
        self.destination.keys(address.key)
        self.settings.limits.check_source(size)
        line: dict[str, Any] = {"version_id": response.get("VersionId"), "source_bytes": size}
        small_body = _read(response, line) if self._is_small(size) else None
        # No large buffer outlives the turn: if an exception ends the turn, `releasing` clears the exception's frames.
        with self.rendering, memory.releasing():
            description, outputs = self._take_turn(address, small_body, response, seconds_left, line)
        if outputs:
            self.destination.put(description, outputs, response)
        _log("written", address, **line, milliseconds=_milliseconds_since(started))
        return description

    def _take_turn(
        self,
        address: ObjectAddress,
        body: bytes | None,
        response: "GetObjectOutputTypeDef",
        seconds_left: SecondsLeft,
        line: dict[str, Any],
    ) -> tuple[Description, list[Output]]:
        """Run the steps that may need all of the memory: read the body if it is None, render it, write large outputs.

        Add the image's fields to ``line``, the log line ``written``. Return the description of the outputs, and those
        that are still to be written.
        """
        body = _read(response, line) if body is None else body
        rendered = self._render(address, body, response, seconds_left, line)
        outputs = rendered.outputs
        description = self._describe(address, response, rendered)
        line["outputs"] = [one.to_log() for one in description.renditions]
        # CloudWatch's metric filters can't aggregate a list.
        line["output_count"] = len(outputs)
        if self.settings.manifest:
            line["manifest"] = self.settings.manifest.fill(address.key)
        line["output_bytes"] = sum(one.bytes for one in description.renditions)
        if self._is_small(line["output_bytes"]):
            return description, outputs
        self.destination.put(description, outputs, response)
        return description, []

    def _render(
        self,
        address: ObjectAddress,
        body: bytes,
        response: "GetObjectOutputTypeDef",
        seconds_left: SecondsLeft,
        line: dict[str, Any],
    ) -> Rendered:
        started, seconds_at_start = time.perf_counter(), seconds_left()
        limits = self.settings.limits
        try:
            rendered = render(
                decompress(body, response.get("ContentEncoding", ""), limits),
                self.settings.renditions,
                limits=limits,
                metadata=self.settings.metadata,
                notary=self.signing.notary if self.signing else None,
                focus=self._read_focus(address, response["Metadata"]),
                has_placeholder=self.settings.placeholders,
                seconds_left=seconds_left,
            )
        except RejectedError as error:
            if error.reason is Reason.TOO_SLOW and seconds_at_start < FULL_SHARE * self.settings.timeout_seconds:
                raise LateError(error.message) from error
            raise
        line["render_milliseconds"] = _milliseconds_since(started)
        line["lost"] = rendered.lost
        line["megapixels"] = round(rendered.pixels / 1e6, 3)
        return rendered

    def _describe(self, address: ObjectAddress, response: "GetObjectOutputTypeDef", rendered: Rendered) -> Description:
        identity = Identity.of(response)
        etag = identity.etag.strip('"')
        source = SourceDescription(
            address.bucket, address.key, identity.version_id, etag, *rendered.size, rendered.focus
        )
        if made := rendered.placeholder:
            source = replace(source, thumbhash=made.thumbhash, dominant_colour=made.dominant_colour)
        renditions = tuple(
            RenditionDescription(
                rendition.name,
                key,
                output.width,
                output.height,
                len(output.body),
                output.content_type,
                tuple(summarize(output.lost)),
                hashlib.sha256(output.body).hexdigest() if self.completions or self.settings.manifest else None,
            )
            # The manifest's key comes last and has no output.
            for rendition, key, output in zip(
                self.settings.renditions, self.destination.keys(address.key), rendered.outputs, strict=False
            )
        )
        return Description(source, renditions)

    def _read_focus(self, address: ObjectAddress, metadata: Mapping[str, str]) -> Point | None:
        """Return the uploader's point; None if no rendition keeps one, or if there is none that can be read."""
        text = metadata.get(FOCUS, "")
        if not text or all(rendition.focus != Focus.METADATA for rendition in self.settings.renditions):
            return None
        # Imported here because few deployments need it.
        from imaging import focus  # noqa: PLC0415

        point = focus.parse(text)
        if point is None:
            fields = {"bucket": address.bucket, "key": address.key, "focus": text[:MOST_LOGGED]}
            logger.warning("focus_ignored", extra=fields)
        return point

    def _is_small(self, byte_count: int) -> bool:
        return byte_count <= self.settings.limits.memory_bytes // SMALL_SHARE


def _find_last_seen(events: Sequence[ObjectEvent]) -> datetime | None:
    """Return the latest time at which the events report an existing version; None if they report none."""
    available = (event for event in events if event.type is EventType.AVAILABLE and event.version_id is not None)
    return max((event.time for event in available if event.time is not None), default=None)


def _read(response: "GetObjectOutputTypeDef", line: dict[str, Any]) -> bytes:
    started = time.perf_counter()
    body = source.read(response)
    line["read_milliseconds"] = _milliseconds_since(started)
    return body


def _milliseconds_since(started: float) -> int:
    return round(1000 * (time.perf_counter() - started))


def _make_rejection(address: ObjectAddress, identity: Identity, error: RejectedError) -> Outcome:
    rejection = Rejection(
        bucket=address.bucket,
        key=address.key,
        version_id=identity.version_id,
        etag=identity.etag,
        reason=error.reason,
        message=error.message,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    return Outcome(Status.REJECTED, address, rejection=rejection)


def _log_outcome(outcome: Outcome, **fields: object) -> Outcome:
    """Log an outcome and return it. ``written`` is logged earlier, before the source is checked again."""
    if outcome.rejection:
        fields = {"reason": outcome.rejection.reason, "why": outcome.rejection.message}
    elif outcome.output_keys:
        fields = {"outputs": [{"key": key} for key in outcome.output_keys]}
    _log(outcome.status.value, outcome.address, **fields)
    return outcome


def _log(message: str, address: ObjectAddress, **fields: object) -> None:
    level = logging.WARNING if message == Status.REJECTED else logging.INFO
    logger.log(level, message, extra={"bucket": address.bucket, "key": address.key, **fields})
