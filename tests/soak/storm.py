"""A storm: thousands of uploads at once on a function of which few may run, against the same in small numbers."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from renditions import Rendition
from tests.soak.ledger import Ledger, account, settle, upload
from tests.soak.pictures import pictures
from tools.common.local_stack import Stack
from tools.local.stack import RENDITION

SETTINGS = "function = { reserved_concurrent_executions = 2, memory_size = 512 }\n"

FEW = 10
"""How many are few."""


@dataclass(frozen=True)
class StormResult:
    """What came of it.

    Attributes:
        seconds: From the first upload until no event was left.
        milliseconds: CPU of the function's processes for an image when so many come at once.
        milliseconds_few: The same when they come ten at a time.

    """

    seconds: float
    milliseconds: float
    milliseconds_few: float
    ledger: Ledger


def storm(stack: Stack, count: int, rounds: int = 20, *, rendition: Rendition = RENDITION) -> StormResult:
    """Upload ten at a time, as often as told, then ``count`` at once, and account for these.

    Args:
        stack: Deployed with ``SETTINGS``.
        count: How many come at once.
        rounds: How often ten come, for a figure to compare with; one more is the warm-up.
        rendition: One that is deployed.

    Raises:
        ToolError: It took longer.

    """
    _send(stack, pictures(FEW, seed=0))
    before = _cpu_seconds(stack)
    for seed in range(1, rounds + 1):
        _send(stack, pictures(FEW, seed))
    few = _cpu_seconds(stack) - before
    bodies = pictures(count, rounds + 1)
    started, before = time.monotonic(), _cpu_seconds(stack)
    _send(stack, bodies)
    taken, many = time.monotonic() - started, _cpu_seconds(stack) - before
    return StormResult(
        seconds=taken,
        milliseconds=1000 * many / count,
        milliseconds_few=1000 * few / (FEW * rounds),
        ledger=account(stack, bodies, rendition),
    )


def _send(stack: Stack, bodies: dict[str, bytes]) -> None:
    upload(stack, bodies)
    settle(stack)


def _cpu_seconds(stack: Stack) -> float:
    """User and system time of all processes that the function has, which are told by their environment."""
    ours = f"AWS_ENDPOINT_URL={stack.aws.endpoint}\0".encode(), f"FUNCTION_NAME={stack.function_name}\0".encode()
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes()
            if all(variable in environment for variable in ours):
                # A process's name may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
                numbers = (process / "stat").read_text().rpartition(") ")[2].split()
                ticks += int(numbers[11]) + int(numbers[12])
    return ticks / os.sysconf("SC_CLK_TCK")
