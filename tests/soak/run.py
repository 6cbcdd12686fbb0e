"""The soaks by name, each bounded in count and time, and what is said of each."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from imaging.limits import MIB
from tests.soak import audit, faults, report, storm
from tests.soak.images import mixed_images
from tests.soak.ledger import Ledger
from tools.common.cli import Say
from tools.common.errors import ToolError
from tools.common.paths import LOCAL, ROOT
from tools.local.stack import temporary_stack


def _images(say: Say, count: int) -> str:
    """Render so many mixed images, and tell how it went.

    Raises:
        ToolError: Memory grew.

    """
    progress = mixed_images(count, 1, say)
    ended = ", ".join(f"{number:,} `{outcome}`" for outcome, number in progress.outcomes.most_common())
    return (
        f"{count:,} images of all formats, some animated, some damaged, through one process: {ended}. Resident "
        f"memory peaked at {max(progress.resident) // MIB} MiB. Memory in use ended at {progress.growth:.2f} times its "
        "size after the first hundred images."
    )


def _race(say: Say, count: int) -> str:
    """Run the model of the race so many times.

    Raises:
        ToolError: It failed; pytest has said how.

    """
    say("pytest tests/unit/test_race.py")
    command = [sys.executable, "-m", "pytest", "-q", "tests/unit/test_race.py", "-k", "in_the_end"]
    if subprocess.run([*command, f"--race-examples={count}"], cwd=ROOT, check=False).returncode:
        raise ToolError("The model of the race failed: the shortest history that it found is above")
    return f"{count:,} histories of up to a thousand steps each: the destination always matched the source at the end."


def _faults(say: Say, count: int) -> str:
    """Upload so many to a pipeline whose S3 is flaky.

    Raises:
        ToolError: An upload was lost, or an output is wrong.

    """
    with _settings(faults.SETTINGS) as file, temporary_stack(say, var_file=Path(file.name), concurrency=4) as stack:
        say(f"{count} uploads, one request in five goes wrong")
        result = faults.flaky(stack, count)
    _check(result.ledger)
    ended = result.ledger
    reasons = ", ".join(f"{number} `{reason}`" for reason, number in sorted(ended.reasons.items()))
    return (
        f"{count:,} uploads, {result.broken} of them damaged, with one request in five failing: "
        f"{len(ended.images):,} images, {len(ended.recorded)} keys recorded ({reasons}) in {ended.records} records, "
        "none lost, none wrong."
    )


def _storm(say: Say, count: int) -> str:
    """Upload so many at once to a pipeline of which two may run.

    Raises:
        ToolError: An upload was lost, or an output is wrong.

    """
    with _settings(storm.SETTINGS) as file, temporary_stack(say, var_file=Path(file.name)) as stack:
        say(f"{count} uploads at once")
        result = storm.storm(stack, count)
    _check(result.ledger)
    rate, per_core = count / result.seconds, 1000 / result.milliseconds
    return (
        f"{count:,} uploads at once, with `reserved_concurrent_executions = 2`: {len(result.ledger.images):,} images, "
        f"none lost, all events handled after {result.seconds:.0f} s. That is {rate:.1f} images a second on "
        f"{os.cpu_count()} cores, shared with the local AWS. An image took {result.milliseconds:.1f} ms of the "
        f"function's CPU, or {per_core:.0f} images a second on a core, and {result.milliseconds_few:.1f} ms with ten "
        "uploads at a time."
    )


def _audit(say: Say, count: int) -> str:
    """Audit so many uploads that are only listed.

    Raises:
        ToolError: Not exactly what is wrong was found, or more uploads took more memory.

    """
    say(f"{count:,} uploads, listed but not there")
    result = audit.audited(count)
    return (
        f"{count:,} uploads and their outputs, in listings only: the audit found exactly the {result.wrong:,} that "
        f"are missing, stale or orphaned. It took {result.seconds:.0f} s of CPU, including the listings, and at most "
        f"{result.peak // MIB} MiB of resident memory."
    )


Soak = Callable[[Say, int], str]

SOAKS: dict[str, tuple[Soak, int]] = {
    "images": (_images, 10_000),
    "race": (_race, 20_000),
    "faults": (_faults, 500),
    "storm": (_storm, 2_000),
    "audit": (_audit, 1_000_000),
}
"""By name: what runs, and how much of it."""


def soak(say: Say, *, only: str = "", count: int = 0, write: bool = False) -> dict[str, str]:
    """Run one soak, or all; returns what to say of each.

    Args:
        say: Shows progress.
        only: The name of one.
        count: In place of its own number of images, histories or uploads.
        write: Whether docs/reliability.md is to say it too.

    Raises:
        ToolError: There is none of that name, or one failed.

    """
    if only and only not in SOAKS:
        raise ToolError(f"No soak {only}: use one of {', '.join(SOAKS)}")
    said = {}
    for name in [only] if only else SOAKS:
        run, usual = SOAKS[name]
        said[name] = run(say, count or usual)
        if write:
            report.renew(name, f"{datetime.now(UTC):%Y-%m-%d}: {said[name]}")
    return said


def _check(ledger: Ledger) -> None:
    if ledger.lost or ledger.wrong:
        raise ToolError(
            f"Lost: {', '.join(sorted(ledger.lost)) or 'none'}; wrong: {', '.join(sorted(ledger.wrong)) or 'none'}"
        )


def _settings(text: str) -> "tempfile._TemporaryFileWrapper[str]":
    """A file with settings of the module."""
    LOCAL.mkdir(exist_ok=True)
    file = tempfile.NamedTemporaryFile("w", dir=LOCAL, suffix=".tfvars")  # noqa: SIM115 - its user closes it
    file.write(text)
    file.flush()
    return file
