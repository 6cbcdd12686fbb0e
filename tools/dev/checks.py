"""The project's own checks: style, types and tests."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from invoke.exceptions import Exit

from tools.common.cli import require, say
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform, copy_code

SUITES = {
    "pipeline": ["tests/pipeline", "tests/local_aws"],
    "terraform": ["tests/terraform"],
    "browser": ["tests/browser"],
    "judges": ["tests/judges"],
    "unit": ["tests/unit"],
}
"""The folders of each part of the tests. The slowest tests come first, so that no worker is idle at the end."""

PIPELINE_SOAKS = "tests/pipeline/other_settings/test_soaks.py"
SOAKS = {
    "images": "tests/unit/test_soak_images.py",
    "race": "tests/unit/test_race.py",
    "faults": f"{PIPELINE_SOAKS}::test_no_upload_is_lost_while_one_request_in_five_fails",
    "storm": f"{PIPELINE_SOAKS}::test_no_upload_of_a_burst_is_lost_with_two_concurrent_invocations",
    "audit": "tests/unit/test_soak_audit.py",
}
"""The tests that also run at length, by name."""

PACKAGES = {
    "judges": ("imagecodecs", "playwright", "pyvips", "tifffile"),
    "browser": ("playwright",),
}
"""Packages of tools/requirements/judges.txt that a part needs."""


def test(**chosen: bool) -> None:
    """Run the chosen parts of the tests, or all of them if none is chosen.

    Raises:
        Exit: A test failed, or the unit tests and the judges ran too little of the function. The output says which.

    """
    suites = [suite for suite in SUITES if chosen[suite]] or list(SUITES)
    require("xdist", "pytest_cov", *(package for suite in suites for package in PACKAGES.get(suite, ())))
    # One more than the processors, because Terraform waits for SQS for most of the time that examples take.
    workers = (os.cpu_count() or 1) + 1
    options = ["-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]
    if {"unit", "judges"} <= set(suites):
        options.append("--cov=function")
    if suites == ["unit"]:
        options += ["-m", "not network"]
    _run(sys.executable, "-m", "pytest", *options, *(folder for suite in suites for folder in SUITES[suite]))


def soak(only: str, count: int) -> None:
    """Run one soak, or all of them.

    Args:
        only: The name of one.
        count: How many images, uploads or histories; 0 for each soak's own number.

    Raises:
        Exit: One failed; pytest has printed how.

    """
    require("pytest")
    tests = [SOAKS[only]] if only else SOAKS.values()
    _run(sys.executable, "-m", "pytest", "-m", "soak", "-s", "--soak", "--count", str(count), *tests)


def lint() -> None:
    """Check style and types; without Terraform, skip its checks.

    Raises:
        Exit: A check failed, and has printed why.
        ToolError: Terraform or its provider is missing in CI, where they are required.

    """
    require("ruff", "mypy")
    _run(sys.executable, "-m", "ruff", "check", ".")
    _run(sys.executable, "-m", "ruff", "format", "--check", ".")
    _run(sys.executable, "-m", "mypy")
    _lint_terraform()


def _lint_terraform() -> None:
    # In a copy, so that a user's own .terraform/ and its back end are left alone.
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "terraform"
        copy_code(TERRAFORM, copy)
        try:
            terraform = Terraform(copy)
        except ToolError as error:
            _skip_terraform(error)
            return
        for folder in (TERRAFORM, ROOT / "tools"):
            _run_terraform(terraform, "fmt", "-check", "-diff", "-recursive", str(folder))
        try:
            terraform.init()
        except ToolError as error:
            _skip_terraform(error)
            return
        _run_terraform(terraform, "validate")


def _skip_terraform(error: ToolError) -> None:
    if "CI" in os.environ:
        raise error
    say(f"Skipped Terraform's checks: {error}")


def _run_terraform(terraform: Terraform, command: str, *options: str) -> None:
    say(f"terraform {command}")
    try:
        terraform.run(command, *options)
    except ToolError as error:
        raise Exit(f"Error: {error}", code=1) from error


def _run(*command: str) -> None:
    say(" ".join(Path(word).name if word == sys.executable else word for word in command))
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        # ruff, mypy and pytest exit with 1 if a check fails, and with more if they could not check.
        raise Exit(code=1 if status == 1 else 2)
