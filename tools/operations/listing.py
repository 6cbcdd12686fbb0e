"""Listings of both buckets, in the order of their keys, one page in memory at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws.settings import Settings
from tools.common.errors import ToolError


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing.

    Attributes:
        etag: In quotation marks.
        modified: In whole seconds, as a HEAD reports it.
        size: In bytes.

    """

    key: str
    etag: str
    modified: datetime
    size: int


def uploads(s3: Any, settings: Settings, prefix: str) -> Iterator[Listed]:
    """List the source bucket's objects below a prefix that the filters select.

    Raises:
        ToolError: No filter selects a key with this prefix.

    """
    prefixes = (one.prefix for one in settings.filters)
    overlapping = [one for one in prefixes if one.startswith(prefix) or prefix.startswith(one)]
    if not overlapping:
        handled = " and ".join(f"{one.prefix}*{one.suffix}" for one in settings.filters)
        raise ToolError(
            f"The function handles no key under {prefix!r}, only {handled} of {settings.source_bucket}: "
            "give --prefix as the uploads' keys begin"
        )
    for narrower in _without_overlaps(max(prefix, one, key=len) for one in overlapping):
        for found in _list(s3, settings.source_bucket, narrower):
            if settings.why_no_upload(found.key) is None:
                yield found


def outputs(s3: Any, settings: Settings, folder: str) -> Iterator[Listed]:
    """List the destination bucket's objects that may be outputs of uploads in a folder."""
    for prefix in _without_overlaps(target.template.prefix + folder for target in settings.targets):
        yield from _list(s3, settings.destination_bucket, prefix)


def _list(s3: Any, bucket: str, prefix: str) -> Iterator[Listed]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            modified = found["LastModified"].replace(microsecond=0)
            yield Listed(found["Key"], found["ETag"], modified, found["Size"])


def _without_overlaps(prefixes: Iterable[str]) -> list[str]:
    """Sort prefixes, and drop each one that begins with another, so that every key is listed once."""
    kept: list[str] = []
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept
