"""Fetches what a lock file names into ``.local/``, once: packages that the project's own environment can't hold."""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from tools.common.errors import ToolError
from tools.common.paths import LOCAL, ROOT


def virtual_environment(name: str, requirements: Path, *options: str) -> Path:
    """Make an environment that holds what ``requirements`` locks and nothing else, unless an earlier call did.

    Args:
        name: The beginning of its folder's name.
        requirements: The lock file.
        options: More of pip's.

    Returns:
        Its interpreter.

    Raises:
        ToolError: The packages can't be fetched, or ``.local/`` can't be written.

    """
    folder = LOCAL / f"{name}-{platform.python_version()}-{version(requirements)}"
    with only_one() as lock:
        if not folder.exists():
            # Under another name until it is complete; nothing in it names its own folder.
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            venv.create(unfinished, symlinks=True)
            packages = unfinished / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
            fetch(requirements, "install", *options, "--target", str(packages), lock=lock)
            unfinished.rename(folder)
    return folder / "bin" / "python"


@contextlib.contextmanager
def only_one() -> Iterator[int]:
    """Let two processes that fetch at once do it one after the other; gives the descriptor that holds the lock.

    Raises:
        ToolError: ``.local/`` can't be written.

    """
    try:
        LOCAL.mkdir(exist_ok=True)
        lock = (LOCAL / "prepare.lock").open("w")
    except OSError as error:
        raise ToolError(f"Cannot write to {LOCAL}: {error.strerror}: make it a folder that you may write to") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def version(requirements: Path) -> str:
    """Name the content of a lock file, so that a change of it is noticed."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]


def fetch(requirements: Path, command: str, *arguments: str, lock: int) -> None:
    """Let pip ``install`` or ``download`` what a lock file names, as wheels of exactly the hashes in it.

    Args:
        requirements: The lock file.
        command: What pip shall do.
        arguments: Where to.
        lock: Of ``only_one``. pip holds it too: when this process is killed, the next one waits for its pip to end.

    Raises:
        ToolError: pip could not; with its reason.

    """
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    pip = subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *arguments, "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
        pass_fds=(lock,),
    )
    if pip.returncode:
        errors = [line for line in pip.stderr.splitlines() if line.startswith("ERROR: ")] or ["pip gave no reason"]
        if "connection broken by" in pip.stderr:
            errors.append("pip does not reach its package index: see to the network, or set PIP_INDEX_URL to a mirror")
        name = requirements.relative_to(ROOT) if requirements.is_relative_to(ROOT) else requirements
        raise ToolError(f"Cannot fetch what {name} names: {errors[-1].removeprefix('ERROR: ')}")
