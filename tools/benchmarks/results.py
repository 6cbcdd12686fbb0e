"""Measurements and the figures that follow from them."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.benchmarks.job import OURS
from tools.benchmarks.judge import Quality

MARGIN = 1.3
"""The factor that medians may move from one machine to another of its kind: docs/benchmarks.md has the evidence."""

FLOORS = frozenset({"PSNR, dB"})
"""Figures whose bound is a minimum."""


@dataclass(frozen=True)
class Ratio:
    """A quotient of CPU times: the median of the rounds, and the bounds in which another machine's median is expected.

    Each bound is :data:`MARGIN` away from the median, or where the furthest round is, if that is further.
    """

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, one: Sequence[float], other: Sequence[float]) -> "Ratio":
        """Divide round by round, because both contestants then had the same machine."""
        ratios = [mine / yours for mine, yours in zip(one, other, strict=True)]
        median = statistics.median(ratios)
        return cls(median, min(*ratios, median / MARGIN), max(*ratios, median * MARGIN))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f}-{self.highest:.2f})"


@dataclass(frozen=True)
class Measured:
    """One contestant in one row.

    Attributes:
        cpu: Seconds of every round.
        peak_bytes: Peak memory in addition to the source and the idle process.
        sizes: Bytes of each output.
        quality: Of the worst output.
        note: An option that was chosen for this contestant.

    """

    cpu: tuple[float, ...]
    peak_bytes: int
    sizes: tuple[int, ...]
    quality: Quality
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def bytes(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True)
class RowResult:
    """One row.

    Attributes:
        name: Of the row.
        title: For the tables.
        source_bytes: Of the source.
        pixels: Of the source.
        measured: By contestant.
        absent: The reason, by contestant that has no measurement.
        targets: Bounds by the names of :meth:`figures`.

    """

    name: str
    title: str
    source_bytes: int
    pixels: int
    measured: Mapping[str, Measured]
    absent: Mapping[str, str]
    targets: Mapping[str, float]

    def ratio(self, peer: str) -> Ratio | None:
        """Divide the CPU of this function by the peer's."""
        ours, other = self.measured.get(OURS), self.measured.get(peer)
        return Ratio.of(ours.cpu, other.cpu) if ours and other else None

    def figures(self) -> dict[str, float]:
        """Return every figure that was measured and can have a target."""
        if OURS not in self.measured:
            return {}
        ours = self.measured[OURS]
        found: dict[str, float | None] = {
            "bytes / source": ours.bytes / self.source_bytes,
            "PSNR, dB": ours.quality.psnr,
        }
        for peer, other in self.measured.items():
            found |= {
                f"CPU / {peer}": Ratio.of(ours.cpu, other.cpu).median,
                f"memory / {peer}": ours.peak_bytes / max(1, other.peak_bytes),
                f"bytes / {peer}": ours.bytes / other.bytes,
            }
            if ours.quality.psnr is not None and other.quality.psnr is not None:
                found[f"PSNR below {peer}, dB"] = other.quality.psnr - ours.quality.psnr
            if ours.quality.ssim is not None and other.quality.ssim is not None:
                found[f"SSIM below {peer}"] = other.quality.ssim - ours.quality.ssim
        return {name: figure for name, figure in found.items() if figure is not None}

    def missed_targets(self) -> Iterator[tuple[str, float, float]]:
        """Yield the name, the bound and the figure of every target that was measured and missed."""
        figures = self.figures()
        for name, bound in self.targets.items():
            if name in figures:
                # Compare the figure as the table prints it.
                figure = round(figures[name], 3)
                if figure < bound if name in FLOORS else figure > bound:
                    yield name, bound, figure


def take_turns(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, tuple[float, ...]]:
    """Run everything once a round, and return what each run returned, by name."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        # Another one begins each round, so that none always follows the same neighbour.
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            found[name].append(runs[name]())
    return {name: tuple(values) for name, values in found.items()}
