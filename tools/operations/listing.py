"""The objects of a bucket, in the order of their keys, a page at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws.settings import Settings


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing has it.

    Attributes:
        etag: In quotation marks.
        modified: To the second, for that is all that S3 tells elsewhere.
        size: In bytes.

    """

    key: str
    etag: str
    modified: datetime
    size: int


def listed(s3: Any, bucket: str, prefix: str) -> Iterator[Listed]:
    """List the objects whose keys begin so, by the bytes of their keys.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 could not do it.

    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            modified = found["LastModified"].replace(microsecond=0)
            yield Listed(found["Key"], found["ETag"], modified, found["Size"])


def uploads(s3: Any, settings: Settings, prefix: str) -> Iterator[Listed]:
    """List what is to be resized of the source bucket, below a prefix.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 could not do it.

    """
    beginnings = (filter_.prefix for filter_ in settings.filters)
    for beginning in _disjoint(_narrower(prefix, one) for one in beginnings if _meet(prefix, one)):
        for found in listed(s3, settings.source_bucket, beginning):
            if settings.is_upload(found.key):
                yield found


def outputs(s3: Any, settings: Settings, folder: str) -> Iterator[Listed]:
    """List all of the destination bucket that may be outputs of what is in a folder of the source bucket, or below it.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 could not do it.

    """
    for beginning in _disjoint(rendition.template.prefix + folder for rendition in settings.renditions):
        yield from listed(s3, settings.destination_bucket, beginning)


def _disjoint(prefixes: Iterable[str]) -> list[str]:
    """What is left of prefixes, in order, where each key is to be listed once."""
    kept: list[str] = []
    # One that begins another sorts right before all that it begins.
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


def _meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _narrower(one: str, other: str) -> str:
    return max(one, other, key=len)
