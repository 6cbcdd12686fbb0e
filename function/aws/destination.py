"""The destination's objects: outputs with what they keep of their source's headers and metadata, put and removed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.source import Identity
from errors import Reason, RejectedError
from imaging.render import Output
from renditions import MetadataPolicy, Rendition

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

MAX_METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""

MARKER = "resized-by"
"""The user metadata entry that only our outputs have: the digest of the rendition that made them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """The bucket of the outputs.

    Attributes:
        renditions: One output each, of every source.
        metadata: What outputs keep of their sources', which is a part of the settings that made them.

    """

    s3: "S3Client"
    bucket: str
    renditions: tuple[Rendition, ...]
    metadata: MetadataPolicy

    def keys(self, source_key: str) -> tuple[str, ...]:
        """The outputs' keys, in the renditions' order.

        Raises:
            RejectedError: KEY_TOO_LONG: S3 would refuse one.

        """
        return tuple(_checked_key(rendition.output_key(source_key)) for rendition in self.renditions)

    def holds_as_output(self, bucket: str, key: str, metadata: Mapping[str, str]) -> bool:
        """Whether an object is what we wrote; a marker alone proves nothing, for copies keep it."""
        return (
            bucket == self.bucket
            and MARKER in metadata
            and any(rendition.could_write(key) for rendition in self.renditions)
        )

    def put(
        self, keys: Sequence[str], outputs: Sequence[Output], source: "GetObjectOutputTypeDef", identity: Identity
    ) -> None:
        """Write the outputs of one source.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

        """
        for key, rendition, output in zip(keys, self.renditions, outputs, strict=True):
            self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=output.body,
                ContentType=output.content_type,
                Metadata=_metadata(key, source["Metadata"], rendition.digest(self.metadata), identity),
                **_headers(key, rendition, source),
            )

    def holds_outputs_of(self, source_key: str, identity: Identity) -> bool:
        """Whether every output is there, and made of its source as it is now.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

        """
        wanted = _origin(identity).items()
        keys = (rendition.output_key(source_key) for rendition in self.renditions)
        return all(wanted <= self._metadata_of(key).items() for key in keys)

    def remove(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Remove outputs; where the bucket keeps versions, it keeps them.

        Returns:
            The keys of those that were there.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

        """
        return tuple(key for key in keys if self._remove(key))

    def _metadata_of(self, key: str) -> Mapping[str, str]:
        try:
            return self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for a missing key. It answers 400 for a key that is too long.
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


def _checked_key(key: str) -> str:
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        raise RejectedError(
            Reason.KEY_TOO_LONG, f"the output's key has {size} bytes, S3 allows {MAX_KEY_BYTES}: shorten the source's"
        )
    return key


def _headers(key: str, rendition: Rendition, source: Mapping[str, Any]) -> dict[str, Any]:
    """What an output keeps of its source's headers, and what its rendition sets instead."""
    own = {"CacheControl": rendition.cache_control, "StorageClass": rendition.storage_class}
    own = {name: value for name, value in own.items() if value is not None}
    names = ("CacheControl", "ContentDisposition", "ContentLanguage")
    copied = {name: _sendable(source[name]) for name in names if name in source and name not in own}
    if dropped := sorted(name for name, value in copied.items() if value is None):
        logger.warning("metadata_dropped", extra={"key": key, "entries": dropped})
    return {name: value for name, value in copied.items() if value is not None} | own


def _sendable(value: str) -> str | None:
    """The text that botocore sends as the bytes that it received as ``value``; None where it can send no such bytes.

    It reads a header as Latin-1 and writes it as UTF-8. It signs every kind of space as an ASCII space, so S3 would
    refuse the signature of any other.
    """
    try:
        text = value.encode("latin-1").decode()
    except UnicodeError:
        return None
    return None if any(letter.isspace() and not letter.isascii() for letter in text) else text


def _origin(identity: Identity) -> dict[str, str]:
    """What an output's metadata says of the state of its source."""
    return {
        "resized-from-etag": identity.etag.strip('"'),
        "resized-from-modified": identity.last_modified.astimezone(UTC).isoformat(),
        "resized-from-version": identity.version_id or "null",
    }


def _metadata(key: str, source: Mapping[str, str], digest: str, identity: Identity) -> dict[str, str]:
    """The output's user metadata: where it came from, and as much of the source's as S3 takes, which is all or none."""
    ours = {MARKER: digest, **_origin(identity)}
    theirs = {name: value for name, value in source.items() if name not in ours}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in (ours | theirs).items())
    # Not ASCII: S3 hands out such values in an encoding of its own, which it does not take back.
    if size > MAX_METADATA_BYTES or not all(value.isascii() for value in theirs.values()):
        logger.warning("metadata_dropped", extra={"key": key, "entries": sorted(theirs)})
        return ours
    return ours | theirs
