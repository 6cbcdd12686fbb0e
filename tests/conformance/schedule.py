"""The fault schedule of the conformance set, which the soaks of the pipeline follow too."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tests.faults import Fault

ERRORS = (Fault("*", "", status=500), Fault("*", "", status=503, code="SlowDown"))
DAMAGES = (Fault("*", "", cut=True), Fault("*", "", length=1000))


def schedule(
    faults_by_request: Mapping[tuple[str, str], Sequence[Fault]], rate: float, seed: int = 0
) -> Iterator[Fault]:
    """Yield faults that together hit a share of the requests of each method and bucket. Each fault hits equally many.

    Args:
        faults_by_request: The faults of each pair of a method and a bucket.
        rate: The share, from 0 to 1.
        seed: The first fault's seed; each next fault's is one higher. Equal seeds hit the same requests of a sequence.

    """
    seeds = itertools.count(seed)
    for (method, bucket), faults in faults_by_request.items():
        for number, fault in enumerate(faults):
            # A fault hits only requests that no earlier fault has hit.
            share = rate / (len(faults) - number * rate)
            yield replace(fault, method=method, bucket=bucket, rate=share, seed=next(seeds), times=1_000_000)
