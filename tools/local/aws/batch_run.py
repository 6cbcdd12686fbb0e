"""One S3 Batch Operations job: finds its objects, invokes the function for each, and writes the report."""

import base64
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote_plus

from botocore.exceptions import ClientError

from tools.local.aws.batch_files import PREPARING, JobError, Result, Task, read_manifest, write_manifest, write_report
from tools.local.aws.environment import Reply

ATTEMPTS = 3
"""Attempts of each task. AWS does not document its number."""

THRESHOLD_TASKS, THRESHOLD_SHARE = 1000, 0.5
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html#batch-ops-job-status-failure"""

logger = logging.getLogger(__name__)


class Role(Protocol):
    """The role of a job."""

    def s3(self) -> Any:
        """Make a client with the role's permissions; raises PermissionError if S3 may not assume the role."""

    def may(self, action: str, resource: str) -> bool:
        """Whether the role allows an action that S3 takes on its own."""


@dataclass(frozen=True)
class JobServices:
    """The services that jobs use.

    Attributes:
        invoke: Invokes the function with an ARN when the concurrency allows it. Returns None if the job is cancelled
            before.
        keys: Returns the keys of all objects in a bucket.
        concurrency: How many tasks of a job may be in flight.

    """

    invoke: Callable[[str, bytes, threading.Event], Reply | None]
    keys: Callable[[str], Iterable[str]]
    concurrency: int


class JobRun:
    """Runs a job in a thread of its own.

    Args:
        request: The arguments of ``create_job``, in boto3's form.
        role: The job's role.
        services: The services that it uses.

    """

    def __init__(self, request: dict[str, Any], role: Role, services: JobServices) -> None:
        self.job_id = str(uuid.uuid4())
        self.request = request
        self.state = "New"
        self.created = datetime.now(UTC)
        self.ended: datetime | None = None
        self.reasons: tuple[JobError, ...] = ()
        self.generated: dict[str, Any] | None = None
        self._role, self._services = role, services
        self._operation = request["Operation"]["LambdaInvoke"]
        self._total = 0
        self._results: list[Result] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Start no further task."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def progress(self) -> dict[str, int]:
        """Return the number of tasks, and of their results, in the form of ``describe_job``."""
        with self._lock:
            failed = self._failed()
            return {
                "TotalNumberOfTasks": self._total,
                "NumberOfTasksSucceeded": len(self._results) - failed,
                "NumberOfTasksFailed": failed,
            }

    def _run(self) -> None:
        try:
            self.state = "Preparing"
            s3 = self._assume_role()
            tasks = self._find_tasks(s3)
            self.state = "Active"
            self._work(tasks)
            self.state = "Failing" if self.reasons else "Completing"
            self._report(s3)
        except JobError as error:
            self.reasons = (*self.reasons, error)
        except Exception as error:
            # A bug here must not leave a job that never ends.
            logger.exception("job %s", self.job_id)
            self.reasons = (JobError("InternalError", repr(error)),)
        self.ended = datetime.now(UTC)
        self.state = "Failed" if self.reasons else "Complete"

    def _assume_role(self) -> Any:
        try:
            return self._role.s3()
        except PermissionError as error:
            raise JobError("RoleNotAssumed", str(error)) from error

    def _find_tasks(self, s3: Any) -> list[Task]:
        """Find the objects, and check the role's permissions."""
        try:
            manifest = self.request.get("Manifest")
            tasks = read_manifest(s3, manifest) if manifest else self._generate_tasks(s3)
        except ClientError as error:
            raise JobError("AccessDenied", f"{PREPARING}: {error}") from error
        self._check("lambda:InvokeFunction", self._operation["FunctionArn"])
        with self._lock:
            self._total = len(tasks)
        return tasks

    def _generate_tasks(self, s3: Any) -> list[Task]:
        generator = self.request["ManifestGenerator"]["S3JobManifestGenerator"]
        self._check("s3:PutInventoryConfiguration", generator["SourceBucket"])
        bucket = generator["SourceBucket"].rpartition(":")[2]
        wanted = generator.get("Filter", {}).get("KeyNameConstraint", {})
        prefixes, suffixes = (tuple(wanted.get(name, [""])) for name in ("MatchAnyPrefix", "MatchAnySuffix"))
        keys = sorted(key for key in self._services.keys(bucket) if key.startswith(prefixes) and key.endswith(suffixes))
        tasks = [Task(bucket, key) for key in keys]
        if not tasks:
            raise JobError("NoKeysFound", f"{PREPARING}: found no keys matching the filter criteria")
        self.generated = write_manifest(s3, generator["ManifestOutputLocation"], self.job_id, tasks)
        return tasks

    def _check(self, action: str, resource: str) -> None:
        if not self._role.may(action, resource):
            role = self.request["RoleArn"]
            message = f"{role} is not authorized to perform: {action} on resource: {resource}"
            raise JobError("AccessDenied", message)

    def _work(self, tasks: list[Task]) -> None:
        """Invoke the function for all tasks; retry temporary failures after all others."""
        for attempt in range(1, ATTEMPTS + 1):
            with ThreadPoolExecutor(self._services.concurrency) as pool:
                again = pool.map(partial(self._try, last=attempt == ATTEMPTS), tasks)
                tasks = [task for task in again if task]

    def _try(self, task: Task, *, last: bool) -> Task | None:
        """Invoke the function with one task; returns the task if it is to be retried."""
        if self._stop.is_set():
            return None
        task_id = base64.b64encode(uuid.uuid4().bytes).decode()
        reply = self._services.invoke(self._operation["FunctionArn"], self._event(task, task_id), self._stop)
        if reply is None:
            return None
        result = _result(task, task_id, reply)
        if result.code == "TemporaryFailure" and not last:
            return task
        self._count(result)
        return None

    def _event(self, task: Task, task_id: str) -> bytes:
        job: dict[str, Any] = {"id": self.job_id, "userArguments": self._operation.get("UserArguments", {})}
        described = {
            "taskId": task_id,
            "s3Key": quote_plus(task.key, safe="/"),
            "s3VersionId": task.version_id,
            "s3Bucket": task.bucket,
        }
        event = {
            "invocationSchemaVersion": "2.0",
            "invocationId": base64.b64encode(uuid.uuid4().bytes).decode(),
            "job": job,
            "tasks": [described],
        }
        return json.dumps(event).encode()

    def _count(self, result: Result) -> None:
        with self._lock:
            self._results.append(result)
            run, failed = len(self._results), self._failed()
            if run >= THRESHOLD_TASKS and failed > THRESHOLD_SHARE * run and not self.reasons:
                message = f"{failed} of the {run} tasks that have run failed, which exceeds 50 percent"
                self.reasons = (JobError("TaskFailureThresholdExceeded", message),)
                self._stop.set()

    def _failed(self) -> int:
        return sum(result.has_failed for result in self._results)

    def _report(self, s3: Any) -> None:
        report = self.request["Report"]
        if not report["Enabled"] or not self._results:
            return
        try:
            write_report(s3, report, self.job_id, self._results)
        except ClientError as error:
            raise JobError("AccessDenied", f"Error occurred when writing the report: {error}") from error


def _result(task: Task, task_id: str, reply: Reply) -> Result:
    """Read the function's reply: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html."""
    text = reply.payload.decode(errors="replace")
    if reply.failed:
        return Result(task, "TemporaryFailure", f"Lambda returned function error: {text}")
    try:
        answer = json.loads(text)
        found: dict[str, str] = next((one for one in answer["results"] if one["taskId"] == task_id), {})
        return Result(task, found.get("resultCode", answer.get("treatMissingKeysAs")), found.get("resultString", ""))
    except (AttributeError, KeyError, TypeError, ValueError):
        return Result(task, "PermanentFailure", "Invalid JSON returned in Lambda payload")
