"""The operator's tasks find and repair damaged, throttled, stale and undelivered uploads."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.console import Console, Result
from tests.uploads import await_idle, draw_pictures, find_outcomes, upload
from tools.common import local_stack
from tools.local.stack import RENDITION
from tools.operations import failure_queue
from tools.operations.deployment import Target, find
from tools.operations.permissions import statements

PREFIX = "drill/"
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "GetFunctionConfiguration": ("failures", {}),
    "GetQueueAttributes": ("failures", {}),
    "ReceiveMessage": ("failures", {}),
    "ChangeMessageVisibilityBatch": ("failures", {}),
    "ListObjectsV2": ("audit", {"prefix": "permitted/"}),
    "HeadObject": ("audit", {"prefix": "permitted/", "deep": True}),
    "Invoke": ("backfill", {"prefix": "permitted/", "yes": True}),
    "DeleteMessage": ("redrive", {"prefix": "permitted/", "yes": True}),
}
"""For each request that needs a permission, a task that makes the request."""


def get_keys(result: Result, kind: str) -> set[str]:
    """Return the keys of the uploads that an audit reports as ``kind``."""
    return {item["key"] for item in result.items if item["kind"] == kind}


def test_an_audit_finds_failed_missing_and_stale_outputs_and_redrives_repair_them(
    pipeline: Pipeline, console: Console
) -> None:
    stack = pipeline.stack
    bodies = {PREFIX + key: body for key, body in draw_pictures(300, seed=7).items()}
    keys = list(bodies)
    broken, throttled, stale = set(keys[:30]), set(keys[30:50]), set(keys[50:60])
    bodies |= {key: bodies[key][: len(bodies[key]) // 2] for key in broken}

    upload(stack, {key: body for key, body in bodies.items() if key not in throttled})
    await_idle(stack, 120)
    client = pipeline.client("lambda")
    client.put_function_concurrency(FunctionName=stack.function_name, ReservedConcurrentExecutions=0)
    upload(stack, {key: bodies[key] for key in throttled})
    await_idle(stack, 120)
    client.delete_function_concurrency(FunctionName=stack.function_name)
    for key in stale:
        output = {"Bucket": stack.destination_bucket, "Key": RENDITION.output_key(key)}
        current = pipeline.client("s3").get_object(**output)
        metadata = {**current["Metadata"], "resized-from-etag": "0" * 32}
        pipeline.client("s3").put_object(**output, Body=current["Body"].read(), Metadata=metadata)

    result = console.run("audit", prefix=PREFIX, deep=True, grace=0)
    assert result.code == 1
    assert [get_keys(result, kind) for kind in ("failed", "missing", "stale")] == [broken, throttled, stale]
    assert len(result.items) == 60
    assert result.summary["outputs"]["good"] == 240

    result = console.run("failures")
    assert result.summary["reasons"] == {"corrupt": 30, "ZeroReservedConcurrency": 20}
    assert {key for item in result.items for key in item["keys"]} == broken | throttled

    assert console.run("redrive").code == 0
    assert console.run("failures").summary["reasons"] == {"corrupt": 30, "ZeroReservedConcurrency": 20}
    result = console.run("redrive", yes=True)
    assert (result.code, result.summary["sent"]) == (0, {"written": 20, "rejected": 30, "failed": 0})
    assert console.run("failures").summary["reasons"] == {"corrupt": 30}

    result = console.run("audit", prefix=PREFIX, deep=True, grace=0, redrive=True, yes=True)
    assert (result.code, result.summary["sent"]) == (0, {"written": 10, "failed": 0})
    result = console.run("audit", prefix=PREFIX, deep=True, grace=0)
    assert (result.code, get_keys(result, "failed")) == (0, broken)
    assert result.summary["outputs"] == dict.fromkeys(result.summary["outputs"], 0) | {"good": 270, "failed": 30}

    outcomes = find_outcomes(stack, bodies)
    assert (set(outcomes.images), set(outcomes.recorded), outcomes.records) == (set(keys) - broken, broken, 30)


def test_a_redrive_with_filters_sends_only_matching_records(pipeline: Pipeline, console: Console) -> None:
    for key in ("choice/a/notes.txt", "choice/b/notes.txt", "choice/b/cut.jpg"):
        pipeline.upload(key, encode(picture())[:-90] if key.endswith("jpg") else b"a text file")
    await_idle(pipeline.stack, 60)
    result = console.run("redrive", prefix="choice/b/", reason="not_an_image", yes=True)
    assert result.summary == {"sent": {"rejected": 1, "failed": 0}, "left": 3, "elsewhere": 0}
    # Three records are left, because the function recorded the rejection again. None of them stays hidden.
    for key in ("choice/a/notes.txt", "choice/b/notes.txt", "choice/b/cut.jpg"):
        pipeline.take_record(key)


def test_a_record_stays_in_the_queue_if_its_event_fails_again(pipeline: Pipeline, console: Console) -> None:
    record = {"bucket": "another-bucket", "key": "stays.jpg", "etag": '"0"', "reason": "corrupt", "message": ""}
    pipeline.client("sqs").send_message(QueueUrl=pipeline.stack.failure_queue_url, MessageBody=json.dumps(record))
    pipeline.client("sqs").send_message(QueueUrl=pipeline.stack.failure_queue_url, MessageBody="no event stays.jpg")
    result = console.run("redrive", yes=True)
    assert (result.code, result.summary["sent"]) == (1, {"failed": 2})
    assert {item["error"].partition(":")[0] for item in result.items} == {
        "about the bucket another-bucket, not src-bucket-image-in",
        "neither a record nor an event about an object",
    }
    assert console.run("failures").summary["reasons"] == {"corrupt": 1, "not_understood": 1}
    pipeline.empty_failure_queue()


def test_a_redrive_sends_events_from_the_queue_of_undelivered_events(pipeline: Pipeline, console: Console) -> None:
    pipeline.upload("undelivered/cake.jpg", encode(picture()))
    await_idle(pipeline.stack, 60)
    pipeline.remove_outputs("undelivered/cake.jpg")
    sqs, stack = pipeline.client("sqs"), pipeline.stack
    url = sqs.create_queue(QueueName=f"{stack.function_name}-undelivered")["QueueUrl"]
    detail = {"bucket": {"name": stack.source_bucket}, "object": {"key": "undelivered/cake.jpg"}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"source": "aws.s3", "detail": detail}))
    assert console.run("failures", undelivered=True).summary["reasons"] == {"undelivered": 1}
    assert console.run("redrive", undelivered=True, yes=True).summary["sent"] == {"written": 1, "failed": 0}
    assert console.run("failures", undelivered=True).summary["approximate_total"] == 0
    sqs.delete_queue(QueueUrl=url)
    result = console.run("failures", undelivered=True)
    assert result.code == 2
    assert "This pipeline has no queue of undelivered events" in result.error


def test_a_backfill_estimates_then_resizes_existing_uploads_up_to_max_objects(
    pipeline: Pipeline, console: Console
) -> None:
    keys = {f"before/{number} é+.jpg" for number in range(12)}
    for key in keys:
        pipeline.upload(key, encode(picture(300, 200)))
    await_idle(pipeline.stack, 60)
    pipeline.remove_outputs(*keys)

    result = console.run("backfill", prefix="before/")
    assert (result.code, result.summary["objects"], result.summary["done"]) == (0, 12, False)
    assert result.summary["bytes"] == 12 * len(encode(picture(300, 200)))
    assert pipeline.list_keys(pipeline.stack.destination_bucket, "before/") == set()
    result = console.run("backfill", prefix="before/", max_objects=11, yes=True)
    assert (result.code, result.error) == (
        2,
        "Error: More than 11 objects: raise --max-objects, or narrow the prefix",
    )
    result = console.run("backfill", prefix="before/", yes=True)
    assert (result.code, result.summary["sent"]) == (0, {"written": 12, "failed": 0})
    assert {RENDITION.output_key(key) for key in keys} <= pipeline.list_keys(pipeline.stack.destination_bucket)

    pipeline.remove_outputs("before/3 é+.jpg")
    result = console.run("backfill", prefix="before/", missing=True, yes=True)
    assert (result.code, result.summary["sent"]) == (0, {"written": 1, "failed": 0})


class User:
    """An IAM user with an access key and an inline policy."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._iam = pipeline.client("iam")
        self._name = f"operator-{uuid.uuid4()}"
        self._iam.create_user(UserName=self._name)
        key = self._iam.create_access_key(UserName=self._name)["AccessKey"]
        keys = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        self.stack = replace(pipeline.stack, aws=replace(pipeline.stack.aws, **keys))

    def set_policy(self, *statements: dict[str, object]) -> None:
        """Replace the user's policy."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_user_policy(UserName=self._name, PolicyName="operator", PolicyDocument=policy)


@pytest.mark.parametrize("request_name", TASKS)
def test_a_task_without_a_permission_names_the_statement_to_add(
    pipeline: Pipeline, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_name: str
) -> None:
    # Without ChangeMessageVisibilityBatch, messages stay hidden after `invoke failures`.
    monkeypatch.setattr(failure_queue, "SAMPLE_SECONDS", 2)
    deployment, user = find(Target(local=True)), User(pipeline)
    pipeline.upload("permitted/picture.jpg", encode(picture()))
    pipeline.upload("permitted/notes.txt", b"a text file")
    await_idle(pipeline.stack, 60)
    monkeypatch.setattr(local_stack, "STACK_FILE", tmp_path / "stack.json")
    user.stack.save()
    needed = {name: statements(deployment, name)[0] for name in TASKS}
    name, options = TASKS[request_name]

    user.set_policy(*(statement for other, statement in needed.items() if other != request_name))
    result = console.run(name, **options)
    assert result.code == 2
    assert str(needed[request_name]["Action"]) in result.error
    if request_name != "GetFunctionConfiguration":
        assert result.error.endswith(f"your policy needs {json.dumps(needed[request_name])}")
    user.set_policy(*needed.values())
    assert console.run(name, **options).code == 0
    pipeline.empty_failure_queue()
