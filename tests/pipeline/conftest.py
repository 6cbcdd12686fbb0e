"""Fixtures for the tests of the deployed pipeline. Terraform deploys it once per session, on a separate local AWS."""

import json
import os
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pytest

from tests import faults
from tests.images import load
from tests.pipeline.console import Console
from tests.uploads import drain_failure_queue
from tools.common import local_stack
from tools.common.cli import say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.terraform import Terraform
from tools.local import stack as stacks
from tools.local.aws import service
from tools.local.stack import RENDITION

T = TypeVar("T")

service.MODULE = faults.MODULE

TIMEOUT_SECONDS = 60
"""How long a test waits for a result before it fails."""


def wait_for(poll: Callable[[], T | None], description: str) -> T:
    """Call ``poll`` until it returns something other than None, and return that."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (result := poll()) is None:
        assert time.monotonic() < deadline, f"No {description} after {TIMEOUT_SECONDS} s"
        # Without a pause, polling would take CPU time from the function.
        time.sleep(0.05)
    return result


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
    """The deployed pipeline as its users see it: S3, Lambda, SQS and CloudWatch Logs.

    Methods that wait for the output or log line of a key ignore those of its earlier uploads.
    """

    stack: Stack
    _uploads: dict[str, Upload] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    @property
    def role_arn(self) -> str:
        """The ARN of the function's role."""
        function = self.client("lambda").get_function_configuration(FunctionName=self.stack.function_name)
        arn: str = function["Role"]
        return arn

    def upload(self, key: str, body: bytes, **options: Any) -> None:
        started_at = time.time_ns() // 1_000_000
        put = self.client("s3").put_object(Bucket=self.stack.source_bucket, Key=key, Body=body, **options)
        self._uploads[key] = Upload(put["VersionId"], started_at)

    def make_notification(self, *keys: str, bucket: str = "") -> dict[str, Any]:
        """Return S3's event about uploads to a bucket, by default to the source bucket."""
        name = bucket or self.stack.source_bucket
        uploads = [{"bucket": {"name": name}, "object": {"key": quote_plus(key, safe="/")}} for key in keys]
        return {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "s3": upload} for upload in uploads]}

    def send(self, event: object) -> Any:
        """Invoke the function synchronously; return its reply, or Lambda's description of its error."""
        response = self.client("lambda").invoke(FunctionName=self.stack.function_name, Payload=json.dumps(event))
        return json.loads(response["Payload"].read())

    def send_asynchronously(self, event: object) -> None:
        """Invoke the function asynchronously, as S3, SNS and EventBridge do."""
        self.client("lambda").invoke(
            FunctionName=self.stack.function_name, InvocationType="Event", Payload=json.dumps(event)
        )

    def wait_for_output(self, key: str) -> dict[str, Any]:
        """Wait for the output of the source ``key``, and return it like :meth:`wait_for_object`."""
        upload = self._uploads.get(key)
        return self.wait_for_object(RENDITION.output_key(key), source_version=upload.version_id if upload else "")

    def wait_for_object(self, key: str, *, source_version: str = "") -> dict[str, Any]:
        """Wait for an object in the destination; return S3's response, with the object's body under ``Bytes``.

        Args:
            key: The object's key.
            source_version: The version of the source that the object must be made from; by default any.

        """
        s3 = self.client("s3")

        def poll() -> dict[str, Any] | None:
            try:
                response = s3.get_object(Bucket=self.stack.destination_bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                return None
            if source_version and response["Metadata"].get("resized-from-version") != source_version:
                return None
            return {**response, "Bytes": response["Body"].read()}

        return wait_for(poll, f"object {key} in the destination")

    def wait_for_image(self, key: str) -> Any:
        """Wait for the output of the source ``key``, and decode it."""
        return load(self.wait_for_output(key)["Bytes"])

    def list_keys(self, bucket: str, prefix: str = "") -> set[str]:
        """Return the keys of the objects in a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def remove_outputs(self, *keys: str) -> None:
        """Delete every version of the outputs of the source ``keys``."""
        delete_versions(self.client("s3"), self.stack.destination_bucket, set(map(RENDITION.output_key, keys)))

    def peek_records(self) -> list[dict[str, Any]]:
        """Wait up to a second for messages in the failure queue, and return up to ten without hiding them."""
        received = self.client("sqs").receive_message(
            QueueUrl=self.stack.failure_queue_url, WaitTimeSeconds=1, VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return received.get("Messages", [])  # type: ignore[no-any-return]  # boto3's clients have no types here

    def take_record(self, key: str) -> dict[str, Any]:
        """Wait for the record about ``key`` in the failure queue; delete it from the queue, and return it."""

        def poll() -> dict[str, Any] | None:
            for message in self.peek_records():
                body: dict[str, Any] = json.loads(message["Body"])
                if key == body.get("key") or key in str(body.get("requestPayload")):
                    self.client("sqs").delete_message(
                        QueueUrl=self.stack.failure_queue_url, ReceiptHandle=message["ReceiptHandle"]
                    )
                    return body
            return None

        return wait_for(poll, f"record about {key}")

    def empty_failure_queue(self) -> None:
        drain_failure_queue(self.stack)

    def wait_for_log_line(self, message: str, key: str, *, count: int = 1) -> dict[str, Any]:
        """Wait until the log has ``count`` lines ``message`` about ``key`` since its last upload; return the last."""
        since = self._uploads[key].started_at if key in self._uploads else 0

        def poll() -> dict[str, Any] | None:
            events = (event for event in self.stack.log_events() if event["timestamp"] >= since)
            lines = [json.loads(event["message"]) for event in events if event["message"][0] == "{"]
            matching = [line for line in lines if (line.get("message"), line.get("key")) == (message, key)]
            return matching[-1] if len(matching) >= count else None

        return wait_for(poll, f"log line {message} about {key}")

    @property
    def terraform(self) -> Terraform:
        """Terraform, in the folder from which it deployed the pipeline."""
        return Terraform(stacks.DEPLOYMENT / "root", environment=self.stack.aws.environment())


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Deploy the pipeline as ``invoke up`` does, but beside the developer's own; remove it as ``invoke down`` does."""
    try:
        Terraform(Path())
    except ToolError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
    directory = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_stack, "STACK_FILE", directory / "stack.json")
        patch.setattr(stacks, "DEPLOYMENT", directory / "deployment")
        patch.setattr(stacks, "SERVER_LOG", directory / "server.log")
        stacks.up(say)
        running = Stack.running()
        pipeline = Pipeline(running)
        try:
            yield pipeline
            # Each test takes the records of its own failures, so any other record means an unexpected failure.
            assert pipeline.peek_records() == []
            pipeline.terraform.destroy()
        finally:
            stacks.down(say)
    assert [path.name for path in directory.iterdir()] == ["stack.lock"]
    with pytest.raises(ProcessLookupError):
        os.kill(running.aws.pid, 0)


@pytest.fixture
def console(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> Console:
    """A console to run tasks, with an empty failure queue, because tasks would count and send other tests' records."""
    pipeline.empty_failure_queue()
    return Console(capsys)
