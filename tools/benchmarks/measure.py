"""Measures one row: every contestant in a warm process of its own, one run each in turn, round after round."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.benchmarks.job import Job
from tools.benchmarks.peers import Peer
from tools.benchmarks.results import OURS, Measured, RowResult
from tools.benchmarks.rows import Row
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.imaging.photos import Photographer
from tools.imaging.quality import Judge, Quality

DEFLATE_LEVELS = range(1, 10)

EQUAL = 1.01
"""How much larger an output of equal bytes may be."""


class FailedError(ToolError):
    """A contestant can't do it; the message is its own."""


@dataclass(frozen=True)
class Run:
    """What one run took: CPU seconds, and the memory that it needed at most."""

    cpu: float
    peak: int


class Worker:
    """A contestant's process, waiting for work.

    Its first run is the warm-up, which finds the peak memory and leaves the outputs.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def started(cls, peer: Peer, job: Job) -> Iterator["Worker"]:
        """Start it, and end it with the block."""
        errors = Path(job.directory) / "errors.txt"
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                [*peer.command, str(job.save())],
                cwd=ROOT,
                env=os.environ | dict(peer.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            try:
                yield cls(process)
            finally:
                process.kill()

    def run(self) -> Run:
        """Have it do its work once.

        Raises:
            FailedError: It can't.

        """
        line = ""
        # One that has died is told by its silence.
        with contextlib.suppress(BrokenPipeError):
            print("run", file=self._process.stdin, flush=True)
            line = self._process.stdout.readline() if self._process.stdout else ""
        reply = json.loads(line or '{"error": "its process ended"}')
        if "error" in reply:
            raise FailedError(str(reply["error"]).splitlines()[0])
        return Run(**reply)


@dataclass(frozen=True)
class Entry:
    """One contestant of a row that has been warmed up."""

    peer: Peer
    worker: Worker
    peak: int
    bodies: tuple[bytes, ...]
    note: str


@dataclass(frozen=True)
class Bench:
    """Where a run has its things.

    Attributes:
        folder: For inputs and outputs.
        photograph: Takes the photographs.
        peers: Who takes part; ours is first, for others are matched to it.
        rounds: How often each runs after the warm-up.

    """

    folder: Path
    photograph: Photographer
    peers: Sequence[Peer]
    rounds: int

    def measure_all(self, rows: Sequence[Row], say: Callable[[str], None]) -> tuple[RowResult, ...]:
        """Measure rows, and tell how far it is."""
        results = []
        for row in rows:
            say(f"Measuring {row.name}")
            results.append(self.measure(row))
        return tuple(results)

    def source(self, row: Row) -> Path:
        """The image of a row, made if it is not there yet."""
        return row.image.cached(self.folder / "inputs", self.photograph)

    def measure(self, row: Row) -> RowResult:
        """Measure one row."""
        source = self.source(row)
        absent: dict[str, str] = {}
        with contextlib.ExitStack() as stack:
            entries: dict[str, Entry] = {}
            for peer in self.peers:
                reason = peer.contestant.missing or _barred(row, peer)
                if reason:
                    absent[peer.name] = reason
                    continue
                try:
                    entries[peer.name] = self._warmed_up(stack, row, peer, source, entries.get(OURS))
                except FailedError as error:
                    absent[peer.name] = f"failed: {error}"
            cpu = self._rounds(list(entries.values()))
        judge = Judge(source.read_bytes())
        measured = {}
        for name, entry in entries.items():
            sizes = tuple(map(len, entry.bodies))
            measured[name] = Measured(cpu[name], entry.peak, sizes, _worst(judge, row, entry.bodies), entry.note)
        return RowResult(row.name, row.title, source.stat().st_size, row.outputs, measured, absent, row.targets)

    def _warmed_up(self, stack: contextlib.ExitStack, row: Row, peer: Peer, source: Path, ours: Entry | None) -> Entry:
        job, note = self._job(row, peer, source), ""
        if row.at_equal_bytes and peer.name == "sharp" and ours is not None:
            job = _at_equal_bytes(peer, job, sum(map(len, ours.bodies)))
            note = f"deflate level {job.deflate_level}"
        worker = stack.enter_context(Worker.started(peer, job))
        run = worker.run()
        return Entry(peer, worker, run.peak, _bodies(job), note)

    def _job(self, row: Row, peer: Peer, source: Path) -> Job:
        directory = self.folder / "runs" / row.name / peer.name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return Job(
            source=str(source),
            directory=str(directory),
            outputs=row.outputs,
            subsampling=row.image.subsampling,
            tiff_compression="lzw" if "compression" in row.image.options else "raw",
            has_palette=row.image.has_palette,
        )

    def _rounds(self, entries: Sequence[Entry]) -> dict[str, tuple[float, ...]]:
        """Let each run once a round; who begins changes, so that nobody always follows the same one."""
        cpu: dict[str, list[float]] = {entry.peer.name: [] for entry in entries}
        for number in range(self.rounds):
            first = number % len(entries)
            for entry in [*entries[first:], *entries[:first]]:
                cpu[entry.peer.name].append(entry.worker.run().cpu)
        return {name: tuple(seconds) for name, seconds in cpu.items()}


def _barred(row: Row, peer: Peer) -> str:
    """Why a contestant has no part in a row."""
    if peer.name == "limit" and not row.has_limit:
        return "djpeg and cjpeg do not do this"
    if peer.name == "parts" and not row.has_parts:
        return "only for several renditions"
    return ""


def _at_equal_bytes(peer: Peer, job: Job, most: int) -> Job:
    """The job with the least effort at which the output is as small as ours; else with the most."""
    for level in DEFLATE_LEVELS:
        tried = replace(job, deflate_level=level)
        with Worker.started(peer, tried) as worker:
            worker.run()
        if sum(map(len, _bodies(tried))) <= EQUAL * most:
            return tried
    return tried


def _bodies(job: Job) -> tuple[bytes, ...]:
    return tuple((Path(job.directory) / str(number)).read_bytes() for number in range(len(job.outputs)))


def _worst(judge: Judge, row: Row, bodies: Sequence[bytes]) -> Quality:
    """The quality of the output that is furthest from the reference."""
    found = [
        judge.judge(body, wanted.format, wanted.width, wanted.height)
        for body, wanted in zip(bodies, row.outputs, strict=True)
    ]
    return min(found, key=lambda quality: (not quality.fault, quality.psnr or 0))
