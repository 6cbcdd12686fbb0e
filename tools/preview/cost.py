"""What rendering takes: processor time measured here, and what Lambda would bill for a million of it."""

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from aws.settings import Settings
from tools.common.pricing import OUR_GETS, Workload
from tools.preview.contents import Cost

T = TypeVar("T")

ARCHITECTURE = "arm64"
"""What `invoke build` builds for unless it is told otherwise."""

MOST_RUNS = 5
ENOUGH_SECONDS = 0.5
"""Of processor, after which no more runs are begun."""


def timed(work: Callable[[], T], clock: Callable[[], float] = time.process_time) -> tuple[T, float]:
    """Do work as often as is quick, and give its result and the median of the seconds that it took.

    Args:
        work: Always the same.
        clock: Tells seconds; those of all threads, for Lambda's processor has to do the work of all of them.

    """
    took: list[float] = []
    while len(took) < MOST_RUNS and sum(took) < ENOUGH_SECONDS:
        began = clock()
        result = work()
        took.append(clock() - began)
    return result, statistics.median(took)


def cost(seconds: float, settings: Settings, *, moved: int, outputs: int) -> Cost:
    """What Lambda and S3 would take for a million of it.

    Args:
        seconds: Of one processor, for one.
        settings: With the function's memory.
        moved: Bytes of the source and of the outputs.
        outputs: How many are put.

    """
    one = Workload(seconds, OUR_GETS, outputs, moved)
    return Cost(1000 * seconds, 1e6 * one.dollars(settings.limits.memory_bytes >> 20, ARCHITECTURE))
