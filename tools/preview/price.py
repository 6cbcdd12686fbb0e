"""Measure the CPU time of rendering, and price a million of it on Lambda."""

import statistics
import time
from collections.abc import Callable

from aws.settings import Settings
from tools.common.pricing import OUR_GETS, Workload
from tools.preview.model import Cost

ARCHITECTURE = "arm64"
"""The default of `invoke build`."""

MOST_RUNS = 5
ENOUGH_SECONDS = 0.5
"""CPU time after which no further run starts."""


def measure_cpu(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Repeat the work while that is quick, and return the median CPU seconds.

    Args:
        work: Ran once before: the first run also loads codecs and fills caches.
        clock: Returns the CPU seconds of all threads, which share one vCPU on Lambda.

    """
    took: list[float] = []
    while len(took) < MOST_RUNS and sum(took) < ENOUGH_SECONDS:
        began = clock()
        work()
        took.append(clock() - began)
    return statistics.median(took)


def price(seconds: float, settings: Settings, *, moved: int, outputs: int) -> Cost:
    """Return the cost on Lambda and S3.

    Args:
        seconds: CPU time of one vCPU.
        settings: Hold the function's memory.
        moved: Bytes of the source and of the outputs.
        outputs: Number of PUT requests.

    """
    one = Workload(seconds, OUR_GETS, outputs, moved)
    return Cost(1000 * seconds, 1e6 * one.dollars(settings.limits.memory_bytes >> 20, ARCHITECTURE))
