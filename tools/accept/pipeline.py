"""The deployed pipeline as its users see it, and how a check waits for what the pipeline does."""

import io
import json
import time
from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote_plus

from botocore.exceptions import ClientError
from PIL import Image

from tools.operations.deployment import Deployment

T = TypeVar("T")

PATIENCE_SECONDS = 300
"""How long a check waits before it fails. Lambda waits three minutes in all before its second retry of an event:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
"""Pauses between two requests. Polling takes CPU time from a local function, and CloudWatch Logs limits its rate."""


class CheckError(Exception):
    """The pipeline did not do what a check expects."""


def expect(found: object, expected: object, what: str) -> None:
    """Compare what a check found with what it expects.

    Raises:
        CheckError: They differ.

    """
    if found != expected:
        raise CheckError(f"{what}: {found!r} instead of {expected!r}")


def wait_for(poll: Callable[[], T | None], description: str) -> T:
    """Call ``poll`` until it returns something other than None, and return that.

    Raises:
        CheckError: It returned None for too long.

    """
    started = time.monotonic()
    while (result := poll()) is None:
        waited = time.monotonic() - started
        if waited > PATIENCE_SECONDS:
            raise CheckError(f"No {description} after {PATIENCE_SECONDS} s")
        time.sleep(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS + waited / 20))
    return result


def wait_until_empty(find: Callable[[], Collection[str]], what: str) -> None:
    """Call ``find`` until it finds nothing.

    Raises:
        CheckError: It still found something after too long; the message names that.

    """
    try:
        wait_for(lambda: not find() or None, what)
    except CheckError as error:
        raise CheckError(f"{what} after {PATIENCE_SECONDS} s: {', '.join(sorted(find()))}") from error


def delete_versions(s3: Any, bucket: str, keys: Container[str] | None = None) -> None:
    """Delete every version and delete marker of the given keys, or of all keys."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            if keys is None or version["Key"] in keys:
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


@dataclass(frozen=True)
class Upload:
    """The last upload of a key.

    Attributes:
        started_at: Milliseconds since 1970.

    """

    version_id: str
    started_at: int


@dataclass(frozen=True)
class Pipeline:
    """The deployed pipeline: S3, Lambda, SQS and CloudWatch Logs.

    Methods that wait for the output or log line of a key ignore those of its earlier uploads. Those that wait raise
    :class:`CheckError`.
    """

    deployment: Deployment
    _uploads: dict[str, Upload] = field(default_factory=dict, init=False)

    def client(self, service: str) -> Any:
        return self.deployment.client(service, None)

    @property
    def source_bucket(self) -> str:
        return self.deployment.settings.source_bucket

    @property
    def destination_bucket(self) -> str:
        return self.deployment.settings.destination_bucket

    @property
    def failure_queue_url(self) -> str:
        return self.deployment.settings.failure_queue_url

    @property
    def role_arn(self) -> str:
        """The ARN of the function's role."""
        function = self.client("lambda").get_function_configuration(FunctionName=self.deployment.function_name)
        arn: str = function["Role"]
        return arn

    def upload(self, key: str, body: bytes, **options: Any) -> None:
        started_at = time.time_ns() // 1_000_000
        put = self.client("s3").put_object(Bucket=self.source_bucket, Key=key, Body=body, **options)
        self._uploads[key] = Upload(put["VersionId"], started_at)

    def make_notification(self, *keys: str, bucket: str = "") -> dict[str, Any]:
        """Return S3's event about uploads to a bucket, by default to the source bucket."""
        name = bucket or self.source_bucket
        uploads = [{"bucket": {"name": name}, "object": {"key": quote_plus(key, safe="/")}} for key in keys]
        return {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "s3": upload} for upload in uploads]}

    def send(self, event: object) -> Any:
        """Invoke the function synchronously; return its reply, or Lambda's description of its error."""
        response = self.client("lambda").invoke(FunctionName=self.deployment.function_name, Payload=json.dumps(event))
        return json.loads(response["Payload"].read())

    def send_asynchronously(self, event: object) -> None:
        """Invoke the function asynchronously, as S3, SNS and EventBridge do."""
        self.client("lambda").invoke(
            FunctionName=self.deployment.function_name, InvocationType="Event", Payload=json.dumps(event)
        )

    def list_targets(self, *keys: str) -> list[str]:
        """Return the keys of everything that the sources ``keys`` have in the destination, source by source."""
        return [one.template.fill(key) for key in keys for one in self.deployment.settings.targets]

    def wait_for_output(self, key: str) -> dict[str, Any]:
        """Wait for the first output of the source ``key``, and return it like :meth:`wait_for_object`."""
        upload = self._uploads.get(key)
        return self.wait_for_object(self.list_targets(key)[0], source_version=upload.version_id if upload else "")

    def wait_for_object(self, key: str, *, source_version: str = "") -> dict[str, Any]:
        """Wait for an object in the destination; return S3's response, with the object's body under ``Bytes``.

        Args:
            key: The object's key.
            source_version: The version of the source that the object must be made from; by default any.

        """
        s3 = self.client("s3")

        def poll() -> dict[str, Any] | None:
            try:
                response = s3.get_object(Bucket=self.destination_bucket, Key=key)
            except ClientError as error:
                # XML can't contain every key: of such an answer, botocore knows only the status.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                    return None
                raise
            if source_version and response["Metadata"].get("resized-from-version") != source_version:
                return None
            return {**response, "Bytes": response["Body"].read()}

        return wait_for(poll, f"object {key} in the destination")

    def wait_for_image(self, key: str) -> Any:
        """Wait for the first output of the source ``key``, and decode it."""
        image = Image.open(io.BytesIO(self.wait_for_output(key)["Bytes"]))
        image.load()
        return image

    def wait_for_targets(self, *keys: str) -> None:
        """Wait until the sources ``keys`` have everything that they should have in the destination."""
        targets = set(self.list_targets(*keys))
        wait_for(lambda: targets <= self.list_keys(self.destination_bucket) or None, f"outputs of {', '.join(keys)}")

    def list_keys(self, bucket: str, prefix: str = "") -> set[str]:
        """Return the keys of the objects in a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def remove_outputs(self, *keys: str) -> None:
        """Delete every version of everything that the sources ``keys`` have in the destination."""
        delete_versions(self.client("s3"), self.destination_bucket, set(self.list_targets(*keys)))

    def peek_records(self) -> list[dict[str, Any]]:
        """Wait up to a second for messages in the failure queue, and return up to ten without hiding them."""
        received = self.client("sqs").receive_message(
            QueueUrl=self.failure_queue_url, WaitTimeSeconds=1, VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return received.get("Messages", [])  # type: ignore[no-any-return]  # boto3's clients have no types here

    def take_record(self, key: str) -> dict[str, Any]:
        """Wait for the record about ``key`` in the failure queue; delete it from the queue, and return it."""

        def poll() -> dict[str, Any] | None:
            for message in self.peek_records():
                body: dict[str, Any] = json.loads(message["Body"])
                if key == body.get("key") or key in str(body.get("requestPayload")):
                    self.client("sqs").delete_message(
                        QueueUrl=self.failure_queue_url, ReceiptHandle=message["ReceiptHandle"]
                    )
                    return body
            return None

        return wait_for(poll, f"record about {key}")

    def wait_for_records(self, count: int) -> None:
        """Wait until the failure queue has shown ``count`` records: SQS may show only some of them at a time."""
        seen = set[str]()

        def poll() -> bool | None:
            seen.update(message["MessageId"] for message in self.peek_records())
            return len(seen) >= count or None

        wait_for(poll, f"{count} records")

    def log_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events of the function's log, oldest first."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.deployment.log_group)
        yield from (event for page in pages for event in page["events"])

    def wait_for_log_line(self, message: str, key: str, *, count: int = 1) -> dict[str, Any]:
        """Wait until the log has ``count`` lines ``message`` about ``key`` since its last upload; return the last."""
        since = self._uploads[key].started_at if key in self._uploads else 0

        def poll() -> dict[str, Any] | None:
            events = (event for event in self.log_events() if event["timestamp"] >= since)
            lines = [json.loads(event["message"]) for event in events if event["message"][0] == "{"]
            matching = [line for line in lines if (line.get("message"), line.get("key")) == (message, key)]
            return matching[-1] if len(matching) >= count else None

        return wait_for(poll, f"log line {message} about {key}")
