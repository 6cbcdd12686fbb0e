"""A git repository of a test's own, and a copy in it of all that this one holds."""

import os
import shutil
import subprocess
from pathlib import Path

from tools.common.paths import ROOT

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")

OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
"""The environment without what git tells its hooks, one of which may have started the tests."""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and give what it prints."""
    command = ["git", *WHO, *arguments]
    return subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True, check=True).stdout


def begun(folder: Path) -> Path:
    """Make an empty repository of a folder."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    return folder


def copied(folder: Path) -> Path:
    """Copy what is in git here, and what would be after ``git add``, and commit it there."""
    begun(folder)
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit whatever changed."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "Something")
