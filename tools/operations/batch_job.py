"""S3 Batch Operations jobs that call the function: what is asked of AWS, and how a job stands."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"Complete", "Cancelled", "Failed"})
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html"""


@dataclass(frozen=True)
class CsvManifest:
    """A list of keys in the folder of the jobs, as :func:`tools.operations.batch_files.upload_manifest` puts it there.

    Attributes:
        key: The list's own.
        etag: Of what was put there: S3 runs no job with anything else.

    """

    key: str
    etag: str


@dataclass(frozen=True)
class GeneratedManifest:
    """All objects of a bucket whose keys begin and end so: S3 looks for them itself, and keeps the list.

    One job takes one prefix and one suffix, so several filters are several jobs, or one with a CSV manifest.

    Attributes:
        bucket: The name of the source bucket.
        prefix: Any where empty.
        suffix: Any where empty.

    """

    bucket: str
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class Job:
    """A job that calls the function with one object at a time.

    Attributes:
        description: Shown with the job. Asking twice makes one job, and with another description it is another.
        account_id: Whose job it is.
        function_arn: Of the function.
        role_arn: Of the role that S3 takes for it: ``batch_operations_role_arn`` of the module.
        bucket: The name of the destination bucket.
        folder: Within it, where manifests and reports are; ends in a slash.
        manifest: The objects.
        priority: Before those of the account's other jobs whose numbers are lower.

    """

    description: str
    account_id: str
    function_arn: str
    role_arn: str
    bucket: str
    folder: str
    manifest: CsvManifest | GeneratedManifest
    priority: int = 10

    def request(self) -> dict[str, Any]:
        """The arguments of ``create_job``."""
        request = {
            "AccountId": self.account_id,
            "ConfirmationRequired": False,
            "Description": self.description,
            "Operation": {"LambdaInvoke": {"FunctionArn": self.function_arn, "InvocationSchemaVersion": "2.0"}},
            "Priority": self.priority,
            # Of those that succeeded there is an image; a line for each of millions would be for nobody.
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
        wanted = {"MatchAnyPrefix": self.manifest.prefix, "MatchAnySuffix": self.manifest.suffix}
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_KeyNameConstraint.html: of each exactly one.
        names = {name: [value] for name, value in wanted.items() if value}
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
    """How a job stands.

    Attributes:
        job_id: S3's name of it.
        state: S3's word for it, such as ``Active``.
        total: How many objects there are; 0 while S3 looks for them.
        succeeded: How many are done.
        failed: How many cannot be done.
        reasons: Why the job as a whole failed, one sentence each.
        report_bucket: The name of the bucket that the report is in when the job has ended.
        report_key: Of the report's first file, which names the others.

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
        """Read the ``Job`` that ``describe_job`` gives."""
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
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in TERMINAL


def create(s3control: Any, job: Job) -> str:
    """Have S3 make a job; returns its id, which is that of the same job where S3 has been asked for it before.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 does not take it.

    """
    identity: str = s3control.create_job(**job.request())["JobId"]
    return identity


def status(s3control: Any, account_id: str, job_id: str) -> JobStatus:
    """Ask how a job stands.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 does not say, or knows none of that id.

    """
    return JobStatus.of(s3control.describe_job(AccountId=account_id, JobId=job_id)["Job"])


def follow(s3control: Any, account_id: str, job_id: str, wait: Callable[[], None]) -> Iterator[JobStatus]:
    """Ask how a job stands until it has ended; what comes last says how.

    Args:
        s3control: A client.
        account_id: Whose job it is.
        job_id: Of the job.
        wait: Called before S3 is asked again.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 does not say, or knows none of that id.

    """
    while not (current := status(s3control, account_id, job_id)).ended:
        yield current
        wait()
    yield current


def _sentence(failure: Mapping[str, str]) -> str:
    reason, code = failure.get("FailureReason", "").rstrip("."), failure.get("FailureCode", "")
    return f"{reason} ({code})" if reason and code else reason or code
