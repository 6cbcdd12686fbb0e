"""The source object: reads it from S3 and tells one state of it from another.

Every failed request raises ``BotoCoreError`` or ``ClientError``; a retry may succeed.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from aws.outcomes import ObjectAddress
from errors import BrokenOffError, Reason, RejectedError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef


@dataclass(frozen=True)
class Identity:
    """Distinguishes one state of an object from the next.

    The ETag is not enough: an upload of equal bytes with other metadata has an equal ETag.

    Attributes:
        version_id: None if the bucket is not versioned.
        etag: In quotation marks.
        size: In bytes. It reveals a GET that was answered with a wrong length.

    """

    version_id: str | None
    etag: str
    last_modified: datetime
    size: int

    @classmethod
    def of(cls, response: "GetObjectOutputTypeDef | HeadObjectOutputTypeDef") -> "Identity":
        """Read the identity from S3's response to a GET or HEAD."""
        return cls(
            response.get("VersionId"), response["ETag"], response["LastModified"], size=response["ContentLength"]
        )


class Absence(enum.Enum):
    """How S3 reports that an object does not exist."""

    DELETE_MARKER = enum.auto()
    """The current version is a delete marker: the object was deleted."""

    NO_VERSION = enum.auto()
    """S3 finds no version. The object was deleted, or S3 does not see a new version yet."""

    @classmethod
    def of(cls, error: ClientError) -> "Absence":
        """Read it from S3's response to a GET or HEAD."""
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
        return cls.DELETE_MARKER if headers.get("x-amz-delete-marker") == "true" else cls.NO_VERSION


def get(s3: "S3Client", address: ObjectAddress) -> "GetObjectOutputTypeDef | Absence":
    """Start to read an object, if it exists.

    Raises:
        RejectedError: It is archived, or encrypted with its uploader's own key.

    """
    try:
        return s3.get_object(Bucket=address.bucket, Key=address.key)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        # S3's response repeats the key. If the key makes it invalid XML, botocore reports only the status.
        if code in {"NoSuchKey", "404"}:
            return Absence.of(error)
        if code == "InvalidObjectState":
            raise RejectedError(Reason.ARCHIVED, "the object is archived: restore it") from error
        if code == "InvalidRequest" and "Server Side Encryption" in message:
            raise RejectedError(
                Reason.CUSTOMER_KEY,
                "the object is encrypted with its uploader's own key (SSE-C): upload it with SSE-S3 or SSE-KMS",
            ) from error
        raise


def read(response: "GetObjectOutputTypeDef") -> bytes:
    """Read the whole body of a GET.

    Raises:
        BrokenOffError: The connection broke or timed out, which botocore does not retry.

    """
    try:
        return response["Body"].read()
    except BotoCoreError as error:
        raise BrokenOffError(str(error)) from error


def head(s3: "S3Client", address: ObjectAddress) -> Identity | Absence:
    """Return an object's current identity, if it exists."""
    try:
        return Identity.of(s3.head_object(Bucket=address.bucket, Key=address.key))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return Absence.of(error)
        if code == "400":
            # S3 answers HEAD for an SSE-C object only if the request has the key. A listing needs no key.
            return _find_in_listing(s3, address)
        raise


def _find_in_listing(s3: "S3Client", address: ObjectAddress) -> Identity | Absence:
    # S3 lists keys in order, so the key itself comes before all longer keys with this prefix.
    listing = s3.list_objects_v2(Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
    for found in listing.get("Contents", []):
        if found["Key"] == address.key:
            return Identity(None, found["ETag"], found["LastModified"], size=found["Size"])
    return Absence.NO_VERSION
