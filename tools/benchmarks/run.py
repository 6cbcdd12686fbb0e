"""`invoke bench`: measure, and write the tables, the figures and the JSON."""

import datetime
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks import cold, curves, latency, summary
from tools.benchmarks.measure import Bench
from tools.benchmarks.peers import find_peers
from tools.benchmarks.photos import Photographer, photographer
from tools.benchmarks.report import Report
from tools.benchmarks.rows import choose
from tools.common.errors import ToolError
from tools.common.paths import LOCAL, ROOT

FOLDER = LOCAL / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
CPUINFO = Path("/proc/cpuinfo")


def run(only: str, rounds: int, say: Callable[[str], None], *, quick: bool, write: bool) -> Report:
    """Measure one row, one part, or all rows and the curves; with ``write`` every part.

    Args:
        only: The name of a row or a part; empty for all.
        rounds: Runs of each contestant after the warm-up.
        say: Shows progress.
        quick: Use small images.
        write: Renew the document, its figures and the README's table, too.

    Raises:
        ToolError: The options contradict each other, nothing has that name, the photographs can't be downloaded, or a
            handler can't be downloaded, built, deployed or started.

    """
    if write and (only or quick):
        raise ToolError("--write needs all rows with full images: leave out --only and --quick")
    rows = choose(only, quick=quick)
    has_curves = only in {"", "curves"}
    peers = find_peers(FOLDER, say) if rows or has_curves else ()
    photograph = photographer(FOLDER / "photos")
    found = Report(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=_describe_machine(),
        rounds=rounds,
        is_quick=quick,
        peers=peers,
        rows=Bench(FOLDER, photograph, peers, rounds).measure_all(rows, say),
        curves=curves.measure(FOLDER, photograph, peers, say, quick=quick) if has_curves else (),
        cold=cold.measure(FOLDER / "cold", rounds, say) if write or only == "cold" else None,
        latency=_measure_latency(photograph, say, quick=quick) if write or only == "latency" else None,
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "results.json").write_text(found.as_json())
    for name, figure in found.figures().items():
        (FOLDER / f"{name}.svg").write_text(figure)
        if write:
            DOCUMENT.with_name(f"benchmarks-{name}.svg").write_text(figure)
    if write:
        found.write(DOCUMENT)
        summary.write(ROOT / "README.md", summary.summarize(found.rows, found.curves))
    return found


def _measure_latency(photograph: Photographer, say: Callable[[str], None], *, quick: bool) -> latency.Latency:
    (row,) = choose("jpeg-12mp", quick=quick)
    source = row.source(FOLDER / "inputs", photograph)
    return latency.measure(source, FOLDER / "latency", say, latency.QUICK_UPLOADS if quick else latency.UPLOADS)


def _describe_machine() -> str:
    # Linux alone has the file, and on arm64 it has no name.
    processor = re.search(r"model name\s*: (.+)", CPUINFO.read_text()) if CPUINFO.exists() else None
    name = processor[1] if processor else platform.processor() or "an unknown processor"
    return f"{os.cpu_count()} cores of {name}, {platform.machine()}, Python {platform.python_version()}"
