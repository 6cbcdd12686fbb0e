"""The pipeline that these tests drive: deployed once, by Terraform, on a local AWS of its own."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError

from tests import faults
from tests.images import load
from tests.pipeline.console import Console
from tools.common import local_stack
from tools.common.cli import say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.terraform import Terraform
from tools.local import stack as stacks
from tools.local.aws import service
from tools.local.invocation import log_events
from tools.local.stack import RENDITION

T = TypeVar("T")

service.MODULE = faults.MODULE

PATIENCE = 60
"""Seconds that anything may take before its test fails; a test waits no longer than it must."""


def awaited(ask: Callable[[], T | None], what: str) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()) is None:
        assert time.monotonic() < deadline, f"no {what} after {PATIENCE} s"
        # S3 can only be asked; without a pause, asking would take the processor from the function.
        time.sleep(0.05)
    return answer


@dataclass(frozen=True)
class Upload:
    """What is known of an upload.

    Attributes:
        began: In milliseconds since 1970.

    """

    version_id: str
    began: int


@dataclass(frozen=True)
class Pipeline:
    """The deployed pipeline as its users see it: S3, Lambda, SQS and CloudWatch Logs.

    What is awaited of a key is what came of its last upload, whatever an earlier test did with that key.
    """

    stack: Stack
    _uploads: dict[str, Upload] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    @property
    def role_arn(self) -> str:
        """Of the function's role."""
        function = self.client("lambda").get_function_configuration(FunctionName=self.stack.function_name)
        arn: str = function["Role"]
        return arn

    def upload(self, key: str, body: bytes, **options: Any) -> None:
        began = time.time_ns() // 1_000_000
        put = self.client("s3").put_object(Bucket=self.stack.source_bucket, Key=key, Body=body, **options)
        self._uploads[key] = Upload(put["VersionId"], began)

    def notification(self, *keys: str, bucket: str = "") -> dict[str, Any]:
        """The event in which S3 tells of uploads, to the source bucket unless another is named."""
        name = bucket or self.stack.source_bucket
        about = [{"bucket": {"name": name}, "object": {"key": quote_plus(key, safe="/")}} for key in keys]
        return {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "s3": one} for one in about]}

    def send(self, event: object) -> Any:
        """Invoke the function and wait; gives its reply, or Lambda's description of its error."""
        response = self.client("lambda").invoke(FunctionName=self.stack.function_name, Payload=json.dumps(event))
        return json.loads(response["Payload"].read())

    def send_asynchronously(self, event: object) -> None:
        """Hand an event over to Lambda, as S3, SNS and EventBridge do."""
        self.client("lambda").invoke(
            FunctionName=self.stack.function_name, InvocationType="Event", Payload=json.dumps(event)
        )

    def output(self, key: str) -> dict[str, Any]:
        """Await the output of the source ``key``."""
        upload = self._uploads.get(key)
        return self.object(RENDITION.output_key(key), of=upload.version_id if upload else "")

    def object(self, key: str, *, of: str = "") -> dict[str, Any]:
        """Await the destination's object ``key``; its body is under ``Bytes``.

        Args:
            key: The object's.
            of: The version of the source that it must be made of; any where empty.

        """

        def ask() -> dict[str, Any] | None:
            try:
                response = self.client("s3").get_object(Bucket=self.stack.destination_bucket, Key=key)
            except ClientError as error:
                # An answer that repeats a key with control characters cannot be parsed.
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise
            if of and response["Metadata"].get("resized-from-version") != of:
                return None
            return {**response, "Bytes": response["Body"].read()}

        return awaited(ask, f"an object {key} in the destination")

    def keys(self, bucket: str) -> set[str]:
        """The keys of all objects of a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}

    def remove_outputs(self, *keys: str) -> None:
        """Remove the outputs of source keys: what is there afterwards was made anew."""
        self.erase(self.stack.destination_bucket, *map(RENDITION.output_key, keys))

    def erase(self, bucket: str, *keys: str) -> None:
        """Delete every version of objects, as if they had never been there."""
        s3 = self.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if version["Key"] in keys:
                    s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])

    def image(self, key: str) -> Any:
        """Await the output of the source ``key`` and decode it."""
        return load(self.output(key)["Bytes"])

    def failures(self) -> list[dict[str, Any]]:
        """Wait up to a second for messages in the failure queue; the next look sees them again."""
        received = self.client("sqs").receive_message(
            QueueUrl=self.stack.failure_queue_url, WaitTimeSeconds=1, VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return received.get("Messages", [])  # type: ignore[no-any-return]  # boto3's clients have no types here

    def failure(self, key: str) -> dict[str, Any]:
        """Await the failure queue's message about ``key``, and take it off the queue."""

        def ask() -> dict[str, Any] | None:
            for message in self.failures():
                body: dict[str, Any] = json.loads(message["Body"])
                if key == body.get("key") or key in str(body.get("requestPayload")):
                    self.client("sqs").delete_message(
                        QueueUrl=self.stack.failure_queue_url, ReceiptHandle=message["ReceiptHandle"]
                    )
                    return body
            return None

        return awaited(ask, f"a failure record of {key}")

    def forget_failures(self) -> None:
        """Take everything off the failure queue."""
        sqs, url = self.client("sqs"), self.stack.failure_queue_url
        while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def log_line(self, message: str, key: str, *, times: int = 1) -> dict[str, Any]:
        """Await the function's JSON log line ``message`` about ``key``; the last of so many since its last upload."""
        since = self._uploads[key].began if key in self._uploads else 0

        def ask() -> dict[str, Any] | None:
            events = (event for event in log_events(self.stack) if event["timestamp"] >= since)
            lines = [json.loads(event["message"]) for event in events if event["message"][0] == "{"]
            found = [line for line in lines if (line.get("message"), line.get("key")) == (message, key)]
            return found[-1] if len(found) >= times else None

        return awaited(ask, f"a log line {message} about {key}")

    def terraform(self) -> Terraform:
        """Terraform, where it deployed the pipeline."""
        return Terraform(stacks.DEPLOYMENT / "root", environment=self.stack.aws.environment())


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """What ``invoke up`` leaves running, and ``invoke down`` takes away; not the one that its user may have up."""
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
            # Whatever a test made fail it took off the queue: what is left failed on its own.
            assert pipeline.failures() == []
        finally:
            stacks.down(say)
    assert list(directory.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(running.aws.pid, 0)


@pytest.fixture
def console(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> Console:
    """An operator's shell. The failure queue is empty: other tests' records would be counted and sent."""
    pipeline.forget_failures()
    return Console(capsys)
