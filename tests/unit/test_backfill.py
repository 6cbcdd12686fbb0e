"""A backfill: its estimate by hand, its list on disk, and that nothing is done beyond the cap or without leave."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from aws.settings import Filter
from renditions import Rendition
from tools.common.errors import ToolError
from tools.operations import backfill as backfilling
from tools.operations.backfill import Request, backfill, follow
from tools.operations.console import Console
from tools.operations.database import upload_set
from tools.operations.deployment import Deployment
from tools.operations.estimate import Estimate
from tools.operations.function import Function, Reply
from tools.operations.listing import Listed
from tools.operations.session import Session

ACCOUNT, JOB_ID = "123456789012", "00e123a4-c0d8-41f4-a0eb-b46f9ba5b07c"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/images-jobs"
KEYS = ("a/cake é.jpg", "a/tart.jpg", "b/pie.png")


def test_an_estimate_is_what_it_is_by_hand() -> None:
    # A thousand JPEGs of 2 MB, which are 5 megapixels each, on one processor, with two outputs of half a MB each.
    one = Estimate(1000, 2_000_000_000, 2, 1769, "arm64", by_job=False)
    assert one.megapixels == 5000
    # 21.708 ms for its pixels, four requests of 30 ms, 3 MB at 75 MB/s.
    assert one.function_seconds == pytest.approx(1000 * (0.0217083333 + 0.120 + 0.040))
    # 182 ms of 1.7275390625 GiB, an invocation; a read and a look, two writes.
    lambda_dollars, s3_dollars = 0.182 * 1.7275390625 * 0.0000133334 + 0.0000002, 2 * 0.0000004 + 2 * 0.000005
    assert one.job_dollars == 0
    assert one.dollars == pytest.approx(1000 * (lambda_dollars + s3_dollars))
    by_job = replace(one, by_job=True)
    assert by_job.job_dollars == pytest.approx(0.25 + 0.001)
    assert by_job.dollars == pytest.approx(one.dollars + 0.251)


def test_a_slower_or_dearer_function_costs_more() -> None:
    one = Estimate(1000, 2_000_000_000, 1, 1769, "arm64", by_job=False)
    # Half of a processor takes twice as long for the pixels, and no longer for S3.
    assert replace(one, memory_mib=1769 // 2).function_seconds - one.function_seconds == pytest.approx(21.7, rel=0.01)
    assert replace(one, architecture="x86_64").dollars > one.dollars
    assert replace(one, renditions=2).dollars > one.dollars


def test_nothing_costs_nothing() -> None:
    nothing = Estimate(0, 0, 1, 1769, "arm64", by_job=False)
    assert (nothing.megapixels, nothing.function_seconds, nothing.dollars) == (0, 0, 0)


def listed(key: str, size: int = 1) -> Listed:
    return Listed(key, '"1"', datetime(2026, 11, 26, tzinfo=UTC), size)


def test_a_spool_has_each_upload_once_sorted_and_knows_all_their_bytes() -> None:
    keys = ["b", "a/b", "a\n", "a'\"", "é", "e\u0301", "😀", "\uffee", "a\0b", "a"]
    with upload_set() as one:
        assert (one.count, one.size, list(one.keys())) == (0, 0, [])
        for key, size in zip([*keys, *keys], itertools.count(1_000_000_000_000), strict=False):
            one.add(listed(key, size))
        assert list(one.keys()) == sorted(keys, key=str.encode)
        assert (one.count, one.size) == (10, 10_000_000_000_045)


@dataclass
class Work:
    """An session with three uploads, and what they had done.

    Attributes:
        sent: Keys that the function has been sent.
        answers: What it says of some of them; that it is written of all others.
        stubbers: Of the services that moto does not have as AWS has them.

    """

    session: Session
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    stubbers: Mapping[str, Stubber]
    sent: list[str] = field(default_factory=list)
    answers: dict[str, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(Function, "process", lambda _, key: self._process(key))

    def backfill(self, request: Request, *, confirmed: bool = True) -> bool:
        return backfill(self.session, request, confirmed=confirmed)

    def lines(self) -> list[dict[str, Any]]:
        """What scripts have read of it since the last time."""
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]

    def expect_role(self) -> None:
        described = {"Path": "/", "RoleName": "images-jobs", "RoleId": "A" * 16, "Arn": ROLE}
        described["CreateDate"] = "2026-11-26"
        self.stubbers["iam"].add_response("get_role", {"Role": described}, {"RoleName": "images-jobs"})

    def expect_job(self, **expected: Any) -> None:
        any_: dict[str, Any] = dict.fromkeys(
            ("Description", "Operation", "Priority", "Report", "ClientRequestToken"), ANY
        )
        request = any_ | {"AccountId": ACCOUNT, "ConfirmationRequired": False, "RoleArn": ROLE, **expected}
        self.stubbers["s3control"].add_response("create_job", {"JobId": JOB_ID}, request)

    def _process(self, key: str) -> Reply:
        self.sent.append(key)
        return self.answers.get(key, Reply(("written",)))


@pytest.fixture
def work(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Work]:
    s3 = deployment.client("s3", None)
    for key in KEYS:
        s3.put_object(Bucket=deployment.settings.source_bucket, Key=key, Body=key.encode())
    real = {name: deployment.client(name, None) for name in ("iam", "s3control")}
    stubbers = {name: Stubber(client) for name, client in real.items()}

    def client(service: str, config: Config | None) -> Any:
        return real[service] if service in real else deployment.client(service, config)

    for stubber in stubbers.values():
        stubber.activate()
    session = Session(replace(deployment, client=client), Console(as_json=True), 2)
    yield Work(session, monkeypatch, capsys, stubbers)
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


def test_without_leave_there_is_only_the_estimate(work: Work) -> None:
    assert work.backfill(Request(), confirmed=False)
    (estimate,) = work.lines()
    size = sum(len(key.encode()) for key in KEYS)
    assert (estimate["objects"], estimate["bytes"], estimate["job"], estimate["done"]) == (3, size, False, False)
    assert work.sent == []


def test_people_are_told_how_to_go_on(work: Work) -> None:
    work.session = replace(work.session, console=Console(as_json=False))
    assert work.backfill(Request(), confirmed=False)
    out = work.capsys.readouterr().out
    assert "2 at a time" in out
    assert out.endswith("Nothing was sent: add --yes to send.\n")


def test_few_are_sent_to_the_function(work: Work) -> None:
    assert work.backfill(Request("a/"))
    assert sorted(work.sent) == ["a/cake é.jpg", "a/tart.jpg"]
    estimate, sent = work.lines()
    assert (estimate["objects"], estimate["done"]) == (2, True)
    assert sent == {"sent": {"written": 2, "failed": 0}}


def test_what_fails_is_named_and_is_no_success(work: Work) -> None:
    work.answers = {"a/tart.jpg": Reply(error="it timed out"), "b/pie.png": Reply(("rejected",))}
    assert not work.backfill(Request())
    assert work.lines()[1:] == [
        {"key": "a/tart.jpg", "error": "it timed out"},
        {"sent": {"written": 1, "rejected": 1, "failed": 1}},
    ]


@pytest.mark.parametrize(("limit", "refused"), [(2, True), (3, False)])
def test_no_more_are_sent_than_the_cap_allows(work: Work, limit: int, refused: bool) -> None:
    if refused:
        with pytest.raises(ToolError, match="More than 2 objects: raise --max-objects, or narrow the prefix"):
            work.backfill(Request(limit=limit))
        assert (work.sent, work.lines()) == ([], [])
    else:
        assert work.backfill(Request(limit=limit))
        assert len(work.sent) == 3


def test_the_cap_is_of_uploads_not_of_their_outputs(work: Work) -> None:
    deployment = work.session.deployment
    renditions = (Rendition("resized", scale=0.5), Rendition("tile", scale=0.25))
    settings = replace(deployment.settings, renditions=renditions)
    work.session = replace(work.session, deployment=replace(deployment, settings=settings))
    assert work.backfill(Request(missing=True, limit=3))
    assert sorted(work.sent) == sorted(KEYS)


def test_where_there_is_nothing_no_job_is_made(work: Work) -> None:
    assert work.backfill(Request("c/", job=True))
    (estimate,) = work.lines()
    assert (estimate["objects"], estimate["function_seconds"]) == (0, 0)


def test_only_what_is_missing_is_sent_and_nothing_that_can_never_be(work: Work) -> None:
    deployment = work.session.deployment
    s3, sqs = deployment.client("s3", None), deployment.client("sqs", None)
    s3.put_object(Bucket="resized", Key="a/resized-tart.jpg", Body=b"")
    etag = s3.head_object(Bucket="uploads", Key="b/pie.png")["ETag"]
    rejection = {"bucket": "uploads", "key": "b/pie.png", "etag": etag, "reason": "corrupt"}
    sqs.send_message(QueueUrl=deployment.settings.failure_queue_url, MessageBody=json.dumps(rejection))
    assert work.backfill(Request(missing=True))
    assert work.sent == ["a/cake é.jpg"]
    with pytest.raises(ToolError, match="'a' is not a folder: end it in a slash"):
        work.backfill(Request("a", missing=True))


def test_many_are_a_job_of_which_s3_itself_makes_the_list(work: Work) -> None:
    work.monkeypatch.setattr(backfilling, "MAX_DIRECT", 2)
    work.expect_role()
    work.expect_job(ManifestGenerator=ANY)
    assert work.backfill(Request())
    estimate, job = work.lines()
    assert (estimate["job"], job, work.sent) == (True, {"job": JOB_ID}, [])


@pytest.mark.parametrize(
    ("prefix", "one", "names"),
    [
        ("a/", Filter("", ".jpg"), {"MatchAnyPrefix": ["a/"], "MatchAnySuffix": [".jpg"]}),
        ("a", Filter("a/ta", ""), {"MatchAnyPrefix": ["a/ta"]}),
        ("a/ta", Filter("a", ""), {"MatchAnyPrefix": ["a/ta"]}),
    ],
)
def test_a_job_is_of_what_one_filter_fits_below_the_prefix(
    work: Work, prefix: str, one: Filter, names: dict[str, list[str]]
) -> None:
    deployment = work.session.deployment
    settings = replace(deployment.settings, filters=(one,))
    work.session = replace(work.session, deployment=replace(deployment, settings=settings))
    generator = {
        "SourceBucket": "arn:aws:s3:::uploads",
        "ExpectedBucketOwner": ACCOUNT,
        "EnableManifestOutput": True,
        "ManifestOutputLocation": {
            "Bucket": "arn:aws:s3:::resized",
            "ManifestPrefix": "batch-operations/images/manifests",
            "ManifestFormat": "S3InventoryReport_CSV_20211130",
        },
        "Filter": {"KeyNameConstraint": names},
    }
    work.expect_role()
    work.expect_job(ManifestGenerator={"S3JobManifestGenerator": generator})
    assert work.backfill(Request(prefix, job=True))


@pytest.mark.parametrize(
    ("what", "filters"),
    [
        (Request(missing=True, job=True), [Filter("", ".jpg")]),
        (Request(job=True), [Filter("a/t", ".jpg"), Filter("a/c", "")]),
    ],
    ids=["missing", "several filters"],
)
def test_a_job_of_what_s3_cannot_look_for_has_a_list(work: Work, what: Request, filters: list[Filter]) -> None:
    deployment = work.session.deployment
    settings = replace(deployment.settings, filters=tuple(filters))
    work.session = replace(work.session, deployment=replace(deployment, settings=settings))
    work.expect_role()
    work.expect_job(Manifest=ANY)
    assert work.backfill(what)
    s3 = deployment.client("s3", None)
    (found,) = s3.list_objects_v2(Bucket="resized", Prefix="batch-operations/images/manifests/")["Contents"]
    body = s3.get_object(Bucket="resized", Key=found["Key"])["Body"].read()
    assert body == b"uploads,a/cake%20%C3%A9.jpg\nuploads,a/tart.jpg\n"


def test_without_the_module_s_role_nothing_is_written(work: Work) -> None:
    work.stubbers["iam"].add_client_error("get_role", "NoSuchEntity")
    with pytest.raises(ToolError, match=r"There is no role images-jobs .*: set batch_operations = true and apply"):
        work.backfill(Request(missing=True, job=True))
    s3 = work.session.deployment.client("s3", None)
    assert "Contents" not in s3.list_objects_v2(Bucket="resized")


def described(state: str, failed: int, reasons: list[dict[str, str]]) -> dict[str, Any]:
    """What S3 tells of a job of three."""
    progress = {"TotalNumberOfTasks": 3, "NumberOfTasksSucceeded": 3 - failed, "NumberOfTasksFailed": failed}
    report = {"Bucket": "arn:aws:s3:::resized", "Enabled": True, "Prefix": "jobs/reports"}
    job = {"JobId": JOB_ID, "Status": state, "ProgressSummary": progress, "Report": report}
    return {"Job": job | {"FailureReasons": reasons}}


@pytest.mark.parametrize(
    ("state", "failed", "reasons", "good"),
    [
        ("Complete", 0, [], True),
        ("Complete", 1, [], False),
        ("Failed", 0, ["Cannot read the manifest"], False),
        ("Cancelled", 0, [], False),
    ],
)
def test_a_job_is_followed_and_what_it_could_not_do_is_told(
    work: Work, state: str, failed: int, reasons: list[str], good: bool
) -> None:
    waits: list[float] = []
    work.monkeypatch.setattr(backfilling, "time", SimpleNamespace(sleep=waits.append))
    asked = {"AccountId": ACCOUNT, "JobId": JOB_ID}
    told = [{"FailureReason": reason} for reason in reasons]
    for one in (described("Active", 0, []), described(state, failed, told)):
        work.stubbers["s3control"].add_response("describe_job", one, asked)
    s3 = work.session.deployment.client("s3", None)
    part = {"TaskExecutionStatus": "failed", "Bucket": "resized", "Key": "part.csv"}
    report = {"Results": [part], "ReportSchema": "Bucket, Key, ResultMessage"}
    s3.put_object(Bucket="resized", Key=f"jobs/reports/job-{JOB_ID}/manifest.json", Body=json.dumps(report))
    s3.put_object(Bucket="resized", Key="part.csv", Body="uploads,a/tart.jpg,corrupt: it is cut off\n")
    assert follow(work.session, JOB_ID) == good
    *lines, last = work.lines()
    assert lines == [{"key": "a/tart.jpg", "error": "corrupt: it is cut off"}] * failed
    assert last == {"state": state, "total": 3, "done": 3 - failed, "failed": failed, "reasons": reasons}
    assert len(waits) == 1
