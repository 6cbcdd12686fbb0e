"""The arithmetic of what a rate of uploads, a storm and a large bucket take of AWS."""

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from budget import MIB
from tools.benchmarks.pricing import (
    ALARM_MONTH,
    BATCH_OPERATIONS_JOB,
    BATCH_OPERATIONS_OBJECT,
    DASHBOARD_MONTH,
    LOG_TIERS,
    METRIC_MONTH,
    OUR_GETS,
    S3_LIST,
    Workload,
)
from tools.benchmarks.results import OURS
from tools.errors import ToolError
from tools.paths import ROOT
from tools.quotas import (
    ANSWER,
    BUCKET_KEY_PERCENT,
    CONCURRENCY,
    EVENT_AGE,
    EVENTBRIDGE,
    GETS,
    JOB_OBJECTS,
    KMS,
    LIST_KEYS,
    MAPPING,
    PUT_LOGS,
    PUTS,
    Known,
)

BENCHMARKS = ROOT / "docs" / "benchmarks.md"

IMAGE = "JPEG, 12 MP"
"""What is reckoned with, unless something else is said."""

SOURCE_BYTES = 2_246_416
SOURCES = {
    "JPEG, 2 MP": 479_715,
    IMAGE: SOURCE_BYTES,
    "JPEG, 24 MP": 4_069_107,
    "JPEG, 48 MP": 7_361_550,
    "PNG, photo": 6_849_564,
    "WebP": 222_330,
    "AVIF": 403_057,
    "JPEG, three renditions": SOURCE_BYTES,
}
"""Bytes of the images that are measured with; what becomes of them is in docs/benchmarks.md."""

MEMORY_MIB = 1769
ARCHITECTURE = "arm64"
"""The module's own, unless it is told otherwise."""

MONTH_SECONDS = 30 * 24 * 3600

METRICS, ALARMS, DASHBOARDS = 12, 7, 1
"""Those of modules/monitoring, where three reasons of rejections occur; the rate of them is billed as two alarms."""

LOG_EVENT_BYTES = 26
"""What CloudWatch Logs counts for an event beside its text:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""

_REQUEST_ID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
WRITTEN = {
    "timestamp": "2026-11-26T12:00:00Z",
    "level": "INFO",
    "message": "written",
    "logger": "reconcile",
    "requestId": _REQUEST_ID,
    "bucket": "my-images-in",
    "key": "photos/2026/11/26/cake.jpg",
    "version_id": "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
    "source_bytes": SOURCE_BYTES,
    "lost": "",
    "outputs": [{"key": "photos/2026/11/26/resized-cake.jpg", "width": 2000, "height": 1500, "bytes": 328869}],
    "output_count": 1,
    "output_bytes": 328869,
    "megapixels": 12.0,
    "read_milliseconds": 31,
    "render_milliseconds": 52,
    "milliseconds": 176,
}
"""The line of an image that was written, as the function logs it."""

STARTED = {
    "time": "2026-11-26T12:00:00.000Z",
    "type": "platform.start",
    "record": {"requestId": _REQUEST_ID, "version": "$LATEST"},
}
REPORTED = {
    "time": "2026-11-26T12:00:00.176Z",
    "type": "platform.report",
    "record": {
        "requestId": _REQUEST_ID,
        "metrics": {"durationMs": 176.441, "billedDurationMs": 177, "memorySizeMB": 1769, "maxMemoryUsedMB": 141},
        "status": "success",
    },
}
"""The two lines that Lambda itself logs of an invocation: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html"""

LOG_BYTES_OF_LAMBDA = sum(len(json.dumps(line)) + LOG_EVENT_BYTES for line in (STARTED, REPORTED))
LOG_BYTES = LOG_BYTES_OF_LAMBDA + len(json.dumps(WRITTEN)) + LOG_EVENT_BYTES
"""Of an invocation by itself, and of an image with it."""


def measured(benchmarks: Path = BENCHMARKS, image: str = IMAGE, who: str = OURS, puts: int = 1) -> Workload:
    """Read what an image took of a handler, from the document of the benchmarks.

    Args:
        benchmarks: The document's path.
        image: One of SOURCES, as the document calls it.
        who: ``ours`` or ``classic``.
        puts: How many outputs are written.

    Raises:
        ToolError: It is not in it.

    """
    # Who, remarks, CPU; lowest, highest; memory, bytes.
    row = re.search(
        rf"^\| {re.escape(image)} \| {who} \|[^|]*\| ([\d.]+) \|[^|]*\|[^|]*\| (\d+) \| ([\d,]+) \|",
        benchmarks.read_text(),
        re.MULTILINE,
    )
    if row is None:
        raise ToolError(f"{benchmarks} does not say what {image} took of {who}: run `invoke bench --write`")
    moved = SOURCES[image] + int(row[3].replace(",", ""))
    gets = OUR_GETS if who == OURS else 1
    return Workload(who, float(row[1]) / 1000, gets, puts, moved, int(row[2]) * MIB)


def seconds(image: Workload) -> float:
    """How long an invocation takes for it."""
    return image.seconds(MEMORY_MIB)


def slowed(image: Workload) -> Workload:
    """The same, where each request waits for S3 as long as AWS says that it may."""
    return replace(image, request_seconds=ANSWER.value / 1000)


@dataclass(frozen=True)
class Bill:
    """US$ for so many images."""

    function: float
    requests: float
    logs: float
    watching: float

    @property
    def total(self) -> float:
        return self.function + self.requests + self.logs + self.watching


def bill(image: Workload, images: float, months: float = 0) -> Bill:
    """What images take, and what it costs to watch the pipeline for so many months."""
    return Bill(
        function=images * image.lambda_dollars(MEMORY_MIB, ARCHITECTURE),
        requests=images * image.s3_dollars,
        logs=log_dollars(images * LOG_BYTES / 1e9),
        watching=months * (METRICS * METRIC_MONTH + ALARMS * ALARM_MONTH + DASHBOARDS * DASHBOARD_MONTH),
    )


def log_dollars(gigabytes: float) -> float:
    """US$ for logs of one month."""
    dollars = 0.0
    for most, price in LOG_TIERS:
        dollars += min(gigabytes, most) * price
        gigabytes -= min(gigabytes, most)
    return dollars


@dataclass(frozen=True)
class Ceiling:
    """A quota, and how fast uploads may come until it is reached.

    Attributes:
        quota: Of a second; of environments, those at once.
        takes: Of it, by one image; of environments, for how many seconds.
        remedy: What to do about it.
        is_given: Whether it holds for every pipeline, whatever its settings.

    """

    quota: Known
    takes: float
    remedy: str
    is_given: bool = False

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.quota.value / self.takes


def ceilings(image: Workload) -> tuple[Ceiling, ...]:
    """All of them, the lowest first. Little's law: what is at once is rate times seconds."""
    with_bucket_keys = 1 - BUCKET_KEY_PERCENT.value / 100
    found = (
        Ceiling(CONCURRENCY, seconds(slowed(image)), "where S3 is slow: ask for more", is_given=True),
        Ceiling(CONCURRENCY, seconds(image), "ask for more"),
        Ceiling(GETS, image.gets, "spread the uploads' keys over several prefixes", is_given=True),
        Ceiling(PUTS, image.puts, "the same: outputs keep the folders of their sources", is_given=True),
        Ceiling(PUT_LOGS, 1, "if Lambda calls once an invocation, which it does not say: ask for more"),
        Ceiling(MAPPING, seconds(image), "behind a queue: several queues, or provisioned mode"),
        Ceiling(EVENTBRIDGE, 1, 'with `trigger = "eventbridge"`: ask for more, or use "s3"'),
        Ceiling(KMS, 2, "with keys of yours and no bucket keys: turn those on"),
        Ceiling(KMS, 2 * with_bucket_keys, "with bucket keys"),
    )
    return tuple(sorted(found, key=lambda one: one.rate))


def reserve(image: Workload, rate: float) -> int:
    """Environments for so many uploads a second, where S3 is slow; whole hundreds."""
    return math.ceil(rate * seconds(slowed(image)) / 100) * 100


def worked_off(backlog: float, at_once: float, each: float) -> float:
    """Seconds until a backlog is worked off by so many environments, of which each needs so long for an image."""
    return backlog * each / at_once


def first_loss(rate: float, at_once: float, each: float) -> float:
    """Seconds of uploads faster than they are worked off, until one of them has waited as long as Lambda lets it.

    Who comes t seconds after the beginning finds a queue of (rate - speed) * t before it, and waits that by the speed.
    """
    speed = at_once / each
    return EVENT_AGE.value * speed / (rate - speed)


@dataclass(frozen=True)
class Listing:
    """A listing of a bucket of so many objects, its prefixes in so many parts at once."""

    objects: int
    at_once: int = 1

    @property
    def requests(self) -> int:
        return math.ceil(self.objects / LIST_KEYS.value)

    @property
    def seconds(self) -> float:
        """Each page is asked for with the last key of the one before."""
        return self.requests * ANSWER.value / 1000 / self.at_once

    @property
    def dollars(self) -> float:
        return self.requests * S3_LIST


def jobs(objects: int) -> int:
    """Of S3 Batch Operations, for so many objects."""
    return math.ceil(objects / JOB_OBJECTS.value)


def job_dollars(objects: int) -> float:
    """What S3 Batch Operations take for themselves."""
    return jobs(objects) * BATCH_OPERATIONS_JOB + objects * BATCH_OPERATIONS_OBJECT
