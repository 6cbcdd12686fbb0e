"""S3 Batch Operations jobs that call the function: their requests, status, manifests and reports."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_plus

from botocore.exceptions import ClientError, ParamValidationError

from tools.common.errors import ToolError

NO_JOB = {"NoSuchJob", "NotFoundException"}
"""S3's error codes for an ID without a job."""

TERMINAL = frozenset({"Complete", "Cancelled", "Failed"})
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html"""


@dataclass(frozen=True)
class CsvManifest:
    """A list of keys in the destination bucket, which :func:`upload_manifest` puts there.

    Attributes:
        key: The list's own key.
        etag: The list's ETag. S3 fails the job if it has changed.

    """

    key: str
    etag: str


@dataclass(frozen=True)
class GeneratedManifest:
    """All objects of a bucket with a prefix and a suffix: S3 lists them itself, and stores the list.

    A job has one prefix and one suffix, so several filters need several jobs or a CSV manifest.

    Attributes:
        bucket: The source bucket's name.
        prefix: Any if empty.
        suffix: Any if empty.

    """

    bucket: str
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class Job:
    """A job that calls the function with one object at a time.

    Attributes:
        description: Shown with the job. Two equal requests create one job.
        account_id: The job's account.
        function_arn: The function's ARN.
        role_arn: ARN of the role that S3 assumes: the module's ``batch_operations_role_arn``.
        bucket: The destination bucket's name.
        folder: Prefix of the manifests and reports in that bucket; ends in a slash.
        manifest: The objects.

    """

    description: str
    account_id: str
    function_arn: str
    role_arn: str
    bucket: str
    folder: str
    manifest: CsvManifest | GeneratedManifest

    def request(self) -> dict[str, Any]:
        """Return the arguments of ``create_job``."""
        request = {
            "AccountId": self.account_id,
            "ConfirmationRequired": False,
            "Description": self.description,
            "Operation": {"LambdaInvoke": {"FunctionArn": self.function_arn, "InvocationSchemaVersion": "2.0"}},
            "Priority": 10,
            # Only failed tasks need attention, and a job may have millions of others.
            "Report": {
                "Bucket": self._arn(self.bucket),
                "Enabled": True,
                "Format": "Report_CSV_20180820",
                "Prefix": f"{self.folder}reports",
                "ReportScope": "FailedTasksOnly",
            },
            "RoleArn": self.role_arn,
            **self._manifest(),
        }
        token = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        return {**request, "ClientRequestToken": token}

    def _manifest(self) -> dict[str, Any]:
        if isinstance(self.manifest, CsvManifest):
            location = {"ObjectArn": f"{self._arn(self.bucket)}/{self.manifest.key}", "ETag": self.manifest.etag}
            spec = {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]}
            return {"Manifest": {"Spec": spec, "Location": location}}
        constraints = {"MatchAnyPrefix": self.manifest.prefix, "MatchAnySuffix": self.manifest.suffix}
        # Each constraint takes exactly one value: https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_KeyNameConstraint.html
        names = {name: [value] for name, value in constraints.items() if value}
        generator = {
            "SourceBucket": self._arn(self.manifest.bucket),
            "ExpectedBucketOwner": self.account_id,
            "EnableManifestOutput": True,
            "ManifestOutputLocation": {
                "Bucket": self._arn(self.bucket),
                "ManifestPrefix": f"{self.folder}manifests",
                "ManifestFormat": "S3InventoryReport_CSV_20211130",
            },
            **({"Filter": {"KeyNameConstraint": names}} if names else {}),
        }
        return {"ManifestGenerator": {"S3JobManifestGenerator": generator}}

    def _arn(self, bucket: str) -> str:
        return f"arn:{self.function_arn.split(':')[1]}:s3:::{bucket}"


@dataclass(frozen=True)
class JobStatus:
    """A job's status.

    Attributes:
        job_id: S3's id.
        state: S3's name of the state, such as ``Active``.
        total: Number of objects; 0 while S3 lists them.
        succeeded: Number of objects that are done.
        failed: Number of objects that can't be done.
        reasons: Why the whole job failed, one sentence each.
        report_bucket: Name of the report's bucket.
        report_key: Key of the report's manifest, which lists its other files.

    """

    job_id: str
    state: str
    total: int
    succeeded: int
    failed: int
    reasons: tuple[str, ...]
    report_bucket: str
    report_key: str

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "JobStatus":
        """Parse the ``Job`` of ``describe_job``."""
        progress, report = job.get("ProgressSummary", {}), job.get("Report", {})
        return cls(
            job_id=job["JobId"],
            state=job["Status"],
            total=progress.get("TotalNumberOfTasks", 0),
            succeeded=progress.get("NumberOfTasksSucceeded", 0),
            failed=progress.get("NumberOfTasksFailed", 0),
            reasons=tuple(map(_sentence, job.get("FailureReasons", []))),
            report_bucket=report.get("Bucket", "").rpartition(":")[2],
            report_key=f"{report.get('Prefix', '')}/job-{job['JobId']}/manifest.json".lstrip("/"),
        )

    @property
    def has_ended(self) -> bool:
        return self.state in TERMINAL


@dataclass(frozen=True)
class FailedTask:
    """An object that a job could not do.

    Attributes:
        key: The object's key, decoded.
        reason: The function's message about the object, or S3's about the function.

    """

    key: str
    reason: str


def create(s3control: Any, job: Job) -> str:
    """Create a job and return its id; the same request twice gives the same id."""
    job_id: str = s3control.create_job(**job.request())["JobId"]
    return job_id


def status(s3control: Any, account_id: str, job_id: str) -> JobStatus:
    """Return a job's status.

    Raises:
        ToolError: There is no such job.

    """
    try:
        return JobStatus.of(s3control.describe_job(AccountId=account_id, JobId=job_id)["Job"])
    except (ClientError, ParamValidationError) as error:
        # boto3 refuses an ID of a wrong length.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] not in NO_JOB:
            raise
        raise ToolError(f"No job {job_id}: give the ID that `invoke backfill --job --yes` printed") from error


def follow(s3control: Any, account_id: str, job_id: str, wait: Callable[[], None]) -> Iterator[JobStatus]:
    """Yield a job's status until it has ended, and call ``wait`` between two requests."""
    while not (current := status(s3control, account_id, job_id)).has_ended:
        yield current
        wait()
    yield current


def manifest_lines(bucket: str, keys: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines of a CSV manifest, with percent-encoded keys as S3 requires.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html#create-manifest-file
    """
    # %20 decodes to a space whether or not the reader decodes + to one.
    return (f"{bucket},{quote(key, safe='/')}\n".encode() for key in keys)


def upload_manifest(s3: Any, bucket: str, key: str, lines: BinaryIO) -> CsvManifest:
    """Upload a CSV manifest.

    Args:
        s3: A client.
        bucket: The destination bucket's name.
        key: A key in the folder of the jobs.
        lines: Read from its current position.

    """
    # S3 accepts no CSV manifest that is encrypted with a KMS key, which may be the bucket's default.
    options = {"ContentType": "text/csv", "ServerSideEncryption": "AES256"}
    s3.upload_fileobj(lines, bucket, key, ExtraArgs=options)
    return CsvManifest(key, s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"'))


def failed_tasks(s3: Any, job: JobStatus) -> Iterator[FailedTask]:
    """Read the failed tasks from an ended job's report.

    Raises:
        ToolError: The report is missing or malformed.

    """
    if not job.failed:
        return
    where = f"s3://{job.report_bucket}/{job.report_key}"
    try:
        manifest = json.load(s3.get_object(Bucket=job.report_bucket, Key=job.report_key)["Body"])
        columns = [column.strip() for column in manifest["ReportSchema"].split(",")]
        for part in manifest["Results"]:
            if part["TaskExecutionStatus"] == "failed":
                body = s3.get_object(Bucket=part["Bucket"], Key=part["Key"])["Body"]
                # A reason may contain line breaks, and U+2028, at which some readers break a line.
                rows = csv.DictReader(io.TextIOWrapper(body, "utf-8", newline=""), fieldnames=columns)
                yield from (FailedTask(unquote_plus(row["Key"]), row["ResultMessage"]) for row in rows)
    except s3.exceptions.NoSuchKey as error:
        raise ToolError(
            f"Job {job.job_id} has no report at {where}: S3 writes one when a job that called the function has ended"
        ) from error
    except (csv.Error, KeyError, ValueError) as error:
        raise ToolError(f"Cannot parse the report {where} of job {job.job_id}: {error!r}: did S3 write it?") from error


def _sentence(failure: Mapping[str, str]) -> str:
    reason, code = failure.get("FailureReason", "").rstrip("."), failure.get("FailureCode", "")
    return f"{reason} ({code})" if reason and code else reason or code
