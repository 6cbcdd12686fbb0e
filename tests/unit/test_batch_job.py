"""S3 Batch Operations jobs: requests that fit AWS's model, and every status and report."""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any
from urllib.parse import unquote, unquote_plus

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from tests.unit.conftest import ACCOUNT, JOB_ID
from tools.common.errors import ToolError
from tools.local.aws.batch_files import SCHEMA
from tools.operations.batch_job import (
    CsvManifest,
    FailedTask,
    GeneratedManifest,
    Job,
    JobStatus,
    create,
    failed_tasks,
    follow,
    manifest_lines,
    status,
    upload_manifest,
)

ROLE, FUNCTION = f"arn:aws:iam::{ACCOUNT}:role/Lambda-image-jobs", f"arn:aws:lambda:eu-west-2:{ACCOUNT}:function:f"
GENERATED, CSV = (
    GeneratedManifest("uploads", "photos/", ".jpg"),
    CsvManifest("jobs/manifests/1.csv", "60e460c9d1046e73"),
)
JOB = Job("Once more", ACCOUNT, FUNCTION, ROLE, "resized", "images/batch-operations/", GENERATED)

ODD_KEYS = ("a b+c%é.jpg", 'comma, "quote".jpg', "%2B%20", "line\nbreak\t\x0b\u2028.jpg", "画像/😀.png", "=1+1,x")


def client(service: str) -> Any:
    make: Any = boto3.Session("testing", "testing", region_name="eu-west-2").client
    return make(service)


@pytest.fixture
def s3control() -> Iterator[tuple[Any, Stubber]]:
    """A client that checks requests and responses against AWS's model, and its stubber."""
    real = client("s3control")
    with Stubber(real) as stubber:
        yield real, stubber
        stubber.assert_no_pending_responses()


def make_response(state: str, **more: Any) -> dict[str, Any]:
    """Return a response of ``describe_job``."""
    report = {"Bucket": "arn:aws:s3:::resized", "Enabled": True, "Prefix": "images/batch-operations/reports"}
    return {"Job": {"JobId": JOB_ID, "Status": state, "Report": report, **more}}


def make_progress(total: int, succeeded: int, failed: int) -> dict[str, Any]:
    names = ("TotalNumberOfTasks", "NumberOfTasksSucceeded", "NumberOfTasksFailed")
    return {"ProgressSummary": dict(zip(names, (total, succeeded, failed), strict=True))}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            CSV,
            {
                "Manifest": {
                    "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
                    "Location": {"ObjectArn": f"arn:aws:s3:::resized/{CSV.key}", "ETag": CSV.etag},
                }
            },
        ),
        (
            GENERATED,
            {
                "ManifestGenerator": {
                    "S3JobManifestGenerator": {
                        "SourceBucket": "arn:aws:s3:::uploads",
                        "ExpectedBucketOwner": ACCOUNT,
                        "EnableManifestOutput": True,
                        "ManifestOutputLocation": {
                            "Bucket": "arn:aws:s3:::resized",
                            "ManifestPrefix": "images/batch-operations/manifests",
                            "ManifestFormat": "S3InventoryReport_CSV_20211130",
                        },
                        "Filter": {
                            "KeyNameConstraint": {"MatchAnyPrefix": ["photos/"], "MatchAnySuffix": [".jpg"]},
                        },
                    }
                }
            },
        ),
    ],
    ids=["csv", "generated"],
)
def test_a_request_fits_aws_s_model(
    s3control: tuple[Any, Stubber], manifest: CsvManifest | GeneratedManifest, expected: dict[str, Any]
) -> None:
    real, stubber = s3control
    job = replace(JOB, manifest=manifest)
    asked = job.request()
    assert len(asked.pop("ClientRequestToken")) == 64
    assert asked == {
        "AccountId": ACCOUNT,
        "ConfirmationRequired": False,
        "Description": "Once more",
        "Operation": {"LambdaInvoke": {"FunctionArn": FUNCTION, "InvocationSchemaVersion": "2.0"}},
        "Priority": 10,
        "Report": {
            "Bucket": "arn:aws:s3:::resized",
            "Enabled": True,
            "Format": "Report_CSV_20180820",
            "Prefix": "images/batch-operations/reports",
            "ReportScope": "FailedTasksOnly",
        },
        "RoleArn": ROLE,
        **expected,
    }
    stubber.add_response("create_job", {"JobId": JOB_ID}, job.request())
    assert create(real, job) == JOB_ID


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        ("", "", None),
        ("photos/", "", {"KeyNameConstraint": {"MatchAnyPrefix": ["photos/"]}}),
        ("", ".jpg", {"KeyNameConstraint": {"MatchAnySuffix": [".jpg"]}}),
    ],
)
def test_an_empty_filter_is_left_out(prefix: str, suffix: str, expected: dict[str, Any] | None) -> None:
    # AWS refuses an empty one.
    request = replace(JOB, manifest=GeneratedManifest("uploads", prefix, suffix)).request()
    assert request["ManifestGenerator"]["S3JobManifestGenerator"].get("Filter") == expected


def test_arns_have_the_function_s_partition() -> None:
    request = replace(JOB, function_arn=FUNCTION.replace("arn:aws:", "arn:aws-cn:")).request()
    assert request["Report"]["Bucket"] == "arn:aws-cn:s3:::resized"


def test_only_equal_requests_share_a_token() -> None:
    others = [
        replace(JOB, description="And once more"),
        replace(JOB, manifest=replace(GENERATED, prefix="")),
        replace(JOB, manifest=CSV),
        replace(JOB, manifest=replace(CSV, etag="other")),
    ]
    tokens = [job.request()["ClientRequestToken"] for job in (JOB, *others)]
    assert len(set(tokens)) == len(tokens)
    assert replace(JOB).request()["ClientRequestToken"] == tokens[0]


@pytest.mark.parametrize("state", client("s3control").meta.service_model.shape_for("JobStatus").enum)
def test_every_state_of_aws_is_parsed(s3control: tuple[Any, Stubber], state: str) -> None:
    real, stubber = s3control
    stubber.add_response(
        "describe_job", make_response(state, **make_progress(7, 4, 2)), {"AccountId": ACCOUNT, "JobId": JOB_ID}
    )
    report = f"images/batch-operations/reports/job-{JOB_ID}/manifest.json"
    found = status(real, ACCOUNT, JOB_ID)
    assert found == JobStatus(JOB_ID, state, 7, 4, 2, (), "resized", report)
    assert found.has_ended == (state in {"Complete", "Cancelled", "Failed"})


def test_an_unknown_job_is_one_error(s3control: tuple[Any, Stubber]) -> None:
    stubbed, stubber = s3control
    stubber.add_client_error("describe_job", "NotFoundException", "The specified job does not exist")
    # boto3 itself refuses an ID of a wrong length.
    for made, job_id in ((stubbed, JOB_ID), (client("s3control"), "JOB")):
        said = f"^No job {job_id}: give the ID that `invoke backfill --job --yes` printed$"
        with pytest.raises(ToolError, match=said):
            status(made, ACCOUNT, job_id)


def test_a_job_s_failure_reasons_are_sentences(s3control: tuple[Any, Stubber]) -> None:
    real, stubber = s3control
    reasons = [{"FailureCode": "Denied", "FailureReason": "Cannot read it."}, {"FailureReason": "So."}, {}]
    stubber.add_response("describe_job", make_response("Failed", FailureReasons=reasons))
    assert status(real, ACCOUNT, JOB_ID).reasons == ("Cannot read it (Denied)", "So", "")


def test_a_job_is_followed_to_its_end(s3control: tuple[Any, Stubber]) -> None:
    real, stubber = s3control
    for state, succeeded in (("New", None), ("Active", 1), ("Active", 2), ("Complete", 3)):
        progress = {} if succeeded is None else make_progress(3, succeeded, 0)
        stubber.add_response("describe_job", make_response(state, **progress))
    waits: list[None] = []
    seen = [(*astuple(one)[1:4], len(waits)) for one in follow(real, ACCOUNT, JOB_ID, lambda: waits.append(None))]
    assert seen == [("New", 0, 0, 0), ("Active", 3, 1, 1), ("Active", 3, 2, 2), ("Complete", 3, 3, 3)]
    assert len(waits) == 3


def test_both_decodings_of_a_manifest_give_the_keys() -> None:
    lines = list(manifest_lines("uploads", ODD_KEYS))
    assert b"".join(lines).isascii()
    for decode in (unquote, unquote_plus):
        rows = csv.reader(io.StringIO(b"".join(lines).decode()))
        assert [(bucket, decode(key)) for bucket, key in rows] == [("uploads", key) for key in ODD_KEYS]
    assert lines[0] == b"uploads,a%20b%2Bc%25%C3%A9.jpg\n"


def test_a_manifest_is_written_line_by_line() -> None:
    endless = manifest_lines("uploads", map(str, itertools.count()))
    assert list(itertools.islice(endless, 2)) == [b"uploads,0\n", b"uploads,1\n"]


def test_a_manifest_is_never_encrypted_with_a_kms_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="resized", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        s3.put_bucket_encryption(Bucket="resized", ServerSideEncryptionConfiguration={"Rules": [rule]})
        found = upload_manifest(s3, "resized", "jobs/manifests/1.csv", io.BytesIO(b"uploads,a.jpg\n"))
        there = s3.get_object(Bucket="resized", Key="jobs/manifests/1.csv")
        assert (there["Body"].read(), there["ServerSideEncryption"]) == (b"uploads,a.jpg\n", "AES256")
        assert found == CsvManifest("jobs/manifests/1.csv", there["ETag"].strip('"'))


STATUS = JobStatus.of(make_response("Complete", **make_progress(4, 1, 3))["Job"])


def report_object(content: str) -> dict[str, Any]:
    body = content.encode()
    return {"Body": StreamingBody(io.BytesIO(body), len(body))}


def report(schema: str, **parts: str) -> dict[str, Any]:
    """Return a report's manifest, with one file for each status."""
    results = [{"TaskExecutionStatus": one, "Bucket": "resized", "Key": f"x/{one}.csv"} for one in parts]
    return report_object(json.dumps({"Format": "Report_CSV_20180820", "Results": results, "ReportSchema": schema}))


def test_a_report_has_the_failed_keys_and_reasons() -> None:
    s3 = client("s3")
    reason = 'Lambda returned function error: {"errorMessage":"line\u2028one\nline two, timed out"}'
    quoted = reason.replace('"', '""')
    failed = (
        "uploads,a%20b%2Bc%25%C3%A9.jpg,,failed,200,PermanentFailure,not_an_image: a text\u2028file\n"
        f'uploads,form+encoded.jpg,,failed,200,PermanentFailure,"{quoted}"\n'
        'uploads,"comma%2C.jpg",,failed,200,PermanentFailure,""\n'
    )
    with Stubber(s3) as stubber:
        stubber.add_response(
            "get_object", report(SCHEMA, succeeded="", failed=""), {"Bucket": "resized", "Key": STATUS.report_key}
        )
        stubber.add_response("get_object", report_object(failed), {"Bucket": "resized", "Key": "x/failed.csv"})
        assert list(failed_tasks(s3, STATUS)) == [
            FailedTask("a b+c%é.jpg", "not_an_image: a text\u2028file"),
            FailedTask("form encoded.jpg", reason),
            FailedTask("comma,.jpg", ""),
        ]
        # S3 may write no report if no task failed.
        assert list(failed_tasks(s3, replace(STATUS, failed=0))) == []


def test_a_missing_or_malformed_report_is_one_line() -> None:
    s3 = client("s3")
    with Stubber(s3) as stubber:
        stubber.add_client_error("get_object", "NoSuchKey", "No such key", 404)
        with pytest.raises(ToolError, match=r"has no report at s3://resized/\S+/manifest\.json: S3 writes one when"):
            list(failed_tasks(s3, STATUS))
        for content in ("{}", "no JSON"):
            stubber.add_response("get_object", report_object(content))
            with pytest.raises(ToolError, match="did S3 write it"):
                list(failed_tasks(s3, STATUS))
        stubber.add_response("get_object", report(SCHEMA, failed=""))
        stubber.add_response("get_object", report_object("x" * 200_000))
        with pytest.raises(ToolError, match="field larger than field limit"):
            list(failed_tasks(s3, STATUS))
