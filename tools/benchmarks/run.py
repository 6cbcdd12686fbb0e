"""``invoke bench``: measures, and leaves the tables, the plot and the JSON."""

import datetime
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks import cold, cost, document, plot, report
from tools.benchmarks.measure import Bench
from tools.benchmarks.peers import peers
from tools.benchmarks.results import Cold, Report
from tools.benchmarks.rows import chosen
from tools.common.errors import ToolError
from tools.common.paths import LOCAL, ROOT
from tools.imaging.photos import photographer

FOLDER = LOCAL / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def run(only: str, rounds: int, say: Callable[[str], None], *, quick: bool, write: bool) -> Report:
    """Measure one row or all.

    Args:
        only: A row's name; all where it is empty.
        rounds: How often each contestant runs, after a warm-up.
        say: Shows progress.
        quick: With small images: to see that all works.
        write: Write the document too.

    Raises:
        ToolError: There is no such row, or what is asked for makes no sense, or no photographs are to be had.

    """
    _check(rounds)
    if write and (only or quick):
        raise ToolError("--write is of all rows with the full images: leave out --only and --quick")
    rows = chosen(only, quick=quick)
    contestants = peers(FOLDER, say)
    bench = Bench(FOLDER, photographer(FOLDER / "photos"), contestants, rounds)
    measured = bench.measure_all(rows, say)
    found = Report(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=_machine(),
        rounds=rounds,
        is_quick=quick,
        contestants=tuple(peer.contestant for peer in contestants),
        rows=measured,
        workloads=() if quick else cost.workloads(measured, {row.name: bench.source(row) for row in rows}),
        cold=cold.measure(FOLDER / "cold", rounds, say) if write else None,
    )
    save(found, FOLDER)
    if write:
        DOCUMENT.write_text(document.markdown(found))
        DOCUMENT.with_suffix(".svg").write_text(plot.svg(found))
    return found


def run_cold(only: str, rounds: int, say: Callable[[str], None], *, quick: bool, write: bool) -> Cold:
    """Measure the cold start alone.

    Raises:
        ToolError: What is asked for makes no sense, or something can't be fetched, built or started.

    """
    _check(rounds)
    if only or quick or write:
        raise ToolError("--cold has no rows and is a part of --write: leave out --only, --quick and --write")
    return cold.measure(FOLDER / "cold", rounds, say)


def save(found: Report, folder: Path) -> None:
    """Write the plot and the JSON."""
    (folder / "results.json").write_text(report.as_json(found))
    (folder / "plot.svg").write_text(plot.svg(found))


def _check(rounds: int) -> None:
    if rounds < 1:
        raise ToolError(f"--rounds is {rounds}: it must be at least 1")


def _machine() -> str:
    processor = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    name = processor[1] if processor else platform.machine()
    return f"{os.cpu_count()} cores of {name}, {platform.machine()}, Python {platform.python_version()}"
