"""The files of S3 Batch Operations jobs: the manifest that a job reads, the report that it leaves."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_plus

from tools.common.errors import ToolError
from tools.operations.batch_job import CsvManifest, JobStatus


@dataclass(frozen=True)
class FailedTask:
    """An object that a job could not do.

    Attributes:
        key: The object's, as it is.
        reason: What the function said of it, or S3 of the function.

    """

    key: str
    reason: str


def manifest_lines(bucket: str, keys: Iterable[str]) -> Iterator[bytes]:
    """The lines of a CSV manifest, one for each key of a bucket, in its order.

    Keys are percent-encoded, as S3 wants them, which leaves nothing to quote.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html#create-manifest-file
    """
    # Not as forms are: with %20 a space is none of two things.
    return (f"{bucket},{quote(key, safe='/')}\n".encode() for key in keys)


def upload_manifest(s3: Any, bucket: str, key: str, lines: BinaryIO) -> CsvManifest:
    """Put a CSV manifest where a job reads it.

    Args:
        s3: A client.
        bucket: The name of the destination bucket.
        key: Within the folder of the jobs.
        lines: Read from where it stands.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: S3 does not take it.

    """
    # Of a CSV manifest that is encrypted with a key of KMS, which may be the bucket's default, S3 makes no job.
    options = {"ContentType": "text/csv", "ServerSideEncryption": "AES256"}
    s3.upload_fileobj(lines, bucket, key, ExtraArgs=options)
    return CsvManifest(key, s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"'))


def failed_tasks(s3: Any, job: JobStatus) -> Iterator[FailedTask]:
    """Read from the report of a job that has ended what it could not do.

    Raises:
        ToolError: There is no report, or it is none of S3's.
        botocore.exceptions.BotoCoreError, ClientError: It may not be read.

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
                # A reason may have lines, and what only some programs take for the end of one.
                rows = csv.DictReader(io.TextIOWrapper(body, "utf-8", newline=""), fieldnames=columns)
                yield from (FailedTask(unquote_plus(row["Key"]), row["ResultMessage"]) for row in rows)
    except s3.exceptions.NoSuchKey as error:
        raise ToolError(
            f"Job {job.job_id} left no report at {where}: it has none before it has ended, nor where it called the "
            "function not once"
        ) from error
    except (csv.Error, KeyError, ValueError) as error:
        raise ToolError(f"Cannot read the report {where} of job {job.job_id}: {error!r}: is it S3's?") from error
