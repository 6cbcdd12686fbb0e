"""A local AWS with functions of a few lines, and no Terraform."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from tests import faults
from tools.common.local_stack import LocalAws
from tools.local.aws import local_aws, service

T = TypeVar("T")

ACCOUNT_ID = "123456789012"

service.MODULE = faults.MODULE

PATIENCE = 30
"""Seconds before a test that waits for something fails."""

ECHO = "import json\ndef handler(event, context):\n    print('EVENT', json.dumps(event))\n"
"""A function that logs its events, for :meth:`Account.events`."""

PROBE = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""
"""A function that makes one AWS request and returns the result, for :meth:`Account.probe`."""

LOGS = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
"""The permissions that a log needs."""

TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}


def await_answer(ask: Callable[[], T | None]) -> T:
    """Call ``ask`` until it returns an answer."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def make_zip(code: str) -> bytes:
    """Return the zip of a function."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("function.py", code)
    return package.getvalue()


@dataclass
class Account:
    """Makes functions, buckets and queues."""

    aws: LocalAws
    _made: int = field(default=0)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def unique(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made}"

    def function(
        self,
        code: str | dict[str, str],
        *,
        allow: list[dict[str, Any]] | None = None,
        logs: bool = True,
        **options: Any,
    ) -> str:
        """Make a function; return its name.

        Args:
            code: Its module, which defines ``handler(event, context)``; or where Lambda finds its zip.
            allow: The statements of its role.
            logs: Whether to add the permissions of a log.
            options: Other settings.

        """
        name = self.unique("function")
        role = self.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]})
        )
        if statements := [*(allow or []), *([LOGS] if logs else [])]:
            self.allow(name, *statements)
        self.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="function.handler",
            Code={"ZipFile": make_zip(code)} if isinstance(code, str) else code,
            **{"Timeout": 10, "MemorySize": 256, **options},
        )
        return name

    def allow(self, name: str, *statements: dict[str, Any]) -> None:
        """Replace the permissions of a function's role."""
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
        self.client("iam").put_role_policy(RoleName=name, PolicyName="allow", PolicyDocument=json.dumps(document))

    def on_failure(self, name: str, queue_arn: str, **options: int) -> None:
        """Configure a function's failed events, also with values that boto3 rejects."""
        make: Any = boto3.client
        client = make(
            "lambda",
            endpoint_url=self.aws.endpoint,
            region_name=self.aws.region,
            aws_access_key_id=self.aws.access_key_id,
            aws_secret_access_key=self.aws.secret_access_key,
            config=Config(parameter_validation=False),
        )
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue_arn}}, **options
        )

    def invoke(self, name: str, event: object = None, **options: Any) -> dict[str, Any]:
        """Invoke a function; the reply is under ``Reply``."""
        response = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **options)
        body = response["Payload"].read()
        return {**response, "Reply": json.loads(body) if body else None}

    def probe(self, name: str, call: str, *, service: str = "s3", **arguments: object) -> str:
        """Let a ``PROBE`` function make a request; return the error code, or ``allowed``."""
        answer: str = self.invoke(name, {"service": service, "call": call, "arguments": arguments})["Reply"]
        return answer

    def log(self, name: str) -> list[str]:
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        return [event["message"] for page in pages for event in page["events"]]

    def events(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for a number of events in the log of an ``ECHO`` function."""

        def ask() -> list[dict[str, Any]] | None:
            lines = [line for line in self.log(name) if line.startswith("EVENT ")]
            return [json.loads(line.removeprefix("EVENT ")) for line in lines] if len(lines) >= count else None

        return await_answer(ask)

    def bucket(self, function: str = "", *, permit: bool = True, versioned: bool = True, **permission: str) -> str:
        """Make a bucket, which may notify a function of new objects."""
        name = self.unique("bucket")
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.aws.region})
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if function:
            arn = self.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
            if permit:
                usual = {
                    "Action": "lambda:InvokeFunction",
                    "Principal": "s3.amazonaws.com",
                    "SourceArn": f"arn:aws:s3:::{name}",
                    "SourceAccount": ACCOUNT_ID,
                }
                self.client("lambda").add_permission(FunctionName=function, StatementId=name, **(usual | permission))
            notification = {"Id": "new", "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"LambdaFunctionConfigurations": [notification]}
            )
        return name

    def queue(self, sender: str = "") -> tuple[str, str]:
        """Make a queue, to which an AWS service may send; return its URL and ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=self.unique("queue"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if sender:
            allow = {"Effect": "Allow", "Principal": {"Service": sender}, "Action": "sqs:SendMessage", "Resource": arn}
            policy = {"Version": "2012-10-17", "Statement": [allow]}
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return url, arn

    def message(self, queue_url: str) -> dict[str, Any]:
        """Wait for a message, and delete it from the queue."""

        def ask() -> dict[str, Any] | None:
            sqs = self.client("sqs")
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                body: dict[str, Any] = json.loads(message["Body"])
                return body
            return None

        return await_answer(ask)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    with local_aws(concurrency=2, retry_delays=(0.1, 0.1)) as aws:
        yield Account(aws)
