"""The destination bucket: writes outputs, with headers and metadata copied from the source, and removes them.

Every failed request raises ``BotoCoreError`` or ``ClientError``; a retry may succeed.
"""

import contextlib
import functools
import logging
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from threading import Thread
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.description import Description, RenditionDescription
from aws.source import Identity
from errors import Reason, RejectedError
from imaging import memory
from renditions import Fit, Focus, Rendition, Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

    # Importing it loads Pillow, which the operators' tasks do without.
    from imaging.render import Output

MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

MAX_METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""

LOST = "resized-lost"
"""Name of the user metadata entry that says what the output lacks, as names joined by commas; left out if nothing."""

FOCUS = "focus"
"""Name of the user metadata entry of a source that names the point to keep."""

MARKER = "resized-by"
"""Name of the user metadata entry that marks outputs: its value is the digest of the settings that made them."""

CONCURRENT_PUTS = 4
"""Outputs of one source that are written at once. botocore opens up to 10 connections, and the function processes two
sources at once."""

THREAD_BYTES = 1 << 20
"""More than a thread with a small stack takes to start."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """The bucket that outputs are written to.

    Attributes:
        targets: What every source has here: an output for each rendition, then the manifest if there is one.

    """

    s3: "S3Client"
    bucket: str
    targets: tuple[Target, ...]

    def keys(self, source_key: str) -> tuple[str, ...]:
        """Return the keys of what a source has here, in the targets' order.

        Raises:
            RejectedError: KEY_TOO_LONG: S3 would refuse one of them.

        """
        keys = self._fill_templates(source_key)
        longest = max(len(key.encode()) for key in keys)
        if longest > MAX_KEY_BYTES:
            raise RejectedError(
                Reason.KEY_TOO_LONG,
                f"the output's key has {longest} bytes, S3 allows {MAX_KEY_BYTES}: shorten the source's key",
            )
        return keys

    def is_output(self, bucket: str, key: str, metadata: Mapping[str, str]) -> bool:
        """Tell whether an object is an output. The marker alone does not prove it, because copies keep it."""
        return (
            bucket == self.bucket
            and MARKER in metadata
            and any(target.template.can_give(key) for target in self.targets)
        )

    def put(self, description: Description, outputs: "Sequence[Output]", source: "GetObjectOutputTypeDef") -> None:
        """Write the outputs of one source, several at once, then its manifest; no request is in flight afterwards.

        If requests fail, no further one starts, and the error of the first rendition among them is raised.
        """
        origin = _make_origin(Identity.of(source))
        _run_concurrently(
            [
                functools.partial(
                    self.s3.put_object,
                    Bucket=self.bucket,
                    Key=one.key,
                    Body=output.body,
                    ContentType=output.content_type,
                    Metadata=_make_metadata(
                        one, self._select_true(source["Metadata"], target), {MARKER: target.digest, **origin}
                    ),
                    **_make_headers(one.key, target.rendition, source),
                )
                # The manifest's target has no output.
                for target, one, output in zip(self.targets, description.renditions, outputs, strict=False)
            ]
        )
        manifest = self.targets[-1]
        if manifest.rendition is None:
            key = manifest.template.fill(description.source.key)
            self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=description.to_manifest(),
                ContentType="application/json",
                Metadata={MARKER: manifest.digest, **origin},
                **_make_headers(key, None, source),
            )

    def has_outputs_of(self, source_key: str, identity: Identity) -> bool:
        """Tell whether all that a source has here exists and was made from this state of the source."""
        expected = _make_origin(identity).items()
        return all(expected <= self._read_metadata(key).items() for key in self._fill_templates(source_key))

    def remove(self, source_key: str) -> tuple[str, ...]:
        """Remove what a source has here, and return the keys of what existed. A versioned bucket keeps the versions."""
        # If the settings have changed, objects may exist under some keys, although others are too long for S3.
        keys = [key for key in self._fill_templates(source_key) if len(key.encode()) <= MAX_KEY_BYTES]
        # The manifest first: it describes only what is there.
        removed = {key for key in reversed(keys) if self._remove(key)}
        return tuple(key for key in keys if key in removed)

    def _select_true(self, entries: Mapping[str, str], target: Target) -> Mapping[str, str]:
        """Return the source's entries without a point, which would be elsewhere in a cropped or padded output."""
        has_points = any(one.rendition and one.rendition.focus == Focus.METADATA for one in self.targets)
        if not has_points or target.rendition is None or target.rendition.fit == Fit.INSIDE:
            return entries
        return {name: value for name, value in entries.items() if name != FOCUS}

    def _fill_templates(self, source_key: str) -> tuple[str, ...]:
        return tuple(target.template.fill(source_key) for target in self.targets)

    def _read_metadata(self, key: str) -> Mapping[str, str]:
        try:
            return self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for a missing key. For a key that is too long it answers 400.
            if error.response["Error"]["Code"] in {"400", "403", "404"}:
                return {}
            raise

    def _remove(self, key: str) -> bool:
        try:
            # Without the condition, S3 makes a delete marker even for a key that never existed.
            self.s3.delete_object(Bucket=self.bucket, Key=key, IfMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in {"PreconditionFailed", "412", "NoSuchKey", "404"}:
                return False
            raise
        return True


def _run_concurrently(actions: Sequence[Callable[[], object]]) -> None:
    """Run actions in this thread and up to ``CONCURRENT_PUTS - 1`` others, and wait until all have ended."""
    pending = enumerate(actions)
    errors: dict[int, BaseException] = {}

    def work() -> None:
        # The threads share the iterator, so each action goes to one of them.
        for index, action in pending:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                errors[index] = error
            if errors:
                return

    threads = [Thread(target=work) for _ in range(min(CONCURRENT_PUTS, len(actions)) - 1)]
    with memory.small_stacks():
        for thread in threads:
            # Without memory for it, the threads that did start do its share. Python would wait forever for a thread
            # whose stack leaves no memory for anything else.
            # https://github.com/python/cpython/issues/140746
            with contextlib.suppress(OSError, MemoryError, RuntimeError):
                mmap.mmap(-1, THREAD_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
                thread.start()
    work()
    for thread in threads:
        if thread.ident is not None:
            thread.join()
    try:
        if errors:
            raise errors[min(errors)]
    finally:
        # Otherwise the error's traceback holds this frame, whose variable holds the error: a cycle, with all outputs.
        errors.clear()


def _make_headers(key: str, rendition: Rendition | None, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rendition's headers, and the source's headers that the rendition does not replace.

    A manifest, which has no rendition, is cached like its source, and neither downloaded nor read like it.
    """
    own = {"CacheControl": rendition.cache_control, "StorageClass": rendition.storage_class} if rendition else {}
    own = {name: value for name, value in own.items() if value is not None}
    names = ("CacheControl", "ContentDisposition", "ContentLanguage") if rendition else ("CacheControl",)
    copied = {name: _decode_header(source[name]) for name in names if name in source and name not in own}
    if dropped := sorted(name for name, value in copied.items() if value is None):
        logger.warning("metadata_dropped", extra={"key": key, "entries": dropped})
    return {name: value for name, value in copied.items() if value is not None} | own


def _decode_header(value: str) -> str | None:
    """Decode a header again so that botocore sends the bytes that it read; return None if that is impossible.

    botocore reads headers as Latin-1 and writes them as UTF-8. It signs every kind of space as an ASCII space, so S3
    would refuse the signature of a header with any other space.
    """
    try:
        text = value.encode("latin-1").decode()
    except UnicodeError:
        return None
    return None if any(letter.isspace() and not letter.isascii() for letter in text) else text


def _make_origin(identity: Identity) -> dict[str, str]:
    """Return the metadata entries that name the state of the source that an output was made from."""
    return {
        "resized-from-etag": identity.etag.strip('"'),
        "resized-from-modified": identity.last_modified.astimezone(UTC).isoformat(),
        "resized-from-version": identity.version_id or "null",
    }


def _make_metadata(output: RenditionDescription, source: Mapping[str, str], mark: Mapping[str, str]) -> dict[str, str]:
    """Return an output's user metadata: the function's entries, and all of the source's or none."""
    ours = {**mark, LOST: ",".join(output.lost)} if output.lost else {**mark}
    # A source that is a copy of an output has its losses, which are not this output's.
    theirs = {name: value for name, value in source.items() if name not in {LOST, *ours}}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in {**ours, **theirs}.items())
    # S3 returns values that are not ASCII in an encoding that it does not accept in a PUT.
    if size > MAX_METADATA_BYTES or not all(value.isascii() for value in theirs.values()):
        logger.warning("metadata_dropped", extra={"key": output.key, "entries": sorted(theirs)})
        return ours
    return {**ours, **theirs}
