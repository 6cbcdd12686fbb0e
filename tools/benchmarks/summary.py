"""The README's table: CPU, bytes and quality against the usual handler and sharp, each at equal terms."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from tools.benchmarks import equal
from tools.benchmarks.equal import Curve
from tools.benchmarks.results import RowResult
from tools.common.table import Table

BEGIN, END = "<!-- `invoke bench --write` writes this table. -->", "<!-- The table ends. -->"

PEERS = ("usual", "sharp")

CURVES = {
    "jpeg-12mp": "JPEG, photo",
    "webp": "WebP, photo",
    "avif": "AVIF, photo",
    "png-photo": "",
    "png-flat": "",
    "gif-photo": "",
    "gif-flat": "",
    "tiff-lzw": "",
}
"""Rows of the table, and the title of the curves that have their bytes and quality.

Formats without a quality have no curves: their bytes and PSNR count as they are.
"""


def summarize(rows: Sequence[RowResult], curves: Sequence[Curve]) -> Table:
    """Return the table."""
    columns = ("image", *(f"{figure} {peer}" for figure in ("CPU /", "bytes /", "quality -") for peer in PEERS))
    by_name = {row.name: row for row in rows}
    lines = [
        _summarize_row(by_name[name], [curve for curve in curves if curve.title == title])
        for name, title in CURVES.items()
        if name in by_name
    ]
    return Table("Summary", columns, tuple(lines))


def _summarize_row(row: RowResult, curves: Sequence[Curve]) -> tuple[str, ...]:
    found = [_compare(row, curves, peer) for peer in PEERS]
    return (row.title, *(cell for column in zip(*found, strict=True) for cell in column))


def _compare(row: RowResult, curves: Sequence[Curve], peer: str) -> tuple[str, str, str]:
    """Return the cells for CPU, bytes and quality."""
    ratio = row.ratio(peer)
    if ratio is None:
        return "", "", ""
    if row.measured[peer].quality.fault:
        return "wrong", "", ""
    if not curves:
        figures = row.figures()
        return str(ratio), f"{figures[f'bytes / {peer}']:.2f}", f"{-figures[f'PSNR below {peer}, dB']:+.1f} dB"
    factors = equal.find_differences(curves, peer, equal.divide_bytes)
    points = equal.find_differences(curves, peer, equal.subtract_scores)
    return str(ratio), _format_median(factors, "{:.2f}"), _format_median(points, "{:+.1f}")


def _format_median(values: Sequence[float], style: str) -> str:
    return style.format(statistics.median(values)) if values else ""


def write(document: Path, table: Table) -> None:
    """Replace what is between :data:`BEGIN` and :data:`END`."""
    text = document.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    document.write_text(f"{before}{begin}\n\n{table.grid()}\n\n{end}{after}")
