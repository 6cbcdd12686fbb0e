"""Looks up the packages of the lock files in PyPI's list of vulnerabilities."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.dev.lock import LOCKS

OPTIONS = ("--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json")
"""Strict: a package that PyPI doesn't know is an error, not a package without vulnerabilities."""


def find(groups: Iterable[str] = LOCKS) -> list[str]:
    """Ask pip-audit for the known vulnerabilities in groups' lock files; returns one line each, with what to do.

    Raises:
        ToolError: pip-audit can't be fetched, or PyPI can't be asked.

    """
    lines = [
        f"{package['name']} {package['version']} has {found['id']}: {_advise(package['name'], found['fix_versions'])}"
        # One file at a time: pip-audit refuses two versions of a package.
        for group in groups
        for package in _read_packages(LOCKS[group])
        for found in package["vulns"]
    ]
    return list(dict.fromkeys(lines))


def _advise(name: str, fixes: list[str]) -> str:
    if not fixes:
        return "no version fixes it yet"
    return f"raise any pin to {fixes[0]}, and run `invoke lock --package {name}`"


def _read_packages(path: Path) -> list[dict[str, Any]]:
    python = locked.virtual_environment("audit", LOCKS["audit"])
    command = [str(python), "-m", "pip_audit", *OPTIONS, f"--requirement={path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ToolError(f"pip-audit could not look up the packages; check the network: {reason}") from None
    return packages
