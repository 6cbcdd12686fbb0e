"""A flaky S3 and a burst of uploads lose nothing."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.faults import Fault, inject, release
from tests.pipeline.conftest import Pipeline
from tests.pipeline.other_settings.conftest import TILE
from tests.uploads import await_idle, draw_pictures, find_outcomes, upload
from tools.common.local_stack import Stack

RATE = 0.2
"""The share of the function's requests that goes wrong."""

HANGS = 30
"""Seconds: longer than the function waits for any answer."""


@pytest.mark.soak(few=40, many=500)
def test_no_upload_is_lost_while_one_request_in_five_goes_wrong(configured: Pipeline, count: int) -> None:
    stack = configured.stack
    bodies = draw_pictures(count, 1, broken=0.05)
    with flaky(stack):
        upload(stack, bodies)
        await_idle(stack)
    found = find_outcomes(stack, bodies, TILE)
    print(f"{count:,} uploads: {len(found.images):,} images, {len(found.recorded)} keys with {found.records} records")
    assert (found.lost, found.wrong) == (frozenset(), frozenset())
    # Three attempts of three requests each rarely fail at that rate.
    assert len(found.images) >= 0.75 * count


@pytest.mark.soak(few=100, many=2000)
def test_no_upload_of_many_at_once_is_lost_though_only_two_may_be_handled_at_a_time(
    configured: Pipeline, count: int
) -> None:
    stack = configured.stack
    bodies = draw_pictures(count, 2)
    started = time.monotonic()
    upload(stack, bodies)
    await_idle(stack)
    seconds = time.monotonic() - started
    print(f"{count:,} uploads at once: no event left after {seconds:.0f} s on {os.cpu_count()} cores")
    found = find_outcomes(stack, bodies, TILE)
    assert found.images == frozenset(bodies)
    assert found.records == 0


@contextlib.contextmanager
def flaky(stack: Stack) -> Iterator[None]:
    """Let requests of the function fail in every way, all of them equally often."""
    source, destination = stack.source_bucket, stack.destination_bucket
    errors = (Fault("*", "", status=500), Fault("*", "", status=503, code="SlowDown"), Fault("*", "", delay=HANGS))
    ways = {
        ("GET", source): (*errors, Fault("*", "", cut=True), Fault("*", "", length=1000)),
        ("HEAD", source): errors,
        ("PUT", destination): errors,
    }
    injected: list[str] = []
    for (method, bucket), faults in ways.items():
        for number, fault in enumerate(faults):
            # Each hits only requests that those before it let pass; together they hit RATE.
            share = RATE / (len(faults) - number * RATE)
            one = replace(fault, method=method, bucket=bucket, rate=share, seed=len(injected), times=1_000_000)
            injected.append(inject(stack.aws, one))
    try:
        yield
    finally:
        for identity in injected:
            release(stack.aws, identity)
