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

STOP_SECONDS = 30
"""How long it may take to end; it takes less than one."""


@contextlib.contextmanager
def local_aws(*, port: int = 0, concurrency: int = 2, retry_delays: tuple[float, ...] = (1, 2)) -> Iterator[LocalAws]:
    """Run a local AWS for the length of a block; it ends with this process too, however that ends.

    Args:
        port: To listen on, on loopback; 0 for any that is free.
        concurrency: How many functions may run at a time.
        retry_delays: Seconds before the first and the second retry of an asynchronous invocation, which are 60 and 120
            on AWS.

    Raises:
        ToolError: It can't run on this machine, or the port is in use.

    """
    with (
        tempfile.TemporaryFile("w+") as log,
        _launch(port, concurrency, retry_delays, with_parent=True, log=log) as process,
    ):
        try:
            yield _ready(process, log)
        finally:
            # It holds its end of the pipe: closing ours tells it to stop.
            if process.stdin:
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()


def start(*, port: int = 0, concurrency: int = 2, retry_delays: tuple[float, ...] = (1, 2), log_file: Path) -> LocalAws:
    """Start a local AWS that outlives this process; returns when it answers.

    Raises:
        ToolError: It can't run on this machine, or the port is in use.

    """
    with log_file.open("w+") as log:
        process = _launch(port, concurrency, retry_delays, with_parent=False, log=log)
        aws = _ready(process, log)
    if process.stdout:
        process.stdout.close()
    # It is not ours to wait for any more.
    process.returncode = 0
    return aws


def stop(pid: int) -> None:
    """End a local AWS and all that it started; one that has ended already is no error."""
    deadline = time.monotonic() + STOP_SECONDS
    options = os.WNOHANG
    # Another process may have its number by now.
    while _is_server(pid):
        options = 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.02)
    # A child of this process stays in the process table until it is collected.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, options)


def _is_server(pid: int) -> bool:
    """Whether a process runs the local AWS; one that has ended has no command any more."""
    if sys.platform == "linux":
        # Without ps, which slim containers lack.
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except FileNotFoundError:
            return False
    else:
        ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        command = ps.stdout.split()
    return MODULE in command


def _launch(
    port: int, concurrency: int, retry_delays: tuple[float, ...], *, with_parent: bool, log: IO[str]
) -> subprocess.Popen[str]:
    runtime = prepare()
    command = [
        *(sys.executable, "-m", MODULE, "--port", str(port), "--concurrency", str(concurrency)),
        *("--retry-delays", *map(str, retry_delays)),
        *(["--with-parent"] if with_parent else []),
        *("--", str(runtime.python), *runtime.client),
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=_without_aws(),
        stdin=subprocess.PIPE if with_parent else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        # Ctrl-C is for us; it stops when we tell it to.
        start_new_session=True,
    )


def _ready(process: subprocess.Popen[str], log: IO[str]) -> LocalAws:
    """Wait until it says where it listens, or why it does not."""
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        # Its pipes and itself are collected here, also where nobody else will.
        process.communicate()
        log.seek(0)
        reason = log.read().strip().splitlines() or ["the local AWS did not start"]
        raise ToolError(reason[-1])
    return LocalAws(**json.loads(line))


def _without_aws() -> dict[str, str]:
    """Leave out of the environment whatever is of an account that its user may have."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
