"""An audit of long listings finds exactly the wrong outputs, and needs no more memory for more uploads."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import pytest

from aws.settings import Settings
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tools.common.paths import FUNCTION, ROOT
from tools.common.progress import show_progress
from tools.operations import database
from tools.operations.audit import Audit, Finding, Kind
from tools.operations.listing import Listed

FEW = 10_000
"""The number of uploads whose audit takes only the memory that every audit takes."""

TOLERANCE = 1.25
"""How many times as much memory a longer audit may take, apart from SQLite's cache."""

CACHE_KIB = 4096
"""A small cache for SQLite: 200,000 uploads are far more than it holds."""

FOLDER = 1000
"""Uploads in a folder. Half of them are in another folder within it, whose outputs come first."""

RESIZED = Rendition("resized", scale=0.5)
SETTINGS = Settings("uploads", "resized", "", (RESIZED,), MetadataPolicy.COPYRIGHT, Limits(1769 << 20))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WRONG = {3: Kind.MISSING, 5003: Kind.STALE, 7003: Kind.ORPHANED}
"""The uploads, of every ten thousand, that have a wrong output."""


@pytest.mark.soak(few=200_000, many=1_000_000)
def test_an_audit_finds_the_wrong_outputs_in_constant_memory(count: int) -> None:
    with show_progress(f"Auditing {count:,} uploads"):
        seconds, peak = compare_in_process(count)
    print(f"{count:,} listed uploads: {seconds:.0f} s of CPU, including listing, and at most {peak >> 20} MiB")
    # SQLite takes its cache twice: for pages, and to sort.
    assert peak < TOLERANCE * compare_in_process(FEW)[1] + 2 * (CACHE_KIB << 10)


def test_a_wrong_audit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Audit, "_why_orphan", lambda *_: "")
    with pytest.raises(AssertionError, match=r"IMG_0003 at the sea\.jpg"):
        compare(10_000)


def compare_in_process(count: int) -> tuple[float, int]:
    """Audit a number of uploads in a new process; return its CPU seconds and its peak of memory in bytes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(FUNCTION), str(ROOT)))}
    command = [sys.executable, __file__, str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def compare(count: int) -> None:
    """Audit a number of uploads, and expect exactly the wrong outputs."""
    audit = Audit(SETTINGS, None, "batch-operations/images/", NOON + timedelta(days=1))
    for finding, expected in zip_longest(
        audit.compare(list_uploads(count), list_outputs(count), lambda *_: None), expect_findings(count)
    ):
        assert isinstance(finding, Finding), expected
        assert (finding.kind, finding.output) == expected


def make_key(number: int, before_name: str = "") -> str:
    """Return a key such as people use for photos."""
    folder, place = divmod(number, FOLDER)
    album = "album/" if place >= FOLDER // 2 else ""
    return f"users/{folder:06}/photos/2026/{album}{before_name}IMG_{place:04} at the sea.jpg"


def list_uploads(count: int) -> Iterator[Listed]:
    """List the source in S3's order: capitals come before small letters."""
    for number in range(count):
        if WRONG.get(number % 10_000) != Kind.ORPHANED:
            yield Listed(make_key(number), '"d41d8cd98f00b204e9800998ecf8427e"', NOON, 2_000_000)


def list_outputs(count: int) -> Iterator[Listed]:
    for number in sort_by_output(count):
        kind = WRONG.get(number % 10_000)
        if kind != Kind.MISSING:
            modified = NOON - SECOND if kind == Kind.STALE else NOON + SECOND
            yield Listed(make_key(number, "resized-"), '"9e107d9d372bb6826bd81d3542a419d6"', modified, 500_000)


def expect_findings(count: int) -> Iterator[tuple[Kind, str]]:
    for number in sort_by_output(count):
        if number % 10_000 in WRONG:
            yield WRONG[number % 10_000], make_key(number, "resized-")


def sort_by_output(count: int) -> Iterator[int]:
    """Yield the numbers of uploads in the order of their outputs' keys."""
    for start in range(0, count, FOLDER):
        middle, end = min(count, start + FOLDER // 2), min(count, start + FOLDER)
        yield from range(middle, end)
        yield from range(start, middle)


if __name__ == "__main__":
    database.CACHE_KIB = CACHE_KIB
    compare(int(sys.argv[1]))
    # Not getrusage's figure, which counts the process that this one was forked from.
    status = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert status
    print(json.dumps([time.process_time(), int(status[1]) << 10]))
