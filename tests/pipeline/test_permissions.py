"""Least privilege, by running: what code with the function's role can do on the local AWS, where IAM is enforced."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from tests.images import encoded, picture
from tests.pipeline.conftest import Pipeline

DENIED = {"AccessDenied", "AccessDeniedException", "403"}
"""How services say it; moto's SQS gives only the status."""

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
    assert probe("s3", "put_object", Bucket=source, Key="x.jpg") in DENIED
    assert probe("s3", "delete_object", Bucket=source, Key="probed.jpg") in DENIED
    assert probe("s3", "get_object", Bucket=destination, Key="resized-probed.jpg") in DENIED
    assert probe("s3", "list_objects_v2", Bucket=destination) in DENIED


def test_it_may_write_the_destination_but_not_delete_there(pipeline: Pipeline, probe: Probe) -> None:
    destination = pipeline.stack.destination_bucket
    assert probe("s3", "put_object", Bucket=destination, Key="written-by-probe.jpg") == "allowed"
    assert probe("s3", "delete_object", Bucket=destination, Key="written-by-probe.jpg") in DENIED


def test_it_may_send_to_its_queue_but_not_read_it(pipeline: Pipeline, probe: Probe) -> None:
    url = pipeline.stack.failure_queue_url
    assert probe("sqs", "send_message", QueueUrl=url, MessageBody='{"key": "from-probe"}') == "allowed"
    pipeline.failure("from-probe")
    assert probe("sqs", "receive_message", QueueUrl=url) in DENIED


def test_it_may_touch_no_other_bucket_queue_or_service(pipeline: Pipeline, probe: Probe) -> None:
    s3, sqs = pipeline.client("s3"), pipeline.client("sqs")
    region = {"LocationConstraint": pipeline.stack.aws.region}
    s3.create_bucket(Bucket="neighbour", CreateBucketConfiguration=region)
    other = sqs.create_queue(QueueName="neighbour")["QueueUrl"]
    try:
        assert probe("s3", "list_objects_v2", Bucket="neighbour") in DENIED
        assert probe("s3", "put_object", Bucket="neighbour", Key="x.jpg") in DENIED
        assert probe("sqs", "send_message", QueueUrl=other, MessageBody="x") in DENIED
        assert probe("lambda", "list_functions") in DENIED
        assert probe("iam", "list_roles") in DENIED
    finally:
        s3.delete_bucket(Bucket="neighbour")
        sqs.delete_queue(QueueUrl=other)
