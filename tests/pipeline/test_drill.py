"""The drill: uploads are broken, throttled to death and outdated, and an operator finds all of it and mends it."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.console import Console, Told
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
"""By the request that needs a permission, a task that makes it."""


def found(told: Told, kind: str) -> set[str]:
    """The uploads of which an audit says so."""
    return {thing["key"] for thing in told.things if thing["kind"] == kind}


def test_what_is_broken_throttled_to_death_and_stale_is_named_and_mended(pipeline: Pipeline, console: Console) -> None:
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
        there = pipeline.client("s3").get_object(**output)
        older = {**there["Metadata"], "resized-from-etag": "0" * 32}
        pipeline.client("s3").put_object(**output, Body=there["Body"].read(), Metadata=older)

    told = console("audit", prefix=PREFIX, deep=True, grace=0)
    assert told.code == 1
    assert [found(told, kind) for kind in ("failed", "missing", "stale")] == [broken, throttled, stale]
    assert len(told.things) == 60
    assert told.sum["outputs"]["good"] == 240

    told = console("failures")
    assert told.sum["reasons"] == {"corrupt": 30, "ZeroReservedConcurrency": 20}
    assert {key for thing in told.things for key in thing["keys"]} == broken | throttled

    assert console("redrive").code == 0
    assert console("failures").sum["reasons"] == {"corrupt": 30, "ZeroReservedConcurrency": 20}
    told = console("redrive", yes=True)
    assert (told.code, told.sum["sent"]) == (0, {"written": 20, "rejected": 30, "failed": 0})
    assert console("failures").sum["reasons"] == {"corrupt": 30}

    told = console("audit", prefix=PREFIX, deep=True, grace=0, redrive=True, yes=True)
    assert (told.code, told.sum["sent"]) == (0, {"written": 10, "failed": 0})
    told = console("audit", prefix=PREFIX, deep=True, grace=0)
    assert (told.code, found(told, "failed")) == (0, broken)
    assert told.sum["outputs"] == dict.fromkeys(told.sum["outputs"], 0) | {"good": 270, "failed": 30}

    outcomes = find_outcomes(stack, bodies)
    assert (set(outcomes.images), set(outcomes.recorded), outcomes.records) == (set(keys) - broken, broken, 30)


def test_of_records_only_those_that_are_meant_are_sent(pipeline: Pipeline, console: Console) -> None:
    for key in ("choice/a/notes.txt", "choice/b/notes.txt", "choice/b/cut.jpg"):
        pipeline.upload(key, encode(picture())[:-90] if key.endswith("jpg") else b"a text file")
    await_idle(pipeline.stack, 60)
    told = console("redrive", prefix="choice/b/", reason="not_an_image", yes=True)
    assert told.sum == {"sent": {"rejected": 1, "failed": 0}, "left": 3, "elsewhere": 0}
    # With the one that is recorded anew. All of them are at hand again at once.
    for key in ("choice/a/notes.txt", "choice/b/notes.txt", "choice/b/cut.jpg"):
        pipeline.failure(key)


def test_an_event_that_fails_again_stays(pipeline: Pipeline, console: Console) -> None:
    record = {"bucket": "another-bucket", "key": "stays.jpg", "etag": '"0"', "reason": "corrupt", "message": ""}
    pipeline.client("sqs").send_message(QueueUrl=pipeline.stack.failure_queue_url, MessageBody=json.dumps(record))
    pipeline.client("sqs").send_message(QueueUrl=pipeline.stack.failure_queue_url, MessageBody="no event stays.jpg")
    told = console("redrive", yes=True)
    assert (told.code, told.sum["sent"]) == (1, {"failed": 2})
    assert {thing["error"].partition(":")[0] for thing in told.things} == {
        "about the bucket another-bucket, not src-bucket-image-in",
        "neither a record nor an event",
    }
    assert console("failures").sum["reasons"] == {"corrupt": 1, "not_understood": 1}
    pipeline.forget_failures()


def test_what_eventbridge_could_not_deliver_is_sent_from_its_own_queue(pipeline: Pipeline, console: Console) -> None:
    pipeline.upload("undelivered/cake.jpg", encode(picture()))
    await_idle(pipeline.stack, 60)
    pipeline.remove_outputs("undelivered/cake.jpg")
    sqs, stack = pipeline.client("sqs"), pipeline.stack
    url = sqs.create_queue(QueueName=f"{stack.function_name}-undelivered")["QueueUrl"]
    about = {"bucket": {"name": stack.source_bucket}, "object": {"key": "undelivered/cake.jpg"}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"source": "aws.s3", "detail": about}))
    assert console("failures", undelivered=True).sum["reasons"] == {"undelivered": 1}
    assert console("redrive", undelivered=True, yes=True).sum["sent"] == {"written": 1, "failed": 0}
    assert console("failures", undelivered=True).sum["approximate_total"] == 0
    sqs.delete_queue(QueueUrl=url)
    told = console("failures", undelivered=True)
    assert told.code == 2
    assert "NonExistentQueue" in told.error


def test_what_was_there_before_is_resized_after_an_estimate_and_below_a_cap(
    pipeline: Pipeline, console: Console
) -> None:
    keys = {f"before/{number} é+.jpg" for number in range(12)}
    for key in keys:
        pipeline.upload(key, encode(picture(300, 200)))
    await_idle(pipeline.stack, 60)
    pipeline.remove_outputs(*keys)

    told = console("backfill", prefix="before/")
    assert (told.code, told.sum["objects"], told.sum["done"]) == (0, 12, False)
    assert told.sum["bytes"] == 12 * len(encode(picture(300, 200)))
    assert not any(key.startswith("before/") for key in pipeline.keys(pipeline.stack.destination_bucket))
    told = console("backfill", prefix="before/", max_objects=11, yes=True)
    assert (told.code, told.error) == (
        2,
        "Error: More than 11 objects: raise --max-objects, or narrow the prefix",
    )
    told = console("backfill", prefix="before/", yes=True)
    assert (told.code, told.sum["sent"]) == (0, {"written": 12, "failed": 0})
    assert {RENDITION.output_key(key) for key in keys} <= pipeline.keys(pipeline.stack.destination_bucket)

    pipeline.remove_outputs("before/3 é+.jpg")
    told = console("backfill", prefix="before/", missing=True, yes=True)
    assert (told.code, told.sum["sent"]) == (0, {"written": 1, "failed": 0})


class User:
    """Somebody who may do what their policy allows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._iam = pipeline.client("iam")
        self._name = f"operator-{uuid.uuid4()}"
        self._iam.create_user(UserName=self._name)
        key = self._iam.create_access_key(UserName=self._name)["AccessKey"]
        keys = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        self.stack = replace(pipeline.stack, aws=replace(pipeline.stack.aws, **keys))

    def may(self, *statements: dict[str, object]) -> None:
        """Allow this, and nothing else."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_user_policy(UserName=self._name, PolicyName="operator", PolicyDocument=policy)


@pytest.mark.parametrize("request_name", TASKS)
def test_without_a_permission_the_statement_that_is_needed_is_named(
    pipeline: Pipeline, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_name: str
) -> None:
    # Without the permission to show it again, a sample hides what it has seen.
    monkeypatch.setattr(failure_queue, "SAMPLE_SECONDS", 2)
    deployment, user = find(Target(local=True)), User(pipeline)
    pipeline.upload("permitted/picture.jpg", encode(picture()))
    pipeline.upload("permitted/notes.txt", b"a text file")
    await_idle(pipeline.stack, 60)
    monkeypatch.setattr(local_stack, "STACK_FILE", tmp_path / "stack.json")
    user.stack.save()
    needed = {name: statements(deployment, name)[0] for name in TASKS}
    name, options = TASKS[request_name]

    user.may(*(statement for other, statement in needed.items() if other != request_name))
    told = console(name, **options)
    assert told.code == 2
    assert str(needed[request_name]["Action"]) in told.error
    if request_name != "GetFunctionConfiguration":
        assert told.error.endswith(f"your policy needs {json.dumps(needed[request_name])}")
    user.may(*needed.values())
    assert console(name, **options).code == 0
    pipeline.forget_failures()
