"""S3 Batch Operations: jobs use its protocol and their role, and end as on AWS."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.conftest import ACCOUNT_ID, Account, await_answer
from tools.operations.batch_job import (
    CsvManifest,
    FailedTask,
    GeneratedManifest,
    Job,
    JobStatus,
    create,
    failed_tasks,
    manifest_lines,
    status,
    upload_manifest,
)

FOLDER = "images/batch-operations/"
ODD_KEYS = ("a b+c%é.jpg", 'comma, "quote".jpg', "line\nbreak.jpg", "画像/😀.png")

WORKER = """
import json, urllib.parse
tried = set()
def handler(event, context):
    print('EVENT', json.dumps(event))
    (task,) = event["tasks"]
    key = urllib.parse.unquote_plus(task["s3Key"])
    first = key not in tried
    tried.add(key)
    if "raises" in key or "stumbles" in key and first:
        raise ValueError(key)
    if "mute" in key:
        return "nothing"
    code = "TemporaryFailure" if "busy" in key and first else "PermanentFailure" if "bad" in key else "Succeeded"
    results = [{"taskId": task["taskId"], "resultCode": code, "resultString": f"said of {key}"}]
    return {"treatMissingKeysAs": "PermanentFailure", "results": [] if "forgotten" in key else results}
"""
"""A function whose results depend on the tasks' keys."""

TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
}


@dataclass
class Jobs:
    """Makes jobs for objects of a bucket, with their files in another bucket."""

    account: Account
    function: str
    source: str
    destination: str
    role: str

    @property
    def statements(self) -> dict[str, dict[str, str]]:
        """Return the statements that a job's role needs, by action."""
        files = f"arn:aws:s3:::{self.destination}/{FOLDER}*"
        resources = {
            "lambda:InvokeFunction": self.function_arn,
            "s3:PutInventoryConfiguration": f"arn:aws:s3:::{self.source}",
            "s3:GetObject": files,
            "s3:PutObject": files,
        }
        return {action: {"Action": action, "Resource": resource} for action, resource in resources.items()}

    @property
    def function_arn(self) -> str:
        return f"arn:aws:lambda:{self.account.aws.region}:{ACCOUNT_ID}:function:{self.function}"

    def client(self, service: str) -> Any:
        return self.account.client(service)

    def job(self, manifest: CsvManifest | GeneratedManifest) -> Job:
        """Return a job with a new description."""
        description, role = self.account.unique("job"), f"arn:aws:iam::{ACCOUNT_ID}:role/{self.role}"
        return Job(description, ACCOUNT_ID, self.function_arn, role, self.destination, FOLDER, manifest)

    def upload_keys(self, *keys: str) -> CsvManifest:
        """Upload a manifest of these keys."""
        lines = io.BytesIO(b"".join(manifest_lines(self.source, keys)))
        return upload_manifest(self.client("s3"), self.destination, f"{FOLDER}{self.account.unique('list')}", lines)

    def fill(self, *keys: str) -> GeneratedManifest:
        """Upload objects with these keys; return a manifest that S3 generates."""
        for key in keys:
            self.client("s3").put_object(Bucket=self.source, Key=key, Body=b"x")
        return GeneratedManifest(self.source)

    def describe(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("s3control").describe_job(AccountId=ACCOUNT_ID, JobId=job_id)["Job"]
        return found

    def await_end(self, job_id: str) -> JobStatus:
        """Wait for the end of a job."""

        def ask() -> JobStatus | None:
            found = status(self.client("s3control"), ACCOUNT_ID, job_id)
            return found if found.has_ended else None

        return await_answer(ask)

    def run(self, manifest: CsvManifest | GeneratedManifest) -> JobStatus:
        """Make a job, and wait for its end."""
        return self.await_end(create(self.client("s3control"), self.job(manifest)))

    def read_failed(self, job: JobStatus) -> dict[str, str]:
        """Return the reasons of failed tasks from a job's report, by key."""
        return {one.key: one.reason for one in failed_tasks(self.client("s3"), job)}

    def read_keys(self) -> list[str]:
        """Return the keys in the function's events, as they are encoded there."""
        events = self.account.events(self.function, 0)
        return [event["tasks"][0]["s3Key"] for event in events]

    def text(self, key: str) -> str:
        """Read a file of a job."""
        body = self.client("s3").get_object(Bucket=self.destination, Key=key)["Body"].read()
        return str(body.decode())


@pytest.fixture
def make_jobs(account: Account) -> Callable[..., Jobs]:
    def make(code: str = WORKER, *, trust: dict[str, Any] = TRUST, without: str = "", **options: Any) -> Jobs:
        role = account.unique("jobs")
        account.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        source, destination = account.bucket(), account.bucket()
        function = account.function(code, **options)
        jobs = Jobs(account, function, source, destination, role)
        account.allow(role, *(one for action, one in jobs.statements.items() if action != without))
        return jobs

    return make


def test_a_function_is_invoked_for_each_object(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    job = replace(jobs.job(jobs.upload_keys(*ODD_KEYS)), description="All")
    request = job.request()
    request["Operation"]["LambdaInvoke"]["UserArguments"] = {"why": "because"}
    job_id = jobs.client("s3control").create_job(**request)["JobId"]
    found = jobs.await_end(job_id)
    assert (found.state, found.total, found.succeeded, found.failed, found.reasons) == ("Complete", 4, 4, 0, ())
    events = jobs.account.events(jobs.function, 4)
    assert sorted(jobs.read_keys()) == sorted(quote_plus(key, safe="/") for key in ODD_KEYS)
    for event in events:
        task = event["tasks"][0]
        assert event == {
            "invocationSchemaVersion": "2.0",
            "invocationId": event["invocationId"],
            "job": {"id": job_id, "userArguments": {"why": "because"}},
            "tasks": [{"taskId": task["taskId"], "s3Key": task["s3Key"], "s3VersionId": None, "s3Bucket": jobs.source}],
        }
    assert len({event["tasks"][0]["taskId"] for event in events} | {one["invocationId"] for one in events}) == 8


def test_temporary_failures_are_retried_and_others_reported(
    make_jobs: Callable[..., Jobs],
) -> None:
    jobs = make_jobs()
    found = jobs.run(jobs.upload_keys("fine", "busy", "stumbles", "bad, é", "forgotten", "mute", "raises"))
    assert (found.state, found.total, found.succeeded, found.failed) == ("Complete", 7, 3, 4)
    failed = jobs.read_failed(found)
    assert failed.pop("raises").startswith('Lambda returned function error: {"errorMessage": "raises"')
    assert failed == {
        "bad, é": "said of bad, é",
        "forgotten": "",
        "mute": "Invalid JSON returned in Lambda payload",
    }
    tries = Counter(jobs.read_keys())
    assert (tries["fine"], tries["forgotten"], tries["mute"], tries["raises"]) == (1, 1, 1, 3)


def test_a_report_has_the_format_of_aws(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    request = jobs.job(jobs.upload_keys("fine", "bad, é")).request()
    job_id = jobs.client("s3control").create_job(**request)["JobId"]
    found = jobs.await_end(job_id)
    assert found.report_key == f"{FOLDER}reports/job-{job_id}/manifest.json"
    report = json.loads(jobs.text(found.report_key))
    assert report["Format"] == "Report_CSV_20180820"
    assert report["ReportSchema"] == "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
    (part,) = report["Results"]
    assert part["TaskExecutionStatus"] == "failed"
    assert list(csv.reader([jobs.text(part["Key"])])) == [
        [jobs.source, "bad%2C%20%C3%A9", "", "failed", "200", "PermanentFailure", "said of bad, é"]
    ]
    described = jobs.describe(job_id)
    assert described["Report"] == request["Report"]
    assert described["Manifest"] == request["Manifest"]
    assert described["TerminationDate"] >= described["CreationTime"]


def test_a_generated_manifest_has_the_objects_that_match(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    jobs.fill("photos/a b+é.jpg", "photos/,.jpg", "photos/gone.jpg", "photos/note.txt", "logos/a.jpg")
    jobs.client("s3").delete_object(Bucket=jobs.source, Key="photos/gone.jpg")
    job_id = create(jobs.client("s3control"), jobs.job(GeneratedManifest(jobs.source, "photos/", ".jpg")))
    found = jobs.await_end(job_id)
    assert (found.state, found.total, found.succeeded) == ("Complete", 2, 2)
    assert sorted(jobs.read_keys()) == ["photos/%2C.jpg", "photos/a+b%2B%C3%A9.jpg"]
    generated = jobs.describe(job_id)["GeneratedManifestDescriptor"]
    assert generated["Format"] == "S3InventoryReport_CSV_20211130"
    key = generated["Location"]["ObjectArn"].removeprefix(f"arn:aws:s3:::{jobs.destination}/")
    assert key.startswith(f"{FOLDER}manifests/")
    (part,) = json.loads(jobs.text(key))["files"]
    rows = csv.reader(io.StringIO(jobs.text(part["key"])))
    assert list(rows) == [[jobs.source, "photos/%2C.jpg"], [jobs.source, "photos/a%20b%2B%C3%A9.jpg"]]


def test_without_a_filter_a_manifest_has_all_objects(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    assert jobs.run(jobs.fill("a.jpg", "b/c.png")).succeeded == 2


def test_tasks_wait_for_reserved_concurrency(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    jobs.client("lambda").put_function_concurrency(FunctionName=jobs.function, ReservedConcurrentExecutions=1)
    found = jobs.run(jobs.upload_keys(*map(str, range(6))))
    assert (found.state, found.succeeded) == ("Complete", 6)


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        (
            "lambda:InvokeFunction",
            r"/jobs-\d+ is not authorized to perform: lambda:InvokeFunction on resource: arn:\S+",
        ),
        ("s3:PutInventoryConfiguration", r"/jobs-\d+ is not authorized to perform: s3:PutInventoryConfiguration on"),
        ("s3:GetObject", r"Error occurred when preparing manifest: .* \(AccessDenied\) when calling the GetObject"),
        ("s3:PutObject", r"Error occurred when writing the report: .* \(AccessDenied\) when calling the PutObject"),
    ],
)
def test_a_job_fails_without_a_permission_of_its_role(
    make_jobs: Callable[..., Jobs], without: str, reason: str
) -> None:
    jobs = make_jobs(without=without)
    generated = jobs.fill("fine.jpg")
    found = jobs.run(generated if without == "s3:PutInventoryConfiguration" else jobs.upload_keys("fine.jpg"))
    assert found.state == "Failed"
    (said,) = found.reasons
    with pytest.raises(RuntimeError, match=reason):
        raise RuntimeError(said)
    # Only the report follows the tasks.
    assert found.succeeded == (without == "s3:PutObject")


def test_a_job_fails_if_its_manifest_may_not_be_written(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(without="s3:PutObject")
    found = jobs.run(jobs.fill("fine.jpg"))
    assert (found.state, jobs.read_keys()) == ("Failed", [])
    assert "preparing manifest: An error occurred (AccessDenied) when calling the PutObject" in found.reasons[0]


def test_a_job_fails_if_its_role_does_not_trust_s3_or_does_not_exist(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(trust={**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}})
    manifest = jobs.upload_keys("fine.jpg")
    found = jobs.run(manifest)
    assert found.state == "Failed"
    assert "its trust policy does not let it" in found.reasons[0]
    jobs.role = "gone"
    assert "role/gone: there is no such role (RoleNotAssumed)" in jobs.run(manifest).reasons[0]


def test_a_job_fails_if_its_manifest_is_invalid(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()

    def put(body: bytes, **options: Any) -> CsvManifest:
        key = f"{FOLDER}{jobs.account.unique('list')}"
        made = jobs.client("s3").put_object(Bucket=jobs.destination, Key=key, Body=body, **options)
        return CsvManifest(key, made["ETag"].strip('"'))

    fine = jobs.upload_keys("fine.jpg")
    wrong: list[tuple[str, CsvManifest | GeneratedManifest]] = [
        ("(NoSuchKey) when calling the GetObject", replace(fine, key=f"{FOLDER}missing")),
        ("the ETag of", replace(fine, etag="other")),
        ("is empty", put(b"")),
        ("line 2 does not match the manifest's fields", put(f"{jobs.source},a\n{jobs.source}\n".encode())),
        ("line 1 does not match the manifest's fields", put(f"{jobs.source},%ff\n".encode())),
        ("must not be encrypted with AWS KMS", put(f"{jobs.source},a\n".encode(), ServerSideEncryption="aws:kms")),
        ("found no keys matching the filter criteria", GeneratedManifest(jobs.source, "nothing/")),
        ("found no keys matching the filter criteria", GeneratedManifest("no-such-bucket")),
    ]
    everything = ({"Action": "s3:*", "Resource": "*"}, {"Action": "kms:*", "Resource": "*"})
    jobs.account.allow(jobs.role, *jobs.statements.values(), *everything)
    for expected, manifest in wrong:
        found = jobs.run(manifest)
        assert (found.state, found.total) == ("Failed", 0)
        assert expected in found.reasons[0]
    assert jobs.read_keys() == []


def test_every_task_fails_if_the_function_does_not_exist(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    manifest = jobs.upload_keys("fine.jpg")
    jobs.client("lambda").delete_function(FunctionName=jobs.function)
    found = jobs.run(manifest)
    assert (found.state, found.failed) == ("Complete", 1)
    assert "Function not found" in jobs.read_failed(found)["fine.jpg"]


def test_a_repeated_request_makes_one_job(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    s3control, job = jobs.client("s3control"), jobs.job(jobs.upload_keys("fine.jpg"))
    job_id = create(s3control, job)
    assert create(s3control, job) == job_id
    jobs.await_end(job_id)
    assert jobs.read_keys() == ["fine.jpg"]
    other = {**job.request(), "Priority": 11}
    with pytest.raises(ClientError, match="IdempotencyException"):
        s3control.create_job(**other)


def test_unsupported_jobs_are_rejected(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    s3control, request = jobs.client("s3control"), jobs.job(jobs.upload_keys("fine.jpg")).request()
    generated = replace(jobs.job(GeneratedManifest(jobs.source))).request()["ManifestGenerator"]
    wrong: Iterable[tuple[str, dict[str, Any]]] = [
        ("Only jobs that invoke a function", {"Operation": {"S3DeleteObjectTagging": {}}}),
        ("Only jobs that invoke a function", {"ConfirmationRequired": True}),
        ("Only InvocationSchemaVersion 2.0", {"Operation": {"LambdaInvoke": {"FunctionArn": jobs.function_arn}}}),
        ("either a Manifest or a ManifestGenerator", {"ManifestGenerator": generated}),
    ]
    for message, changed in wrong:
        with pytest.raises(ClientError, match=f"BadRequestException.*{message}"):
            s3control.create_job(**{**request, **changed})
    with pytest.raises(ClientError, match=r"NotFoundException.*does not exist: no-such-job"):
        s3control.describe_job(AccountId=ACCOUNT_ID, JobId="no-such-job")


def test_only_the_administrator_makes_jobs(account: Account) -> None:
    code = (
        "import boto3\n"
        "def without_account(request, **_):\n"
        f"    request.url = request.url.replace('//{ACCOUNT_ID}.', '//')\n"
        "def handler(event, context):\n"
        "    client = boto3.client('s3control')\n"
        "    client.meta.events.register('before-sign', without_account)\n"
        "    try:\n"
        f"        client.describe_job(AccountId='{ACCOUNT_ID}', JobId='no-such-job')\n"
        "    except client.exceptions.ClientError as error:\n"
        "        return error.response['Error']['Code']\n"
    )
    name = account.function(code, allow=[{"Action": "s3:*", "Resource": "*"}])
    assert account.invoke(name)["Reply"] == "AccessDenied"


def test_a_failed_task_has_its_decoded_key(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs()
    found = jobs.run(jobs.upload_keys("bad +%2B é\n.jpg"))
    assert list(failed_tasks(jobs.client("s3"), found)) == [
        FailedTask("bad +%2B é\n.jpg", "said of bad +%2B é\n.jpg"),
    ]
