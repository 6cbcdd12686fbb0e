"""A handler for tests, added to the zip: like the function's own, but it crashes during puts of some outputs."""

import io
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambda_function import lambda_handler, reconciler

__all__ = ["lambda_handler"]

put_object = reconciler.s3.put_object


def run_out_of_memory() -> None:
    """Allocate memory until the process is killed."""
    allocated = []
    while True:
        allocated.append(b"x" * (64 << 20))


def run_out_of_time() -> None:
    """Sleep for longer than an invocation may take."""
    time.sleep(600)


def kill_process() -> None:
    """Kill this process, as if its host were lost."""
    os.kill(os.getpid(), signal.SIGKILL)


CRASHES = {"abort": os.abort, "killed": kill_process, "out-of-memory": run_out_of_memory, "timeout": run_out_of_time}


class CrashingBody(io.BytesIO):
    """A body that crashes half-way through its second reading; the first reading computes the checksum."""

    def __init__(self, body: bytes, crash: Callable[[], None]) -> None:
        super().__init__(body)
        self._crash = crash
        self._left = 1.5 * len(body)

    def read(self, size: int | None = -1) -> bytes:
        """Read, or crash."""
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            self._crash()
        return data


def put_or_crash(**arguments: Any) -> object:
    """Put an object, but crash during puts of ``mini/always/CRASH.*``, and the first put of ``mini/once/CRASH.*``."""
    folder, _, name = arguments["Key"].removeprefix("mini/").partition("/")
    crash = CRASHES.get(name.partition(".")[0])
    marker = Path(tempfile.gettempdir()) / f"crashed-{name}"
    if crash and (folder == "always" or (folder == "once" and not marker.exists())):
        if folder == "once":
            marker.touch()
        arguments["Body"] = CrashingBody(arguments["Body"], crash)
    return put_object(**arguments)


setattr(reconciler.s3, "put_object", put_or_crash)  # noqa: B010 - mypy rejects an assignment to a method
