"""Recovery from a killed redrive, and a job of S3 Batch Operations that makes missing outputs."""

import subprocess
import sys

import pytest

from tests.faults import Fault, await_held, inject, release
from tests.pipeline.conftest import Pipeline
from tests.pipeline.console import Console
from tests.pipeline.other_settings.conftest import TILE
from tests.uploads import await_idle, draw_pictures, find_outcomes, upload
from tools.accept.operating import check_backfill, stop_function
from tools.common import local_stack
from tools.common.paths import FUNCTION, ROOT
from tools.operations import backfill, redrive

MARGIN_SECONDS = 1
"""Replaces the minute for which a killed redrive's records stay hidden beyond the function's timeout."""

REDRIVE = f"""
import sys
from pathlib import Path

sys.path[:0] = {[str(ROOT), str(FUNCTION)]!r}
from tools.common import local_stack
from tools.operations import redrive

local_stack.STACK_FILE = Path(sys.argv[1])
redrive.MARGIN_SECONDS = {MARGIN_SECONDS}
import tasks
from invoke.context import Context

tasks.redrive(Context(), yes=True, local=True, concurrency=2)
"""


def test_the_next_redrive_sends_the_records_of_a_killed_redrive(
    custom_pipeline: Pipeline, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = custom_pipeline.stack
    bodies = {f"killed/{key}": body for key, body in draw_pictures(12, seed=8).items()}
    # Other tests' events would fail, too.
    await_idle(stack, 60)
    with stop_function(custom_pipeline):
        upload(stack, bodies)
        await_idle(stack, 60)
    assert console.run("failures").summary["reasons"] == {"ZeroReservedConcurrency": 12}

    # The function's requests for the fifth and sixth object hang.
    held = [inject(stack.aws, Fault("GET", stack.source_bucket, key, hold=True)) for key in list(bodies)[4:6]]
    with subprocess.Popen([sys.executable, "-c", REDRIVE, str(local_stack.STACK_FILE)]) as process:
        for fault in held:
            await_held(stack.aws, fault)
        process.kill()
    for fault in held:
        release(stack.aws, fault)
    remaining = console.run("failures").summary
    assert 2 <= remaining["approximate_total"] <= 12

    monkeypatch.setattr(redrive, "MARGIN_SECONDS", MARGIN_SECONDS)
    monkeypatch.setattr(redrive, "LONG_POLL_SECONDS", 1)
    result = console.run("redrive", yes=True)
    assert (result.code, result.summary["left"], result.summary["elsewhere"]) == (0, 0, 0)
    assert result.summary["sent"] == {"written": remaining["approximate_total"], "failed": 0}
    outcomes = find_outcomes(stack, bodies, TILE)
    assert (outcomes.images, outcomes.records) == (frozenset(bodies), 0)


def test_a_job_makes_missing_outputs(
    custom_pipeline: Pipeline, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "POLL_SECONDS", 0.1)
    check_backfill(custom_pipeline)
    result = console.run("backfill", prefix="lost/a", job=True, yes=True)
    status = console.run("backfill", status=result.summary["job"])
    assert (status.code, status.summary["done"], status.summary["failed"]) == (0, 1, 0)


@pytest.mark.usefixtures("custom_pipeline")
def test_the_status_of_an_unknown_job_is_a_one_line_error(console: Console) -> None:
    result = console.run("backfill", status="no-such-job")
    assert result.code == 2
    assert result.error == "Error: No job no-such-job: give the ID that `invoke backfill --job --yes` printed"
