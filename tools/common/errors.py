"""The error that a task prints as one line."""

import errno
from pathlib import Path


class ToolError(Exception):
    """An error that the user can fix; its message is one line and says how."""


def make_write_error(path: Path, error: OSError, advice: str) -> ToolError:
    """Return the error for a file or folder that can't be written: ``advice`` helps unless the disk is full."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        advice = "free some space"
    return ToolError(f"Cannot write {path}: {error.strerror}: {advice}")
