"""Finds a Python of the target's version, which compiles the function and tests the zip."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.build.target import Target
from tools.common.errors import ToolError

IN_LAMBDA = "/var/task"
"""Lambda's folder of the code, for tracebacks."""

SMOKE_TEST = Path(__file__).with_name("smoke_test.py")

ISOLATED = ("-I", "-S")
"""Ignore environment variables, the current folder and installed packages."""


def find(target: Target) -> str | None:
    """Return this Python or the one on PATH, if it runs and has the target's version."""
    candidates = (sys.executable, shutil.which(target.runtime))
    return next((python for python in candidates if python and _is_of(target, python)), None)


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


def _is_of(target: Target, python: str) -> bool:
    """Whether a Python runs and is a final release of the target's version: pre-releases may change the byte code."""
    question = "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel)"
    try:
        answer = subprocess.run([python, *ISOLATED, "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.split() == [f"cpython-{target.version_tag}", "final"]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # compileall prints to stdout, an exception to stderr.
        output = (done.stdout + done.stderr).strip().splitlines()
        reason = output[-1].strip() if output else f"exit code {done.returncode}"
        raise ToolError(f"The built function does not work, so it was not kept: {reason}")
