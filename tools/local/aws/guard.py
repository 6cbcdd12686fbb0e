"""Ends what a process started once that process is gone, however it went: it holds the other end of a pipe to here."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


class Guard:
    """Tells the guarding process which sessions are ours; when we die, the pipe closes and it ends them.

    Args:
        folder: Ours too; it is removed.

    """

    def __init__(self, folder: Path) -> None:
        # Without a buffer, what several threads tell at once stays whole lines.
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, str(folder)], stdin=subprocess.PIPE, bufsize=0, start_new_session=True
        )

    def watch(self, session: int) -> None:
        """End this session when we are gone."""
        self._tell(f"+{session}")

    def forget(self, session: int) -> None:
        """Leave alone a session that has ended."""
        self._tell(f"-{session}")

    def close(self) -> None:
        """End what is left, remove the folder, and end the guard."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{line}\n".encode())


def processes(session: int) -> Iterator[int]:
    """The ids of all processes of a session."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(ProcessLookupError, ValueError):
            if os.getsid(int(entry.name)) == session:
                yield int(entry.name)


def end_session(session: int) -> None:
    """Kill every process of a session."""
    for process in processes(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _main() -> None:
    # Only the end of the pipe ends this, or a signal to the whole terminal would leave nobody to clean up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        change = sessions.add if line[0] == "+" else sessions.discard
        change(int(line[1:]))
    for session in sessions:
        end_session(session)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    _main()
