"""No upload is lost while S3 fails, or after a burst of uploads."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator

import pytest

from tests.conformance.schedule import DAMAGES, ERRORS, schedule
from tests.faults import Fault, inject, release
from tests.pipeline.conftest import Pipeline
from tests.pipeline.other_settings.conftest import TILE
from tests.uploads import await_idle, draw_pictures, find_outcomes, find_untold, upload
from tools.common.local_stack import Stack
from tools.common.progress import show_progress

RATE = 0.2
"""The share of the function's requests that fail."""

DELAY_SECONDS = 30
"""Longer than the function's read time-out."""


@pytest.mark.soak(few=40, many=500)
def test_no_upload_is_lost_while_one_request_in_five_fails(custom_pipeline: Pipeline, count: int) -> None:
    stack = custom_pipeline.stack
    bodies = draw_pictures(count, 1, broken=0.05)
    with inject_faults(stack), show_progress(f"Processing {count:,} uploads"):
        upload(stack, bodies)
        await_idle(stack)
    outcomes = find_outcomes(stack, bodies, TILE)
    print(
        f"{count:,} uploads: {len(outcomes.images):,} images, "
        f"{len(outcomes.recorded)} keys with {outcomes.records} records"
    )
    assert (outcomes.lost, outcomes.wrong) == (frozenset(), frozenset())
    assert find_untold(stack, outcomes) == {}
    check_manifests(stack, outcomes.images - outcomes.recorded.keys())
    # At this rate, three attempts with three requests each rarely all fail.
    assert len(outcomes.images) >= 0.75 * count


@pytest.mark.soak(few=100, many=2000)
def test_no_upload_of_a_burst_is_lost_with_two_concurrent_invocations(custom_pipeline: Pipeline, count: int) -> None:
    stack = custom_pipeline.stack
    bodies = draw_pictures(count, 2)
    started = time.monotonic()
    with show_progress(f"Processing {count:,} uploads"):
        upload(stack, bodies)
        await_idle(stack)
    seconds = time.monotonic() - started
    print(f"{count:,} uploads at once: no event left after {seconds:.0f} s on {os.cpu_count()} cores")
    outcomes = find_outcomes(stack, bodies, TILE)
    assert outcomes.images == frozenset(bodies)
    assert outcomes.records == 0
    assert find_untold(stack, outcomes) == {}
    check_manifests(stack, bodies)


def check_manifests(stack: Stack, keys: Iterable[str]) -> None:
    """Check that the manifest of each upload describes exactly the outputs that are there."""
    s3 = stack.client("s3")

    def read(bucket: str, key: str) -> tuple[bytes, str]:
        response = s3.get_object(Bucket=bucket, Key=key)
        return response["Body"].read(), response["ETag"].strip('"')

    for key in keys:
        manifest = json.loads(read(stack.destination_bucket, f"{key}.renditions.json")[0])
        assert manifest["source"]["etag"] == read(stack.source_bucket, key)[1]
        assert [one["name"] for one in manifest["renditions"]] == ["mini", "tile", "web"]
        for one in manifest["renditions"]:
            body, _ = read(stack.destination_bucket, one["key"])
            assert one["sha256"] == hashlib.sha256(body).hexdigest(), one["key"]


@contextlib.contextmanager
def inject_faults(stack: Stack) -> Iterator[None]:
    """Make requests of the function fail in every way, each way equally often."""
    source, destination = stack.source_bucket, stack.destination_bucket
    errors = (*ERRORS, Fault("*", "", delay=DELAY_SECONDS))
    faults_by_request = {
        ("GET", source): (*errors, *DAMAGES),
        ("HEAD", source): errors,
        ("PUT", destination): errors,
        # Completion events and records.
        ("POST", ""): errors,
    }
    injected = [inject(stack.aws, fault) for fault in schedule(faults_by_request, RATE)]
    try:
        yield
    finally:
        for fault_id in injected:
            release(stack.aws, fault_id)
