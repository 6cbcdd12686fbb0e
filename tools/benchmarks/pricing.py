"""What one image costs on Lambda: the prices, what is assumed, and the arithmetic."""

import math
from dataclasses import dataclass

from budget import MIB, ONE_PROCESSOR_BYTES, RUNTIME_BYTES

PRICES_AS_KNOWN_ON = "2026-11-25"
REGION = "us-east-1"
GIB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""US$ for a second of a GiB, as Lambda bills it: https://aws.amazon.com/lambda/pricing/"""

INVOCATION = 0.20 / 1e6
S3_PUT = 0.005 / 1e3
S3_GET = 0.0004 / 1e3
"""US$ for one, and for a HEAD: https://aws.amazon.com/s3/pricing/"""

S3_LIST = 0.005 / 1e3
"""US$ for one, which names up to 1,000 keys: https://aws.amazon.com/s3/pricing/"""

BATCH_OPERATIONS_JOB = 0.25
BATCH_OPERATIONS_OBJECT = 1.00 / 1e6
"""US$ for a job of S3 Batch Operations, and for an object of it: https://aws.amazon.com/s3/pricing/"""

S3_MANIFEST_OBJECT = 0.015 / 1e6
S3_INVENTORY_OBJECT = 0.0025 / 1e6
"""US$ for an object that S3 looks at for a job's manifest, and that an S3 Inventory lists: the same page."""

S3_GB_MONTH = 0.023
"""US$ to keep a GB for a month in S3 Standard, of the first 50 TB: the same page."""

S3_IA_GB_MONTH, S3_IA_GB_READ = 0.0125, 0.01
S3_IA_PUT = 0.01 / 1e3
"""The same in S3 Standard-IA, to read a GB of it, and for a request that writes there: the same page."""

SQS_REQUEST = 0.40 / 1e6
"""US$ for one to a standard queue: https://aws.amazon.com/sqs/pricing/"""

EVENTBRIDGE_EVENT = 1.00 / 1e6
"""US$ for one of those that a service sends only if it is asked to: https://aws.amazon.com/eventbridge/pricing/"""

KMS_REQUEST = 0.03 / 1e4
"""US$ for one with a symmetric key: https://aws.amazon.com/kms/pricing/"""

LOG_TIERS = ((10_000, 0.50), (20_000, 0.25), (20_000, 0.10), (math.inf, 0.05))
"""So many GB of Lambda's logs in a month, then so many more, and US$ for one of them, taken in:
https://aws.amazon.com/cloudwatch/pricing/"""

LOG_GB_MONTH = 0.03
"""US$ to keep a GB of logs for a month, as it is compressed: the same page."""

METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
DASHBOARD_MONTH = 3.00
"""US$ a month for one of CloudWatch's, of the first 10,000 metrics: the same page."""

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
        request_seconds: How long S3 needs for an answer.

    """

    name: str
    cpu: float
    gets: int
    puts: int
    moved: int
    needed: int
    request_seconds: float = REQUEST_SECONDS

    @property
    def least_mib(self) -> int:
        """The least memory size with which it works."""
        return max(LEAST_MIB, math.ceil((RUNTIME_BYTES + self.needed) / MIB))

    def seconds(self, mib: int) -> float:
        """How long it takes; one thread has no use for more than one processor."""
        share = min(1.0, mib * MIB / ONE_PROCESSOR_BYTES)
        waiting = (self.gets + self.puts) * self.request_seconds + self.moved / NETWORK_BYTES_PER_SECOND
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
