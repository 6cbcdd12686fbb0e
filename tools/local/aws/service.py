"""Starts and stops the local AWS: for the length of a block, or in the background."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws
from tools.common.paths import ROOT
from tools.local.aws.runtime import prepare

MODULE = "tools.local.aws"
"""The server's main module; tests run another, which knows faults."""

STAY = "stay"
"""Text on the server's standard input that lets the server outlive this process."""

STOP_SECONDS = 30
"""Seconds that the server may take to end; it usually takes less than one."""


@contextlib.contextmanager
def local_aws(
    *,
    port: int = 0,
    concurrency: int = 2,
    retry_delays: tuple[float, ...] = (1, 2),
    keep: Path | None = None,
) -> Iterator[LocalAws]:
    """Run a local AWS for the length of a block. It also ends if this process is killed.

    Args:
        port: On loopback; 0 for any free port.
        concurrency: How many functions may run at a time.
        retry_delays: Seconds before the first and the second retry of an asynchronous invocation; 60 and 120 on AWS.
        keep: The log file of a local AWS that outlives this process, unless the block raises; otherwise None.

    Raises:
        ToolError: It can't run on this machine, or the port is in use.

    """
    with (
        keep.open("w+") if keep else tempfile.TemporaryFile("w+") as log,
        _launch(port, concurrency, retry_delays, log) as process,
    ):
        try:
            yield _await_ready(process, log)
        except BaseException:
            _end(process)
            raise
        if keep:
            _release(process)
        else:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Close the server's standard input, which stops it; kill it if it takes too long."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    process.kill()


def _release(process: subprocess.Popen[str]) -> None:
    """Let the server outlive this process."""
    if process.stdin:
        process.stdin.write(STAY)
    # Otherwise Popen's context manager waits for its end, and Python warns that it is still running.
    process.returncode = 0


def stop(pid: int) -> None:
    """End a local AWS and everything that it started, unless it has ended already."""
    deadline = time.monotonic() + STOP_SECONDS
    options = os.WNOHANG
    # Another process may have the id by now.
    while _is_server(pid):
        options = 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.02)
    # A child of this process stays in the process table until it is collected.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, options)


def _is_server(pid: int) -> bool:
    """Whether a process runs the local AWS; a process that has ended has no command line."""
    if sys.platform == "linux":
        # Slim containers lack ps.
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except FileNotFoundError:
            return False
    else:
        ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        command = ps.stdout.split()
    return MODULE in command


def _launch(port: int, concurrency: int, retry_delays: tuple[float, ...], log: IO[str]) -> subprocess.Popen[str]:
    runtime = prepare()
    command = [
        *(sys.executable, "-m", MODULE, "--port", str(port), "--concurrency", str(concurrency)),
        *("--retry-delays", *map(str, retry_delays)),
        *("--", str(runtime.python), *runtime.client),
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=_without_aws(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        # Ctrl-C must reach only this process, which then stops the server.
        start_new_session=True,
    )


def _await_ready(process: subprocess.Popen[str], log: IO[str]) -> LocalAws:
    """Wait until the server prints where it listens, or ends with an error."""
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        # Closes its pipes, and waits for its end.
        process.communicate()
        log.seek(0)
        reason = log.read().strip().splitlines() or ["the local AWS did not start"]
        raise ToolError(reason[-1])
    return LocalAws(**json.loads(line))


def _without_aws() -> dict[str, str]:
    """Return the environment without the user's own AWS account."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
