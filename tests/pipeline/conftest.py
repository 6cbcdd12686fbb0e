"""The pipeline that these tests drive: deployed once, by Terraform, on a local AWS of its own."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from renditions import Rendition
from tests.images import decoded
from tools import stack as stacks
from tools.cli import say
from tools.errors import ToolError
from tools.invocation import log_events
from tools.stack import Stack
from tools.terraform import Terraform

T = TypeVar("T")

RENDITION = Rendition("resized", scale=0.5)
"""The one that is deployed by default."""

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
class Pipeline:
    """The deployed pipeline as its users see it: S3, SQS and CloudWatch Logs."""

    stack: Stack

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    def upload(self, key: str, body: bytes, **options: Any) -> None:
        self.client("s3").put_object(Bucket=self.stack.source_bucket, Key=key, Body=body, **options)

    def output(self, key: str, *, unless: str = "") -> dict[str, Any]:
        """Await the output of the source ``key``.

        Args:
            key: The source's.
            unless: An ETag that is not awaited, because it was there before.

        """
        return self.object(RENDITION.output_key(key), unless=unless)

    def object(self, key: str, *, unless: str = "") -> dict[str, Any]:
        """Await the destination's object ``key``; its body is under ``Bytes``."""

        def ask() -> dict[str, Any] | None:
            s3 = self.client("s3")
            try:
                response = s3.get_object(Bucket=self.stack.destination_bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                return None
            return None if response["ETag"] == unless else {**response, "Bytes": response["Body"].read()}

        return awaited(ask, f"an object {key} in the destination")

    def image(self, key: str) -> Any:
        """Await the output of the source ``key`` and decode it."""
        return decoded(self.output(key)["Bytes"])

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

    def log_line(self, message: str, key: str, *, times: int = 1) -> dict[str, Any]:
        """Await the function's JSON log line ``message`` about ``key``; the last of so many."""

        def ask() -> dict[str, Any] | None:
            lines = [json.loads(event["message"]) for event in log_events(self.stack) if event["message"][0] == "{"]
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
        patch.setattr(stacks, "STACK_FILE", directory / "stack.json")
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
