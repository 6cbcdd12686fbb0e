"""Time and cost of a backfill, estimated from the number and bytes of its uploads."""

from dataclasses import dataclass

from tools.common.pricing import BATCH_OPERATIONS_JOB, BATCH_OPERATIONS_OBJECT, OUR_GETS, Workload

BYTES_PER_PIXEL = 0.4
"""Size of a photo as JPEG. The estimate assumes that every upload is one."""

CPU_SECONDS_PER_MEGAPIXEL = 0.0521 / 12
"""Measured for a JPEG of 12 MP at half size: docs/benchmarks.md."""

OUTPUT_SHARE = 0.25
"""Bytes of an output, divided by its source's."""


@dataclass(frozen=True)
class Estimate:
    """The work of a backfill.

    Attributes:
        objects: Number of uploads.
        size: Bytes of all uploads.
        renditions: Outputs of each upload.
        memory_mib: The function's memory.
        architecture: The function's architecture.
        by_job: Whether S3 Batch Operations sends the uploads.
        has_manifest: Whether each upload has a manifest, too.

    """

    objects: int
    size: int
    renditions: int
    memory_mib: int
    architecture: str
    by_job: bool
    has_manifest: bool

    @property
    def megapixels(self) -> float:
        """Pixels of all uploads."""
        return self.size / BYTES_PER_PIXEL / 1e6

    @property
    def function_seconds(self) -> float:
        """Duration of all invocations."""
        return self.objects * self._workload.seconds(self.memory_mib)

    @property
    def job_dollars(self) -> float:
        """Price of S3 Batch Operations."""
        return BATCH_OPERATIONS_JOB + self.objects * BATCH_OPERATIONS_OBJECT if self.by_job else 0.0

    @property
    def dollars(self) -> float:
        """Price of Lambda, S3's requests and the job."""
        return self.objects * self._workload.dollars(self.memory_mib, self.architecture) + self.job_dollars

    @property
    def _workload(self) -> Workload:
        """The work for an upload of the mean size."""
        mean = self.size / max(1, self.objects)
        return Workload(
            cpu=mean / BYTES_PER_PIXEL / 1e6 * CPU_SECONDS_PER_MEGAPIXEL,
            gets=OUR_GETS,
            puts=self.renditions + self.has_manifest,
            moved=round(mean * (1 + OUTPUT_SHARE * self.renditions)),
        )
