"""The project's own checks: style, types and tests."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from invoke.exceptions import Exit

from tools.common.cli import require, say
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform, copy_code

SUITES = {
    "unit": ["tests/unit"],
    "judges": ["tests/judges"],
    "terraform": ["tests/terraform"],
    "pipeline": ["tests/local_aws", "tests/pipeline"],
    "browser": ["tests/browser"],
}
"""The parts of the tests that can be run alone."""

PIPELINE_SOAKS = "tests/pipeline/other_settings/test_soaks.py"
SOAKS = {
    "images": "tests/unit/test_soak_images.py",
    "race": "tests/unit/test_race.py",
    "faults": f"{PIPELINE_SOAKS}::test_no_upload_is_lost_while_one_request_in_five_goes_wrong",
    "storm": f"{PIPELINE_SOAKS}::test_no_upload_of_many_at_once_is_lost_though_only_two_may_be_handled_at_a_time",
    "audit": "tests/unit/test_soak_audit.py",
}
"""The tests that also run at length, by name."""

PACKAGES = {
    "unit": ("coverage",),
    "judges": ("imagecodecs", "playwright", "pyvips", "tifffile"),
    "browser": ("playwright",),
}
"""Packages that a part needs beside pytest; the two last parts have a requirements file of their own."""

COMPUTING = ("unit", "judges", "terraform")
"""Those that run beside the others, which mostly wait: for Terraform's apply, for the function, for the browser."""


def test(**chosen: bool) -> None:
    """Run the chosen parts of the tests, or all where none is chosen.

    Raises:
        Exit: Some failed, pytest has said which; or the unit tests left too much of the function out, coverage has.

    """
    suites = [suite for suite in SUITES if chosen[suite]] or list(SUITES)
    require("pytest", *(package for suite in suites for package in PACKAGES.get(suite, ())))
    computing = [suite for suite in suites if suite in COMPUTING]
    waiting = [suite for suite in suites if suite not in COMPUTING]
    if computing and waiting:
        _run_beside(_pytest(computing), _pytest(waiting))
    else:
        _run(*_pytest(suites))
    if "unit" in suites:
        _run(sys.executable, "-m", "coverage", "report")


def soak(only: str, count: int) -> None:
    """Run one soak, or all of them.

    Args:
        only: The name of one.
        count: How many images, uploads or histories; 0 for each soak's own number.

    Raises:
        Exit: One failed; pytest has printed how.
        ToolError: There is no soak of that name.

    """
    if only and only not in SOAKS:
        raise ToolError(f"No soak {only}: use one of {', '.join(SOAKS)}")
    require("pytest")
    tests = [SOAKS[only]] if only else SOAKS.values()
    _run(sys.executable, "-m", "pytest", "-m", "soak", "-s", "--soak", "--count", str(count), *tests)


def _pytest(suites: list[str]) -> list[str]:
    """The unit tests alone run the function in their own process, and measuring is a seventh of their CPU."""
    measured = ["coverage", "run", "-m"] if "unit" in suites else []
    return [sys.executable, "-m", *measured, "pytest", *(folder for suite in suites for folder in SUITES[suite])]


def lint() -> None:
    """Check style and types of everything; Terraform's part only where there is a Terraform.

    Raises:
        Exit: Something is wrong; the tool that found it has said what.
        ToolError: In CI, where everything is required, there is no Terraform.

    """
    require("ruff", "mypy")
    _run(sys.executable, "-m", "ruff", "check", ".")
    _run(sys.executable, "-m", "ruff", "format", "--check", ".")
    _run(sys.executable, "-m", "mypy")
    try:
        _lint_terraform()
    except ToolError as error:
        if "CI" in os.environ:
            raise
        say(f"Skipped Terraform's checks: {error}")


def _lint_terraform() -> None:
    # In a copy, so that a user's own .terraform/ and its back end are left alone.
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "terraform"
        copy_code(TERRAFORM, copy)
        terraform = Terraform(copy)
        say("terraform fmt -check")
        terraform.run("fmt", "-check", "-diff", "-recursive", str(TERRAFORM))
        terraform.run("fmt", "-check", "-diff", "-recursive", str(ROOT / "tools"))
        terraform.init()
        say("terraform validate")
        terraform.run("validate")


def _run_beside(busy: list[str], waiting: list[str]) -> None:
    """Run what computes beside what mostly waits; its output follows when both have ended."""
    _tell(busy)
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(busy, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as process:
            try:
                _tell(waiting)
                other = subprocess.run(waiting, cwd=ROOT, check=False).returncode
                status = process.wait()
            finally:
                process.kill()
        output.seek(0)
        _tell(busy)
        print(output.read().decode(errors="replace"), flush=True)
    if status or other:
        raise Exit(code=status or other)


def _tell(command: Sequence[str]) -> None:
    say(" ".join(Path(word).name if word == sys.executable else word for word in command))


def _run(*command: str) -> None:
    _tell(command)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        raise Exit(code=status)
