"""The local AWS keeps one copy of every object, and nothing that was deleted."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_aws.conftest import Account
from tools.local.aws import local_aws

MIB = 1 << 20


@pytest.fixture
def fresh() -> Iterator[Account]:
    """A local AWS whose process has no free memory from other tests."""
    with local_aws() as aws:
        yield Account(aws)


def peak(account: Account) -> int:
    """Return the peak of the process's memory, in bytes."""
    status = Path(f"/proc/{account.aws.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_a_listing_of_versions_copies_no_bodies(fresh: Account) -> None:
    bucket, s3 = fresh.bucket(), fresh.client("s3")
    for number in range(16):
        # Two versions of each key, and a delete marker above every other pair.
        s3.put_object(Bucket=bucket, Key=f"{number // 2}", Body=bytes(4 * MIB))
        if number % 4 == 3:
            s3.delete_object(Bucket=bucket, Key=f"{number // 2}")
    before = peak(fresh)
    for _ in range(5):
        listed = s3.list_object_versions(Bucket=bucket)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (16, 4)
    # One copy of the bucket would be 64 MiB.
    assert peak(fresh) - before < 24 * MIB
    assert s3.get_object(Bucket=bucket, Key="0")["Body"].read() == bytes(4 * MIB)


def test_deleted_logs_free_their_memory(fresh: Account) -> None:
    logs = fresh.client("logs")
    stream = {"logGroupName": "group", "logStreamName": "stream"}
    for number in range(264):
        if number == 24:
            # By now, the process has the memory that requests take: each thread's heap, and its fragments.
            before = peak(fresh)
        logs.create_log_group(logGroupName="group")
        logs.create_log_stream(**stream)
        lines = [{"timestamp": int(time.time() * 1000), "message": "x" * 250_000}] * 4
        logs.put_log_events(**stream, logEvents=lines)
        logs.delete_log_group(logGroupName="group")
    # All of them would be 240 MB; the heaps grow by up to 40 MB, depending on how the threads take turns.
    assert peak(fresh) - before < 96 * MIB
