"""Scans Terraform code with checkov, and finds stale skips: comments that excuse no failing check.

checkov doesn't run a check that a comment skips, so it can't find stale skips. It therefore scans a copy without the
comments, and this module compares the findings with them.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.common import locked
from tools.common.errors import ToolError

REQUIREMENTS = Path(__file__).with_name("scan.txt")

OPTIONS = ("--framework", "terraform", "--output", "json", "--compact", "--skip-download")

ENVIRONMENT = {
    "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
    # Seconds. checkov's default of 10 makes a file unreadable on a busy machine.
    "HCL_PARSE_TIMEOUT_SEC": "300",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
}
"""checkov's environment, with PATH and an empty home: no settings of the user, and no API key of Prisma Cloud."""

NOT_SCANNED = shutil.ignore_patterns(".terraform", "tests", "*.tfstate*", "*.tfvars")

SKIP = re.compile(r"(?:checkov|bridgecrew|cortex):skip= *(?P<checks>[\w,-]*)(?::(?P<reason>.*))?")
"""A comment that checkov reads as a skip, as in its ``common/comment/enum.py``."""


@dataclass(frozen=True, order=True)
class Finding:
    """A resource that fails a check. Paths are relative to the scanned folder, lines count from 1."""

    file: str
    first_line: int
    last_line: int
    resource: str
    check: str
    wanted: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.first_line}: {self.resource} fails {self.check}: {self.wanted} "
            f"(Fix it, or add # checkov:skip={self.check}:reason to it)"
        )


@dataclass(frozen=True, order=True)
class Skip:
    """A comment that lets the resource around it fail one check."""

    file: str
    line: int
    check: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: skip of {self.check}: {self.reason}"

    def excuses(self, finding: Finding) -> bool:
        return (finding.file, finding.check) == (self.file, self.check) and (
            finding.first_line < self.line < finding.last_line
        )


@dataclass(frozen=True)
class Scan:
    """The result of a scan: how many checks pass, and every finding and skip."""

    passed: int
    findings: list[Finding]
    skips: list[Skip]

    def objections(self) -> Iterator[str]:
        """Say, one line each, what to change until the scan is clean."""
        for finding in self.findings:
            if not any(skip.excuses(finding) for skip in self.skips):
                yield str(finding)
        for skip in self.skips:
            if not any(map(skip.excuses, self.findings)):
                yield f"{skip} (No check fails without it: remove it)"
            if len(skip.reason.split()) < 3:
                yield f"{skip} (Say why, in three words or more)"


def scan(folder: Path) -> Scan:
    """Scan every root module in and below ``folder``, each with the modules that it calls.

    Raises:
        ToolError: checkov can't be fetched, or could not read all of the code, or found nothing to check.

    """
    python = locked.virtual_environment("scan", REQUIREMENTS)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy / "all", ignore=NOT_SCANNED)
        skips = sorted(_take_skips_out(copy / "all"))
        # checkov sees a called module only with its caller's settings: the root's own defaults need a copy that
        # no example calls.
        shutil.copytree(copy / "all", copy / "root", ignore=shutil.ignore_patterns("examples"))
        results = _run_checkov(python, copy)
    return Scan(len(_read_findings(results["passed_checks"])), _read_findings(results["failed_checks"]), skips)


def _take_skips_out(folder: Path) -> Iterator[Skip]:
    """Cut the skips out of all files, without moving a line."""
    for path in folder.rglob("*.tf"):
        lines = path.read_text().splitlines()
        for index, line in enumerate(lines):
            if found := SKIP.search(line):
                lines[index] = line[: found.start()]
                for check in found["checks"].split(","):
                    yield Skip(str(path.relative_to(folder)), index + 1, check, (found["reason"] or "").strip())
        path.write_text("\n".join(lines) + "\n")


def _run_checkov(python: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Run checkov and return its results by outcome.

    Raises:
        ToolError: It could not read all of the code, which is no failure by its own exit code.

    """
    checkov = subprocess.run(
        [str(python), "-m", "checkov.main", "--directory", folder.name, *OPTIONS],
        cwd=folder.parent,
        env=ENVIRONMENT | {"PATH": os.environ["PATH"], "HOME": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if checkov.stderr or checkov.returncode not in {0, 1}:
        # Without the time and the level before it.
        complaint = (checkov.stderr.splitlines() or ["it gave no reason"])[-1].split("]  ")[-1]
        raise ToolError(f"checkov could not scan all of it: {complaint}")
    results: dict[str, list[Any]] = json.loads(checkov.stdout).get("results", {})
    if unread := results.get("parsing_errors"):
        names = ", ".join(sorted({_find_original(Path(name).relative_to(folder)) for name in unread}))
        raise ToolError(f"checkov cannot read {names}: it knows less of HCL than Terraform, so write it more simply")
    if not results:
        raise ToolError("checkov found nothing to check: scan a folder with Terraform code")
    return results


def _read_findings(results: list[dict[str, Any]]) -> list[Finding]:
    """Return each resource's result once, through however many modules and instances checkov reached it."""
    return sorted(
        {
            Finding(
                file=_find_original(Path(result["file_path"].removeprefix("/"))),
                first_line=result["file_line_range"][0],
                last_line=result["file_line_range"][1],
                # The end of the address, without modules and without the instance's key.
                resource=".".join(re.sub(r"\[.*?\]", "", result["resource"]).split(".")[-2:]),
                check=result["check_id"],
                wanted=result["check_name"],
            )
            for result in results
        }
    )


def _find_original(copied: Path) -> str:
    """Return the name of a file in the scanned folder, from its path in the copy."""
    return str(Path(*copied.parts[1:]))
