"""Lost and wrong uploads are found, with moto's S3 and SQS in this process."""

import json
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.images import encode, picture
from tests.uploads import find_outcomes
from tools.common.local_stack import LocalAws, Stack


@dataclass(frozen=True)
class InProcess(Stack):
    """A stack with only buckets and a queue."""

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name="eu-west-2")  # type: ignore[call-overload]  # any service


def test_every_upload_is_an_image_recorded_lost_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    names = ("right", "stale", "small", "broken", "rejected", "failed", "lost")
    bodies = {f"{name} é.jpg": encode(picture(), comment=name) for name in names}
    with mock_aws():
        s3, sqs = boto3.client("s3", region_name="eu-west-2"), boto3.client("sqs", region_name="eu-west-2")
        for bucket in ("uploads", "resized"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        stack = InProcess(LocalAws("", "", "", "", 0), "uploads", "resized", "function", url, "log")
        half, quarter = encode(picture(160, 120)), encode(picture(80, 60))
        for key, body in bodies.items():
            etag = s3.put_object(Bucket="uploads", Key=key, Body=body)["ETag"].strip('"')
            outputs = {"right": (half, etag), "stale": (half, "other"), "small": (quarter, etag), "broken": (b"", etag)}
            if key.split()[0] in outputs:
                output, made_of = outputs[key.split()[0]]
                metadata = {"resized-from-etag": made_of}
                s3.put_object(Bucket="resized", Key=f"resized-{key}", Body=output, Metadata=metadata)
        event = {"Records": [{"s3": {"object": {"key": "failed+%C3%A9.jpg"}}}]}
        for record in ({"key": "rejected é.jpg", "reason": "corrupt"}, {"requestPayload": event}):
            # At least once.
            for _ in range(2):
                sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
        found = find_outcomes(stack, bodies)
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert found.images == {"right é.jpg"}
    assert found.wrong == {"stale é.jpg", "small é.jpg", "broken é.jpg"}
    assert found.recorded == {"rejected é.jpg": "corrupt", "failed é.jpg": "event"}
    assert found.lost == {"lost é.jpg"}
    assert found.records == 4
