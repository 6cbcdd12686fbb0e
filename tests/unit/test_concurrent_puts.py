"""Outputs of one source are put concurrently: all end before the event does, with or without memory for threads."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from aws import destination
from aws.description import Description, RenditionDescription, SourceDescription
from aws.destination import CONCURRENT_PUTS, Destination
from imaging.render import Output
from renditions import Rendition, Target
from tests.models import CheckedClient
from tests.unit.conftest import ENVIRONMENT
from tools.benchmarks.peers import DEPLOYED
from tools.common.paths import FUNCTION

KEYS = "abcdefgh"[: CONCURRENT_PUTS + 1]
SECONDS = 30
"""More than anything here takes."""

NEAR_THE_LIMIT = """
import resource, sys, threading
sys.path[:0] = sys.argv[1:3]
import lambda_function
from tests.unit.test_concurrent_puts import KEYS, put

started, found, start = [], [], threading.Thread.start

def start_and_count(thread):
    start(thread)
    started.append(thread)

threading.Thread.start = start_and_count
put(lambda Key, **_: found.append(Key), "0")
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[3]), resource.RLIM_INFINITY))
put(lambda Key, **_: found.append(Key), KEYS)
print(len(started), *sorted(found[1:]))
"""


def make_error() -> ClientError:
    return ClientError({"Error": {"Code": "InternalError"}}, "PutObject")


def put(put_object: Callable[..., object], keys: str) -> None:
    s3: Any = CheckedClient(SimpleNamespace(put_object=lambda **parameters: put_object(**parameters) or {}), "s3")
    renditions = [Rendition(key, scale=0.5) for key in keys]
    targets = tuple(Target(one.template, "digest", one) for one in renditions)
    source: Any = {
        "ETag": '"etag"',
        "LastModified": datetime(2026, 1, 1, tzinfo=UTC),
        "ContentLength": 1,
        "Metadata": {},
    }
    outputs = [Output(key.encode(), "image/jpeg", 1, 1) for key in keys]
    described = tuple(RenditionDescription(key, key, 1, 1, len(key), "image/jpeg") for key in keys)
    description = Description(SourceDescription("in", "cake.jpg", None, "etag", 1, 1), described)
    Destination(s3, "out", targets).put(description, outputs, source)


def test_several_outputs_are_put_at_once() -> None:
    together = threading.Barrier(CONCURRENT_PUTS)
    found = {}

    def put_object(Key: str, Body: bytes, **_: object) -> None:  # noqa: N803 - boto3's names
        if Key != KEYS[-1]:
            together.wait(SECONDS)
        found[Key] = Body.decode()

    put(put_object, KEYS)
    assert found == dict(zip(KEYS, KEYS, strict=True))


def test_one_output_is_put_without_a_thread() -> None:
    found = []
    with patch.object(destination, "Thread", side_effect=AssertionError):
        put(lambda Key, **_: found.append(Key), "a")  # noqa: N803 - boto3's names
    assert found == ["a"]


@pytest.mark.parametrize("error", [make_error(), MemoryError(), KeyboardInterrupt()], ids=repr)
def test_the_first_renditions_error_is_raised_after_all_puts_have_ended(error: BaseException) -> None:
    together, failed = threading.Barrier(CONCURRENT_PUTS), threading.Event()
    ended = set()

    def put_object(Key: str, **_: object) -> None:  # noqa: N803 - boto3's names
        together.wait(SECONDS)
        if Key == "c":
            failed.set()
            raise make_error()
        assert failed.wait(SECONDS)
        if Key == "b":
            raise error
        ended.add(Key)

    with pytest.raises(type(error)) as raised:
        put(put_object, KEYS[:-1])
    assert raised.value is error
    assert ended == {"a", "d"}
    assert threading.stack_size() == 0


def test_no_put_starts_after_failures() -> None:
    together = threading.Barrier(CONCURRENT_PUTS)
    started = set()

    def put_object(Key: str, **_: object) -> None:  # noqa: N803 - boto3's names
        started.add(Key)
        together.wait(SECONDS)
        raise make_error()

    with pytest.raises(ClientError):
        put(put_object, KEYS)
    assert started == set(KEYS[:-1])


@pytest.mark.parametrize(
    ("spare", "threads"),
    [(128 << 10, 0), (264 << 10, 0), (4 << 20, CONCURRENT_PUTS - 1)],
    ids=["too little", "enough for a stack only", "too little for one usual stack"],
)
def test_outputs_are_put_near_the_memory_limit_with_the_threads_that_can_start(spare: int, threads: int) -> None:
    command = [sys.executable, "-c", NEAR_THE_LIMIT, str(FUNCTION), str(FUNCTION.parent), str(spare)]
    environment = os.environ | ENVIRONMENT | DEPLOYED
    done = subprocess.run(command, capture_output=True, check=False, env=environment, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(threads), *KEYS]
