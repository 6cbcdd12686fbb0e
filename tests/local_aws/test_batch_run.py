"""One S3 Batch Operations job: when it stops, and in which order it retries."""

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.local_aws.conftest import ACCOUNT_ID
from tests.models import CheckedClient
from tools.local.aws.batch_run import THRESHOLD_TASKS, JobRun, JobServices
from tools.local.aws.environment import Reply
from tools.operations.batch_job import GeneratedManifest, Job

ARNS = (f"arn:aws:lambda:eu-west-2:{ACCOUNT_ID}:function:f", f"arn:aws:iam::{ACCOUNT_ID}:role/r")
REQUEST = Job("Once", ACCOUNT_ID, *ARNS, "resized", "batch-operations/", GeneratedManifest("uploads")).request()

Answer = Callable[[str], str]
"""Takes a key, and returns the code of the result."""


@dataclass
class Files:
    """A role with all permissions, and an S3 that keeps files in memory."""

    written: dict[str, bytes] = field(default_factory=dict)

    def s3(self) -> CheckedClient:
        return CheckedClient(self, "s3")

    def may(self, action: str, resource: str) -> bool:  # noqa: ARG002 - everything
        return True

    def put_object(self, *, Key: str, Body: bytes, **_: str) -> dict[str, str]:  # noqa: N803 - as boto3 calls them
        self.written[Key] = Body
        return {"ETag": '"etag"'}


@dataclass
class Run:
    """A job that has ended, with the keys of its invocations."""

    answer: Answer
    count: int
    called: list[str] = field(default_factory=list)
    files: Files = field(default_factory=Files)

    def __post_init__(self) -> None:
        keys = [f"{number:04}" for number in range(self.count)]
        self.job = JobRun(REQUEST, self.files, JobServices(self._invoke, lambda _: keys, 1))
        self.job.join()

    def _invoke(self, _arn: str, event: bytes, _stop: threading.Event) -> Reply | None:
        (task,) = json.loads(event)["tasks"]
        self.called.append(task["s3Key"])
        result = {"taskId": task["taskId"], "resultCode": self.answer(task["s3Key"]), "resultString": "so"}
        return Reply(json.dumps({"results": [result]}).encode(), failed=False, log=(), broken=False)


def fail_always(_key: str) -> str:
    return "PermanentFailure"


def fail_every_other(key: str) -> str:
    return "PermanentFailure" if int(key) % 2 else "Succeeded"


def test_a_job_stops_when_most_tasks_fail() -> None:
    run = Run(fail_always, THRESHOLD_TASKS + 100)
    assert (run.job.state, len(run.called)) == ("Failed", THRESHOLD_TASKS)
    (reason,) = run.job.reasons
    assert str(reason) == "1000 of the 1000 tasks that have run failed, which exceeds 50 percent"
    # The report has the tasks that ran.
    report = json.loads(run.files.written[f"batch-operations/reports/job-{run.job.job_id}/manifest.json"])
    (part,) = report["Results"]
    assert len(io.BytesIO(run.files.written[part["Key"]]).readlines()) == THRESHOLD_TASKS


@pytest.mark.parametrize(
    ("answer", "count"),
    [(fail_always, THRESHOLD_TASKS - 1), (fail_every_other, 2 * THRESHOLD_TASKS)],
    ids=["few", "half"],
)
def test_a_job_continues_if_few_tasks_or_half_of_them_fail(answer: Answer, count: int) -> None:
    run = Run(answer, count)
    assert (run.job.state, len(run.called), run.job.reasons) == ("Complete", count, ())


def test_temporary_failures_are_retried_last() -> None:
    run = Run(lambda key: "TemporaryFailure" if key == "0001" else "Succeeded", 3)
    assert run.called == ["0000", "0001", "0002", "0001", "0001"]
    progress: dict[str, Any] = run.job.progress()
    assert progress == {"TotalNumberOfTasks": 3, "NumberOfTasksSucceeded": 2, "NumberOfTasksFailed": 1}


def test_a_bug_ends_the_job(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_key: str) -> str:
        raise RuntimeError("broken")

    run = Run(broken, 1)
    assert (run.job.state, run.job.ended is not None) == ("Failed", True)
    assert [str(reason) for reason in run.job.reasons] == ["RuntimeError('broken')"]
    assert run.job.job_id in caplog.text
