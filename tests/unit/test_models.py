"""The checks find requests that AWS would refuse, and responses that it can't give, also of hand-written clients."""

import io
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from tests.models import CheckedClient

SECOND = datetime(2026, 1, 1, tzinfo=UTC)


class Fake:
    """Answers every request with the same response."""

    name = "fake"

    def __init__(self, response: Any = None) -> None:
        self.response = {} if response is None else response

    def __getattr__(self, _: str) -> Any:
        return lambda **_: self.response


PUT = {"Bucket": "in", "Key": "cake.jpg"}


@pytest.mark.parametrize(
    ("service", "call", "parameters", "fault"),
    [
        ("s3", "put_object", {**PUT, "Body": b"", "Metadata": {"album": "a"}}, ""),
        ("s3", "put_object", {**PUT, "Body": io.BytesIO()}, ""),
        ("s3", "put_object", {"Key": "cake.jpg"}, ".Bucket is missing"),
        ("s3", "put_object", {**PUT, "IfNonMatch": "*"}, ".IfNonMatch is unknown"),
        ("s3", "put_object", {**PUT, "Metadata": {"album": 1}}, ".Metadata.album: 1 is not of type string"),
        ("s3", "put_object", {**PUT, "StorageClass": "COLD"}, ".StorageClass: 'COLD' is none of STANDARD, "),
        ("s3", "put_object", {**PUT, "ContentLength": True}, ".ContentLength: True is not of type long"),
        (
            "sqs",
            "receive_message",
            {"QueueUrl": "q", "AttributeNames": ["SentTimestamp"]},
            ".AttributeNames[0]: 'SentT",
        ),
        ("logs", "create_log_group", {"logGroupName": "x" * 513}, ".logGroupName: 513 is not between 1 and 512"),
        ("lambda", "invoke", {"FunctionName": "a b"}, ".FunctionName: 'a b' does not match "),
    ],
)
def test_a_request_that_aws_would_refuse_is_found(
    service: str, call: str, parameters: dict[str, Any], fault: str
) -> None:
    checked = getattr(CheckedClient(Fake(), service), call)
    if not fault:
        assert checked(**parameters) == {}
        return
    with pytest.raises(AssertionError) as raised:
        checked(**parameters)
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("call", "response", "fault"),
    [
        ("head_object", {"ETag": '"etag"', "LastModified": SECOND, "ContentLength": 1, "Metadata": {}}, ""),
        ("get_object", {"Body": io.BytesIO()}, ""),
        ("head_object", None, ""),
        ("head_object", [], "[] is not of type structure"),
        ("head_object", {"LastModified": "today"}, ".LastModified: 'today' is not of type timestamp"),
        ("list_objects_v2", {"Contents": [{"key": "cake.jpg"}]}, ".Contents[0].key is unknown"),
        ("delete_bucket", {"Deleted": True}, ".Deleted is unknown"),
    ],
)
def test_a_response_that_aws_cannot_give_is_found(call: str, response: Any, fault: str) -> None:
    parameters = {"Bucket": "in"} | ({} if "bucket" in call or "list" in call else {"Key": "cake.jpg"})
    checked = getattr(CheckedClient(Fake(response), "s3"), call)
    if not fault:
        assert checked(**parameters) == (response or {})
        return
    with pytest.raises(AssertionError) as raised:
        checked(**parameters)
    assert fault in str(raised.value)


def test_what_is_no_operation_is_the_clients_own() -> None:
    assert CheckedClient(Fake(), "s3", "sqs").name == "fake"


def test_real_clients_are_checked_too() -> None:
    client = boto3.client("lambda", "eu-west-2")
    with pytest.raises(AssertionError, match="FunctionName: 'a b' does not match"):
        client.get_function(FunctionName="a b")
