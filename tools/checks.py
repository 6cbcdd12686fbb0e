"""The project's own checks: style, types and tests."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from invoke.exceptions import Exit

from tools.cli import say
from tools.errors import ToolError
from tools.paths import ROOT, TERRAFORM
from tools.terraform import Terraform, copy_code

SUITES = {"unit": ["tests/unit"], "terraform": ["tests/terraform"], "pipeline": ["tests/local_aws", "tests/pipeline"]}
"""The parts of the tests that can be run alone."""


def test(**chosen: bool) -> None:
    """Run the chosen parts of the tests, or all where none is chosen.

    Raises:
        Exit: Some failed; pytest has said which.

    """
    folders = [folder for suite, folders in SUITES.items() if chosen[suite] for folder in folders]
    _run(sys.executable, "-m", "pytest", *(folders or ["tests"]))


def lint() -> None:
    """Check style and types of everything; Terraform's part only where there is a Terraform.

    Raises:
        Exit: Something is wrong; the tool that found it has said what.
        ToolError: In CI, where everything is required, there is no Terraform.

    """
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


def _run(*command: str) -> None:
    say(" ".join(Path(word).name if word == sys.executable else word for word in command))
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        raise Exit(code=status)
