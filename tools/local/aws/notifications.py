"""S3's notifications: corrects which moto sends, when, and with which content, and rejects invalid configurations."""

import itertools
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote_plus, unquote_plus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import moto.s3.models
import moto.s3.notifications
import moto.s3.responses
from moto.s3.exceptions import S3ClientError

from tools.local.aws.deletions import DELETED, MARKED, notify_deletions

logger = logging.getLogger(__name__)

# Any, because they are patched.
Bucket: Any = moto.s3.models.FakeBucket
Notification: Any = moto.s3.models.Notification
S3Response: Any = moto.s3.responses.S3Response
notifications: Any = moto.s3.notifications

Notify = Callable[[str, bytes], None]
"""Sends an event to the function with an ARN."""

Publish = Callable[[dict[str, Any]], None]
"""Sends an event to EventBridge."""

MayNotify = Callable[[str, str], bool]
"""Whether a bucket may notify a function or a queue; takes both ARNs."""

REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    DELETED: "DeleteObject",
    MARKED: "DeleteObject",
}
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""

DELETIONS = {DELETED: "Permanently Deleted", MARKED: "Delete Marker Created"}


class InvalidArgumentError(S3ClientError):
    """S3 rejects a notification configuration."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidArgument", message)


class Notifications:
    """Collects the S3 notifications of a request, and sends them after the answer.

    moto sends them in the middle of a PUT. The uploader would wait for the function, and the function would not find
    the object's metadata yet.

    Args:
        application: moto's application.
        notify: Called with each function's ARN and its event.
        publish: Called with each event for EventBridge.
        may_notify: Called for each function and queue in a configuration.

    """

    def __init__(self, application: WSGIApplication, notify: Notify, publish: Publish, may_notify: MayNotify) -> None:
        self._application = application
        self._notify = notify
        self._publish = publish
        self._may_notify = may_notify
        self._collected = threading.local()
        self._sequence = itertools.count(0x0055AED6DCD90281E5)
        self._install()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        deliveries: list[Callable[[], None]] = []
        self._collected.deliveries = deliveries
        answer = list(self._application(environ, start_response))
        for deliver in deliveries:
            try:
                deliver()
            except Exception:
                # The upload itself succeeded, so the uploader must not get an error.
                logger.exception("a notification is lost")
        return answer

    def _install(self) -> None:
        send, describe = notifications.send_event, notifications._get_s3_event
        configure = Bucket.set_notification_configuration

        def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
            # moto also sends a Put for a completed multipart upload, so each would be resized twice.
            if key.multipart is None or event_name != notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT:
                send(account_id, event_name, bucket, key)

        def get_s3_event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
            event = describe(event_name, bucket, key, notification_id)
            self._complete(event["Records"][0], bucket, key)
            return event

        def invoke_awslambda(_account_id: str, event_body: Any, fn_arn: str, _region_name: str) -> None:
            self._collected.deliveries.append(partial(self._notify, fn_arn, json.dumps(event_body).encode()))

        def after_the_answer(send: Callable[..., None]) -> Callable[..., None]:
            return lambda *arguments: self._collected.deliveries.append(partial(send, *arguments))

        def send_event_bridge_message(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
            message = describe(event_name, bucket, key, "")["Records"][0]
            self._complete(message, bucket, key)
            event = _eventbridge_event(account_id, bucket, event_name, key, message)
            self._collected.deliveries.append(partial(self._publish, event))

        def set_notification_configuration(bucket: Any, configuration: dict[str, Any] | None) -> None:
            before = bucket.notification_configuration
            try:
                configure(bucket, configuration)
                self._check(bucket)
            except S3ClientError:
                bucket.notification_configuration = before
                # S3 sends no test event to the queues of an invalid configuration.
                self._collected.deliveries.clear()
                raise

        notifications.send_event = send_event
        notifications._get_s3_event = get_s3_event
        notifications._invoke_awslambda = invoke_awslambda
        notifications._send_sqs_message = after_the_answer(notifications._send_sqs_message)
        notifications._send_sns_message = after_the_answer(notifications._send_sns_message)
        notifications._send_event_bridge_message = send_event_bridge_message
        Bucket.set_notification_configuration = set_notification_configuration
        Notification._key_matches = _key_matches
        notify_deletions()
        _report_eventbridge_setting()

    def _complete(self, record: dict[str, Any], bucket: Any, key: Any) -> None:
        """Add the fields that moto leaves out."""
        record["userIdentity"] = {"principalId": "AWS:LOCAL"}
        record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
        record["responseElements"] = {"x-amz-request-id": "LOCAL", "x-amz-id-2": "LOCAL"}
        described = record["s3"]["object"]
        # S3 does not encode slashes.
        described["key"] = quote_plus(key.name, safe="/")
        described["sequencer"] = f"{next(self._sequence):018X}"
        if bucket.is_versioned:
            described["versionId"] = key.version_id
        event_name = f"s3:{record['eventName']}"
        if event_name in DELETIONS:
            # A deletion has no size, and only a delete marker has an ETag.
            del described["size"]
        if event_name == DELETED:
            del described["eTag"]

    def _check(self, bucket: Any) -> None:
        """Reject a configuration with a destination that the bucket may not use, or with overlapping filters."""
        configuration = bucket.notification_configuration
        if configuration is None:
            return
        for notification in (*configuration.cloud_function, *configuration.queue):
            if not self._may_notify(bucket.arn, notification.arn):
                raise InvalidArgumentError("Unable to validate the following destination configurations")
        every = (*configuration.cloud_function, *configuration.queue, *configuration.topic)
        if any(_overlap(one, other) for one, other in itertools.combinations(every, 2)):
            raise InvalidArgumentError(
                "Configurations overlap. Configurations on the same bucket cannot share a common event type."
            )


def _report_eventbridge_setting() -> None:
    """Return EventBridge's part of a bucket's configuration. moto omits it, so each plan would enable it again."""
    get = S3Response.get_bucket_notification

    def get_bucket_notification(response: Any) -> Any:
        serialize = response.serialized

        def with_eventbridge(result: Any) -> Any:
            configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
            if configuration and configuration.event_bridge is not None:
                result.result["EventBridgeConfiguration"] = {}
            return serialize(result)

        response.serialized = with_eventbridge
        return get(response)

    S3Response.get_bucket_notification = get_bucket_notification


def _eventbridge_event(
    account_id: str, bucket: Any, event_name: str, key: Any, record: dict[str, Any]
) -> dict[str, Any]:
    """Convert a notification to EventBridge's format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
    described = record["s3"]["object"]
    # Keys are not encoded here.
    names = {"size": "size", "eTag": "etag", "versionId": "version-id", "sequencer": "sequencer"}
    about = {"key": key.name, **{names[name]: described[name] for name in names.keys() & described.keys()}}
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": notifications._detail_type(event_name),
        "source": "aws.s3",
        "account": account_id,
        "time": record["eventTime"].partition(".")[0] + "Z",
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": about,
            "request-id": "LOCAL",
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
        },
    }
    if event_name in REASONS:
        event["detail"]["reason"] = REASONS[event_name]
    if event_name in DELETIONS:
        event["detail"]["deletion-type"] = DELETIONS[event_name]
    return event


def _filter(notification: Any) -> dict[str, str]:
    """Return the prefix and the suffix of a filter, which S3 takes form-encoded."""
    rules = notification.filters.get("S3Key", {}).get("FilterRule", [])
    return {rule["Name"]: unquote_plus(rule["Value"] or "") for rule in rules}


def _key_matches(notification: Any, key: str) -> bool:
    wanted = _filter(notification)
    return key.startswith(wanted.get("prefix", "")) and key.endswith(wanted.get("suffix", ""))


def _overlap(one: Any, other: Any) -> bool:
    first, second = _filter(one), _filter(other)
    prefixes = first.get("prefix", ""), second.get("prefix", "")
    suffixes = first.get("suffix", ""), second.get("suffix", "")
    return (
        any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)
        and (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))
        and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0]))
    )


def _covers(events: str, event: str) -> bool:
    """Whether a pattern such as ``s3:ObjectCreated:*`` includes an event such as ``s3:ObjectCreated:Put``."""
    return events == event or (events.endswith(":*") and event.startswith(events.removesuffix("*")))
