"""The function as it is deployed, but that it dies in the middle of a put where an output's key says so.

It goes into the zip beside the function, for one test, and is its handler.
"""

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

put = reconciler.s3.put_object


def out_of_memory() -> None:
    """Take more than there is, until it is noticed."""
    hog = []
    while True:
        hog.append(b"x" * (64 << 20))


def timeout() -> None:
    """Do nothing, for longer than an invocation may take."""
    time.sleep(600)


def killed() -> None:
    """End as a process does whose host is gone."""
    os.kill(os.getpid(), signal.SIGKILL)


DEATHS = {"abort": os.abort, "killed": killed, "out-of-memory": out_of_memory, "timeout": timeout}


class DeadlyBody(io.BytesIO):
    """A body that is read once for its checksum, and half once more."""

    def __init__(self, body: bytes, die: Callable[[], None]) -> None:
        super().__init__(body)
        self._die = die
        self._left = 1.5 * len(body)

    def read(self, size: int | None = -1) -> bytes:
        """Read, or die."""
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            self._die()
        return data


def put_or_die(**arguments: Any) -> object:
    """Die the first time or every time, as the folder of a large output's source says; all else lives."""
    folder, _, name = arguments["Key"].removeprefix("mini/").partition("/")
    death = DEATHS.get(name.partition(".")[0])
    died = Path(tempfile.gettempdir()) / f"died-of-{name}"
    if death and (folder == "always" or (folder == "once" and not died.exists())):
        if folder == "once":
            died.touch()
        arguments["Body"] = DeadlyBody(arguments["Body"], death)
    return put(**arguments)


setattr(reconciler.s3, "put_object", put_or_die)  # noqa: B010 - mypy knows no other way
