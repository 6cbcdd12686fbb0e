"""Failed objects take no more memory than others: exceptions hold no files, pixels or outputs."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.images import encode, picture
from tests.unit.conftest import ENVIRONMENT
from tools.benchmarks.peers import DEPLOYED
from tools.common.paths import FUNCTION

MEASURE = """
import io, logging, sys, threading
from dataclasses import replace
from datetime import UTC, datetime
sys.path.insert(0, sys.argv[1])
import lambda_function
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from errors import IncompleteError

logging.disable()
good = sys.stdin.buffer.read(int(sys.argv[2]))
bad = sys.stdin.buffer.read()

class Storage:
    def __init__(self, is_denied=False):
        self.is_denied, self.rejected, self.put = is_denied, threading.Event(), threading.Event()
        # Both threads hold a file at once, in each batch: on a busy machine one might do without the other.
        self.pair = threading.Barrier(2, timeout=30)

    def get_object(self, Bucket, Key):
        if Key == "after a bad one":
            assert self.rejected.wait(30)
        body = bad if Key == "bad" else good
        # Copy the bytes, because a connection would receive new ones.
        response = self.describe(body) | {"Body": StreamingBody(io.BytesIO(body[:1] + body[1:]), len(body))}
        if Key.isdigit():
            self.pair.wait()
        return response

    def describe(self, body):
        known = {"ETag": "etag", "LastModified": datetime(2026, 1, 1, tzinfo=UTC), "Metadata": {}}
        return known | {"ContentLength": len(body)}

    def head_object(self, Bucket, Key):
        if Key == "bad":
            # Wait until the next object is written.
            self.rejected.set()
            assert self.put.wait(30)
        return self.describe(bad if Key == "bad" else good)

    def put_object(self, **_):
        if self.is_denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "denied"}}, "PutObject")
        self.put.set()

    def send_message(self, **_):
        pass

class Context:
    def get_remaining_time_in_millis(self):
        return 120_000

def resident(name):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(name))

def measure(storage, *keys):
    lambda_function.reconciler = replace(lambda_function.reconciler, s3=storage)
    lambda_function.get_sqs = lambda: storage
    record = {"eventSource": "aws:s3", "eventVersion": "2.1"}
    records = [record | {"s3": {"bucket": {"name": "uploads"}, "object": {"key": key}}} for key in keys]
    open("/proc/self/clear_refs", "w").write("5")
    try:
        lambda_function.lambda_handler({"Records": records}, Context())
    except IncompleteError as error:
        assert str(error).count("AccessDenied") == len(keys)
    else:
        assert not storage.is_denied
    return resident("VmHWM") - idle

idle = resident("VmRSS")
"""
"""The code below is appended to it, and prints the bytes that two batches take, the good one first."""

ALL_FAIL = """
keys = [str(number) for number in range(200)]
print(measure(Storage(), *keys), measure(Storage(is_denied=True), *keys))
"""

ONE_FAILS = """
print(measure(Storage(), "one", "other"), measure(Storage(), "bad", "after a bad one"))
"""


def make_padded_photo() -> bytes:
    """Return a photo with appended data, such as a video: many bytes, few pixels."""
    return encode(picture(16, 16)) + bytes(3_500_000)


def make_animation() -> bytes:
    """Return an animation of few bytes and many pixels."""
    frames = [Image.new("RGB", (2000, 2000), colour) for colour in ("teal", "navy")]
    return encode(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50)


@pytest.mark.parametrize(
    ("good", "bad", "batches"),
    [
        (make_padded_photo(), b"", ALL_FAIL),
        (make_animation(), make_animation()[:-200], ONE_FAILS),
    ],
    ids=["all fail", "one fails"],
)
def test_failures_take_no_more_memory_than_successes(good: bytes, bad: bytes, batches: str) -> None:
    command = [sys.executable, "-c", MEASURE + batches, str(FUNCTION), str(len(good))]
    environment = os.environ | ENVIRONMENT | DEPLOYED
    done = subprocess.run(command, input=good + bad, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    without, with_failures = map(int, done.stdout.split())
    assert 0 < with_failures <= 1.1 * without
