"""`invoke bench`: measure, and write the tables, the plot and the JSON."""

import datetime
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks import cold, plot
from tools.benchmarks.measure import Bench
from tools.benchmarks.peers import find_peers
from tools.benchmarks.photos import photographer
from tools.benchmarks.report import Report
from tools.benchmarks.rows import choose
from tools.common.errors import ToolError
from tools.common.paths import LOCAL, ROOT

FOLDER = LOCAL / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
CPUINFO = Path("/proc/cpuinfo")


def run(only: str, rounds: int, say: Callable[[str], None], *, quick: bool, write: bool) -> Report:
    """Measure one row or all.

    Args:
        only: A row's name; empty for all.
        rounds: Runs of each contestant after the warm-up.
        say: Shows progress.
        quick: Use small images.
        write: Renew the document too.

    Raises:
        ToolError: The options contradict each other, no row has that name, or the photographs can't be downloaded.

    """
    if write and (only or quick):
        raise ToolError("--write needs all rows with full images: leave out --only and --quick")
    rows = choose(only, quick=quick)
    peers = find_peers(FOLDER, say)
    found = Report(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=_describe_machine(),
        rounds=rounds,
        is_quick=quick,
        peers=peers,
        rows=Bench(FOLDER, photographer(FOLDER / "photos"), peers, rounds).measure_all(rows, say),
        cold=cold.measure(FOLDER / "cold", rounds, say) if write else None,
    )
    (FOLDER / "results.json").write_text(found.as_json())
    (FOLDER / "plot.svg").write_text(plot.draw(found.rows))
    if write:
        found.write(DOCUMENT)
        DOCUMENT.with_suffix(".svg").write_text(plot.draw(found.rows))
    return found


def run_cold(only: str, rounds: int, say: Callable[[str], None], *, quick: bool, write: bool) -> cold.Cold:
    """Measure the cold start alone.

    Raises:
        ToolError: The options contradict each other, or a handler can't be downloaded, built or started.

    """
    if only or quick or write:
        raise ToolError("--cold has no rows and is part of --write: leave out --only, --quick and --write")
    return cold.measure(FOLDER / "cold", rounds, say)


def _describe_machine() -> str:
    # Linux alone has the file, and on arm64 it has no name.
    processor = re.search(r"model name\s*: (.+)", CPUINFO.read_text()) if CPUINFO.exists() else None
    name = processor[1] if processor else platform.processor() or "an unknown processor"
    return f"{os.cpu_count()} cores of {name}, {platform.machine()}, Python {platform.python_version()}"
