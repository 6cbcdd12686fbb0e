"""A deployed pipeline, with moto's buckets and queue in this process."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from aws.settings import Settings
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tools.local.aws.moto_patches import serialize_message_deletions
from tools.operations.deployment import Deployment

REGION = "eu-west-2"
ACCOUNT, JOB_ID = "123456789012", "00e123a4-c0d8-41f4-a0eb-b46f9ba5b07c"
LOG_GROUP = "/aws/lambda/images"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:images"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    "DESTINATION_BUCKET": "resized",
    "FAILURE_QUEUE_URL": "https://sqs.invalid/",
    "RENDITIONS": '{"resized": {"scale": 0.5}}',
    "SOURCE_BUCKET": "uploads",
}
"""The function's environment variables, as Terraform sets them."""
SETTINGS = Settings(
    "uploads", "resized", "", (Rendition("resized", scale=0.5),), MetadataPolicy.COPYRIGHT, Limits(512 << 20)
)
serialize_message_deletions()
# Shared, because reading AWS's models takes time.
SESSION: Any = boto3.Session("testing", "testing", region_name=REGION)


def answer_at_once(params: dict[str, Any], **_: object) -> dict[str, Any]:
    """Make moto answer at once: no message arrives during a test's long poll."""
    return params | {"WaitTimeSeconds": 0}


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """Two buckets and a failure queue, without a function: each test simulates its replies."""

    def client(service: str, config: Config | None) -> Any:
        made = SESSION.client(service, config=config)
        made.meta.events.register("provide-client-params.sqs.ReceiveMessage", answer_at_once)
        return made

    with mock_aws():
        for bucket in (SETTINGS.source_bucket, SETTINGS.destination_bucket):
            where = {"LocationConstraint": REGION}
            client("s3", None).create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        url = client("sqs", None).create_queue(QueueName="images-failures")["QueueUrl"]
        yield Deployment(client, FUNCTION, 1769, "arm64", replace(SETTINGS, failure_queue_url=url), LOG_GROUP)
