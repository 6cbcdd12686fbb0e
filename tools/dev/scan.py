"""The security scan of Terraform code: what checkov finds, and which of the skips in the code are still needed."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.common import locked
from tools.common.errors import ToolError

REQUIREMENTS = Path(__file__).with_name("scan.txt")

OPTIONS = ("--framework", "terraform", "--output", "json", "--compact", "--skip-download")

ENVIRONMENT = {
    "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
    # Seconds; at its own 10, a file would count as unreadable on a busy machine.
    "HCL_PARSE_TIMEOUT_SEC": "300",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "ignore",
}
"""All that checkov gets beside PATH and an empty home: no settings, and no key with which it would call its maker."""

NOT_SCANNED = shutil.ignore_patterns(".terraform", "tests", "*.tfstate*", "*.tfvars")

SKIP = re.compile(r"(?:checkov|bridgecrew|cortex):skip= *(?P<checks>[\w,-]*)(?::(?P<reason>.*))?")
"""A comment that checkov takes for a skip; the same as in its own ``common/comment/enum.py``."""


@dataclass(frozen=True, order=True)
class Finding:
    """A check of a resource; one, through however many modules and instances it is reached.

    Attributes:
        file: Relative to the folder that was scanned.
        first_line: Where the resource begins, from 1.
        last_line: Where it ends.
        resource: Type and name.
        check: Such as ``CKV_AWS_18``.
        wanted: The check's own words.

    """

    file: str
    first_line: int
    last_line: int
    resource: str
    check: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file}:{self.first_line}: {self.resource} fails {self.check}: {self.wanted}"


@dataclass(frozen=True, order=True)
class Skip:
    """A comment that lets one resource fail one check.

    Attributes:
        file: Relative to the folder that was scanned.
        line: From 1.
        check: Such as ``CKV_AWS_18``.
        reason: Why, in words; empty where the comment gives none.

    """

    file: str
    line: int
    check: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: skip of {self.check}: {self.reason}"

    def excuses(self, finding: Finding) -> bool:
        """Whether the comment is within the resource that fails the check."""
        return (finding.file, finding.check) == (self.file, self.check) and (
            finding.first_line < self.line < finding.last_line
        )


@dataclass(frozen=True)
class Scan:
    """What came of a scan.

    Attributes:
        passed: How many checks passed, each resource's own.
        failed: What must be mended or skipped.
        skipped: The skips in the code.
        needless: Those of them without which nothing would fail: mended since, misspelt, or outside of the resource.
        unexplained: Those that give no reason of at least three words.

    """

    passed: int
    failed: tuple[Finding, ...]
    skipped: tuple[Skip, ...]
    needless: tuple[Skip, ...]

    @property
    def unexplained(self) -> tuple[Skip, ...]:
        return tuple(skip for skip in self.skipped if len(skip.reason.split()) < 3)

    def objections(self) -> Iterator[str]:
        """What keeps the scan from being clean, one line each."""
        yield from (f"{one} (Mend it, or put # checkov:skip={one.check}:reason in it)" for one in self.failed)
        yield from (f"{skip} (Nothing in that resource fails without it: remove it)" for skip in self.needless)
        yield from (f"{skip} (Say why, in three words or more)" for skip in self.unexplained)


def scan(folder: Path) -> Scan:
    """Scan every root module in and below ``folder``, each with the modules that it calls.

    The code is scanned twice, as it is and without its skips, so that a skip cannot outlive its cause.

    Raises:
        ToolError: checkov can't be fetched, or could not read all of the code, or found nothing to check.

    """
    python = locked.virtual_environment("scan", REQUIREMENTS)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor() as pool:
        as_it_is, bare = Path(scratch) / "as-it-is", Path(scratch) / "bare"
        _copy(folder, as_it_is)
        _copy(folder, bare)
        skipped = tuple(sorted(set(_take_skips_out(bare))))
        report, report_of_bare = pool.map(lambda copy: _checkov(python, copy), (as_it_is, bare))
    causes = _findings(report_of_bare)
    return Scan(
        passed=len(_findings(report, "passed_checks")),
        failed=_findings(report),
        skipped=skipped,
        needless=tuple(skip for skip in skipped if not any(map(skip.excuses, causes))),
    )


def _copy(folder: Path, target: Path) -> None:
    """Copy what is scanned, also once without the examples.

    checkov sees a module that another one calls only with the caller's settings, no longer with its own defaults.
    """
    shutil.copytree(folder, target / "all", ignore=NOT_SCANNED)
    shutil.copytree(target / "all", target / "by-itself", ignore=shutil.ignore_patterns("examples"))


def _original(copied: Path) -> str:
    """The name of a file in the folder that was scanned, by its name in ours."""
    return str(Path(*copied.parts[1:]))


def _take_skips_out(folder: Path) -> Iterator[Skip]:
    """Cut them out of all files, whose lines stay where they are."""
    for path in folder.rglob("*.tf"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, start=1):
            if found := SKIP.search(line):
                lines[number - 1] = line[: found.start()]
                for check in found["checks"].split(","):
                    yield Skip(
                        file=_original(path.relative_to(folder)),
                        line=number,
                        check=check,
                        reason=(found["reason"] or "").strip(),
                    )
        path.write_text("\n".join(lines) + "\n")


def _checkov(python: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Run checkov and return its results by outcome.

    Raises:
        ToolError: It did not see all of the code, for which it would not fail by itself.

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
        complaint = (checkov.stderr.splitlines() or ["it gave no reason"])[-1]
        # Without the time before it, and with the names that the user knows.
        complaint = complaint.split("]  ")[-1].replace(f"{folder}{os.sep}", "")
        raise ToolError(f"checkov could not scan all of it: {complaint}")
    results: dict[str, list[Any]] = json.loads(checkov.stdout).get("results", {})
    if unread := results.get("parsing_errors"):
        names = ", ".join(sorted({_original(Path(name).relative_to(folder)) for name in unread}))
        raise ToolError(f"checkov cannot read {names}: it knows less of HCL than Terraform, so write it more simply")
    if not results:
        raise ToolError("checkov found nothing to check: scan a folder with Terraform code")
    return results


def _findings(results: dict[str, list[dict[str, Any]]], outcome: str = "failed_checks") -> tuple[Finding, ...]:
    return tuple(
        sorted(
            {
                Finding(
                    file=_original(Path(found["file_path"].removeprefix("/"))),
                    first_line=found["file_line_range"][0],
                    last_line=found["file_line_range"][1],
                    resource=_type_and_name(found["resource"]),
                    check=found["check_id"],
                    wanted=found["check_name"],
                )
                for found in results[outcome]
            }
        )
    )


def _type_and_name(address: str) -> str:
    """The end of an address, without the modules before it and the instance's key."""
    return ".".join(re.sub(r"\[.*?\]", "", address).split(".")[-2:])
