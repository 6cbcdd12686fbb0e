"""A process that cleans up when this one is gone, however it ended: its standard input is a pipe from here."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path


class Watchdog:
    """Ends process groups when this process dies, and removes a folder.

    Args:
        folder: The folder.

    """

    def __init__(self, folder: Path) -> None:
        # Without a buffer, lines that several threads write at once are not mixed.
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, str(folder)], stdin=subprocess.PIPE, bufsize=0, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """End this process group when this process is gone."""
        self._write(f"+{group}")

    def forget(self, group: int) -> None:
        """Stop watching a process group, which has ended: its number may be reused."""
        self._write(f"-{group}")

    def close(self) -> None:
        """End the process groups that are left, remove the folder, and end the watchdog."""
        self._process.communicate()

    def _write(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{line}\n".encode())


def end_group(group: int) -> None:
    """Kill every process of a group; it may have none left."""
    # macOS answers PermissionError for a process that has ended and was not waited for.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _main() -> None:
    # A signal to the whole terminal must not end the watchdog: only the end of the pipe does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    for group in groups:
        end_group(group)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    _main()
