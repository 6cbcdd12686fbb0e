"""The manifest and the completion report of an S3 Batch Operations job, which it reads and writes as its role."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_plus

SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"

PREPARING = "Error occurred when preparing manifest"


class JobError(Exception):
    """A job failed; ``describe_job`` returns code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Task:
    """One object of a manifest.

    Attributes:
        version_id: None if the manifest has none.

    """

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True)
class Result:
    """The final result of a task.

    Attributes:
        code: ``Succeeded``, ``TemporaryFailure`` or ``PermanentFailure``.
        message: The function's own.

    """

    task: Task
    code: str
    message: str

    @property
    def has_failed(self) -> bool:
        return self.code != "Succeeded"


def read_manifest(s3: Any, manifest: Mapping[str, Any]) -> list[Task]:
    """Read a CSV manifest.

    Raises:
        JobError: S3 would reject the manifest.
        ClientError: The role may not read it, or it does not exist.

    """
    location, spec = manifest["Location"], manifest["Spec"]
    bucket, _, key = location["ObjectArn"].partition(":::")[2].partition("/")
    found = s3.get_object(Bucket=bucket, Key=key)
    if found["ETag"].strip('"') != location["ETag"].strip('"'):
        raise JobError("ManifestChanged", f"{PREPARING}: the ETag of {location['ObjectArn']} is {found['ETag']}")
    if found.get("ServerSideEncryption", "").startswith("aws:kms"):
        raise JobError("ManifestEncrypted", f"{PREPARING}: a CSV manifest must not be encrypted with AWS KMS")
    rows = csv.reader(io.StringIO(found["Body"].read().decode(), newline=""))
    tasks = [_task(dict(zip(spec["Fields"], row, strict=False)), number) for number, row in enumerate(rows, 1)]
    if not tasks:
        raise JobError("ManifestEmpty", f"{PREPARING}: {location['ObjectArn']} is empty")
    return tasks


def write_manifest(s3: Any, output: Mapping[str, Any], job_id: str, tasks: Iterable[Task]) -> dict[str, Any]:
    """Write a generated manifest, encrypted as its bucket is; returns the descriptor in ``describe_job``."""
    bucket = output["Bucket"].rpartition(":")[2]
    folder = f"{output.get('ManifestPrefix', '')}/job-{job_id}".lstrip("/")
    body = _csv([task.bucket, quote(task.key, safe="/")] for task in tasks)
    part = {"key": f"{folder}/{hashlib.sha1(body, usedforsecurity=False).hexdigest()}.csv", "size": len(body)}
    s3.put_object(Bucket=bucket, Key=part["key"], Body=body)
    described = {"fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": [part]}
    key = f"{folder}/manifest.json"
    put = s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(described).encode())
    location = {"ObjectArn": f"arn:aws:s3:::{bucket}/{key}", "ETag": put["ETag"].strip('"')}
    return {"Format": "S3InventoryReport_CSV_20211130", "Location": location}


def write_report(s3: Any, report: Mapping[str, Any], job_id: str, results: Iterable[Result]) -> None:
    """Write the completion report on failed tasks: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html."""
    bucket = report["Bucket"].rpartition(":")[2]
    folder = f"{report.get('Prefix', '')}/job-{job_id}".lstrip("/")
    parts = []
    if rows := [_row(result) for result in results if result.has_failed]:
        body = _csv(rows)
        key = f"{folder}/results/{hashlib.sha1(body, usedforsecurity=False).hexdigest()}.csv"
        _put_report(s3, bucket, key, body)
        checksum = hashlib.md5(body, usedforsecurity=False).hexdigest()
        parts.append({"TaskExecutionStatus": "failed", "Bucket": bucket, "MD5Checksum": checksum, "Key": key})
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    described = {
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": created,
        "Results": parts,
        "ReportSchema": SCHEMA,
    }
    _put_report(s3, bucket, f"{folder}/manifest.json", json.dumps(described).encode())


def _task(fields: Mapping[str, str], line: int) -> Task:
    try:
        return Task(fields["Bucket"], unquote_plus(fields["Key"], errors="strict"), fields.get("VersionId"))
    except (KeyError, UnicodeDecodeError):
        raise JobError("ManifestInvalid", f"{PREPARING}: line {line} does not match the manifest's fields") from None


def _row(result: Result) -> list[str]:
    task, codes = result.task, ("200", "PermanentFailure")
    # The two codes are in the order of AWS's examples, not of the schema.
    return [task.bucket, quote(task.key, safe="/"), task.version_id or "", "failed", *codes, result.message]


def _csv(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _put_report(s3: Any, bucket: str, key: str, body: bytes) -> None:
    """Put a file of a report, which S3 never encrypts with a KMS key."""
    s3.put_object(Bucket=bucket, Key=key, Body=body, ServerSideEncryption="AES256")
