"""The knob: the requests that are meant are hit, as often as is meant, and no others."""

import threading
import time

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.conftest import Account, awaited
from tools.local_aws.faults import Fault, await_held, inject, release

CALL = """
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
def handler(event, context):
    try:
        getattr(s3, event.pop("call"))(**event)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
"""


@pytest.fixture(scope="module")
def caller(account: Account) -> str:
    """A function that makes one call of S3, without trying again, and tells how it went."""
    return account.function(CALL, allow=[{"Action": "s3:*", "Resource": "*"}])


def test_an_error_is_answered_as_often_as_asked_and_only_to_functions(account: Account, caller: str) -> None:
    bucket = account.bucket()
    inject(account.aws, Fault("PUT", bucket, "a/*", status=503, code="SlowDown", times=2))
    account.client("s3").put_object(Bucket=bucket, Key="a/x")
    event = {"call": "put_object", "Bucket": bucket, "Key": "a/x"}
    assert account.invoke(caller, {**event, "Key": "b/x"})["Reply"] == "done"
    assert [account.invoke(caller, event)["Reply"] for _ in range(3)] == ["SlowDown", "SlowDown", "done"]


def test_an_error_can_be_for_anybody_and_is_over_when_released(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    fault = inject(account.aws, Fault("PUT", bucket, status=400, code="Odd", times=100, functions_only=False))
    with pytest.raises(ClientError, match="Odd"):
        s3.put_object(Bucket=bucket, Key="x")
    release(account.aws, fault)
    s3.put_object(Bucket=bucket, Key="x")


def test_a_delay_takes_its_time(account: Account) -> None:
    bucket = account.bucket()
    inject(account.aws, Fault("PUT", bucket, delay=0.3, functions_only=False))
    before = time.monotonic()
    account.client("s3").put_object(Bucket=bucket, Key="x")
    assert time.monotonic() - before >= 0.3


def test_a_write_that_is_held_has_no_effect_until_it_is_released(account: Account, caller: str) -> None:
    bucket = account.bucket()
    fault = inject(account.aws, Fault("PUT", bucket, hold=True))
    account.invoke(caller, {"call": "put_object", "Bucket": bucket, "Key": "x"}, InvocationType="Event")
    await_held(account.aws, fault)
    listing = account.client("s3").list_objects_v2
    assert listing(Bucket=bucket)["KeyCount"] == 0
    release(account.aws, fault)
    awaited(lambda: listing(Bucket=bucket)["KeyCount"] or None)


def test_a_read_that_is_held_was_answered_before(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="x", Body=b"old")
    fault = inject(account.aws, Fault("GET", bucket, "x", hold=True, functions_only=False))
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(s3.get_object(Bucket=bucket, Key="x")["Body"].read()))
    reader.start()
    await_held(account.aws, fault)
    s3.put_object(Bucket=bucket, Key="x", Body=b"new")
    release(account.aws, fault)
    reader.join()
    assert read == [b"old"]
