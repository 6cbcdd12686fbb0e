"""docs/cost.md: its tables, made from the prices, the measured CPU and the arithmetic."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import marks
from tools.benchmarks import pricing
from tools.benchmarks.pricing import Workload
from tools.benchmarks.results import OURS
from tools.benchmarks.table import Table
from tools.paths import ROOT
from tools.quotas import BUCKET_KEY_PERCENT
from tools.scale import (
    ALARMS,
    ARCHITECTURE,
    DASHBOARDS,
    IMAGE,
    LOG_BYTES,
    LOG_BYTES_OF_LAMBDA,
    MEMORY_MIB,
    METRICS,
    SOURCE_BYTES,
    SOURCES,
    WRITTEN,
    bill,
    log_dollars,
    measured,
)
from tools.scale_docs import dollars

DOCUMENT = ROOT / "docs" / "cost.md"

MILLION = 1_000_000
SIZES_MIB = (512, 1024, 1769, 3008)
OTHER_ARCHITECTURE, LESS_MIB = "x86_64", 512

THREE = "JPEG, three renditions"
AT_ONCE = (10, 100, 1_000)
"""Environments that may be reserved, by what an attacker could spend in them."""

LONG_DAYS = 365
"""For which a log may be kept, in place of the module's 30."""

Change = tuple[str, str, float]
"""What is set, what that is, and US$ more for a million."""


@dataclass(frozen=True)
class Handling:
    """How a million uploads are handled.

    Attributes:
        image: What one call takes.
        calls: Of a function, for each upload.

    """

    image: Workload
    calls: int = 1

    @property
    def log_bytes(self) -> int:
        """Of one call; the usual handler logs nothing of its own."""
        if self.image.name != OURS:
            return LOG_BYTES_OF_LAMBDA
        # The line of an image has each output.
        return LOG_BYTES + (self.image.puts - 1) * len(f", {json.dumps(WRITTEN['outputs'])[1:-1]}")

    def parts(self, mib: int = MEMORY_MIB, architecture: str = ARCHITECTURE) -> tuple[float, ...]:
        """US$ a million uploads: Lambda's time, its calls, reading, writing, logs."""
        calls = self.calls * MILLION
        return (
            calls * (self.image.lambda_dollars(mib, architecture) - pricing.INVOCATION),
            calls * pricing.INVOCATION,
            calls * self.image.gets * pricing.S3_GET,
            calls * self.image.puts * pricing.S3_PUT,
            log_dollars(calls * self.log_bytes / 1e9),
        )

    def total(self, mib: int = MEMORY_MIB, architecture: str = ARCHITECTURE) -> float:
        """All of them."""
        return sum(self.parts(mib, architecture))


PARTS = ("Lambda, time", "Lambda, calls", "S3, reading", "S3, writing", "logs")


def ours(image: str = IMAGE, puts: int = 1, calls: int = 1) -> Handling:
    """What is deployed here."""
    return Handling(measured(image=image, puts=puts), calls)


def usual(image: str = IMAGE, puts: int = 1) -> Handling:
    """Pillow's ``thumbnail`` and ``save``."""
    return Handling(measured(image=image, who="classic", puts=puts))


def renew(path: Path = DOCUMENT) -> list[Path]:
    """Write the tables into the document, and return it where it changed.

    Raises:
        ToolError: It lacks the place of a table, or docs/benchmarks.md lacks an image.

    """
    return marks.renew(path, sections())


def sections() -> dict[str, str]:
    """Each part of the document that is made, as Markdown."""
    tables = {"parts": parts(), "sizes": sizes(), "settings": settings(), "worst": worst()}
    return {part: table.markdown() for part, table in tables.items()}


def parts() -> Table:
    """What it is made of."""
    handlings = {
        "one rendition": ours(),
        "three, one call": ours(THREE, puts=3),
        "three, a function each": ours(calls=3),
        "usual handler, one": usual(),
        "usual handler, three": usual(THREE, puts=3),
    }
    columns = [(*one.parts(), one.total()) for one in handlings.values()]
    cells = zip((*PARTS, "in all"), *columns, strict=True)
    rows = tuple((str(what), *(f"{value:.2f}" for value in values)) for what, *values in cells)
    image = measured()
    note = (
        f"US$ for a million JPEGs of 12 MP and {SOURCE_BYTES / 1e6:.1f} MB, at {MEMORY_MIB} MiB on {ARCHITECTURE}, by "
        f"list prices of {pricing.REGION} as known on {pricing.PRICES_AS_KNOWN_ON}, without what is free. One takes "
        f"{image.cpu:.3f} s of CPU by docs/benchmarks.md, and {image.seconds(MEMORY_MIB):.3f} s in all: the rest is "
        "waiting for S3. One rendition is half the size; three are that, a quarter, and a WebP of 320 pixels; three "
        "functions are taken for three times the first."
    )
    return Table("What a million uploads cost", ("", *handlings), rows, note=note)


def sizes() -> Table:
    """By memory and by the image."""
    images = [name for name in SOURCES if name != THREE]
    rows = tuple(
        (f"{mib:,}", *(f"{ours(name).total(mib):.2f}" for name in images), f"{usual().total(mib):.2f}")
        for mib in SIZES_MIB
    )
    columns = ("`memory_size`", *images, f"usual handler, {IMAGE.removeprefix('JPEG, ')}")
    note = (
        "The same in all, one rendition. Less memory costs less because waiting for S3 does; what it takes away is "
        "which images fit (README, The largest image), and speed. The PNG, WebP and AVIF have 3.8 MP."
    )
    return Table("By memory and by image", columns, rows, words=0, note=note)


def settings() -> Table:
    """What each setting changes."""
    watching = bill(measured(), 0, months=1).watching
    note = (
        "US$ more or less for a million of the same images, one rendition. Only watching is fixed: a month of it, "
        f"never idle, is as much as {watching / ours().total() * MILLION:,.0f} uploads. Of an account's, the first "
        "ten metrics and alarms and three dashboards are free."
    )
    watched = f"a month: {METRICS} metrics, {ALARMS} alarms, {DASHBOARDS} dashboard"
    changes = (*_of_function(), *_of_keeping(), ("`monitoring = { enabled = false }`", watched, -watching))
    rows = tuple((what, why, f"{more:+,.2f}") for what, why, more in changes)
    return Table("What a setting changes", ("setting", "what that is", "US$"), rows, words=2, note=note)


def _of_function() -> Iterator[Change]:
    first = ours()
    times = [f"{1000 * first.image.seconds(mib):.0f}" for mib in (LESS_MIB, MEMORY_MIB)]
    of_three = ours(THREE, puts=3).total() - ours(calls=3).total()
    keys = 2 * MILLION * pricing.KMS_REQUEST
    with_bucket_keys = keys * (1 - BUCKET_KEY_PERCENT.value / 100)
    yield "`invoke build --arch x86_64`", "not arm64", first.total(architecture=OTHER_ARCHITECTURE) - first.total()
    in_place = f"{times[0]} ms an image, not {times[1]}"
    yield f"`function.memory_size = {LESS_MIB}`", in_place, first.total(LESS_MIB) - first.total()
    yield "three `renditions`", "not three functions", of_three
    yield '`trigger = "eventbridge"`', "its events; others call them free", MILLION * pricing.EVENTBRIDGE_EVENT
    yield "keys of yours, buckets of yours without bucket keys", "two requests to KMS an image", keys
    yield "the same with bucket keys", "at best; the module's own buckets have them", with_bucket_keys


def _of_keeping() -> Iterator[Change]:
    outputs = (measured().moved - SOURCE_BYTES) * MILLION / 1e9
    sources, logs = (size * MILLION / 1e9 for size in (SOURCE_BYTES, LOG_BYTES))
    longer = logs * pricing.LOG_GB_MONTH * (LONG_DAYS / 30 - 1)
    yield f"`log_retention_days = {LONG_DAYS}`", "not 30; less, for it is kept compressed", longer
    yield '`storage_class = "STANDARD_IA"`', "once, to write", MILLION * (pricing.S3_IA_PUT - pricing.S3_PUT)
    reading = f"a month; {dollars(outputs * pricing.S3_IA_GB_READ)} each time that all are read"
    yield "the same", reading, outputs * (pricing.S3_IA_GB_MONTH - pricing.S3_GB_MONTH)
    removing = "a lifecycle rule in a bucket of yours that removes uploads"
    yield removing, "a month; not with `mirror_deletes`", -sources * pricing.S3_GB_MONTH


def worst() -> Table:
    """What somebody who uploads could spend."""
    tiny = Workload(OURS, cpu=0, gets=pricing.OUR_GETS, puts=1, moved=0, needed=0)
    upload = Handling(tiny).total() / MILLION + pricing.S3_PUT
    seconds = tiny.seconds(MEMORY_MIB)
    time = MEMORY_MIB / 1024 * pricing.GIB_SECOND[ARCHITECTURE]
    rows = tuple(
        (
            f"{at_once:,}",
            f"{at_once * 3600 / seconds / MILLION:,.1f}",
            dollars(at_once * 3600 * time),
            dollars(at_once * 3600 / seconds * upload),
            dollars(24 * at_once * 3600 / seconds * upload),
        )
        for at_once in AT_ONCE
    )
    columns = (
        "`reserved_concurrent_executions`",
        "millions of tiny images an hour",
        "US$ an hour, large images",
        "US$ an hour, tiny images",
        "a day of those",
    )
    note = (
        "Who may upload spends your money; environments at once are what caps it. An environment that is never idle "
        f"costs {3600 * time:.3f} an hour at {MEMORY_MIB} MiB, whatever it works at. Tiny images cost more, by their "
        f"requests: each takes {seconds:.2f} s, all of it waiting for S3, and {MILLION * upload:.2f} a million, with "
        "the request that uploads it, and with logs at their highest price. What is uploaded and kept comes on top, "
        "and nothing here caps that."
    )
    return Table("What an attacker could spend", columns, rows, words=0, note=note)
