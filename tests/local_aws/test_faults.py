"""Faults hit the requests that they describe, and no others."""

import contextlib
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from tests.faults import Fault, await_held, inject, kill, release
from tests.local_aws.conftest import Account, await_answer
from tools.local.aws import local_aws

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
    """A function that makes one S3 request without retries, and returns the result."""
    return account.function(CALL, allow=[{"Action": "s3:*", "Resource": "*"}])


def test_an_error_hits_functions_a_number_of_times(account: Account, caller: str) -> None:
    bucket = account.bucket()
    inject(account.aws, Fault("PUT", bucket, "a/*", status=503, code="SlowDown", times=2))
    account.client("s3").put_object(Bucket=bucket, Key="a/x")
    event = {"call": "put_object", "Bucket": bucket, "Key": "a/x"}
    assert account.invoke(caller, {**event, "Key": "b/x"})["Reply"] == "done"
    assert [account.invoke(caller, event)["Reply"] for _ in range(3)] == ["SlowDown", "SlowDown", "done"]


def test_an_error_can_hit_everyone_until_it_is_released(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    fault = inject(account.aws, Fault("PUT", bucket, status=400, code="Odd", times=100, functions_only=False))
    with pytest.raises(ClientError, match="Odd"):
        s3.put_object(Bucket=bucket, Key="x")
    release(account.aws, fault)
    s3.put_object(Bucket=bucket, Key="x")


def test_a_request_can_be_delayed(account: Account) -> None:
    bucket = account.bucket()
    inject(account.aws, Fault("PUT", bucket, delay=0.3, functions_only=False))
    before = time.monotonic()
    account.client("s3").put_object(Bucket=bucket, Key="x")
    assert time.monotonic() - before >= 0.3


def test_a_held_write_takes_effect_when_released(account: Account, caller: str) -> None:
    bucket = account.bucket()
    fault = inject(account.aws, Fault("PUT", bucket, hold=True))
    account.invoke(caller, {"call": "put_object", "Bucket": bucket, "Key": "x"}, InvocationType="Event")
    await_held(account.aws, fault)
    listing = account.client("s3").list_objects_v2
    assert listing(Bucket=bucket)["KeyCount"] == 0
    release(account.aws, fault)
    await_answer(lambda: listing(Bucket=bucket)["KeyCount"] or None)


def test_a_held_read_has_the_answer_as_of_its_arrival(account: Account) -> None:
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


@pytest.fixture
def bucket(account: Account) -> str:
    """A bucket with an object ``there`` of ten bytes."""
    name = account.bucket()
    account.client("s3").put_object(Bucket=name, Key="there", Body=b"0123456789")
    return name


def put_repeatedly(account: Account, bucket: str, fault: Fault, count: int = 30) -> list[bool]:
    """Send PUTs; return for each whether the fault rejected it."""
    identity = inject(account.aws, fault)
    found = []
    for _ in range(count):
        try:
            account.client("s3").put_object(Bucket=bucket, Key="x")
            found.append(False)
        except ClientError:
            found.append(True)
    release(account.aws, identity)
    return found


def test_equal_seeds_hit_the_same_requests(account: Account, bucket: str) -> None:
    fault = Fault("PUT", bucket, status=400, times=100, rate=0.5, seed=1, functions_only=False)
    found = put_repeatedly(account, bucket, fault)
    assert 5 < sum(found) < 25
    assert put_repeatedly(account, bucket, fault) == found
    assert put_repeatedly(account, bucket, replace(fault, seed=2)) != found
    assert sum(put_repeatedly(account, bucket, replace(fault, times=3))) == 3


def test_any_method_can_be_hit(account: Account, bucket: str) -> None:
    inject(account.aws, Fault("*", bucket, "there", status=400, code="Odd", times=3, functions_only=False))
    s3 = account.client("s3")
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        with pytest.raises(ClientError, match="Odd"):
            call(Bucket=bucket, Key="there")
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"0123456789"


def test_the_first_fault_that_hits_applies(account: Account, bucket: str) -> None:
    for code, rate in (("Never", 0), ("First", 1), ("Second", 1)):
        inject(account.aws, Fault("PUT", bucket, status=400, code=code, rate=rate, functions_only=False))
    for code in ("First", "Second"):
        with pytest.raises(ClientError, match=code):
            account.client("s3").put_object(Bucket=bucket, Key="x")
    account.client("s3").put_object(Bucket=bucket, Key="x")


def connect(account: Account, method: str, bucket: str, key: str, *headers: str) -> socket.socket:
    """Send the head of a request on a new connection."""
    call = {"GET": "get_object", "PUT": "put_object"}[method]
    url = urlsplit(account.client("s3").generate_presigned_url(call, Params={"Bucket": bucket, "Key": key}))
    connection = socket.create_connection((url.hostname, url.port))
    lines = [f"{method} {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def receive_all(connection: socket.socket) -> bytes:
    """Receive everything until the connection is closed."""
    return b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_read_can_be_cut_half_way(account: Account, bucket: str) -> None:
    s3 = account.client("s3")
    inject(account.aws, Fault("*", bucket, cut=True, functions_only=False))
    # A write can't be cut.
    s3.put_object(Bucket=bucket, Key="other")
    answer = s3.get_object(Bucket=bucket, Key="there")
    with contextlib.closing(answer["Body"]) as body:
        assert (answer["ContentLength"], body.read(5)) == (10, b"01234")
        with pytest.raises(ResponseStreamingError):
            body.read()


def test_a_shortened_body_looks_complete(account: Account, bucket: str) -> None:
    inject(account.aws, Fault("GET", bucket, length=3, times=2, functions_only=False))
    answer = account.client("s3").get_object(Bucket=bucket, Key="there")
    assert (answer["ContentLength"], answer["Body"].read()) == (3, b"012")
    with connect(account, "GET", bucket, "there") as connection:
        assert receive_all(connection).endswith(b"\r\n\r\n012")


def test_a_reader_of_a_lengthened_body_waits_until_released(account: Account, bucket: str) -> None:
    fault = inject(account.aws, Fault("GET", bucket, length=5 << 30, functions_only=False))
    answer = account.client("s3").get_object(Bucket=bucket, Key="there")
    with contextlib.closing(answer["Body"]) as body:
        assert (answer["ContentLength"], body.read(10)) == (5 << 30, b"0123456789")
        await_held(account.aws, fault)
        release(account.aws, fault)
        with pytest.raises(ResponseStreamingError):
            body.read()


def test_the_server_does_not_wait_for_clients_that_hung_up() -> None:
    with local_aws() as aws:
        account = Account(aws)
        bucket = account.bucket()
        account.client("s3").put_object(Bucket=bucket, Key="x")

        def count_threads() -> int:
            return len(list(Path(f"/proc/{aws.pid}/task").iterdir()))

        before = count_threads()
        fault = Fault("GET", bucket, times=5)
        waiting = [inject(aws, replace(fault, **how)) for how in ({"hold": True}, {"delay": 3600}, {"length": 5 << 30})]
        connections = [connect(account, "GET", bucket, "x") for _ in range(15)]
        for identity in waiting:
            await_held(aws, identity, 5)
        for connection in connections:
            connection.close()
        await_answer(lambda: True if count_threads() < before + 5 else None)


@pytest.mark.parametrize("fault", [Fault("PUT", "", hold=True, times=6), Fault("PUT", "", delay=3600, times=6)])
def test_a_write_has_no_effect_if_its_client_hangs_up(account: Account, bucket: str, fault: Fault) -> None:
    identity = inject(account.aws, replace(fault, bucket=bucket))
    hung_up = [connect(account, "PUT", bucket, f"gone-{number}", "Content-Length: 1") for number in range(5)]
    stays = connect(account, "PUT", bucket, "stays", "Content-Length: 1")
    for connection in (*hung_up, stays):
        connection.sendall(b"x")
    await_held(account.aws, identity, 6)
    for connection in hung_up:
        connection.close()
    release(account.aws, identity)
    assert stays.recv(100).startswith(b"HTTP/1.1 200 ")
    stays.close()
    listed = account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["stays", "there"]


@pytest.mark.parametrize("faults", [[], [Fault("PUT", "", delay=0.01)]], ids=["at once", "delayed"])
@pytest.mark.parametrize(("header", "begin"), [("Content-Length: 20", b""), ("Transfer-Encoding: chunked", b"14\r\n")])
def test_half_a_write_has_no_effect(
    account: Account, bucket: str, header: str, begin: bytes, faults: list[Fault]
) -> None:
    for fault in faults:
        inject(account.aws, replace(fault, bucket=bucket))
    for key in ("new", "there"):
        with connect(account, "PUT", bucket, key, header) as connection:
            connection.sendall(begin + b"half of it")
            connection.shutdown(socket.SHUT_WR)
            # Once the connection is closed, the server has finished with the request.
            assert not receive_all(connection).startswith(b"HTTP/1.1 200 ")
    s3 = account.client("s3")
    assert [version["Key"] for version in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["there"]
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"0123456789"


def test_a_function_killed_in_a_write_has_not_written_and_is_retried(account: Account, caller: str) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    first = inject(account.aws, Fault("PUT", bucket, hold=True))
    second = inject(account.aws, Fault("PUT", bucket, hold=True))
    account.invoke(caller, {"call": "put_object", "Bucket": bucket, "Key": "x"}, InvocationType="Event")
    await_held(account.aws, first)
    kill(account.aws, caller)
    release(account.aws, first)
    await_held(account.aws, second)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    release(account.aws, second)
    await_answer(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"] or None)


def test_only_running_invocations_of_the_function_are_killed(account: Account, caller: str) -> None:
    bucket = account.bucket()
    other = account.function(CALL, allow=[{"Action": "s3:*", "Resource": "*"}])
    fault = inject(account.aws, Fault("PUT", bucket, hold=True, times=2))
    replies: dict[str, Any] = {}

    def invoke(name: str) -> None:
        replies[name] = account.invoke(name, {"call": "put_object", "Bucket": bucket, "Key": name})["Reply"]

    threads = [threading.Thread(target=invoke, args=(name,)) for name in (caller, other)]
    for thread in threads:
        thread.start()
    await_held(account.aws, fault, 2)
    kill(account.aws, caller)
    release(account.aws, fault)
    for thread in threads:
        thread.join()
    assert replies[caller]["errorType"] == "Runtime.ExitError"
    assert replies[other] == "done"
    assert [entry["Key"] for entry in account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]] == [other]
    event = {"call": "put_object", "Bucket": bucket, "Key": caller}
    assert account.invoke(caller, event)["Reply"] == "done"
    kill(account.aws, caller)
    assert account.invoke(caller, event)["Reply"] == "done"
