"""Makes the destination agree with one source object, as that object is now."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws import source
from aws.content_encoding import decoded
from aws.destination import Destination
from aws.outcomes import Change, Notice, ObjectAddress, Outcome, Rejection, Status
from aws.settings import Settings
from aws.source import Absence, Identity
from errors import BrokenOffError, EventError, LateError, Reason, RejectedError, UnsettledError
from imaging import budget, memory
from imaging.render import Output, Rendered, render

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef
    from mypy_boto3_sqs import SQSClient

LOOKS = 3
"""How often a source object may change under us before the event is handed back to be retried."""

SMALL_SHARE = 128
"""Of the function's memory, what may be held of other objects of the event while one is rendered: a 128th for each."""

WHOLE_SHARE = 0.9
"""Of the function's timeout, what an object must have had to be rejected as too slow; with less, it is retried."""

PROPAGATION = timedelta(minutes=20)
"""How long S3 may not know a version that is there: up to 15 minutes after a bucket first keeps versions, and a margin.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
"""

logger = logging.getLogger(__name__)

SecondsLeft = Callable[[], float]
"""Tells how long the invocation may still take."""


@dataclass
class Watch:
    """How long the parts of one object's work took, in seconds."""

    read: float = 0.0
    render: float = 0.0


@dataclass(frozen=True)
class Reconciler:
    """Reads source objects, writes their renditions, and records what can have none.

    Attributes:
        sqs: Gives the client that records rejections; called only when there is one, for most invocations have none.
        rendering: Held by the one object that is rendered.

    """

    s3: "S3Client"
    sqs: Callable[[], "SQSClient"]
    settings: Settings
    rendering: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def destination(self) -> Destination:
        """Where outputs go."""
        settings = self.settings
        return Destination(self.s3, settings.destination_bucket, settings.renditions, settings.metadata)

    def reconcile(self, address: ObjectAddress, seconds_left: SecondsLeft, notices: Sequence[Notice] = ()) -> Outcome:
        """Make the destination agree with the object at ``address``, however often it changes meanwhile.

        A handler that was slow may have written an older image after a faster one wrote the newer. So each looks again
        after its last write, and whoever writes last also looks last: what stays is the newest image.

        Args:
            address: Where the object is, if it still is.
            seconds_left: How long the invocation may still take.
            notices: What the event says of it.

        Raises:
            EventError: The object is not in the source bucket.
            LateError: What came before left too little time.
            UnsettledError: At every look, the object changed, broke off, or was missing though it should be there.
            botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

        """
        self._check_bucket(address)
        if why := self._why_ignored(address, notices):
            return _concluded(Outcome(Status.IGNORED, address), why=why)
        refused: Identity | Absence | None = None
        seen = _last_seen(notices)
        for _ in range(LOOKS):
            try:
                response = source.get(self.s3, address)
            except RejectedError as rejection:
                # Whose identity that was, only a second refusal tells: the object may be another by now.
                before, refused = refused, source.identity(self.s3, address)
                if isinstance(refused, Identity) and refused == before:
                    return _rejected(address, refused, rejection)
                continue
            if isinstance(response, Absence):
                outcome = self._remove(address, response, seen)
            else:
                outcome = self._agree(address, response, seconds_left)
                seen = datetime.now(UTC) if "VersionId" in response else seen
            if outcome is not None:
                return outcome
        raise UnsettledError(
            f"At each of {LOOKS} looks s3://{address.bucket}/{address.key} changed, broke off, "
            "or was missing without a delete marker, although a version of it was there a few minutes ago"
        )

    def record(self, rejection: Rejection) -> None:
        """Put into the failure queue why an object has no image.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: SQS could not do it; a retry may.

        """
        self.sqs().send_message(QueueUrl=self.settings.failure_queue_url, MessageBody=rejection.to_json())

    def _why_ignored(self, address: ObjectAddress, notices: Sequence[Notice]) -> str | None:
        if address.key.endswith("/"):
            return "a folder, not an object"
        if not self.settings.wants(address.key):
            # Whoever notifies us of a whole bucket may; nor does a backfill of a folder know what is wanted of it.
            return "no filter fits its key"
        if self._is_unchanged(address, notices):
            return "a version was deleted that was not the current one"
        return None

    def _is_unchanged(self, address: ObjectAddress, notices: Sequence[Notice]) -> bool:
        """Whether all that happened is that versions were deleted that were not the current one.

        S3 does not say whether a version that somebody deleted was the current one, or the delete marker. If it was, an
        older version has become current, and the outputs are not made of it.
        """
        changes = {one.change if one.version_id else None for one in notices}
        if not changes or not changes <= {Change.DELETED, Change.EXPIRED}:
            return False
        current = source.identity(self.s3, address)
        if not isinstance(current, Identity):
            return False
        # Without mirror_deletes the role may not read outputs.
        may_read = self.settings.mirror_deletes
        return changes == {Change.EXPIRED} or (may_read and self.destination.holds_outputs_of(address.key, current))

    def _agree(
        self, address: ObjectAddress, response: "GetObjectOutputTypeDef", seconds_left: SecondsLeft
    ) -> Outcome | None:
        """Write what the object says it should be; None where it is another by then."""
        if self.destination.holds_as_output(address.bucket, address.key, response["Metadata"]):
            response["Body"].close()
            return _concluded(Outcome(Status.IGNORED, address), why="an output of ours")
        identity = Identity.of(response)
        try:
            keys = self._write(address, response, identity, seconds_left)
        except BrokenOffError as error:
            _log("broken_off", address, why=str(error))
            return None
        except RejectedError as rejection:
            if source.identity(self.s3, address) == identity:
                return _rejected(address, identity, rejection)
        else:
            if source.identity(self.s3, address) == identity:
                return Outcome(Status.WRITTEN, address, keys)
        finally:
            # Of a large object that is refused by its size, nothing more is to arrive.
            response["Body"].close()
        _log("changed", address)
        return None

    def _remove(self, address: ObjectAddress, absence: Absence, seen: datetime | None) -> Outcome | None:
        """Remove the outputs of an object that is gone, if they are to be.

        Args:
            address: The object's.
            absence: How S3 says that it is gone.
            seen: When a version of it was last known to be there. While one is, only a delete marker can hide it.

        Returns:
            None where it is there again by then, or may be there all the time.

        """
        if absence is Absence.UNMARKED and seen is not None and datetime.now(UTC) - seen < PROPAGATION:
            _log("missing", address)
            return None
        if not self.settings.mirror_deletes:
            return _concluded(Outcome(Status.GONE, address))
        try:
            keys = self.destination.keys(address.key)
        except RejectedError:
            # Under a key that is too long there never was one.
            return _concluded(Outcome(Status.GONE, address))
        removed = self.destination.remove(keys)
        if source.identity(self.s3, address) is absence:
            if not removed:
                return _concluded(Outcome(Status.GONE, address))
            return _concluded(Outcome(Status.REMOVED, address, removed), outputs=[{"key": key} for key in removed])
        _log("changed", address)
        return None

    def _check_bucket(self, address: ObjectAddress) -> None:
        """Refuse another bucket's object without a request to S3, whose answer would be about our permissions."""
        if address.bucket != self.settings.source_bucket:
            raise EventError(
                f"The event is about the bucket {address.bucket!r}, "
                f"but this function's source is {self.settings.source_bucket!r}: check which buckets notify it"
            )

    def _write(
        self, address: ObjectAddress, response: "GetObjectOutputTypeDef", identity: Identity, seconds_left: SecondsLeft
    ) -> tuple[str, ...]:
        """Render every rendition of the object that is being read, then put them all.

        One object is rendered at a time, for it may take all of the memory; what is small is read before its turn and
        put after it, beside another's.
        """
        started, watch = time.perf_counter(), Watch()
        keys = self.destination.keys(address.key)
        budget.check_download(identity.size, self.settings.limits)
        # Nothing here holds what is large for longer than it is rendered.
        small = _read(response, watch) if self._is_small(identity.size) else None
        # Pixels live in calls that have ended by the time another object is rendered, even with an exception.
        with self.rendering, memory.releasing():
            details, outputs = self._make(keys, small, response, seconds_left, watch)
        if outputs:
            self.destination.put(keys, outputs, response, identity)
        _log(
            "written",
            address,
            version_id=identity.version_id,
            source_bytes=identity.size,
            **details,
            read_milliseconds=round(1000 * watch.read),
            render_milliseconds=round(1000 * watch.render),
            milliseconds=round(1000 * (time.perf_counter() - started)),
        )
        return keys

    def _make(
        self,
        keys: Sequence[str],
        body: bytes | None,
        response: "GetObjectOutputTypeDef",
        seconds_left: SecondsLeft,
        watch: Watch,
    ) -> tuple[dict[str, Any], list[Output]]:
        """Render every rendition and put them unless they are small; a body that is None is read first.

        Returns:
            What the log says of them, and those that are still to be put.

        """
        rendered = self._render(_read(response, watch) if body is None else body, response, seconds_left, watch)
        byte_count = sum(len(output.body) for output in rendered.outputs)
        details: dict[str, Any] = {
            "lost": rendered.lost,
            "outputs": _described(keys, rendered.outputs),
            # A metric filter can add up no list.
            "output_count": len(rendered.outputs),
            "output_bytes": byte_count,
            "megapixels": round(rendered.pixels / 1e6, 3),
        }
        if self._is_small(byte_count):
            return details, rendered.outputs
        self.destination.put(keys, rendered.outputs, response, Identity.of(response))
        return details, []

    def _render(
        self, body: bytes, response: "GetObjectOutputTypeDef", seconds_left: SecondsLeft, watch: Watch
    ) -> Rendered:
        had, began = seconds_left(), time.perf_counter()
        limits = self.settings.limits
        try:
            rendered = render(
                decoded(body, response.get("ContentEncoding", ""), limits),
                self.settings.renditions,
                limits=limits,
                metadata=self.settings.metadata,
                seconds_left=seconds_left,
            )
        except RejectedError as rejection:
            if rejection.reason is Reason.TOO_SLOW and had < WHOLE_SHARE * self.settings.timeout_seconds:
                raise LateError(rejection.message) from rejection
            raise
        watch.render = time.perf_counter() - began
        return rendered

    def _is_small(self, byte_count: int) -> bool:
        """Whether that much may be held beside another object that is rendered: the budget's margin covers it."""
        return byte_count <= self.settings.limits.memory_bytes // SMALL_SHARE


def _last_seen(notices: Sequence[Notice]) -> datetime | None:
    """When events say that a version was last there; None where they say it of none."""
    created = (one for one in notices if one.change is Change.ARRIVED and one.version_id is not None)
    return max((one.at for one in created if one.at is not None), default=None)


def _read(response: "GetObjectOutputTypeDef", watch: Watch) -> bytes:
    began = time.perf_counter()
    body = source.read(response)
    watch.read = time.perf_counter() - began
    return body


def _rejected(address: ObjectAddress, identity: Identity, rejection: RejectedError) -> Outcome:
    record = Rejection(
        bucket=address.bucket,
        key=address.key,
        version_id=identity.version_id,
        etag=identity.etag,
        reason=rejection.reason,
        message=rejection.message,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    outcome = Outcome(Status.REJECTED, address, rejection=record)
    return _concluded(outcome, reason=rejection.reason, why=rejection.message)


def _described(keys: Sequence[str], outputs: Sequence[Output]) -> list[dict[str, object]]:
    return [
        {"key": key, "width": output.width, "height": output.height, "bytes": len(output.body)}
        for key, output in zip(keys, outputs, strict=True)
    ]


def _concluded(outcome: Outcome, **details: object) -> Outcome:
    """Log how it ended; what was written has a log line of its own."""
    level = logging.WARNING if outcome.status is Status.REJECTED else logging.INFO
    _log(outcome.status.value, outcome.address, level, **details)
    return outcome


def _log(message: str, address: ObjectAddress, level: int = logging.INFO, **details: object) -> None:
    logger.log(level, message, extra={"bucket": address.bucket, "key": address.key, **details})
