"""docs/scale.md: its tables, made from the quotas, the prices and the arithmetic."""

import math
from collections.abc import Sequence
from pathlib import Path

from tools import marks
from tools.benchmarks import pricing
from tools.benchmarks.pricing import Workload
from tools.benchmarks.table import Table
from tools.paths import ROOT
from tools.quotas import (
    ALL,
    ANSWER,
    BUCKET_KEY_PERCENT,
    CONCURRENCY,
    EVENT_AGE,
    GETS,
    IN_FLIGHT,
    KNOWN_ON,
    MAPPING,
    MAPPING_STEP,
    PUTS,
    RETENTION,
    STEP,
    UNRESERVED,
)
from tools.scale import (
    ALARMS,
    ARCHITECTURE,
    DASHBOARDS,
    LOG_BYTES,
    MEMORY_MIB,
    METRICS,
    MONTH_SECONDS,
    SOURCE_BYTES,
    Ceiling,
    Listing,
    bill,
    ceilings,
    first_loss,
    job_dollars,
    jobs,
    measured,
    reserve,
    seconds,
    slowed,
    worked_off,
)

DOCUMENT = ROOT / "docs" / "scale.md"

RATES = {"1 a minute": 1 / 60, "1": 1.0, "10": 10.0, "100": 100.0, "1,000": 1_000.0, "10,000": 10_000.0}
"""Uploads a second, as they are called."""

STORMS_AT_ONCE = (10, 100, 1_000)
STORMS = (100_000, 1_000_000, 10_000_000, 100_000_000)
OBJECTS = (1_000_000, 100_000_000, 10_000_000_000)
MILLION = 1_000_000

BATCH = 10
"""Messages that a mapping hands over at once, unless it is told otherwise."""

REJECTED_SHARE = 0.01
"""That is taken for the failure queue."""

VISIBILITY_SECONDS = 720
"""Of a queue of uploads: six times the module's ``function.timeout``. What failed is in flight for as long."""


def renew(path: Path = DOCUMENT) -> list[Path]:
    """Write the tables into the document, and return it where it changed.

    Raises:
        ToolError: It lacks the place of a table, or docs/benchmarks.md lacks the image.

    """
    return marks.renew(path, sections())


def sections() -> dict[str, str]:
    """Each part of the document that is made, as Markdown."""
    image = measured()
    tables = {
        "rates": (rates(image), costs(image)),
        "quotas": (quotas(image),),
        "storm": (storm(image),),
        "queue": (queue(image),),
        "objects": (objects(image),),
        "sources": (figures(), prices()),
    }
    return {part: "\n\n".join(table.markdown() for table in made) for part, made in tables.items()}


def rates(image: Workload) -> Table:
    """The answer."""
    note = (
        f"Little's law: environments at once are uploads a second, times seconds for one. A JPEG of 12 MP takes "
        f"{seconds(image):.3f} s at {MEMORY_MIB} MiB, by docs/benchmarks.md: {image.cpu:.3f} s of CPU, "
        f"{image.gets + image.puts} requests of {1000 * pricing.REQUEST_SECONDS:g} ms, and {image.moved / 1e6:.2f} MB "
        f"at {pricing.NETWORK_BYTES_PER_SECOND / 1e6:g} MB a second. Slow is what AWS says of S3 at "
        f"most: {ANSWER.value} ms a request, {seconds(slowed(image)):.3f} s an image. Take your peak for what to set, "
        "and your mean for what it costs."
    )
    rows = [
        (
            name,
            _past(image, rate),
            _advice(image, rate),
            _figures(rate * seconds(image)),
            _figures(rate * seconds(slowed(image))),
            _figures(rate * MONTH_SECONDS / MILLION),
            dollars(bill(image, rate * MONTH_SECONDS, months=1).total),
        )
        for name, rate in RATES.items()
    ]
    columns = (
        "uploads a second",
        "past its default",
        "what to set",
        "at once",
        "at once, S3 slow",
        "millions a month",
        "US$ a month",
    )
    return Table("From one upload a minute to 10,000 a second", columns, tuple(rows), words=3, note=note)


def _past(image: Workload, rate: float) -> str:
    """The quotas that every pipeline has, and that the rate is past; or how near it is to the nearest."""
    given = [one for one in ceilings(image) if one.is_given]
    past = [_service(one) for one in given if rate > one.rate]
    return ", ".join(past) or f"none; {100 * rate / given[0].rate:.2g} % of the nearest"


def _service(ceiling: Ceiling) -> str:
    return {CONCURRENCY: "environments", GETS: "GET of a prefix", PUTS: "PUT of a prefix"}[ceiling.quota]


def _advice(image: Workload, rate: float) -> str:
    wanted = reserve(image, rate)
    if wanted <= UNRESERVED.value:
        return "nothing"
    text = f"`function.reserved_concurrent_executions = {wanted}`"
    if wanted + UNRESERVED.value > CONCURRENCY.value:
        text += (
            f", for which ask for {wanted + UNRESERVED.value:,}, or, for a peak alone, a queue; keys of sources over "
            f"{math.ceil(rate * image.gets / GETS.value)} prefixes, of outputs over {math.ceil(rate / PUTS.value)}"
        )
    return text


def costs(image: Workload) -> Table:
    """What it costs, item by item."""
    output_bytes = image.moved - SOURCE_BYTES
    kept, sources = (MILLION * size / 1e9 * pricing.S3_GB_MONTH for size in (output_bytes, SOURCE_BYTES))
    note = (
        f"List prices of {pricing.REGION}, on {ARCHITECTURE}, without what is free, and without Lambda's and S3's "
        f"rebates on volume; that on logs is in it. Logs are {LOG_BYTES:,} bytes an image, in three lines, two of them "
        f"Lambda's. Watching is taken as {METRICS} custom metrics, {ALARMS} alarms and {DASHBOARDS} dashboard. "
        "Data that stays in the region costs nothing to move. S3 being slow, Lambda's time costs "
        f"{seconds(slowed(image)) / seconds(image):.1f} times as much, for it waits. What is not in it grows from "
        f"month to month: a million outputs of {output_bytes / 1e3:.0f} KB cost {dollars(kept)} a month to keep, a "
        f"million sources {dollars(sources)}."
    )
    rows = []
    for name, rate in RATES.items():
        images = rate * MONTH_SECONDS
        one = bill(image, images, months=1)
        parts = (one.function, one.requests, one.logs, one.watching, one.total)
        rows.append((name, *map(dollars, parts), f"{one.total / images * MILLION:,.2f}"))
    columns = ("uploads a second", "Lambda", "requests to S3", "logs", "watching it", "in all", "a million images")
    return Table("US$ a month", columns, tuple(rows), note=note)


def quotas(image: Workload) -> Table:
    """Which quota is reached first."""
    note = (
        "A quota, divided by what one image takes of it, is the rate at which it is reached. Environments and S3's "
        "requests bite every pipeline, the others where it is said; what is past a prefix's rate is answered with 503 "
        "and retried until S3 has divided the prefix."
    )
    rows = [
        (one.quota.what, one.remedy, f"{one.quota.value:,}", f"{one.takes:.3g}", f"{one.rate:,.0f}")
        for one in ceilings(image)
    ]
    columns = ("quota", "what to do", "default", "an image takes", "reached at, images a second")
    return Table("Which quota bites first", columns, tuple(rows), words=2, note=note)


def storm(image: Workload) -> Table:
    """How long a backlog takes."""
    fast, slow = seconds(image), seconds(slowed(image))
    rate, at_once = max(RATES.values()), CONCURRENCY.value
    lost = first_loss(rate, at_once, fast)
    note = (
        f"A backlog takes its images times {fast:.3f} s, by the environments at once; S3 being slow, "
        f"{slow / fast:.1f} times as long. What has waited {EVENT_AGE.value / 3600:g} hours goes to the failure queue: "
        f"of a storm, all beyond the third column, or, S3 being slow, the fourth. That is the best case, for Lambda "
        f"reads a long queue more slowly. Where uploads stay faster than the function, the loss begins late: at "
        f"{rate:,.0f} a second and {at_once:,} at once, {at_once / fast:,.0f} a second are done; who comes "
        f"{lost / 3600:.1f} hours after the beginning waits {EVENT_AGE.value / 3600:g}, and of all who come later "
        f"{100 * (1 - at_once / fast / rate):.0f} of 100 end in the failure queue. To begin with, a function "
        f"gains {STEP.value:,} environments in 10 s, a queue's mapping {MAPPING_STEP.value} in a minute: "
        f"{at_once:,} take it {(at_once - 5) / MAPPING_STEP.value:.1f} minutes."
    )
    rows = [
        (
            f"{at_once:,}",
            f"{at_once / fast:,.0f}",
            f"{EVENT_AGE.value * at_once / fast / MILLION:,.2f}",
            f"{EVENT_AGE.value * at_once / slow / MILLION:,.2f}",
            *(_duration(worked_off(backlog, at_once, fast)) for backlog in STORMS),
        )
        for at_once in STORMS_AT_ONCE
    ]
    hours = EVENT_AGE.value // 3600
    columns = (
        "at once",
        "images a second",
        f"millions in {hours} h",
        "the same, slow",
        *(f"{backlog / MILLION:g} million" for backlog in STORMS),
    )
    return Table("A storm of uploads", columns, tuple(rows), words=0, note=note)


def queue(image: Workload) -> Table:
    """What the direct trigger and a queue do."""
    fast = seconds(image)
    at_once = CONCURRENCY.value
    failing = (IN_FLIGHT.value - at_once * BATCH) / VISIBILITY_SECONDS
    rows = (
        (
            "what waits at most",
            f"{EVENT_AGE.value / 3600:g} hours, then the failure queue",
            f"{RETENTION.value / 86400:g} days, where its retention is set to that",
        ),
        (
            f"that is, at {at_once:,} at once",
            f"{EVENT_AGE.value * at_once / fast / MILLION:,.0f} million images",
            f"{RETENTION.value * at_once / fast / MILLION:,.0f} million",
        ),
        (
            "from a standstill",
            f"{STEP.value:,} more environments in 10 s",
            f"{MAPPING_STEP.value} more in a minute, {MAPPING.value:,} at most",
        ),
        (
            "where it is held back",
            "at `function.reserved_concurrent_executions`, by throttling, and the wait grows to 5 min",
            "at the mapping's `maximum_concurrency`, without any",
        ),
        ("images an invocation", "1", f"{BATCH}, or as many as the mapping is told"),
        (
            "US$ more a million",
            "0",
            f"{MILLION * _queue_dollars():.2f}: {1 + 2 / BATCH:g} requests, and {1 - 1 / BATCH:g} invocations less",
        ),
        (
            f"most messages in flight, at {at_once:,} at once",
            "-",
            f"{at_once * BATCH:,} of {IN_FLIGHT.value:,}; the rest is room for {failing:.0f} failures a second",
        ),
        ("what fails for good", "failure queue", "the queue's own dead letters; rejections in the failure queue"),
    )
    return Table("Where a queue should take over", ("", "the trigger as it is", "an SQS queue"), rows, words=3)


def _queue_dollars() -> float:
    """US$ that a queue adds to an image: one message in, and a part of a receipt, a deletion and an invocation."""
    return (1 + 2 / BATCH) * pricing.SQS_REQUEST - (1 - 1 / BATCH) * pricing.INVOCATION


def objects(image: Workload) -> Table:
    """What a large bucket takes."""
    fast = seconds(image)
    best = ceilings(image)[0].quota.value
    one_prefix = int(GETS.value / image.gets * fast)
    rows = [
        ("**audit**: pages of both buckets", [f"{2 * Listing(n).requests:,}" for n in OBJECTS]),
        ("US$ to list both", [dollars(2 * Listing(n).dollars) for n in OBJECTS]),
        ("one after the other, page after page", [_duration(2 * Listing(n).seconds) for n in OBJECTS]),
        ("10 prefixes at once", [_duration(2 * Listing(n, 10).seconds) for n in OBJECTS]),
        ("100 prefixes at once", [_duration(2 * Listing(n, 100).seconds) for n in OBJECTS]),
        ("US$ for an S3 Inventory of both", [dollars(2 * n * pricing.S3_INVENTORY_OBJECT) for n in OBJECTS]),
        ("**backfill**: jobs", [f"{jobs(n)}" for n in OBJECTS]),
        ("US$, Batch Operations", [dollars(job_dollars(n)) for n in OBJECTS]),
        ("US$, manifest by S3", [dollars(n * pricing.S3_MANIFEST_OBJECT) for n in OBJECTS]),
        ("US$, Lambda", [dollars(bill(image, n).function) for n in OBJECTS]),
        ("US$, requests to S3", [dollars(bill(image, n).requests) for n in OBJECTS]),
        ("US$, logs", [dollars(bill(image, n).logs) for n in OBJECTS]),
        ("US$, in all", [dollars(_backfill_dollars(image, n)) for n in OBJECTS]),
        ("logs, GB", [f"{n * LOG_BYTES / 1e9:,.0f}" for n in OBJECTS]),
        *(
            (f"{at_once:,} at once", [_duration(worked_off(n, at_once, fast)) for n in OBJECTS])
            for at_once in (100, one_prefix, best)
        ),
        (f"{best:,} at once, S3 slow", [_duration(worked_off(n, best, seconds(slowed(image)))) for n in OBJECTS]),
        (
            f"records, where {100 * REJECTED_SHARE:g} of 100 are rejected",
            [f"{REJECTED_SHARE * n:,.0f}" for n in OBJECTS],
        ),
    ]
    columns = ("", *(f"{n:,} objects" for n in OBJECTS))
    note = (
        f"A page has up to 1,000 keys, and is taken to need {ANSWER.value} ms; the next one begins where it ended. "
        f"A backfill at {one_prefix} at once reads as many as S3 gives of one prefix ({GETS.value:,} GET and HEAD a "
        "second), and keys in their order are of one prefix at a time."
    )
    cells = tuple((what, *values) for what, values in rows)
    return Table("A bucket of ten billion objects", columns, cells, note=note)


def _backfill_dollars(image: Workload, count: int) -> float:
    return bill(image, count).total + job_dollars(count) + count * pricing.S3_MANIFEST_OBJECT


def figures() -> Table:
    """Every quota with its page."""
    rows = tuple((one.what, one.remark, _link(one.url), f"{one.value:,}") for one in ALL)
    return Table(f"AWS's figures, as known on {KNOWN_ON}", ("figure", "remark", "page", "value"), rows, words=3)


def prices() -> Table:
    """Every price with its page."""
    s3, cloudwatch, lambda_ = (f"https://aws.amazon.com/{name}/pricing/" for name in ("s3", "cloudwatch", "lambda"))
    found: Sequence[tuple[str, float, str]] = (
        (f"Lambda, million GiB-seconds, {ARCHITECTURE}", MILLION * pricing.GIB_SECOND[ARCHITECTURE], lambda_),
        ("Lambda, million invocations", MILLION * pricing.INVOCATION, lambda_),
        ("S3, million PUT or LIST", MILLION * pricing.S3_PUT, s3),
        ("S3, million GET or HEAD", MILLION * pricing.S3_GET, s3),
        ("S3 Standard, GB and month", pricing.S3_GB_MONTH, s3),
        ("S3 Standard-IA, GB and month", pricing.S3_IA_GB_MONTH, s3),
        ("S3 Standard-IA, GB that is read", pricing.S3_IA_GB_READ, s3),
        ("S3 Standard-IA, million PUT", MILLION * pricing.S3_IA_PUT, s3),
        ("S3 Inventory, million objects", MILLION * pricing.S3_INVENTORY_OBJECT, s3),
        ("S3 Batch Operations, job", pricing.BATCH_OPERATIONS_JOB, s3),
        ("S3 Batch Operations, million objects", MILLION * pricing.BATCH_OPERATIONS_OBJECT, s3),
        ("S3 Batch Operations, manifest, million objects", MILLION * pricing.S3_MANIFEST_OBJECT, s3),
        *((_tier(index), price, cloudwatch) for index, (_, price) in enumerate(pricing.LOG_TIERS)),
        ("CloudWatch Logs, GB that is kept and month", pricing.LOG_GB_MONTH, cloudwatch),
        ("CloudWatch, metric and month", pricing.METRIC_MONTH, cloudwatch),
        ("CloudWatch, alarm and month", pricing.ALARM_MONTH, cloudwatch),
        ("CloudWatch, dashboard and month", pricing.DASHBOARD_MONTH, cloudwatch),
        ("SQS, million requests", MILLION * pricing.SQS_REQUEST, "https://aws.amazon.com/sqs/pricing/"),
        (
            "EventBridge, million uploads, with that trigger",
            MILLION * pricing.EVENTBRIDGE_EVENT,
            "https://aws.amazon.com/eventbridge/pricing/",
        ),
        (
            "KMS, million images, keys of yours without bucket keys",
            MILLION * 2 * pricing.KMS_REQUEST,
            "https://aws.amazon.com/kms/pricing/",
        ),
        (
            "KMS, million images, with bucket keys",
            MILLION * 2 * pricing.KMS_REQUEST * (1 - BUCKET_KEY_PERCENT.value / 100),
            "https://aws.amazon.com/kms/pricing/",
        ),
    )
    rows = tuple((what, _link(url), f"{price:,.6g}") for what, price, url in found)
    heading = f"Prices in {pricing.REGION}, as known on {pricing.PRICES_AS_KNOWN_ON}"
    return Table(heading, ("what", "page", "US$"), rows, words=2)


def _tier(index: int) -> str:
    most = pricing.LOG_TIERS[index][0]
    which = f"the {'next' if index else 'first'} {most:,.0f} of a month" if most < math.inf else "all others"
    return f"CloudWatch Logs, GB of Lambda's, {which}"


def _link(url: str) -> str:
    return f"[{url.rstrip('/').rpartition('/')[2].removesuffix('.html')}]({url})"


def _figures(value: float) -> str:
    """Three of them, but whole from a thousand on."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def dollars(amount: float) -> str:
    """US$ for a table: with cents where they matter."""
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def _duration(seconds_: float) -> str:
    """In the largest unit of which there are two or more."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds_ >= 2 * length:
            return f"{seconds_ / length:,.0f} {unit}" if seconds_ >= 10 * length else f"{seconds_ / length:.1f} {unit}"
    return f"{seconds_:.0f} s"
