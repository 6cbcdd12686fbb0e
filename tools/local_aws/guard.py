"""Ends what a process started once that process is gone, however it went: it holds the other end of a pipe to here."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


class Guard:
    """Tells the guarding process which sessions are ours; when we die, the pipe closes and it ends them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )

    def watch(self, session: int) -> None:
        """End this session when we are gone."""
        self._tell(f"+{session}")

    def forget(self, session: int) -> None:
        """Leave alone a session that has ended."""
        self._tell(f"-{session}")

    def close(self) -> None:
        """End what is left, and the guard."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line + "\n")


def end_session(session: int) -> None:
    """Kill every process of a session."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(int(entry.name)) == session:
                    os.kill(int(entry.name), signal.SIGKILL)


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


if __name__ == "__main__":
    _main()
