"""Make git repositories for tests: an empty one, or a copy of this one."""

import os
import shutil
import subprocess
from pathlib import Path

from tools.common.paths import ROOT

IDENTITY = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
"""The environment without the variables that git sets for hooks, because a hook may have started the tests."""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return its output."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout


def create(folder: Path) -> Path:
    """Create an empty repository in a folder."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    return folder


def copy(folder: Path) -> Path:
    """Copy this repository's tracked and untracked files, except ignored ones, and commit them."""
    create(folder)
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all changes."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "Something")
