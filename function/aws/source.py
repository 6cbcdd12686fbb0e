"""The source object as S3 answers for it: its identity, its bytes, and why it may not be read at all."""

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
    """What tells one state of an object from the next.

    The ETag alone would not: the same bytes uploaded with other metadata keep theirs.

    Attributes:
        version_id: None where the bucket keeps no versions.
        etag: With its quotation marks.
        size: In bytes. Every state has one size, so a read that says another was answered wrongly.

    """

    version_id: str | None
    etag: str
    last_modified: datetime
    size: int

    @classmethod
    def of(cls, response: "GetObjectOutputTypeDef | HeadObjectOutputTypeDef") -> "Identity":
        """The identity that S3 answered a GET or HEAD with."""
        return cls(
            response.get("VersionId"), response["ETag"], response["LastModified"], size=response["ContentLength"]
        )


class Absence(enum.Enum):
    """How S3 says that there is no object."""

    MARKED = enum.auto()
    """Its current version is a delete marker: it is deleted."""

    UNMARKED = enum.auto()
    """S3 knows of no version of it."""

    @classmethod
    def of(cls, error: ClientError) -> "Absence":
        """How S3 says it in answer to a GET or HEAD."""
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
        return cls.MARKED if headers.get("x-amz-delete-marker") == "true" else cls.UNMARKED


def get(s3: "S3Client", address: ObjectAddress) -> "GetObjectOutputTypeDef | Absence":
    """Begin to read an object, if there is one.

    Raises:
        RejectedError: It is archived, or encrypted with a key that only its uploader has.
        botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

    """
    try:
        return s3.get_object(Bucket=address.bucket, Key=address.key)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        # The status is all that is left where the key, which the answer repeats, makes it XML that cannot be parsed.
        if code in {"NoSuchKey", "404"}:
            return Absence.of(error)
        if code == "InvalidObjectState":
            raise RejectedError(Reason.ARCHIVED, "the object is archived: restore it") from error
        if code == "InvalidRequest" and "Server Side Encryption" in message:
            raise RejectedError(
                Reason.CUSTOMER_KEY, "the object is encrypted with a key that only its uploader has: upload it without"
            ) from error
        raise


def read(response: "GetObjectOutputTypeDef") -> bytes:
    """Read all of an object.

    Raises:
        BrokenOffError: The connection broke off or stood still, which botocore does not try again.

    """
    try:
        return response["Body"].read()
    except BotoCoreError as error:
        raise BrokenOffError(str(error)) from error


def identity(s3: "S3Client", address: ObjectAddress) -> Identity | Absence:
    """Ask for the identity of an object as it is now, if there is one.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 could not do it; a retry may.

    """
    try:
        return Identity.of(s3.head_object(Bucket=address.bucket, Key=address.key))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return Absence.of(error)
        if code == "400":
            # S3 tells nothing of an object whose encryption key it was not given, but lists it.
            return _listed(s3, address)
        raise


def _listed(s3: "S3Client", address: ObjectAddress) -> Identity | Absence:
    # Of all keys that begin with this one, it is listed first.
    listing = s3.list_objects_v2(Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
    for found in listing.get("Contents", []):
        if found["Key"] == address.key:
            return Identity(None, found["ETag"], found["LastModified"], size=found["Size"])
    return Absence.UNMARKED
