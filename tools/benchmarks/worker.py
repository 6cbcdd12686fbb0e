"""A contestant's own warm process: one run for every line on standard input, answered by what it took, as JSON."""

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
    measured = _children if contestant == "limit" else _self
    for number, _ in enumerate(sys.stdin):
        try:
            reply, bodies = measured(work)
        except Exception as error:  # noqa: BLE001 - whatever stops a contestant is its result
            print(json.dumps({"error": str(error) or type(error).__name__}), flush=True)
            continue
        if number == 0:
            for index, body in enumerate(bodies):
                (Path(job.directory) / str(index)).write_bytes(body)
        print(json.dumps(reply), flush=True)


def _self(work: Work) -> tuple[dict[str, float], list[bytes]]:
    """CPU of all threads of this process, and what its memory grew by at most."""
    # Sets the high-water mark to what is resident now: proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    start = time.process_time()
    bodies = work()
    cpu = time.process_time() - start
    return {"cpu": cpu, "peak": _status("VmHWM") - before}, bodies


def _children(work: Work) -> tuple[dict[str, float], list[bytes]]:
    """CPU of the processes that the work starts, and the memory of the largest."""
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
