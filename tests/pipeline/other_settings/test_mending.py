"""Operating where it is hard: a redrive that is killed half-way, and what is missing mended by a job."""

import subprocess
import sys

import pytest

from tests.faults import Fault, await_held, inject, release
from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.console import Console
from tests.pipeline.other_settings.conftest import TILE
from tests.uploads import await_idle, draw_pictures, find_outcomes, upload
from tools.common import local_stack
from tools.common.paths import FUNCTION, ROOT
from tools.operations import backfill, redrive

MARGIN_SECONDS = 1
"""In place of a minute: after what is left of a redrive that was killed comes back."""

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


def test_what_a_redrive_that_is_killed_leaves_the_next_one_does(
    configured: Pipeline, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = configured.stack
    bodies = {f"killed/{key}": body for key, body in draw_pictures(12, seed=8).items()}
    client = configured.client("lambda")
    # What other tests uploaded would fail as well.
    await_idle(stack, 60)
    reserved = client.get_function_concurrency(FunctionName=stack.function_name)["ReservedConcurrentExecutions"]
    client.put_function_concurrency(FunctionName=stack.function_name, ReservedConcurrentExecutions=0)
    upload(stack, bodies)
    await_idle(stack, 60)
    client.put_function_concurrency(FunctionName=stack.function_name, ReservedConcurrentExecutions=reserved)
    assert console("failures").sum["reasons"] == {"ZeroReservedConcurrency": 12}

    # Of twelve, the fifth and the sixth get stuck while they are read.
    held = [inject(stack.aws, Fault("GET", stack.source_bucket, key, hold=True)) for key in list(bodies)[4:6]]
    with subprocess.Popen([sys.executable, "-c", REDRIVE, str(local_stack.STACK_FILE)]) as process:
        for fault in held:
            await_held(stack.aws, fault)
        process.kill()
    for fault in held:
        release(stack.aws, fault)
    left = console("failures").sum
    assert 2 <= left["approximate_total"] <= 12

    monkeypatch.setattr(redrive, "MARGIN_SECONDS", MARGIN_SECONDS)
    monkeypatch.setattr(redrive, "LONG_POLL_SECONDS", 1)
    told = console("redrive", yes=True)
    assert (told.code, told.sum["left"], told.sum["elsewhere"]) == (0, 0, 0)
    assert told.sum["sent"] == {"written": left["approximate_total"], "failed": 0}
    outcomes = find_outcomes(stack, bodies, TILE)
    assert (outcomes.images, outcomes.records) == (frozenset(bodies), 0)


def test_what_is_missing_is_made_by_a_job(
    configured: Pipeline, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = configured.stack
    monkeypatch.setattr(backfill, "POLL_SECONDS", 0.1)
    keys = [f"lost/{name}.jpg" for name in ("a b+c", 'comma, "quote"', "画像 😀", "there")]
    for key in keys:
        configured.upload(key, encode(picture()))
    configured.upload("lost/notes.txt", b"a text file")
    await_idle(stack, 60)
    configured.failure("lost/notes.txt")
    configured.erase(stack.destination_bucket, *map(TILE.output_key, keys[:3]))

    told = console("backfill", prefix="lost/", missing=True, job=True, yes=True)
    assert (told.code, told.things[0]["objects"], told.things[0]["job"]) == (0, 4, True)
    followed = console("backfill", status=told.sum["job"])
    # What is no image is missing too, as long as no record says so.
    assert (followed.code, followed.sum["state"], followed.sum["done"], followed.sum["failed"]) == (1, "Complete", 3, 1)
    assert [thing["key"] for thing in followed.things] == ["lost/notes.txt"]
    assert set(map(TILE.output_key, keys)) <= configured.keys(stack.destination_bucket)

    # The job's own files are nobody's outputs, and what it could not do is recorded.
    told = console("audit", prefix="lost/", deep=True, grace=0)
    assert (told.code, told.sum["outputs"]["failed"], told.sum["outputs"]["orphaned"]) == (0, 3, 0)
    configured.failure("lost/notes.txt")

    told = console("backfill", prefix="lost/a", job=True, yes=True)
    followed = console("backfill", status=told.sum["job"])
    assert (followed.code, followed.sum["done"], followed.sum["failed"]) == (0, 1, 0)


@pytest.mark.usefixtures("configured")
def test_a_job_that_is_not_there_is_one_line(console: Console) -> None:
    told = console("backfill", status="no-such-job")
    assert told.code == 2
    assert told.error.startswith("Error: Cannot backfill: DescribeJob: NotFoundException: ")
