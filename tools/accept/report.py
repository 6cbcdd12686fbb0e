"""The report of a run: checks, what the invocations took, and what the run cost, as Markdown and as JUnit's XML."""

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from tools.common.pricing import (
    BATCH_OPERATIONS_JOB,
    GIB_SECOND,
    INVOCATION,
    OUR_GETS,
    PRICES_AS_KNOWN_ON,
    REGION,
    S3_GET,
    S3_PUT,
    Workload,
)

UPLOADS = 40
"""Uploads of a run, rounded up. A check puts each, and gets its output."""

UPLOAD = Workload(cpu=0.3, gets=OUR_GETS, puts=1, moved=1_000_000)
"""Assumed work for an upload. The exact numbers matter little: all uploads together cost less than 0.1 cents."""

MONITORING = 0.01
"""US$ for an hour of the metrics, alarms and dashboard, which cost 6.50 a month: docs/cost.md."""

TEXT_FIELDS = {
    "billedDurationMs": r"Billed Duration: (\d+) ms",
    "memorySizeMB": r"Memory Size: (\d+) MB",
    "maxMemoryUsedMB": r"Max Memory Used: (\d+) MB",
    "initDurationMs": r"Init Duration: ([\d.]+) ms",
}
"""The metrics of a REPORT line as text, by their names in JSON."""


@dataclass(frozen=True)
class Result:
    """The result of a check.

    Attributes:
        seconds: How long it took.
        failure: Why it failed; empty if it passed.

    """

    name: str
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Invocation:
    """What Lambda reported of an invocation.

    Attributes:
        billed_ms: Billed milliseconds.
        memory_mb: The function's memory.
        used_mb: The most memory in use so far; 0 if unknown.
        init_ms: Milliseconds of the cold start; 0 if there was none.

    """

    billed_ms: float
    memory_mb: float
    used_mb: float
    init_ms: float

    def dollars(self, architecture: str) -> float:
        gib_seconds = self.billed_ms / 1000 * self.memory_mb / 1024
        return INVOCATION + gib_seconds * GIB_SECOND[architecture]


def read_invocations(messages: Iterable[str]) -> list[Invocation]:
    """Return what the REPORT lines of a log say, as text or as JSON."""
    metrics = filter(None, map(_read_metrics, messages))
    return [Invocation(*(float(one.get(name, 0)) for name in TEXT_FIELDS)) for one in metrics]


def _read_metrics(message: str) -> Mapping[str, Any]:
    if message.startswith("REPORT "):
        found = {name: re.search(pattern, message) for name, pattern in TEXT_FIELDS.items()}
        return {name: match[1] for name, match in found.items() if match}
    if not message.startswith("{"):
        return {}
    line = json.loads(message)
    metrics: Mapping[str, Any] = line["record"]["metrics"] if line.get("type") == "platform.report" else {}
    return metrics


def estimate(architecture: str, memory_mib: int) -> float:
    """Return what a run will cost in US$, mostly for the job of S3 Batch Operations."""
    return UPLOADS * UPLOAD.dollars(memory_mib, architecture) + _other_dollars()


def _other_dollars() -> float:
    """Return the cost of the checks' own requests, the job and an hour of monitoring."""
    return UPLOADS * (S3_PUT + S3_GET) + BATCH_OPERATIONS_JOB + MONITORING


@dataclass(frozen=True)
class Report:
    """A run.

    Attributes:
        name: The stack's name.
        began: When the run began.
        where: The Region.
        versions: The versions of Terraform and its provider, by name.
        zip: The start of the zip's digest.
        runtime: The function's runtime.
        architecture: The function's processor.
        results: One for each check.
        invocations: All invocations of the function.
        is_local: Whether it was on a local AWS, which costs nothing.

    """

    name: str
    began: datetime
    where: str
    versions: Mapping[str, str]
    zip: str
    runtime: str
    architecture: str
    results: Sequence[Result]
    invocations: Sequence[Invocation]
    is_local: bool = False

    @property
    def failed(self) -> list[Result]:
        return [one for one in self.results if one.failure]

    @property
    def cents(self) -> float:
        invoked = sum(one.dollars(self.architecture) for one in self.invocations)
        return 100 * (invoked + UPLOADS * UPLOAD.s3_dollars + _other_dollars())

    def row(self) -> str:
        """Return the line that docs/verified.md takes."""
        versions = " | ".join(self.versions.values())
        passed = f"{len(self.results) - len(self.failed)} of {len(self.results)}"
        billed, used, init = self._figures()
        return (
            f"| {self.began:%Y-%m-%d} | {self.where} | {self.runtime}, {self.architecture} | `{self.zip}` | {versions} "
            f"| {passed} | {billed} | {used} | {init} | {self.cents:.0f} |"
        )

    def markdown(self) -> str:
        """Return the report for people."""
        billed, used, init = self._figures()
        checks = "\n".join(
            f"| {_escape(one.name)} | {_escape(f'failed: {one.failure}' if one.failure else 'passed')} "
            f"| {one.seconds:.1f} |"
            for one in self.results
        )
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"""\
# {self.name}: {f"{len(self.failed)} of {len(self.results)} checks failed" if self.failed else "all checks passed"}

{self.began:%Y-%m-%d %H:%M} UTC, {self.where}, {self.runtime} on {self.architecture}, zip `{self.zip}`, {versions}

| check | result | seconds |
|---|---|---:|
{checks}

| invocations | billed ms, median and total | most memory, MB | cold starts, and their median ms | cents |
|---:|---:|---:|---:|---:|
| {len(self.invocations)} | {billed} | {used} | {init} | {0 if self.is_local else self.cents:.0f} |

{self._conclude()}
"""

    def _conclude(self) -> str:
        """Return how the cost is computed, and the line for docs/verified.md, which takes only reports of AWS."""
        if self.is_local:
            return "A local AWS made this report: it cost nothing."
        return f"""\
The cost is computed from the billed time and the requests, with the prices of {REGION} on {PRICES_AS_KNOWN_ON}.
The line for docs/verified.md:

{self.row()}"""

    def junit(self) -> str:
        """Return the report as JUnit's XML, which CI servers show."""
        seconds = f"{sum(one.seconds for one in self.results):.3f}"
        counts = {"tests": str(len(self.results)), "failures": str(len(self.failed)), "time": seconds}
        suite = Element("testsuite", {"name": f"{self.name} {self.where}", **counts})
        for one in self.results:
            case = SubElement(
                suite, "testcase", {"name": one.name, "classname": "accept", "time": f"{one.seconds:.3f}"}
            )
            if one.failure:
                SubElement(case, "failure", {"message": one.failure})
        return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def _figures(self) -> tuple[str, str, str]:
        """Return billed milliseconds, memory and cold starts as text; a dash for what the log lacks."""
        billed = [one.billed_ms for one in self.invocations]
        used = max((one.used_mb for one in self.invocations), default=0)
        starts = [one.init_ms for one in self.invocations if one.init_ms]
        return (
            f"{statistics.median(billed):,.0f}, {sum(billed):,.0f}" if billed else "-",
            f"{used:,.0f}" if used else "-",
            f"{len(starts)}, {statistics.median(starts):,.0f}" if starts else "-",
        )


def _escape(text: str) -> str:
    """Return text for a cell of a table in Markdown."""
    return text.replace("|", "\\|")
