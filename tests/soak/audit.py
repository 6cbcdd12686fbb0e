"""Many uploads and their outputs through the audit, which names what is wrong, and holds no more memory for more."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

from aws.settings import Settings
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tools.common.errors import ToolError
from tools.common.paths import FUNCTION, ROOT
from tools.operations import database
from tools.operations.audit import Audit, Finding, Kind
from tools.operations.listing import Listed

FEW = 10_000
"""How many uploads show what memory the audit takes in any case."""

TOLERANCE = 1.25
"""How much above that it may take for more, beside what SQLite may: as much as its cache for pages, and to sort."""

FOLDER = 1000
"""How many uploads are in a folder, half of them in another one within it, whose outputs come first."""

RESIZED = Rendition("resized", scale=0.5)
SETTINGS = Settings("uploads", "resized", "", (RESIZED,), MetadataPolicy.COPYRIGHT, Limits(1769 << 20))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WRONG = {3: Kind.MISSING, 5003: Kind.STALE, 7003: Kind.ORPHANED}
"""Of ten thousand, which are how."""


@dataclass(frozen=True)
class Audited:
    """An audit of lists.

    Attributes:
        uploads: How many there were.
        wrong: How many outputs were found missing, stale or orphaned: those that are.
        seconds: Of CPU.
        peak: The most bytes that were resident.

    """

    uploads: int
    wrong: int
    seconds: float
    peak: int


def audited(uploads: int, cache_kib: int = database.CACHE_KIB) -> Audited:
    """Compare so many uploads with their outputs, in a process of their own, and in a second one a few.

    Args:
        uploads: How many there are.
        cache_kib: What SQLite may hold in memory.

    Raises:
        ToolError: Not exactly what is wrong was found, or more uploads took more memory.

    """
    few, many = (_in_a_process(count, cache_kib) for count in (FEW, uploads))
    most = TOLERANCE * few.peak + 2 * (cache_kib << 10)
    if many.peak > most:
        raise ToolError(
            f"An audit of {uploads:,} took {many.peak >> 20} MiB of memory, of {FEW:,} {few.peak >> 20} MiB: "
            "something is kept of each upload"
        )
    return many


def compare(uploads: int) -> Audited:
    """Do it in this process.

    Raises:
        ToolError: Not exactly what is wrong was found, or this is not Linux.

    """
    audit = Audit(SETTINGS, None, "batch-operations/images/", NOON + timedelta(days=1))
    found = audit.compare(_uploads(uploads), _outputs(uploads), lambda *_: None)
    wrong = 0
    for finding, (kind, key) in zip_longest(found, _wrong(uploads), fillvalue=(None, "nothing")):
        if not isinstance(finding, Finding) or (finding.kind, finding.output) != (kind, key):
            raise ToolError(f"The audit found {finding}, and wrong is {key}, which is {kind}")
        wrong += 1
    return Audited(uploads, wrong, time.process_time(), _peak_bytes())


def _in_a_process(uploads: int, cache_kib: int) -> Audited:
    command = [sys.executable, "-m", __name__, str(uploads), str(cache_kib)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(FUNCTION), str(ROOT)))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"The audit of {uploads:,} failed: {done.stderr.strip().splitlines()[-1]}")
    return Audited(**json.loads(done.stdout))


def _peak_bytes() -> int:
    # Not by getrusage, which counts what the process was forked from.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if not found:
        raise ToolError("No peak of memory in /proc/self/status: run the soak on Linux")
    return int(found[1]) << 10


def _key(number: int, before_name: str = "") -> str:
    """A key as they are where people upload photos."""
    folder, place = divmod(number, FOLDER)
    album = "album/" if place >= FOLDER // 2 else ""
    return f"users/{folder:06}/photos/2026/{album}{before_name}IMG_{place:04} at the sea.jpg"


def _uploads(count: int) -> Iterator[Listed]:
    """What is listed of the source, in its order: of capitals and small letters, capitals come first."""
    for number in range(count):
        if WRONG.get(number % 10_000) != Kind.ORPHANED:
            yield Listed(_key(number), '"d41d8cd98f00b204e9800998ecf8427e"', NOON, 2_000_000)


def _outputs(count: int) -> Iterator[Listed]:
    for number in _in_order_of_outputs(count):
        how = WRONG.get(number % 10_000)
        if how != Kind.MISSING:
            modified = NOON - SECOND if how == Kind.STALE else NOON + SECOND
            yield Listed(_key(number, "resized-"), '"9e107d9d372bb6826bd81d3542a419d6"', modified, 500_000)


def _wrong(count: int) -> Iterator[tuple[Kind, str]]:
    for number in _in_order_of_outputs(count):
        if number % 10_000 in WRONG:
            yield WRONG[number % 10_000], _key(number, "resized-")


def _in_order_of_outputs(count: int) -> Iterator[int]:
    """The numbers of uploads, in the order of the keys of their outputs."""
    for start in range(0, count, FOLDER):
        middle, end = min(count, start + FOLDER // 2), min(count, start + FOLDER)
        yield from range(middle, end)
        yield from range(start, middle)


if __name__ == "__main__":
    database.CACHE_KIB = int(sys.argv[2])
    print(json.dumps(asdict(compare(int(sys.argv[1])))))
