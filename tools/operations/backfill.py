"""`invoke backfill`: resizes what was there before the pipeline; never without an estimate, nor beyond a cap."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tools.common.errors import ToolError
from tools.common.pricing import PRICES_AS_KNOWN_ON, REGION
from tools.operations import MAX_OBJECTS, batch_job
from tools.operations.audit import TO_SEND
from tools.operations.batch_files import failed_tasks, manifest_lines, upload_manifest
from tools.operations.batch_job import CsvManifest, GeneratedManifest, Job
from tools.operations.deployment import Deployment
from tools.operations.estimate import Estimate
from tools.operations.listing import Listed, uploads
from tools.operations.missing import findings, started
from tools.operations.operator import Operator
from tools.operations.spool import Spool, spool

DIRECT_AT_MOST = 10_000
"""How many objects are sent to the function one by one; more are a job of S3 Batch Operations."""

POLL_SECONDS = 5
"""How often S3 is asked how a job stands."""


@dataclass(frozen=True)
class Wanted:
    """Which uploads are to be resized, and how.

    Attributes:
        prefix: What their keys begin with.
        missing: Only those that have no image, or an old one; then the prefix is a folder.
        job: Whether S3 Batch Operations is to send them also where they are few.
        most: How many there may be.

    Raises:
        ToolError: There may be none.

    """

    prefix: str = ""
    missing: bool = False
    job: bool = False
    most: int = MAX_OBJECTS

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ToolError(f"--max-objects {self.most} would be none: use 1 or more")


def backfill(operator: Operator, wanted: Wanted, *, go: bool) -> bool:
    """Have the function look at uploads; whether what became of them is known, or a job is on.

    Args:
        operator: Who asks.
        wanted: Which uploads.
        go: Whether to do it; else only the estimate is shown.

    Raises:
        ToolError: There are more, or there is no role for a job.
        botocore.exceptions.BotoCoreError, ClientError: AWS could not do it.

    """
    with spool() as chosen:
        for upload in _chosen(operator, wanted):
            chosen.add(upload)
            if chosen.count > wanted.most:
                raise ToolError(
                    f"There are more than {wanted.most:,} objects: where that is meant, raise --max-objects"
                )
        by_job = wanted.job or chosen.count > DIRECT_AT_MOST
        _show(operator, _estimate(operator.deployment, chosen, by_job=by_job), go=go)
        if not go or not chosen.count:
            return True
        if not by_job:
            return operator.send(chosen)
        identity = _create(operator, chosen, _role(operator.deployment), wanted)
    operator.screen.say(f"Made job {identity}: follow it with --status {identity}")
    operator.screen.line({"job": identity})
    return True


def follow(operator: Operator, job_id: str) -> bool:
    """Show how a job goes on until it has ended, and what it could not do; whether it could do all.

    Raises:
        ToolError: There is no such job, or its report cannot be read.

    """
    deployment = operator.deployment
    client = deployment.client("s3control", None)
    with operator.screen.progress("Waiting for S3") as bar:
        for status in batch_job.follow(client, deployment.account_id, job_id, lambda: time.sleep(POLL_SECONDS)):
            bar.place(status.state, status.succeeded + status.failed, status.total or None)
    operator.screen.say(f"{status.state}: {status.succeeded:,} done, {status.failed:,} failed of {status.total:,}")
    # Before the report, which may be what could not be written.
    for reason in status.reasons:
        operator.screen.say(reason)
    failed = [(task.key, task.reason) for task in failed_tasks(deployment.client("s3", None), status)]
    for key, reason in failed:
        operator.screen.line({"key": key, "error": reason})
    operator.screen.table(("KEY", "WHY NOT"), failed)
    operator.screen.line(
        {
            "state": status.state,
            "total": status.total,
            "done": status.succeeded,
            "failed": status.failed,
            "reasons": list(status.reasons),
        }
    )
    return status.state == "Complete" and not status.failed


def _chosen(operator: Operator, wanted: Wanted) -> Iterator[Listed]:
    if wanted.missing:
        audit = started(operator, folder=wanted.prefix, deep=False, grace_seconds=0)
        found = findings(operator, audit)
        yield from (finding.source for finding in found if finding.kind in TO_SEND and finding.source)
        return
    deployment = operator.deployment
    with operator.screen.progress("Listing uploads") as bar:
        for upload in uploads(deployment.client("s3", None), deployment.settings, wanted.prefix):
            bar.advance()
            yield upload


def _estimate(deployment: Deployment, chosen: Spool, *, by_job: bool) -> Estimate:
    return Estimate(
        objects=chosen.count,
        size=chosen.size,
        renditions=len(deployment.settings.renditions),
        memory_mib=deployment.memory_mib,
        architecture=deployment.architecture,
        by_job=by_job,
    )


def _show(operator: Operator, estimate: Estimate, *, go: bool) -> None:
    screen = operator.screen
    screen.table(
        ("OBJECTS", "MB", "MEGAPIXELS", "FUNCTION HOURS", "US$", "HOW"),
        [
            (
                f"{estimate.objects:,}",
                f"{estimate.size / 1e6:,.0f}",
                f"about {estimate.megapixels:,.0f}",
                f"about {estimate.function_seconds / 3600:,.2f}",
                f"about {estimate.dollars:,.2f}",
                "a job of S3 Batch Operations" if estimate.by_job else f"{operator.concurrency} at a time",
            )
        ],
    )
    screen.say(f"Estimated as if all were JPEGs, by the prices of {REGION} as known on {PRICES_AS_KNOWN_ON}.")
    if not go and estimate.objects:
        screen.say("Nothing was done: with --yes it will be.")
    screen.line(
        {
            "objects": estimate.objects,
            "bytes": estimate.size,
            "megapixels": round(estimate.megapixels, 3),
            "function_seconds": round(estimate.function_seconds, 3),
            "dollars": round(estimate.dollars, 6),
            "job": estimate.by_job,
            "done": go,
        }
    )


def _role(deployment: Deployment) -> str:
    """The role that the module makes for jobs.

    Raises:
        ToolError: There is none.

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


def _manifest(operator: Operator, chosen: Spool, wanted: Wanted) -> CsvManifest | GeneratedManifest:
    """Have S3 itself look for the objects, where it can: a job takes one prefix and one suffix."""
    settings = operator.deployment.settings
    if wanted.missing or len(settings.filters) > 1:
        return _listed(operator, chosen)
    (one,) = settings.filters
    return GeneratedManifest(settings.source_bucket, max(wanted.prefix, one.prefix, key=len), one.suffix)


def _create(operator: Operator, chosen: Spool, role: str, wanted: Wanted) -> str:
    deployment = operator.deployment
    job = Job(
        description=f"{deployment.function_name}: {chosen.count} objects, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        account_id=deployment.account_id,
        function_arn=deployment.function_arn,
        role_arn=role,
        bucket=deployment.settings.destination_bucket,
        folder=deployment.reserved_prefix,
        manifest=_manifest(operator, chosen, wanted),
    )
    return batch_job.create(deployment.client("s3control", None), job)


def _listed(operator: Operator, chosen: Spool) -> CsvManifest:
    """Write all keys where the job reads them."""
    deployment = operator.deployment
    s3: Any = deployment.client("s3", None)
    key = f"{deployment.reserved_prefix}manifests/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.csv"
    with operator.screen.progress("Writing the manifest"), closing(tempfile.TemporaryFile()) as file:
        file.writelines(manifest_lines(deployment.settings.source_bucket, chosen.keys()))
        file.seek(0)
        return upload_manifest(s3, deployment.settings.destination_bucket, key, file)
