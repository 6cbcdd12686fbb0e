"""Finds a Python of the target's version, which compiles the function and tests the zip."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.build.target import Target
from tools.common.errors import ToolError

IN_LAMBDA = "/var/task"
"""Lambda's folder of the code, for tracebacks."""

SMOKE_TEST = Path(__file__).with_name("smoke_test.py")

ISOLATED = ("-I", "-S")
"""Ignore environment variables, the current folder and installed packages."""


def find(target: Target) -> str | None:
    """Return this Python, the one on PATH or uv's, if it runs and has the target's version."""
    found = (_identify(target, python) for python in _list_candidates(target))
    return next(filter(None, found), None)


def compile_all(python: str, tree: Path) -> None:
    """Add byte code, which saves most of the import time.

    Unchecked, because Lambda changes the files' dates, and byte code with another date is ignored.

    Raises:
        ToolError: A module has a syntax error.

    """
    _run(
        *(python, *ISOLATED, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(tree), "-p", IN_LAMBDA, str(tree)),
    )


def try_out(python: str, unpacked: Path) -> None:
    """Import the package, and render one image of each format.

    Raises:
        ToolError: It failed.

    """
    _run(python, *ISOLATED, str(SMOKE_TEST), str(unpacked))


def _list_candidates(target: Target) -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(target.runtime):
        yield on_path
    # uv keeps its Pythons in a folder of its own.
    yield _ask("uv", "python", "find", "--no-project", "--no-python-downloads", target.python)


def _identify(target: Target, python: str) -> str | None:
    """Return the program of a Python, if it is a final release of the version: pre-releases may change the byte code.

    On PATH may be a shim of pyenv, which runs no version that ``PYENV_VERSION`` or a file does not select.
    """
    question = "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel, sys.executable)"
    start = f"cpython-{target.version_tag} final "
    answer = _ask(python, *ISOLATED, "-c", question, environment={"PYENV_VERSION": target.python})
    return answer.removeprefix(start) if answer.startswith(start) else None


def _ask(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a program prints; nothing if it fails or is missing."""
    variables = os.environ | (environment or {})
    try:
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # compileall prints to stdout, an exception to stderr.
        output = (done.stdout + done.stderr).strip().splitlines()
        reason = output[-1].strip() if output else f"exit code {done.returncode}"
        raise ToolError(f"The built function does not work, so it was not kept: {reason}")
