"""Fetches the packages of a lock file into ``.local/``, once: those that the project's environment can't hold."""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from tools.common import pip
from tools.common.errors import make_write_error
from tools.common.paths import LOCAL


def virtual_environment(name: str, requirements: Path, *options: str) -> Path:
    """Make an environment with the packages of ``requirements`` and no others, unless an earlier call made it.

    Args:
        name: The prefix of its folder's name.
        requirements: The lock file.
        options: Further options of pip.

    Returns:
        Its interpreter.

    Raises:
        ToolError: The packages can't be fetched, or ``.local/`` can't be written.

    """
    folder = LOCAL / f"{name}-{platform.python_version()}-{version(requirements)}"
    with only_one() as lock:
        if not folder.exists():
            # It has another name until it is complete. No file in it holds the path of the folder.
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            venv.create(unfinished, symlinks=True)
            with tempfile.TemporaryDirectory() as wheels:
                fetched = pip.fetch("wheel", requirements, Path(wheels), *options, pass_fds=[lock])
                pip.install(fetched, _find_packages(unfinished), pass_fds=[lock])
            unfinished.rename(folder)
    return folder / "bin" / "python"


def add_to_path(name: str, requirements: Path) -> None:
    """Let this process import the packages of ``requirements`` that its own environment lacks.

    Raises:
        ToolError: The packages can't be fetched, or ``.local/`` can't be written.

    """
    sys.path.append(str(_find_packages(virtual_environment(name, requirements).parents[1])))


def _find_packages(environment: Path) -> Path:
    return environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


@contextlib.contextmanager
def only_one() -> Iterator[int]:
    """Let one process fetch at a time; yield the descriptor that holds the lock.

    pip holds it, too: if this process is killed, the next waits for pip.

    Raises:
        ToolError: ``.local/`` can't be written.

    """
    try:
        LOCAL.mkdir(exist_ok=True)
        lock = (LOCAL / "prepare.lock").open("w")
    except OSError as error:
        raise make_write_error(LOCAL, error, "make it a folder that you may write to") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def version(requirements: Path) -> str:
    """Return a short hash of a lock file's content."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
