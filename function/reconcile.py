"""Makes the destination agree with one source object, as that object is now."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import budget
from errors import EventError, Reason, RejectedError, UnsettledError
from events import ObjectAddress, Outcome, Status
from render import Output, render
from renditions import Rendition
from settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef
    from mypy_boto3_sqs import SQSClient

LOOKS = 3
"""How often a source object may change under us before the event is handed back to be retried."""

MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

MAX_METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""

SMALL_SHARE = 128
"""Of the function's memory, what may be held of other objects of the event while one is rendered: a 128th for each."""

MARKER = "resized-by"
"""The user metadata entry that only our outputs have: the digest of the rendition that made them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What tells one state of an object from the next.

    The ETag alone would not: the same bytes uploaded with other metadata keep theirs.
    """

    version_id: str | None
    etag: str
    last_modified: datetime

    @classmethod
    def of(cls, response: "GetObjectOutputTypeDef | HeadObjectOutputTypeDef") -> "Identity":
        """The identity that S3 answered a GET or HEAD with."""
        return cls(response.get("VersionId"), response["ETag"], response["LastModified"])


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

    def reconcile(self, address: ObjectAddress, seconds_left: Callable[[], float]) -> Outcome:
        """Make the destination agree with the object at ``address``, however often it changes meanwhile.

        A handler that was slow may have written an older image after a faster one wrote the newer. So each looks again
        after its last write, and whoever writes last also looks last: what stays is the newest image.

        Args:
            address: Where the object is, if it still is.
            seconds_left: How long the invocation may still take.

        Raises:
            EventError: The object is not in the source bucket.
            UnsettledError: The object changed at every look.
            botocore.exceptions.BotoCoreError, ClientError: S3 or SQS could not do it; a retry may.

        """
        if address.key.endswith("/"):
            return _concluded(Outcome(Status.IGNORED, address), why="a folder, not an object")
        if address.bucket == self.settings.source_bucket and not address.key.startswith(self.settings.source_prefix):
            # Whoever notifies us of a whole bucket may; we are allowed to read only what is below the prefix.
            return _concluded(Outcome(Status.IGNORED, address), why=f"not below {self.settings.source_prefix}")
        for _ in range(LOOKS):
            response = self._get(address)
            if response is None:
                return _concluded(Outcome(Status.GONE, address))
            if self._is_our_output(address, response["Metadata"]):
                return _concluded(Outcome(Status.IGNORED, address), why="an output of ours")
            self._check_bucket(address)
            identity = Identity.of(response)
            try:
                keys = self._write(address, response, identity, seconds_left)
            except RejectedError as rejection:
                if self._current_identity(address) == identity:
                    self._record(address, identity, rejection)
                    return _concluded(Outcome(Status.REJECTED, address), reason=rejection.reason, why=rejection.message)
            else:
                if self._current_identity(address) == identity:
                    return Outcome(Status.WRITTEN, address, keys)
            logger.info("changed", extra={"bucket": address.bucket, "key": address.key})
        raise UnsettledError(f"s3://{address.bucket}/{address.key} changed {LOOKS} times while it was read")

    def _check_bucket(self, address: ObjectAddress) -> None:
        if address.bucket != self.settings.source_bucket:
            raise EventError(
                f"The event is about the bucket {address.bucket!r}, "
                f"but this function's source is {self.settings.source_bucket!r}: check which buckets notify it"
            )

    def _is_our_output(self, address: ObjectAddress, metadata: Mapping[str, str]) -> bool:
        """Whether the object is what we wrote; a marker alone proves nothing, for copies keep it."""
        return (
            address.bucket == self.settings.destination_bucket
            and MARKER in metadata
            and any(rendition.could_write(address.key) for rendition in self.settings.renditions)
        )

    def _get(self, address: ObjectAddress) -> "GetObjectOutputTypeDef | None":
        try:
            return self.s3.get_object(Bucket=address.bucket, Key=address.key)
        except self.s3.exceptions.NoSuchKey:
            return None

    def _current_identity(self, address: ObjectAddress) -> Identity | None:
        try:
            return Identity.of(self.s3.head_object(Bucket=address.bucket, Key=address.key))
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return None
            raise

    def _write(
        self,
        address: ObjectAddress,
        response: "GetObjectOutputTypeDef",
        identity: Identity,
        seconds_left: Callable[[], float],
    ) -> tuple[str, ...]:
        """Render every rendition of the object that is being read, then put them all.

        One object is rendered at a time, for it may take all of the memory; what is small is read before its turn and
        put after it, beside another's.
        """
        started = time.perf_counter()
        keys = tuple(_checked_key(rendition.output_key(address.key)) for rendition in self.settings.renditions)
        limits = self.settings.limits
        size = response["ContentLength"]
        budget.check_download(size, limits)
        # Nothing here holds what is large for longer than it is rendered.
        small = response["Body"].read() if self._is_small(size) else None
        with self.rendering:
            rendered = render(
                response["Body"].read() if small is None else small,
                self.settings.renditions,
                limits=limits,
                metadata=self.settings.metadata,
                seconds_left=seconds_left,
            )
            is_small = self._is_small(sum(len(output.body) for output in rendered.outputs))
            if not is_small:
                self._put_all(keys, rendered.outputs, response, identity)
        if is_small:
            self._put_all(keys, rendered.outputs, response, identity)
        logger.info(
            "written",
            extra={
                "bucket": address.bucket,
                "key": address.key,
                "version_id": identity.version_id,
                "source_bytes": size,
                "lost": rendered.lost,
                "outputs": [_described(key, output) for key, output in zip(keys, rendered.outputs, strict=True)],
                "milliseconds": round(1000 * (time.perf_counter() - started)),
            },
        )
        return keys

    def _is_small(self, byte_count: int) -> bool:
        """Whether that much may be held beside another object that is rendered: the budget's margin covers it."""
        return byte_count <= self.settings.limits.memory_bytes // SMALL_SHARE

    def _put_all(
        self, keys: Sequence[str], outputs: Sequence[Output], source: "GetObjectOutputTypeDef", identity: Identity
    ) -> None:
        for key, rendition, output in zip(keys, self.settings.renditions, outputs, strict=True):
            self._put(key, rendition, output, source, identity)

    def _put(
        self, key: str, rendition: Rendition, output: Output, source: "GetObjectOutputTypeDef", identity: Identity
    ) -> None:
        headers: dict[str, Any] = {
            header: source[header]
            for header in ("CacheControl", "ContentDisposition", "ContentLanguage")
            if header in source
        }
        if rendition.cache_control is not None:
            headers["CacheControl"] = rendition.cache_control
        if rendition.storage_class is not None:
            headers["StorageClass"] = rendition.storage_class
        self.s3.put_object(
            Bucket=self.settings.destination_bucket,
            Key=key,
            Body=output.body,
            ContentType=output.content_type,
            Metadata=_metadata(key, source["Metadata"], rendition, identity),
            **headers,
        )

    def _record(self, address: ObjectAddress, identity: Identity, rejection: RejectedError) -> None:
        """Put into the failure queue why this object has no image."""
        record = {
            "bucket": address.bucket,
            "key": address.key,
            "version_id": identity.version_id,
            "etag": identity.etag,
            "reason": rejection.reason,
            "message": rejection.message,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        self.sqs().send_message(QueueUrl=self.settings.failure_queue_url, MessageBody=json.dumps(record))


def _checked_key(key: str) -> str:
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        raise RejectedError(
            Reason.KEY_TOO_LONG, f"the output's key has {size} bytes, S3 allows {MAX_KEY_BYTES}: shorten the source's"
        )
    return key


def _metadata(key: str, source: Mapping[str, str], rendition: Rendition, identity: Identity) -> dict[str, str]:
    """The output's user metadata: where it came from, and as much of the source's as S3 takes, which is all or none."""
    ours = {
        MARKER: rendition.digest,
        "resized-from-etag": identity.etag.strip('"'),
        "resized-from-modified": identity.last_modified.astimezone(UTC).isoformat(),
        "resized-from-version": identity.version_id or "null",
    }
    theirs = {name: value for name, value in source.items() if name not in ours}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in (ours | theirs).items())
    # Not ASCII: S3 hands out such values in an encoding of its own, which it does not take back.
    if size > MAX_METADATA_BYTES or not all(value.isascii() for value in theirs.values()):
        logger.warning("metadata_dropped", extra={"key": key, "entries": sorted(theirs)})
        return ours
    return ours | theirs


def _described(key: str, output: Output) -> dict[str, object]:
    return {"key": key, "width": output.width, "height": output.height, "bytes": len(output.body)}


def _concluded(outcome: Outcome, **details: str) -> Outcome:
    """Log how it ended; what was written has a log line of its own."""
    level = logging.WARNING if outcome.status is Status.REJECTED else logging.INFO
    extra = {"bucket": outcome.address.bucket, "key": outcome.address.key, **details}
    logger.log(level, outcome.status.value, extra=extra)
    return outcome
