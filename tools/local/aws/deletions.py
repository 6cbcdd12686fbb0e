"""Notifications of deletions. moto sends few, and fails if the last version to be deleted is a delete marker."""

from dataclasses import dataclass
from typing import Any

import moto.s3.models
import moto.s3.notifications

# Any, because they are patched.
FakeDeleteMarker: Any = moto.s3.models.FakeDeleteMarker
S3Backend: Any = moto.s3.models.S3Backend
notifications: Any = moto.s3.notifications

DELETED = "s3:ObjectRemoved:Delete"
MARKED = "s3:ObjectRemoved:DeleteMarkerCreated"


@dataclass(frozen=True)
class DeletedVersion:
    """A deleted version or a new delete marker, with the attributes that moto reads of every object."""

    name: str
    version_id: str
    etag: str = '"d41d8cd98f00b204e9800998ecf8427e"'
    size: int = 0
    multipart: None = None


def notify_deletions() -> None:
    """Send a notification of every delete marker, and of every version or marker that is deleted for good."""
    mark, delete, send = S3Backend._set_delete_marker, S3Backend.delete_object, notifications.send_event
    event = notifications.S3NotificationEvent

    def set_delete_marker(backend: Any, bucket_name: str, key_name: str) -> Any:
        marker = mark(backend, bucket_name, key_name)
        gone = DeletedVersion(key_name, marker.version_id)
        send(backend.account_id, event(MARKED), backend.get_bucket(bucket_name), gone)
        return marker

    def delete_object(
        backend: Any, bucket_name: str, key_name: str, version_id: Any = None, bypass: Any = False
    ) -> Any:
        bucket = backend.get_bucket(bucket_name)
        versions = bucket.keys.getlist(key_name, []) if bucket.is_versioned else []
        is_there = version_id in [version.version_id for version in versions]
        answer = delete(backend, bucket_name, key_name, version_id, bypass)
        if is_there:
            send(backend.account_id, event(DELETED), bucket, DeletedVersion(key_name, version_id))
        return answer

    def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        # With versioning, moto notifies only of the last version of a key, for which delete_object above has done it.
        if event_name != DELETED or not bucket.is_versioned:
            # With suspended versioning it may be a delete marker, which lacks the attributes that moto reads.
            is_marker = isinstance(key, FakeDeleteMarker)
            send(account_id, event_name, bucket, DeletedVersion(key.name, key.version_id) if is_marker else key)

    S3Backend._set_delete_marker = set_delete_marker
    S3Backend.delete_object = delete_object
    notifications.send_event = send_event
