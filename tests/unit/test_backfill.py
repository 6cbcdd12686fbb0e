"""A backfill: its estimate, its list on disk, its limit, and its jobs."""

import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from aws.settings import Filter
from renditions import Rendition
from tests.unit.conftest import ACCOUNT, JOB_ID
from tools.common.errors import ToolError
from tools.operations import backfill as backfilling
from tools.operations import batch_job
from tools.operations.backfill import Request, backfill, follow
from tools.operations.batch_job import CsvManifest, GeneratedManifest, Job, JobStatus
from tools.operations.console import Console
from tools.operations.database import upload_set
from tools.operations.deployment import Deployment
from tools.operations.estimate import Estimate
from tools.operations.function import Function, Reply
from tools.operations.listing import Listed
from tools.operations.session import Session

KEYS = ("a/cake é.jpg", "a/tart.jpg", "b/pie.png")


def test_an_estimate_equals_a_calculation_by_hand() -> None:
    # A thousand JPEGs of 2 MB, which are 5 megapixels each, on one processor, with two outputs of half a MB each.
    one = Estimate(1000, 2_000_000_000, 2, 1769, "arm64", by_job=False, has_manifest=False)
    assert one.megapixels == 5000
    # 21.708 ms for its pixels, three waits of 30 ms (both PUTs at once), 3 MB at 75 MB/s.
    assert one.function_seconds == pytest.approx(1000 * (0.0217083333 + 0.090 + 0.040))
    # 152 ms of 1.7275390625 GiB and one invocation; a GET, a HEAD and two PUTs.
    lambda_dollars, s3_dollars = 0.152 * 1.7275390625 * 0.0000133334 + 0.0000002, 2 * 0.0000004 + 2 * 0.000005
    assert one.job_dollars == 0
    assert one.dollars == pytest.approx(1000 * (lambda_dollars + s3_dollars))
    by_job = replace(one, by_job=True)
    assert by_job.job_dollars == pytest.approx(0.25 + 0.001)
    assert by_job.dollars == pytest.approx(one.dollars + 0.251)


def test_a_slower_or_more_expensive_function_costs_more() -> None:
    one = Estimate(1000, 2_000_000_000, 1, 1769, "arm64", by_job=False, has_manifest=False)
    # Half of the memory takes twice as long for the pixels, but no longer for S3.
    assert replace(one, memory_mib=1769 // 2).function_seconds - one.function_seconds == pytest.approx(21.7, rel=0.01)
    assert replace(one, architecture="x86_64").dollars > one.dollars
    assert replace(one, renditions=2).dollars > one.dollars
    assert replace(one, has_manifest=True).dollars - one.dollars == pytest.approx(1000 * 0.000005)


def test_no_uploads_cost_nothing() -> None:
    nothing = Estimate(0, 0, 1, 1769, "arm64", by_job=False, has_manifest=False)
    assert (nothing.megapixels, nothing.function_seconds, nothing.dollars) == (0, 0, 0)


def list_object(key: str, size: int = 1) -> Listed:
    return Listed(key, '"1"', datetime(2026, 11, 26, tzinfo=UTC), size)


def test_a_set_has_each_upload_once_in_order_and_sums_their_bytes() -> None:
    keys = ["b", "a/b", "a\n", "a'\"", "é", "e\u0301", "😀", "\uffee", "a\0b", "a"]
    with upload_set() as one:
        assert (one.count, one.size, list(one.keys())) == (0, 0, [])
        for key, size in zip([*keys, *keys], itertools.count(1_000_000_000_000), strict=False):
            one.add(list_object(key, size))
        assert list(one.keys()) == sorted(keys, key=str.encode)
        assert (one.count, one.size) == (10, 10_000_000_000_045)


@dataclass
class Work:
    """A session with three uploads.

    Attributes:
        sent: Keys that the function received.
        replies: The function's replies to some keys; ``written`` to all others.
        jobs: The jobs that were created.

    """

    session: Session
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    sent: list[str] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(Function, "process", lambda _, key: self._process(key))
        self.monkeypatch.setattr(batch_job, "create", lambda _, job: self._create(job))

    def backfill(self, request: Request, *, confirmed: bool = True) -> bool:
        return backfill(self.session, request, confirmed=confirmed)

    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines since the last call."""
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]

    def change(self, **settings: Any) -> None:
        """Change the function's settings."""
        deployment = self.session.deployment
        changed = replace(deployment, settings=replace(deployment.settings, **settings))
        self.session = replace(self.session, deployment=changed)

    def create_role(self) -> str:
        """Create the module's role for jobs; return its ARN."""
        iam = self.session.deployment.client("iam", None)
        arn: str = iam.create_role(RoleName="images-jobs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        return arn

    def _create(self, job: Job) -> str:
        self.jobs.append(job)
        return JOB_ID

    def _process(self, key: str) -> Reply:
        self.sent.append(key)
        return self.replies.get(key, Reply(("written",)))


@pytest.fixture
def work(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Work:
    s3 = deployment.client("s3", None)
    for key in KEYS:
        s3.put_object(Bucket=deployment.settings.source_bucket, Key=key, Body=key.encode())
    return Work(Session(deployment, Console(as_json=True), 2), monkeypatch, capsys)


def test_without_confirmation_there_is_only_the_estimate(work: Work) -> None:
    assert work.backfill(Request(), confirmed=False)
    (estimate,) = work.lines()
    size = sum(len(key.encode()) for key in KEYS)
    assert (estimate["objects"], estimate["bytes"], estimate["job"], estimate["done"]) == (3, size, False, False)
    assert work.sent == []


def test_people_see_how_to_confirm(work: Work) -> None:
    work.session = replace(work.session, console=Console(as_json=False))
    assert work.backfill(Request(), confirmed=False)
    out = work.capsys.readouterr().out
    assert "2 at a time" in out
    assert out.endswith("Nothing was sent. Run again with --yes to send.\n")


@pytest.mark.parametrize("is_for_missing", [True, False])
def test_a_misspelt_prefix_is_not_zero_objects(work: Work, *, is_for_missing: bool) -> None:
    work.change(filters=(Filter("a/", ""),))
    with pytest.raises(ToolError, match="handles no key under 'A/'"):
        work.backfill(Request("A/", missing=is_for_missing))
    assert work.lines() == []


def test_few_uploads_are_sent_to_the_function(work: Work) -> None:
    assert work.backfill(Request("a/"))
    assert sorted(work.sent) == ["a/cake é.jpg", "a/tart.jpg"]
    estimate, sent = work.lines()
    assert (estimate["objects"], estimate["done"]) == (2, True)
    assert sent == {"sent": {"written": 2, "failed": 0}}


def test_failed_keys_are_named_and_make_the_backfill_fail(work: Work) -> None:
    work.replies = {"a/tart.jpg": Reply(error="it timed out"), "b/pie.png": Reply(("rejected",))}
    assert not work.backfill(Request())
    assert work.lines()[1:] == [
        {"key": "a/tart.jpg", "error": "it timed out"},
        {"sent": {"written": 1, "rejected": 1, "failed": 1}},
    ]


@pytest.mark.parametrize(("limit", "refused"), [(2, True), (3, False)])
def test_more_uploads_than_the_limit_are_refused(work: Work, limit: int, refused: bool) -> None:
    if refused:
        with pytest.raises(ToolError, match="More than 2 objects: raise --max-objects, or narrow the prefix"):
            work.backfill(Request(limit=limit))
        assert (work.sent, work.lines()) == ([], [])
    else:
        assert work.backfill(Request(limit=limit))
        assert len(work.sent) == 3


def test_the_limit_counts_uploads_not_outputs(work: Work) -> None:
    work.change(renditions=(Rendition("resized", scale=0.5), Rendition("tile", scale=0.25)))
    assert work.backfill(Request(missing=True, limit=3))
    assert sorted(work.sent) == sorted(KEYS)


def test_without_uploads_no_job_is_created(work: Work) -> None:
    assert work.backfill(Request("c/", job=True))
    (estimate,) = work.lines()
    assert (estimate["objects"], estimate["function_seconds"]) == (0, 0)


def test_missing_sends_only_uploads_without_output_or_rejection(work: Work) -> None:
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


def test_many_uploads_become_a_job_whose_keys_s3_lists(work: Work) -> None:
    work.monkeypatch.setattr(backfilling, "MAX_DIRECT", 2)
    role = work.create_role()
    assert work.backfill(Request())
    estimate, created = work.lines()
    assert (estimate["job"], created, work.sent) == (True, {"job": JOB_ID}, [])
    (job,) = work.jobs
    deployment = work.session.deployment
    assert job.description.startswith("images: 3 objects, 20")
    assert replace(job, description="") == Job(
        *("", ACCOUNT, deployment.function_arn, role, "resized", "batch-operations/images/"),
        GeneratedManifest("uploads"),
    )


@pytest.mark.parametrize(
    ("prefix", "one", "manifest"),
    [
        ("a/", Filter("", ".jpg"), GeneratedManifest("uploads", "a/", ".jpg")),
        ("a", Filter("a/ta", ""), GeneratedManifest("uploads", "a/ta")),
        ("a/ta", Filter("a", ""), GeneratedManifest("uploads", "a/ta")),
    ],
)
def test_a_job_has_the_narrower_prefix_and_the_filter_s_suffix(
    work: Work, prefix: str, one: Filter, manifest: GeneratedManifest
) -> None:
    work.change(filters=(one,))
    work.create_role()
    assert work.backfill(Request(prefix, job=True))
    assert [job.manifest for job in work.jobs] == [manifest]


@pytest.mark.parametrize(
    ("what", "filters"),
    [
        (Request(missing=True, job=True), [Filter("", ".jpg")]),
        (Request(job=True), [Filter("a/t", ".jpg"), Filter("a/c", "")]),
    ],
    ids=["missing", "several filters"],
)
def test_a_job_that_s3_cannot_list_has_a_csv_manifest(work: Work, what: Request, filters: list[Filter]) -> None:
    work.change(filters=tuple(filters))
    work.create_role()
    assert work.backfill(what)
    s3 = work.session.deployment.client("s3", None)
    (found,) = s3.list_objects_v2(Bucket="resized", Prefix="batch-operations/images/manifests/")["Contents"]
    body = s3.get_object(Bucket="resized", Key=found["Key"])["Body"].read()
    assert body == b"uploads,a/cake%20%C3%A9.jpg\nuploads,a/tart.jpg\n"
    assert [job.manifest for job in work.jobs] == [CsvManifest(found["Key"], found["ETag"].strip('"'))]


def test_without_the_module_s_role_nothing_is_written(work: Work) -> None:
    with pytest.raises(ToolError, match=r"There is no role images-jobs .*: set batch_operations = true and apply"):
        work.backfill(Request(missing=True, job=True))
    s3 = work.session.deployment.client("s3", None)
    assert "Contents" not in s3.list_objects_v2(Bucket="resized")


@pytest.mark.parametrize(
    ("state", "failed", "reasons", "good"),
    [
        ("Complete", 0, (), True),
        ("Complete", 1, (), False),
        ("Failed", 0, ("Cannot read the manifest",), False),
        ("Cancelled", 0, (), False),
    ],
)
def test_a_job_is_followed_and_its_failed_tasks_are_shown(
    work: Work, state: str, failed: int, reasons: tuple[str, ...], good: bool
) -> None:
    waits: list[float] = []
    work.monkeypatch.setattr(backfilling, "time", SimpleNamespace(sleep=waits.append))
    ended = JobStatus(JOB_ID, state, 3, 3 - failed, failed, reasons, "resized", "manifest.json")
    answers = iter([replace(ended, state="Active"), ended])
    work.monkeypatch.setattr(batch_job, "status", lambda *_: next(answers))
    s3 = work.session.deployment.client("s3", None)
    part = {"TaskExecutionStatus": "failed", "Bucket": "resized", "Key": "part.csv"}
    report = {"Results": [part], "ReportSchema": "Bucket, Key, ResultMessage"}
    s3.put_object(Bucket="resized", Key="manifest.json", Body=json.dumps(report))
    s3.put_object(Bucket="resized", Key="part.csv", Body="uploads,a/tart.jpg,corrupt: it is cut off\n")
    assert follow(work.session, JOB_ID) == good
    *lines, last = work.lines()
    assert lines == [{"key": "a/tart.jpg", "error": "corrupt: it is cut off"}] * failed
    assert last == {"state": state, "total": 3, "done": 3 - failed, "failed": failed, "reasons": list(reasons)}
    assert len(waits) == 1


def test_an_interrupted_follower_says_that_the_job_goes_on(work: Work) -> None:
    active = JobStatus(JOB_ID, "Active", 3, 1, 0, (), "resized", "manifest.json")
    work.monkeypatch.setattr(batch_job, "status", lambda *_: active)
    work.monkeypatch.setattr(backfilling, "time", SimpleNamespace(sleep=Mock(side_effect=KeyboardInterrupt)))
    with pytest.raises(KeyboardInterrupt):
        follow(work.session, JOB_ID)
    said = work.capsys.readouterr()
    assert (said.out, said.err) == ("", f"The job goes on. Follow it with `invoke backfill --status {JOB_ID}`\n")
