"""The cost of one image on Lambda: prices, assumptions and arithmetic."""

import math
from dataclasses import dataclass

from imaging.limits import MIB, ONE_PROCESSOR_BYTES

PRICES_AS_KNOWN_ON = "2026-11-25"
REGION = "us-east-1"
GIB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""US$ per GiB-second by architecture: https://aws.amazon.com/lambda/pricing/"""

INVOCATION = 0.20 / 1e6
S3_PUT = 0.005 / 1e3
S3_GET = 0.0004 / 1e3
"""US$ per request; a HEAD costs as much as a GET: https://aws.amazon.com/s3/pricing/"""

BATCH_OPERATIONS_JOB = 0.25
BATCH_OPERATIONS_OBJECT = 1.00 / 1e6
"""US$ per job and per object: https://aws.amazon.com/s3/pricing/"""

S3_GB_MONTH = 0.023
"""US$ per GB and month in S3 Standard, for the first 50 TB: https://aws.amazon.com/s3/pricing/"""

REQUEST_SECONDS = 0.03
NETWORK_BYTES_PER_SECOND = 75e6
"""Assumed latency and throughput of S3, for every memory size."""

OUR_GETS = 2
"""Our requests for a source: a GET, and a HEAD that checks for a newer upload after the outputs are written."""

PUTS_AT_ONCE = 4
"""``CONCURRENT_PUTS`` of the function, whose module needs botocore."""


@dataclass(frozen=True)
class Workload:
    """The work for one image.

    Attributes:
        cpu: Seconds of one vCPU, assumed to be as fast as the machine that measured.
        gets: GET and HEAD requests.
        puts: PUT requests.
        moved: Bytes of the source and of the outputs.

    """

    cpu: float
    gets: int
    puts: int
    moved: int

    def seconds(self, mib: int) -> float:
        """Return the billed seconds; one thread uses at most one vCPU."""
        share = min(1.0, mib * MIB / ONE_PROCESSOR_BYTES)
        rounds = self.gets + math.ceil(self.puts / PUTS_AT_ONCE)
        waiting = rounds * REQUEST_SECONDS + self.moved / NETWORK_BYTES_PER_SECOND
        return self.cpu / share + waiting

    @property
    def s3_dollars(self) -> float:
        """Cost of the requests to S3."""
        return self.gets * S3_GET + self.puts * S3_PUT

    def lambda_dollars(self, mib: int, architecture: str) -> float:
        """Return the cost of the invocation and of its duration in whole milliseconds."""
        # Round first, so that a floating-point error does not add a millisecond.
        billed = math.ceil(round(1000 * self.seconds(mib), 6)) / 1000
        return INVOCATION + billed * mib / 1024 * GIB_SECOND[architecture]

    def dollars(self, mib: int, architecture: str) -> float:
        """Return the cost of Lambda and S3."""
        return self.lambda_dollars(mib, architecture) + self.s3_dollars
