"""A Python of the target's own version, where there is one: it compiles the function and tries out the zip."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.build.target import Target
from tools.common.errors import ToolError

IN_LAMBDA = "/var/task"
"""Where Lambda unpacks the zip; tracebacks show this path."""

SMOKE_TEST = Path(__file__).with_name("smoke_test.py")

ISOLATED = ("-I", "-S")
"""Neither the environment's variables, nor the current folder, nor any installed package."""


def find(target: Target) -> str | None:
    """The running Python, or the one on PATH, if it is of the target's version and really runs."""
    candidates = (sys.executable, shutil.which(target.runtime))
    return next((python for python in candidates if python and _is_of(target, python)), None)


def compile_all(python: str, tree: Path) -> None:
    """Add byte code, which saves most of the import time.

    Unchecked: Lambda changes the dates of the files, which would make dated byte code stale.

    Raises:
        ToolError: A module has an error of syntax.

    """
    _run(
        *(python, *ISOLATED, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(tree), "-p", IN_LAMBDA, str(tree)),
    )


def try_out(python: str, unpacked: Path) -> None:
    """Import the package and render with it.

    Raises:
        ToolError: It does not work.

    """
    _run(python, *ISOLATED, str(SMOKE_TEST), str(unpacked))


def _is_of(target: Target, python: str) -> bool:
    """Whether it runs, as the final release of the target's version: until then byte code is not settled."""
    question = "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel)"
    try:
        answer = subprocess.run([python, *ISOLATED, "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.split() == [f"cpython-{target.version_tag}", "final"]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # compileall reports on one, an exception on the other.
        said = (done.stdout + done.stderr).strip().splitlines()
        reason = said[-1].strip() if said else f"exit code {done.returncode}"
        raise ToolError(f"The built function does not work, so it was not kept: {reason}")
