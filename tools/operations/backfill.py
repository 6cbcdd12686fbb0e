"""`invoke backfill`: resizes uploads that are older than the pipeline, after an estimate and up to a limit."""

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tools.common.errors import ToolError
from tools.common.pricing import PRICES_AS_KNOWN_ON, REGION
from tools.common.progress import show_progress
from tools.operations import MAX_OBJECTS, batch_job
from tools.operations.audit import TO_SEND, Scope, find_with_progress, start_audit
from tools.operations.batch_job import CsvManifest, GeneratedManifest, Job
from tools.operations.database import UploadSet, upload_set
from tools.operations.deployment import Deployment
from tools.operations.estimate import Estimate
from tools.operations.listing import Listed, uploads
from tools.operations.session import Session

MAX_DIRECT = 10_000
"""Uploads that a backfill sends itself; more become a job of S3 Batch Operations."""

POLL_SECONDS = 5
"""Time between two requests for a job's status."""


@dataclass(frozen=True)
class Request:
    """What to resize, and how.

    Attributes:
        prefix: Prefix of the uploads' keys.
        missing: Whether to resize only uploads whose output is missing or stale; then the prefix is a folder.
        job: Whether to use S3 Batch Operations for few uploads, too.
        limit: The most uploads.

    """

    prefix: str = ""
    missing: bool = False
    job: bool = False
    limit: int = MAX_OBJECTS


def backfill(session: Session, request: Request, *, confirmed: bool) -> bool:
    """Have the function process uploads; returns whether every invocation succeeded, or a job was created.

    Args:
        session: The command's run.
        request: Which uploads.
        confirmed: Whether to do it; otherwise, only print the estimate.

    Raises:
        ToolError: There are more uploads than the limit, or there is no role for a job.

    """
    with upload_set() as chosen:
        for upload in _find_uploads(session, request):
            chosen.add(upload)
            if chosen.count > request.limit:
                raise ToolError(f"More than {request.limit:,} objects: raise --max-objects, or narrow the prefix")
        by_job = request.job or chosen.count > MAX_DIRECT
        _show(session, _estimate(session.deployment, chosen, by_job=by_job), confirmed=confirmed)
        if not confirmed or not chosen.count:
            return True
        if not by_job:
            return session.send(chosen)
        job_id = _create(session, chosen, _role(session.deployment), request)
    session.console.text(f"Created job {job_id}. Follow it with `invoke backfill --status {job_id}`")
    session.console.json({"job": job_id})
    return True


def follow(session: Session, job_id: str) -> bool:
    """Show a job's progress until it has ended, then its failed tasks; returns whether it did all of them.

    Raises:
        ToolError: The job's report can't be read.

    """
    deployment, console = session.deployment, session.console
    client = deployment.client("s3control", None)
    try:
        with show_progress("Waiting for S3") as update:
            for status in batch_job.follow(client, deployment.account_id, job_id, lambda: time.sleep(POLL_SECONDS)):
                update(description=status.state, completed=status.succeeded + status.failed, total=status.total or None)
    except KeyboardInterrupt:
        print(f"The job goes on. Follow it with `invoke backfill --status {job_id}`", file=sys.stderr)
        raise
    console.text(f"{status.state}: {status.succeeded:,} done, {status.failed:,} failed of {status.total:,}")
    # Print the reasons before reading the report: the job may have failed because S3 couldn't write it.
    for reason in status.reasons:
        console.text(reason)
    failed = [(task.key, task.reason) for task in batch_job.failed_tasks(deployment.client("s3", None), status)]
    for key, reason in failed:
        console.json({"key": key, "error": reason})
    console.table(("KEY", "ERROR"), failed)
    console.json(
        {
            "state": status.state,
            "total": status.total,
            "done": status.succeeded,
            "failed": status.failed,
            "reasons": list(status.reasons),
        }
    )
    return status.state == "Complete" and not status.failed


def _find_uploads(session: Session, request: Request) -> Iterator[Listed]:
    if request.missing:
        audit = start_audit(session, Scope(request.prefix, grace_seconds=0))
        found = find_with_progress(audit)
        yield from (finding.source for finding in found if finding.kind in TO_SEND and finding.source)
        return
    deployment = session.deployment
    with show_progress("Listing uploads") as update:
        for upload in uploads(deployment.client("s3", None), deployment.settings, request.prefix):
            update(advance=1)
            yield upload


def _estimate(deployment: Deployment, chosen: UploadSet, *, by_job: bool) -> Estimate:
    return Estimate(
        objects=chosen.count,
        size=chosen.size,
        renditions=len(deployment.settings.renditions),
        has_manifest=deployment.settings.manifest is not None,
        memory_mib=deployment.memory_mib,
        architecture=deployment.architecture,
        by_job=by_job,
    )


def _show(session: Session, estimate: Estimate, *, confirmed: bool) -> None:
    console = session.console
    console.table(
        ("OBJECTS", "MB", "MEGAPIXELS", "FUNCTION HOURS", "US$", "HOW"),
        [
            (
                f"{estimate.objects:,}",
                f"{estimate.size / 1e6:,.0f}",
                f"about {estimate.megapixels:,.0f}",
                f"about {estimate.function_seconds / 3600:,.2f}",
                f"about {estimate.dollars:,.2f}",
                "a job of S3 Batch Operations" if estimate.by_job else f"{session.concurrency} at a time",
            )
        ],
    )
    console.text(f"Assumes that every object is a JPEG; prices of {REGION} on {PRICES_AS_KNOWN_ON}.")
    if not confirmed and estimate.objects:
        console.text("Nothing was sent. Run again with --yes to send.")
    console.json(
        {
            "objects": estimate.objects,
            "bytes": estimate.size,
            "megapixels": round(estimate.megapixels, 3),
            "function_seconds": round(estimate.function_seconds, 3),
            "dollars": round(estimate.dollars, 6),
            "job": estimate.by_job,
            "done": confirmed,
        }
    )


def _role(deployment: Deployment) -> str:
    """Return the ARN of the role that the module creates for jobs.

    Raises:
        ToolError: There is no such role.

    """
    name = f"{deployment.function_name}-jobs"
    try:
        arn: str = deployment.client("iam", None).get_role(RoleName=name)["Role"]["Arn"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        raise ToolError(
            f"There is no role {name} for S3 Batch Operations: set batch_operations = true and apply"
        ) from error
    return arn


def _create(session: Session, chosen: UploadSet, role: str, request: Request) -> str:
    deployment = session.deployment
    job = Job(
        description=f"{deployment.function_name}: {chosen.count} objects, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        account_id=deployment.account_id,
        function_arn=deployment.target_arn,
        role_arn=role,
        bucket=deployment.settings.destination_bucket,
        folder=deployment.reserved_prefix,
        manifest=_manifest(session, chosen, request),
    )
    return batch_job.create(deployment.client("s3control", None), job)


def _manifest(session: Session, chosen: UploadSet, request: Request) -> CsvManifest | GeneratedManifest:
    """Let S3 list the objects if one prefix and one suffix describe them; otherwise, upload their keys."""
    deployment, settings = session.deployment, session.deployment.settings
    if not request.missing and len(settings.filters) == 1:
        (one,) = settings.filters
        return GeneratedManifest(settings.source_bucket, max(request.prefix, one.prefix, key=len), one.suffix)
    s3: Any = deployment.client("s3", None)
    key = f"{deployment.reserved_prefix}manifests/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.csv"
    with show_progress("Uploading the manifest"), tempfile.TemporaryFile() as file:
        file.writelines(batch_job.manifest_lines(settings.source_bucket, chosen.keys()))
        file.seek(0)
        return batch_job.upload_manifest(s3, settings.destination_bucket, key, file)
