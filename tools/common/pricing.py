"""What one image costs on Lambda: the prices, what is assumed, and the arithmetic."""

import math
from dataclasses import dataclass

from imaging.budget import MIB, ONE_PROCESSOR_BYTES, RUNTIME_BYTES

PRICES_AS_KNOWN_ON = "2026-11-25"
REGION = "us-east-1"
GIB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""US$ for a second of a GiB, as Lambda bills it: https://aws.amazon.com/lambda/pricing/"""

INVOCATION = 0.20 / 1e6
S3_PUT = 0.005 / 1e3
S3_GET = 0.0004 / 1e3
"""US$ for one, and for a HEAD: https://aws.amazon.com/s3/pricing/"""

BATCH_OPERATIONS_JOB = 0.25
BATCH_OPERATIONS_OBJECT = 1.00 / 1e6
"""US$ for a job of S3 Batch Operations, and for an object of it: https://aws.amazon.com/s3/pricing/"""

S3_GB_MONTH = 0.023
"""US$ to keep a GB for a month in S3 Standard, of the first 50 TB: https://aws.amazon.com/s3/pricing/"""

SLOWNESS = 1.0
"""How much slower Lambda's processors are taken to be than the one that was measured on."""

REQUEST_SECONDS = 0.03
NETWORK_BYTES_PER_SECOND = 75e6
"""How long S3 is taken to need for an answer, and how fast bytes come and go, whatever the memory."""

OUR_GETS = 2
"""Our requests for a source: one reads it, and one looks whether it is still the same once its outputs are written."""

LEAST_MIB = 128
"""That Lambda gives."""


@dataclass(frozen=True)
class Workload:
    """One image by one handler.

    Attributes:
        name: Of the handler.
        cpu: Seconds of one processor.
        gets: Requests for the source, and looks at it.
        puts: Requests that write.
        moved: Bytes of the source and of the output.
        needed: Bytes of memory beside what the runtime occupies.

    """

    name: str
    cpu: float
    gets: int
    puts: int
    moved: int
    needed: int

    @property
    def least_mib(self) -> int:
        """The least memory size with which it works."""
        return max(LEAST_MIB, math.ceil((RUNTIME_BYTES + self.needed) / MIB))

    def seconds(self, mib: int) -> float:
        """How long it takes; one thread has no use for more than one processor."""
        share = min(1.0, mib * MIB / ONE_PROCESSOR_BYTES)
        waiting = (self.gets + self.puts) * REQUEST_SECONDS + self.moved / NETWORK_BYTES_PER_SECOND
        return SLOWNESS * self.cpu / share + waiting

    @property
    def s3_dollars(self) -> float:
        """What S3 takes for one: its requests."""
        return self.gets * S3_GET + self.puts * S3_PUT

    def lambda_dollars(self, mib: int, architecture: str) -> float:
        """What Lambda takes for one: an invocation, and whole milliseconds."""
        # Rounded first: what is a whole number but for the last bit is one.
        billed = math.ceil(round(1000 * self.seconds(mib), 6)) / 1000
        return INVOCATION + billed * mib / 1024 * GIB_SECOND[architecture]

    def dollars(self, mib: int, architecture: str) -> float:
        """What one costs."""
        return self.lambda_dollars(mib, architecture) + self.s3_dollars
