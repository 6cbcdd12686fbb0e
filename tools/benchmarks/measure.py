"""Measure a row: every contestant has a warm process, and they run in turn, round after round."""

import contextlib
import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.benchmarks.job import OURS, Job
from tools.benchmarks.judge import Judge, Quality
from tools.benchmarks.peers import Peer
from tools.benchmarks.photos import Photographer
from tools.benchmarks.results import Measured, RowResult, take_turns
from tools.benchmarks.rows import Row
from tools.common.errors import ToolError
from tools.common.paths import ROOT

EQUAL = 1.01
"""An output of equal bytes may be larger by this factor."""


class FailedError(ToolError):
    """A contestant failed; the message is its own."""


class Worker:
    """A contestant's waiting process. Its first run is the warm-up, which measures memory and leaves the outputs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def started(cls, peer: Peer, job: Job) -> Iterator["Worker"]:
        """Start the process, and kill it at the end of the block."""
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

    def run(self) -> dict[str, float]:
        """Do the work once, and return its CPU seconds as ``cpu`` and the peak memory in bytes as ``peak``.

        Raises:
            FailedError: The contestant can't do it.

        """
        line = ""
        # A dead process breaks the pipe or answers nothing.
        with contextlib.suppress(BrokenPipeError):
            print("run", file=self._process.stdin, flush=True)
            line = self._process.stdout.readline() if self._process.stdout else ""
        reply: dict[str, float] = json.loads(line or '{"error": "its process ended"}')
        if "error" in reply:
            raise FailedError(str(reply["error"]).splitlines()[0])
        return reply

    def measure_cpu(self) -> float:
        """Do the work once, and return its CPU seconds."""
        return self.run()["cpu"]


@dataclass(frozen=True)
class Entry:
    """A contestant of a row after its warm-up."""

    worker: Worker
    peak: int
    bodies: tuple[bytes, ...]
    note: str


@dataclass(frozen=True)
class Bench:
    """A run of the benchmark.

    Attributes:
        folder: For inputs and outputs.
        photograph: Returns photographs.
        peers: This function is first, because others are matched to it.
        rounds: Runs of each contestant after the warm-up.

    """

    folder: Path
    photograph: Photographer
    peers: Sequence[Peer]
    rounds: int

    def measure_all(self, rows: Sequence[Row], say: Callable[[str], None]) -> tuple[RowResult, ...]:
        """Measure rows and show progress."""
        results = []
        for number, row in enumerate(rows, 1):
            say(f"Measuring {row.name}, {number} of {len(rows)}")
            results.append(self.measure(row))
        return tuple(results)

    def measure(self, row: Row) -> RowResult:
        """Measure one row."""
        source = row.source(self.folder / "inputs", self.photograph)
        absent: dict[str, str] = {}
        with contextlib.ExitStack() as stack:
            entries: dict[str, Entry] = {}
            for peer in self.peers:
                if reason := peer.missing or _explain_exclusion(row, peer):
                    absent[peer.name] = reason
                    continue
                try:
                    entries[peer.name] = self._warm_up(stack, row, peer, source, entries.get(OURS))
                except FailedError as error:
                    absent[peer.name] = f"failed: {error}"
            cpu = take_turns({name: entry.worker.measure_cpu for name, entry in entries.items()}, self.rounds)
        judge = Judge(source.read_bytes())
        measured = {
            name: Measured(
                cpu[name],
                entry.peak,
                tuple(map(len, entry.bodies)),
                _find_worst_quality(judge, row, entry.bodies),
                entry.note,
            )
            for name, entry in entries.items()
        }
        return RowResult(row.name, row.title, source.stat().st_size, math.prod(row.size), measured, absent, row.targets)

    def _warm_up(self, stack: contextlib.ExitStack, row: Row, peer: Peer, source: Path, ours: Entry | None) -> Entry:
        directory = make_directory(self.folder / "runs" / row.name / peer.name)
        job = Job(
            source=str(source),
            directory=str(directory),
            outputs=row.outputs,
            subsampling=row.subsampling,
            tiff_compression="lzw" if "compression" in row.options else "raw",
            has_palette=row.has_palette,
        )
        note = ""
        if row.at_equal_bytes and peer.name == "sharp" and ours is not None:
            job = _match_bytes(peer, job, sum(map(len, ours.bodies)))
            note = f"deflate level {job.deflate_level}"
        worker = stack.enter_context(Worker.started(peer, job))
        return Entry(worker, round(worker.run()["peak"]), read_outputs(job), note)


def _explain_exclusion(row: Row, peer: Peer) -> str:
    """Return why a contestant has no part in a row, or an empty string."""
    if f"CPU / {peer.name}" in row.targets:
        return ""
    if peer.name == "thumbor":
        if row.format == "TIFF":
            return "writes PNG"
        return "writes 4:2:0" if row.subsampling != "4:2:0" else ""
    return {"limit": "djpeg and cjpeg cannot do this", "parts": "only for several renditions"}.get(peer.name, "")


def _match_bytes(peer: Peer, job: Job, limit: int) -> Job:
    """Return the job with the lowest deflate level whose output is as small, or with the highest level."""
    for level in range(1, 10):
        tried = replace(job, deflate_level=level)
        with Worker.started(peer, tried) as worker:
            worker.run()
        if sum(map(len, read_outputs(tried))) <= EQUAL * limit:
            break
    return tried


def make_directory(path: Path) -> Path:
    """Make an empty directory for a job."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def read_outputs(job: Job) -> tuple[bytes, ...]:
    """Return what the first run of a job wrote."""
    return tuple((Path(job.directory) / str(number)).read_bytes() for number in range(len(job.outputs)))


def _find_worst_quality(judge: Judge, row: Row, bodies: Sequence[bytes]) -> Quality:
    """Return the quality of the output furthest from the reference; one with a fault comes first."""
    found = [judge.judge(body, wanted) for body, wanted in zip(bodies, row.outputs, strict=True)]
    return min(found, key=lambda quality: (not quality.fault, quality.psnr or 0))
