"""A contestant's warm process: each line on standard input starts a run, and a line of JSON answers with its cost."""

import importlib
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks.job import Job

Work = Callable[[], list[bytes]]


def main(contestant: str, job_file: str) -> None:
    """Serve until standard input ends; the first run also writes its outputs."""
    job = Job.load(Path(job_file))
    module = importlib.import_module(f"tools.benchmarks.contestants.{contestant}")
    work: Work = module.prepare(job, Path(job.source).read_bytes())
    measure = _measure_children if contestant == "limit" else _measure_self
    for number, _ in enumerate(sys.stdin):
        try:
            reply, bodies = measure(work)
        except Exception as error:  # noqa: BLE001 - a contestant's error is its result
            print(json.dumps({"error": str(error) or type(error).__name__}), flush=True)
            continue
        if number == 0:
            for index, body in enumerate(bodies):
                (Path(job.directory) / str(index)).write_bytes(body)
        print(json.dumps(reply), flush=True)


def _measure_self(work: Work) -> tuple[dict[str, float], list[bytes]]:
    """Measure the CPU of all threads, and the peak growth of this process's memory."""
    # Resets the high-water mark of resident memory: proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    start = time.process_time()
    bodies = work()
    cpu = time.process_time() - start
    return {"cpu": cpu, "peak": _status("VmHWM") - before}, bodies


def _measure_children(work: Work) -> tuple[dict[str, float], list[bytes]]:
    """Measure the CPU of the child processes, and the memory of the largest."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    bodies = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "peak": after.ru_maxrss << 10}, bodies


def _status(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if not found:
        raise RuntimeError(f"No {field} in /proc/self/status: the benchmark runs on Linux")
    return int(found[1]) << 10


if __name__ == "__main__":
    main(*sys.argv[1:])
