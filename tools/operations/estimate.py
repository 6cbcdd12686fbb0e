"""What a backfill will take and cost, estimated before it begins from the number and the bytes of its objects."""

from dataclasses import dataclass

from tools.common.pricing import BATCH_OPERATIONS_JOB, BATCH_OPERATIONS_OBJECT, OUR_GETS, Workload

BYTES_PER_PIXEL = 0.4
"""Of a photo as JPEG, which is what all objects are taken for."""

CPU_SECONDS_PER_MEGAPIXEL = 0.0521 / 12
"""Measured of a JPEG of 12 MP at half size: docs/benchmarks.md."""

OUTPUT_SHARE = 0.25
"""Bytes of one output, by those of its source."""


@dataclass(frozen=True)
class Estimate:
    """What is to come.

    Attributes:
        objects: How many.
        size: Their bytes.
        renditions: Outputs of each.
        memory_mib: Of the function.
        architecture: Of the function.
        by_job: Whether S3 Batch Operations sends them.

    """

    objects: int
    size: int
    renditions: int
    memory_mib: int
    architecture: str
    by_job: bool

    @property
    def megapixels(self) -> float:
        """How many pixels all have."""
        return self.size / BYTES_PER_PIXEL / 1e6

    @property
    def function_seconds(self) -> float:
        """How long the function runs, all invocations together."""
        return self.objects * self._workload.seconds(self.memory_mib)

    @property
    def job_dollars(self) -> float:
        """What S3 Batch Operations costs."""
        return BATCH_OPERATIONS_JOB + self.objects * BATCH_OPERATIONS_OBJECT if self.by_job else 0.0

    @property
    def dollars(self) -> float:
        """What all costs: Lambda, the requests to S3, and the job."""
        return self.objects * self._workload.dollars(self.memory_mib, self.architecture) + self.job_dollars

    @property
    def _workload(self) -> Workload:
        """An image of the mean size."""
        mean = self.size / max(1, self.objects)
        return Workload(
            cpu=mean / BYTES_PER_PIXEL / 1e6 * CPU_SECONDS_PER_MEGAPIXEL,
            gets=OUR_GETS,
            puts=self.renditions,
            moved=round(mean * (1 + OUTPUT_SHARE * self.renditions)),
        )
