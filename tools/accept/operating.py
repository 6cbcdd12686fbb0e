"""Checks of the operator's commands: the audit, the redrive and the backfill mend what they find."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tools.accept.pipeline import Pipeline, expect, wait_for
from tools.accept.uploads import draw
from tools.imaging.pictures import encode
from tools.operations.audit import Scope, audit
from tools.operations.backfill import Request, backfill, follow
from tools.operations.console import Console
from tools.operations.failure_queue import Selection
from tools.operations.function import THROTTLED
from tools.operations.redrive import redrive
from tools.operations.session import Session

ODD_NAMES = ("a b+c", 'comma, "quote"', "画像 😀", "kept")


@dataclass(frozen=True)
class Result:
    """The result of a command.

    Attributes:
        is_good: Whether its exit code would be 0.
        items: The lines of JSON before the last one.
        summary: The last line of JSON.

    """

    is_good: bool
    items: list[dict[str, Any]]
    summary: dict[str, Any]


def run(pipeline: Pipeline, command: Callable[[Session], bool]) -> Result:
    """Run a command with ``--json``."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        is_good = command(Session(pipeline.deployment, Console(as_json=True)))
    *items, summary = map(json.loads, printed.getvalue().splitlines())
    return Result(is_good, items, summary)


def check_audit(pipeline: Pipeline) -> None:
    """Audit a folder with ``--deep``: it counts a rejected upload as failed, and makes lost outputs again."""
    folder, targets = "audited/", len(pipeline.list_targets(""))
    good, lost, broken = keys = [f"{folder}{name}.jpg" for name in ("good", "lost", "broken")]
    for key in keys:
        pipeline.upload(key, b"a text file" if key == broken else encode(draw(), "JPEG"))
    pipeline.wait_for_targets(good, lost)
    wait_for(lambda: any(broken in one["Body"] for one in pipeline.peek_records()) or None, f"record about {broken}")
    scope = Scope(folder, deep=True, grace_seconds=0)
    _expect_audit(pipeline, scope, good=2 * targets, failed=targets)
    pipeline.remove_outputs(lost)
    _expect_audit(pipeline, scope, good=targets, failed=targets, missing=targets)
    sent = run(pipeline, lambda session: audit(session, scope, redrive=True, confirmed=True)).summary["sent"]
    expect(sent, {"written": 1, "failed": 0}, "uploads that the audit sent")
    _expect_audit(pipeline, scope, good=2 * targets, failed=targets)
    pipeline.take_record(broken)


def check_redrive(pipeline: Pipeline) -> None:
    """Upload while the function is stopped: Lambda records the events, and a redrive sends them."""
    keys = [f"redriven/{number}.jpg" for number in range(3)]
    with stop_function(pipeline):
        for key in keys:
            pipeline.upload(key, encode(draw(), "JPEG"))
        pipeline.wait_for_records(len(keys))
    selection = Selection(reason="ZeroReservedConcurrency", prefix="redriven/")
    result = run(pipeline, lambda session: redrive(session, selection))
    expect(result.summary["sent"], {"written": len(keys), "failed": 0}, "records that the redrive sent")
    pipeline.wait_for_targets(*keys)


def check_backfill(pipeline: Pipeline) -> None:
    """Delete outputs, and make them again with a job of S3 Batch Operations, which reports a file that is no image."""
    keys, text = [f"lost/{name}.jpg" for name in ODD_NAMES], "lost/notes.txt"
    for key in keys:
        pipeline.upload(key, encode(draw(), "JPEG"))
    pipeline.upload(text, b"a text file")
    pipeline.wait_for_targets(*keys)
    pipeline.take_record(text)
    pipeline.remove_outputs(*keys[:-1])
    request = Request("lost/", missing=True, job=True)
    # The text file has no record any more, so it counts as missing.
    started = run(pipeline, lambda session: backfill(session, request, confirmed=True))
    expect(started.items[0]["objects"], len(keys), "objects of the job")
    status = run(pipeline, lambda session: follow(session, started.summary["job"]))
    counts = {name: status.summary[name] for name in ("state", "done", "failed")}
    expect(counts, {"state": "Complete", "done": len(keys) - 1, "failed": 1}, "status of the job")
    expect([item["key"] for item in status.items], [text], "failed tasks")
    pipeline.wait_for_targets(*keys)
    # The audit ignores the job's own files in the destination. The text file has a record again.
    targets = len(pipeline.list_targets(""))
    scope = Scope("lost/", deep=True, grace_seconds=0)
    _expect_audit(pipeline, scope, good=len(keys) * targets, failed=targets)
    pipeline.take_record(text)


@contextlib.contextmanager
def stop_function(pipeline: Pipeline) -> Iterator[None]:
    """Let Lambda refuse every invocation of the function in the block, and put its events into the failure queue."""
    client, name = pipeline.client("lambda"), pipeline.deployment.function_name
    reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    try:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        wait_for(lambda: _is_throttled(pipeline) or None, "end of invocations")
        yield
    finally:
        if reserved is None:
            client.delete_function_concurrency(FunctionName=name)
        else:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    wait_for(lambda: not _is_throttled(pipeline) or None, "invocation")


def _is_throttled(pipeline: Pipeline) -> bool:
    try:
        # The function ignores folders.
        pipeline.send(pipeline.make_notification("folder/"))
    except ClientError as error:
        if error.response["Error"]["Code"] not in THROTTLED:
            raise
        return True
    return False


def _expect_audit(pipeline: Pipeline, scope: Scope, **expected: int) -> None:
    result = run(pipeline, lambda session: audit(session, scope, redrive=False))
    counts = {name: count for name, count in result.summary["outputs"].items() if count}
    expect(counts, expected, "outputs in the audit")
