"""A run's tables, as plain text and as Markdown, and as JSON."""

import json
import math
from dataclasses import asdict

from imaging.budget import MIB
from tools.benchmarks import cold_tables, cost
from tools.benchmarks.results import OURS, Measured, Report, RowResult
from tools.common.table import Table


def tables(report: Report) -> list[Table]:
    """All of a run's tables, the most important first."""
    found = [_cpu(report), _targets(report), _details(report), *cost.tables(report.workloads)]
    return [*found, *cold_tables.tables(report.cold)] if report.cold else found


def as_json(report: Report) -> str:
    """All that was measured, with every target's figure and verdict."""
    document = asdict(report)
    for row, fields in zip(report.rows, document["rows"], strict=True):
        fields["targets"] = [
            {"name": target.name, "bound": target.bound, "figure": figure, "verdict": target.verdict(figure)}
            for target in row.targets
            for figure in (target.figure(row),)
        ]
    return json.dumps(document, indent=2) + "\n"


def _cpu(report: Report) -> Table:
    """Ours in milliseconds, and by each peer's."""
    others = [one for one in report.contestants if one.name != OURS]
    rows = []
    for row in report.rows:
        ours = row.measured.get(OURS)
        own = f"{ours.median * 1000:.1f}" if ours else row.absent[OURS]
        rows.append((row.title, own, *(_ratio(row, one.name, one.missing) for one in others)))
    columns = ("image", "ours, ms", *(f"/ {one.name}" for one in others))
    return Table("CPU seconds of ours, by each peer's", columns, tuple(rows))


def _ratio(row: RowResult, peer: str, missing: str) -> str:
    ratio = row.ratio(peer)
    if ratio is None:
        # What it was is said below the table, or in the details.
        return "not installed" if missing else "failed" if row.absent.get(peer, "").startswith("failed") else "-"
    wrong = " wrong" if row.measured[peer].quality.fault else ""
    return f"{ratio.median:.2f} ({ratio.lowest:.2f}-{ratio.highest:.2f}){wrong}"


def _targets(report: Report) -> Table:
    rows = []
    for row in report.rows:
        for target in row.targets:
            figure = target.figure(row)
            bound = f"{'<=' if target.is_ceiling else '>='} {target.bound:g}"
            shown = "-" if figure is None else f"{figure:.3f}"
            rows.append((row.title, target.name, target.verdict(figure), bound, shown))
    return Table("Targets", ("image", "what", "verdict", "bound", "measured"), tuple(rows), words=3)


def _details(report: Report) -> Table:
    columns = ("image", "who", "remarks", "CPU, ms", "lowest", "highest", "memory, MiB", "bytes", "PSNR, dB", "SSIM")
    rows = [_detail(row, name, one) for row in report.rows for name, one in row.measured.items()]
    rows += [
        (row.title, name, reason, *("-",) * 7)
        for row in report.rows
        for name, reason in row.absent.items()
        if reason.startswith("failed")
    ]
    return Table("What each contestant took and gave", columns, tuple(rows), words=3)


def _detail(row: RowResult, name: str, one: Measured) -> tuple[str, ...]:
    wrong = f"wrong: {one.quality.fault}" if one.quality.fault else ""
    quality = one.quality
    return (
        row.title,
        name,
        ", ".join(filter(None, (wrong, one.note))),
        *(f"{seconds * 1000:.1f}" for seconds in (one.median, min(one.cpu), max(one.cpu))),
        f"{math.ceil(one.peak_bytes / MIB)}",
        f"{one.bytes:,}",
        "-" if quality.psnr is None else f"{quality.psnr:.2f}",
        "-" if quality.ssim is None else f"{quality.ssim:.4f}",
    )


def contestants(report: Report) -> list[str]:
    """A line for each: what it is, or why it is missing."""
    return [f"{one.name}: {one.missing or one.version}" for one in report.contestants]
