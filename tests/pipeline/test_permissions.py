"""Least privilege, by running: what code with the function's role can do on the local AWS, where IAM is enforced."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from tests.images import encoded, picture
from tests.pipeline.conftest import Pipeline

PROBE = '''
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    """Call what the event names and tell how it went."""
    client = boto3.client(event["service"])
    try:
        getattr(client, event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
'''


class Probe:
    """A function with the resizer's own role that makes one call at a time and tells how it went."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._lambda = pipeline.client("lambda")
        role = self._lambda.get_function_configuration(FunctionName=pipeline.stack.function_name)["Role"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("probe.py", PROBE)
        self._lambda.create_function(
            FunctionName="probe",
            Runtime="python3.13",
            Role=role,
            Handler="probe.handler",
            Code={"ZipFile": package.getvalue()},
            Timeout=30,
        )

    def __call__(self, service: str, call: str, **arguments: object) -> str:
        event = {"service": service, "call": call, "arguments": arguments}
        response = self._lambda.invoke(FunctionName="probe", Payload=json.dumps(event))
        answer: str = json.loads(response["Payload"].read())
        return answer

    def remove(self) -> None:
        self._lambda.delete_function(FunctionName="probe")


@pytest.fixture(scope="module")
def probe(pipeline: Pipeline) -> Iterator[Probe]:
    pipeline.upload("probed.jpg", encoded(picture()))
    pipeline.output("probed.jpg")
    made = Probe(pipeline)
    yield made
    made.remove()


def test_it_may_read_and_list_the_source_and_only_that(pipeline: Pipeline, probe: Probe) -> None:
    source, destination = pipeline.stack.source_bucket, pipeline.stack.destination_bucket
    assert probe("s3", "get_object", Bucket=source, Key="probed.jpg") == "allowed"
    assert probe("s3", "list_objects_v2", Bucket=source) == "allowed"
    assert probe("s3", "get_object", Bucket=source, Key="missing.jpg") == "NoSuchKey"
    assert probe("s3", "put_object", Bucket=source, Key="x.jpg") == "AccessDenied"
    assert probe("s3", "delete_object", Bucket=source, Key="probed.jpg") == "AccessDenied"
    assert probe("s3", "get_object", Bucket=destination, Key="resized-probed.jpg") == "AccessDenied"
    assert probe("s3", "list_objects_v2", Bucket=destination) == "AccessDenied"


def test_it_may_write_the_destination_but_not_delete_there(pipeline: Pipeline, probe: Probe) -> None:
    destination = pipeline.stack.destination_bucket
    assert probe("s3", "put_object", Bucket=destination, Key="written-by-probe.jpg") == "allowed"
    assert probe("s3", "delete_object", Bucket=destination, Key="written-by-probe.jpg") == "AccessDenied"


def test_it_may_send_to_its_queue_but_not_read_it(pipeline: Pipeline, probe: Probe) -> None:
    url = pipeline.stack.failure_queue_url
    assert probe("sqs", "send_message", QueueUrl=url, MessageBody='{"key": "from-probe"}') == "allowed"
    pipeline.failure("from-probe")
    assert "AccessDenied" in probe("sqs", "receive_message", QueueUrl=url)


def test_it_may_touch_no_other_bucket_queue_or_service(pipeline: Pipeline, probe: Probe) -> None:
    s3, sqs = pipeline.client("s3"), pipeline.client("sqs")
    region = {"LocationConstraint": pipeline.stack.aws.region}
    s3.create_bucket(Bucket="neighbour", CreateBucketConfiguration=region)
    other = sqs.create_queue(QueueName="neighbour")["QueueUrl"]
    try:
        assert probe("s3", "list_objects_v2", Bucket="neighbour") == "AccessDenied"
        assert probe("s3", "put_object", Bucket="neighbour", Key="x.jpg") == "AccessDenied"
        assert "AccessDenied" in probe("sqs", "send_message", QueueUrl=other, MessageBody="x")
        assert "AccessDenied" in probe("lambda", "list_functions")
        assert "AccessDenied" in probe("iam", "list_roles")
    finally:
        s3.delete_bucket(Bucket="neighbour")
        sqs.delete_queue(QueueUrl=other)
