"""A run's tables and JSON."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from imaging.limits import MIB
from tools.benchmarks import cold as cold_start
from tools.benchmarks import equal, figures
from tools.benchmarks import latency as on_upload
from tools.benchmarks.job import OURS
from tools.benchmarks.peers import Peer
from tools.benchmarks.results import FLOORS, Measured, RowResult
from tools.common.table import Table

MARK = "<!-- `invoke bench --write` writes everything below this line. -->"

LOSSLESS = ("png-", "gif-", "tiff-")
"""The names of rows begin like this if their format has no quality."""


@dataclass(frozen=True)
class Report:
    """One run of the benchmark.

    Attributes:
        date: ISO 8601.
        machine: Processor and system.
        rounds: Runs of each contestant after the warm-up.
        is_quick: Whether the images were small.
        peers: Includes missing ones.
        rows: In order.
        curves: Bytes and quality of each encoder, if they were measured.
        cold: The cold start, if it was measured.
        latency: From uploads to outputs, if it was measured.

    """

    date: str
    machine: str
    rounds: int
    is_quick: bool
    peers: tuple[Peer, ...]
    rows: tuple[RowResult, ...]
    curves: tuple[equal.Curve, ...] = ()
    cold: cold_start.Cold | None = None
    latency: on_upload.Latency | None = None

    def tables(self) -> list[Table]:
        """Return all tables, the most important first."""
        found = [self._tabulate_cpu(), *equal.tabulate(self.curves), self._tabulate_lossless()]
        found += [self._tabulate_missed_targets(), self._tabulate_details()]
        found += self.latency.tables() if self.latency else []
        found += self.cold.tables() if self.cold else []
        return [table for table in found if table.rows]

    def figures(self) -> dict[str, str]:
        """Return every figure that was measured, as SVG by the end of its file's name."""
        found = {"cpu": figures.draw_growth(self.rows), "quality": figures.draw_quality(self.curves)}
        return {name: drawing for name, drawing in found.items() if drawing}

    def as_json(self) -> str:
        """Return all measurements, targets and figures."""
        document = asdict(self)
        for row, fields in zip(self.rows, document["rows"], strict=True):
            fields["figures"] = row.figures()
        return json.dumps(document, indent=2) + "\n"

    def write(self, document: Path) -> None:
        """Replace everything below :data:`MARK`; people write what is above it."""
        prose, mark, _ = document.read_text().partition(MARK)
        measured = f"Measured on {self.date} with {self.rounds} rounds, on {self.machine}."
        peers = "\n".join(f"- {peer}" for peer in self.peers)
        sections = [f"{prose}{mark}", measured, peers, *(table.markdown() for table in self.tables())]
        document.write_text("\n\n".join(sections) + "\n")

    def _tabulate_cpu(self) -> Table:
        others = [peer for peer in self.peers if peer.name != OURS]
        rows = []
        for row in self.rows:
            ours = row.measured.get(OURS)
            own = f"{ours.median * 1000:.1f}" if ours else row.absent[OURS]
            rows.append((row.title, own, *(_format_ratio(row, peer) for peer in others)))
        columns = ("image", "ours, ms", *(f"/ {peer.name}" for peer in others))
        return Table("CPU seconds of ours, by each peer's", columns, tuple(rows))

    def _tabulate_lossless(self) -> Table:
        others = [peer.name for peer in self.peers if peer.name not in {OURS, "limit", "parts"}]
        rows = [
            (row.title, *(_format_bytes(row, peer) for peer in others))
            for row in self.rows
            if row.name.startswith(LOSSLESS)
        ]
        heading = "Formats without a quality: bytes of ours by each peer's, and PSNR less each peer's"
        return Table(heading, ("image", *(f"/ {peer}" for peer in others)), tuple(rows))

    def _tabulate_missed_targets(self) -> Table:
        rows = [
            (row.title, name, f"{'>=' if name in FLOORS else '<='} {bound:g}", f"{figure:.3f}")
            for row in self.rows
            for name, bound, figure in row.missed_targets()
        ]
        return Table("Missed targets", ("image", "figure", "target", "measured"), tuple(rows), words=2)

    def _tabulate_details(self) -> Table:
        columns = (
            "image",
            "who",
            "remarks",
            "CPU, ms",
            "lowest",
            "highest",
            "memory, MiB",
            "bytes",
            "PSNR, dB",
            "SSIM",
        )
        rows = [_make_row(row, name, one) for row in self.rows for name, one in row.measured.items()]
        rows += [
            (row.title, name, reason, *("-",) * 7)
            for row in self.rows
            for name, reason in row.absent.items()
            if reason.startswith("failed")
        ]
        return Table("Measurements of each contestant", columns, tuple(rows), words=3)


def _format_ratio(row: RowResult, peer: Peer) -> str:
    ratio = row.ratio(peer.name)
    if ratio is None:
        if peer.missing:
            return "not installed"
        return "failed" if row.absent.get(peer.name, "").startswith("failed") else "-"
    return f"{ratio}{' wrong' if row.measured[peer.name].quality.fault else ''}"


def _format_bytes(row: RowResult, peer: str) -> str:
    figures_ = row.figures()
    below = figures_.get(f"PSNR below {peer}, dB")
    if below is None or row.measured[peer].quality.fault:
        return "-"
    return f"{figures_[f'bytes / {peer}']:.2f}, {-below:+.1f} dB"


def _make_row(row: RowResult, name: str, one: Measured) -> tuple[str, ...]:
    quality = one.quality
    wrong = f"wrong: {quality.fault}" if quality.fault else ""
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
