"""What was measured, and what follows from it."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.benchmarks.job import Wanted
from tools.common.pricing import Workload
from tools.imaging.quality import Quality

OURS, PLAIN = "ours", "plain"


@dataclass(frozen=True)
class Measured:
    """One contestant in one row.

    Attributes:
        cpu: Seconds, of every round.
        peak_bytes: The most memory beside the source and what the process held before.
        sizes: Bytes of each output.
        quality: The worst of its outputs'.
        note: What was chosen for this contestant.

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
class Ratio:
    """What one took by another's, as the median, the lowest and the highest of the rounds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, one: Sequence[float], other: Sequence[float]) -> "Ratio":
        """Compare the same rounds: both then had the same machine."""
        ratios = [mine / yours for mine, yours in zip(one, other, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))


@dataclass(frozen=True)
class Target:
    """A figure that ours is to reach.

    Attributes:
        name: What is measured.
        figure: Finds it; None where it could not be measured.
        bound: What it may be at most, or must be at least.
        is_ceiling: Which of the two.

    """

    name: str
    figure: Callable[["RowResult"], float | None]
    bound: float
    is_ceiling: bool = True

    def verdict(self, figure: float | None) -> str:
        """Say whether the figure reaches the bound, and by how much it falls short."""
        if figure is None:
            return "not measured"
        short = figure - self.bound if self.is_ceiling else self.bound - figure
        # A figure is compared as it is printed.
        return f"short by {short:.3g}" if round(short, 4) > 0 else "reached"


@dataclass(frozen=True)
class RowResult:
    """One row: every contestant's, and why there is none of the others.

    Attributes:
        name: Of the row.
        title: The same for people.
        source_bytes: Of the source.
        outputs: What was asked for.
        measured: By contestant.
        absent: By contestant, the reason.
        targets: What ours is to reach.

    """

    name: str
    title: str
    source_bytes: int
    outputs: tuple[Wanted, ...]
    measured: Mapping[str, Measured]
    absent: Mapping[str, str]
    targets: tuple[Target, ...]

    def ratio(self, peer: str) -> Ratio | None:
        """Our CPU by the peer's."""
        ours, other = self.measured.get(OURS), self.measured.get(peer)
        return Ratio.of(ours.cpu, other.cpu) if ours and other else None


@dataclass(frozen=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: Of its column.
        version: As it says itself.
        missing: Why it does not take part; empty where it does.

    """

    name: str
    version: str
    missing: str = ""


@dataclass(frozen=True)
class Import:
    """A module that the start imports, and the seconds that it took by itself, and with all that it imports."""

    name: str
    own: float
    total: float


@dataclass(frozen=True)
class Zip:
    """How large a package is, and whether there was a Python to compile it."""

    target: str
    size: int
    has_byte_code: bool


@dataclass(frozen=True)
class Cold:
    """What was measured.

    Attributes:
        cpu: Seconds that the import of the handler took, of every round, by handler.
        imports: What ours imports, the costliest first.
        plugins: The formats of Pillow that ours loads.
        beyond: The packages that ours loads and a plain handler does not, beside its own modules and Pillow.
        spared: The packages that a plain handler loads and ours does not.
        zips: The packages, that of this machine first.

    """

    cpu: Mapping[str, tuple[float, ...]]
    imports: tuple[Import, ...]
    plugins: tuple[str, ...]
    beyond: tuple[str, ...]
    spared: tuple[str, ...]
    zips: tuple[Zip, ...]

    def ratio(self, name: str) -> Ratio:
        """A handler's CPU by the plain one's."""
        return Ratio.of(self.cpu[name], self.cpu[PLAIN])


@dataclass(frozen=True)
class Report:
    """One run of the benchmark.

    Attributes:
        date: ISO 8601.
        machine: Processor and system.
        rounds: How often each contestant ran, after a warm-up.
        is_quick: Whether the images were small ones.
        contestants: Those that are missing too.
        rows: In order.
        workloads: What is priced.
        cold: The cold start, where it was measured.

    """

    date: str
    machine: str
    rounds: int
    is_quick: bool
    contestants: tuple[Contestant, ...]
    rows: tuple[RowResult, ...]
    workloads: tuple[Workload, ...] = ()
    cold: Cold | None = None
