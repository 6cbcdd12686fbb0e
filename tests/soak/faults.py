"""A flaky S3: one request in five goes wrong, in every way that it can, and yet no upload is lost."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from renditions import Rendition
from tests.soak.ledger import Ledger, account, settle, upload
from tests.soak.pictures import pictures
from tools.common.local_stack import Stack
from tools.local.aws.faults import Fault, inject, release
from tools.local.stack import RENDITION

BROKEN = 0.05
"""The share of uploads that is no whole image."""

RATE = 0.2
"""The share of the function's requests that goes wrong."""

HANGS = 30
"""Seconds: longer than the function waits for any answer."""

SETTINGS = "function = { timeout = 12, memory_size = 512 }\n"
"""A short timeout, for a request that hangs is given up after a sixth of it."""


@dataclass(frozen=True)
class FaultsResult:
    """What came of it."""

    broken: int
    ledger: Ledger


def flaky(stack: Stack, count: int, *, rendition: Rendition = RENDITION) -> FaultsResult:
    """Upload so many while S3 is flaky to the function, and account for them once all has ended.

    Args:
        stack: Deployed with ``SETTINGS``, else it takes long.
        count: How many.
        rendition: One that is deployed.

    Raises:
        ToolError: It took longer.

    """
    bodies = pictures(count, 1, broken=BROKEN)
    with _faults(stack):
        upload(stack, bodies)
        settle(stack)
    whole = {key for key, body in bodies.items() if body.endswith(b"\xff\xd9")}
    return FaultsResult(count - len(whole), account(stack, bodies, rendition))


@contextlib.contextmanager
def _faults(stack: Stack) -> Iterator[None]:
    source, destination = stack.source_bucket, stack.destination_bucket
    unwell = (Fault("*", "", status=500), Fault("*", "", status=503, code="SlowDown"), Fault("*", "", delay=HANGS))
    ways = {
        ("GET", source): (*unwell, Fault("*", "", cut=True), Fault("*", "", length=1000)),
        ("HEAD", source): unwell,
        ("PUT", destination): unwell,
    }
    injected: list[str] = []
    for (method, bucket), faults in ways.items():
        for number, fault in enumerate(faults):
            # Of what those before it leave, so that all are as frequent and come to the rate together.
            share = RATE / (len(faults) - number * RATE)
            one = replace(fault, method=method, bucket=bucket, rate=share, seed=len(injected), times=1_000_000)
            injected.append(inject(stack.aws, one))
    try:
        yield
    finally:
        for identity in injected:
            release(stack.aws, identity)
