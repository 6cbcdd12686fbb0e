"""The operator's commands: they print text for people and JSON for scripts, and their exit codes tell the outcome."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.progress import Progress

from tools.common.paths import ROOT
from tools.operations import audit as auditing
from tools.operations import batch_job
from tools.operations import redrive as redriving
from tools.operations.audit import Scope
from tools.operations.backfill import Request, backfill, follow
from tools.operations.batch_job import JobStatus
from tools.operations.console import Console
from tools.operations.database import upload_set
from tools.operations.deployment import Deployment
from tools.operations.discard import discard, show_discard
from tools.operations.failure_queue import Depth, FailureQueue, Sample, Selection
from tools.operations.failures import show_failures
from tools.operations.function import Function, Reply
from tools.operations.redrive import Redrive
from tools.operations.session import Session


@pytest.fixture
def session(deployment: Deployment) -> Session:
    """A session with three rejected uploads; one was replaced since, and one has an output."""
    s3, sqs = deployment.client("s3", None), deployment.client("sqs", None)
    for key in ("a.jpg", "b/[red].jpg", "c.jpg"):
        etag = s3.put_object(Bucket="uploads", Key=key, Body=key.encode())["ETag"]
        body = {"bucket": "uploads", "key": key, "etag": etag, "reason": "corrupt", "message": "it is cut off"}
        sqs.send_message(QueueUrl=deployment.settings.failure_queue_url, MessageBody=json.dumps(body))
    s3.put_object(Bucket="uploads", Key="c.jpg", Body=b"another")
    s3.put_object(Bucket="resized", Key="b/resized-[red].jpg", Body=b"")
    return Session(deployment, Console(as_json=True))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def for_people(session: Session) -> Session:
    """Return the session without ``--json``."""
    return replace(session, console=Console(as_json=False))


def test_failures_are_shown_and_stay(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        show_failures(session, Selection())
        *records, summary = lines(capsys)
        assert [(one["keys"], one["reason"], one["message"]) for one in records] == [
            ([key], "corrupt", "it is cut off") for key in ("a.jpg", "b/[red].jpg", "c.jpg")
        ]
        assert summary == {"reasons": {"corrupt": 3}, "sample": 3, "approximate_total": 3}


def test_people_see_failures_as_a_table(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    show_failures(for_people(session), Selection())
    heading, *rows, summary = capsys.readouterr().out.splitlines()
    assert heading.split() == ["REASON", "KEY", "AGE", "MESSAGE"]
    assert [row.split()[:2] for row in rows] == [["corrupt", key] for key in ("a.jpg", "b/[red].jpg", "c.jpg")]
    assert summary == "Records: 3 corrupt."


def test_a_message_that_the_function_cannot_use_says_why(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = {
        '{"bucket": "others", "key": "a.jpg", "etag": "", "reason": "corrupt", "message": "cut"}': "corrupt",
        (ROOT / "events" / "put.json").read_text(): "undelivered",
        '{"Records": [{"eventSource": "aws:s3", "eventVersion": "2.1", "s3": {}}]}': "not_understood",
        '{"Records": []}': "not_understood",
        "hello": "not_understood",
    }
    for body in bodies:
        deployment.client("sqs", None).send_message(QueueUrl=deployment.settings.failure_queue_url, MessageBody=body)
    session = Session(deployment, Console(as_json=True))
    for reason in ("", "not_understood"):
        show_failures(session, Selection(reason))
        shown, summary = (found := lines(capsys))[:-1], found[-1]
        expected = [one for one in bodies.values() if one == (reason or one)]
        assert sorted(one["reason"] for one in shown) == sorted(expected)
        assert (sum(summary["reasons"].values()), summary["sample"]) == (len(expected), len(bodies))
    for show in (show_failures, redriving.show_redrive):
        show(session, Selection())
        *records, _ = lines(capsys)
        assert sorted(one["reason"] for one in records) == sorted(bodies.values())
        assert {one["message"].partition("{")[0] for one in records} == {
            "about the bucket others, not uploads: cut",
            "about the bucket src-bucket-image-in, not uploads",
            "The record is not an S3 notification of version 2: ",
            "The event names no object: ",
            "The message is not JSON: hello",
        }
    show_discard(session)
    assert lines(capsys)[-1]["would_delete"] == len(bodies)


@pytest.mark.parametrize(
    ("depth", "notes"),
    [
        ((0, 0), []),
        ((312, 0), ["SQS can't list all messages. These are 0 of about 312."]),
        (
            (0, 2),
            ["Another process holds about 2 more, or held them when it was killed. Run again in 15 minutes."],
        ),
    ],
)
def test_people_learn_which_messages_are_not_shown(depth: tuple[int, int], notes: list[str]) -> None:
    assert Sample([], Depth(*depth, datetime.now(UTC))).notes() == notes


@pytest.fixture
def with_foreign_messages(session: Session) -> Session:
    """The session, with two more messages in its queue that the function can't use."""
    settings = session.deployment.settings
    for body in ("hello\n\u202e" + "x" * 100, '{"bucket": "others", "key": "a.jpg", "etag": "", "reason": "corrupt"}'):
        session.deployment.client("sqs", None).send_message(QueueUrl=settings.failure_queue_url, MessageBody=body)
    return session


def count_messages(session: Session) -> tuple[int, int]:
    """Return the numbers of visible and of held messages."""
    depth = FailureQueue(session.deployment).depth()
    return depth.visible, depth.in_flight


def test_an_unconfirmed_redrive_shows_what_it_would_send_and_changes_nothing(
    with_foreign_messages: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = with_foreign_messages
    monkeypatch.setattr(Function, "invoke", lambda *_: pytest.fail("was sent"))
    redriving.show_redrive(session, Selection(prefix="b/"))
    (record, summary) = lines(capsys)
    assert record["keys"] == ["b/[red].jpg"]
    assert summary == {"reasons": {"corrupt": 1}, "sample": 5, "approximate_total": 5, "would_send": 1}
    redriving.show_redrive(for_people(session), Selection())
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "Would send again: 3 corrupt. Not selected: 0.",
        "Not sent, because the function can't use them: 2. `invoke discard` shows them.",
        "Nothing was sent. Run again with --yes to send.",
    ]
    assert count_messages(session) == (5, 0)


def test_messages_that_the_function_cannot_use_are_shown_one_by_one_and_deleted_when_confirmed(
    with_foreign_messages: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session = with_foreign_messages
    show_discard(for_people(session))
    heading, text, record, *said = capsys.readouterr().out.splitlines()
    assert heading.split("  ")[0] == "MESSAGE ID"
    assert text.split("  ")[-1].strip().startswith("hello\\n\\u202exxx")
    assert "about the bucket others, not uploads" in record
    assert said == [
        "Messages to delete: 2 of 5.",
        "Nothing was deleted. Run again with --yes to delete. --json prints whole messages.",
    ]
    assert count_messages(session) == (5, 0)

    show_discard(session)
    *shown, summary = lines(capsys)
    assert (summary["would_delete"], summary["sample"]) == (2, 5)
    assert discard(session)
    *deleted, summary = lines(capsys)
    for one in (*shown, *deleted):
        assert one.pop("received") >= 1
    assert sorted(deleted, key=str) == sorted(shown, key=str)
    assert {one["body"][:8] for one in deleted} == {"hello\n\u202ex", '{"bucket'}
    assert summary == {"deleted": 2, "left": 3, "elsewhere": 0}
    assert count_messages(session) == (3, 0)


@pytest.mark.parametrize(
    ("failing", "good"), [("", True), ("b/[red].jpg", False)], ids=["all succeed", "one fails again"]
)
def test_a_redrive_prints_the_outcome(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    good: bool,
) -> None:
    monkeypatch.setattr(
        Function,
        "invoke",
        lambda _, event: Reply(error="it timed out") if event["key"] == failing else Reply(("written",)),
    )
    assert redriving.redrive(session, Selection(reason="corrupt")) == good
    *failed, summary = lines(capsys)
    assert [(one["keys"], one["error"]) for one in failed] == ([] if good else [([failing], "it timed out")])
    counts = {"written": 3, "failed": 0} if good else {"written": 2, "failed": 1}
    assert summary == {"sent": counts, "left": 0, "elsewhere": 0}


def test_people_learn_which_records_were_rejected_again_and_which_were_not_sent(
    with_foreign_messages: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Function, "invoke", lambda *_: Reply(("rejected",)))
    assert not redriving.redrive(for_people(with_foreign_messages), Selection())
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Sent again: 3 rejected again. Not selected, or new: 0.",
        "Not sent, because the function can't use them: 2. `invoke discard` shows them.",
    ]


def test_records_of_another_process_make_a_redrive_incomplete(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Redrive, "run", lambda work, _: setattr(work.result, "held_elsewhere", 2))
    assert not redriving.redrive(for_people(session), Selection())
    assert "Another process holds about 2 more, or held them when it was killed" in capsys.readouterr().out


def test_an_audit_prints_its_findings_and_sends_missing_uploads(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[str] = []
    updates: list[dict[str, Any]] = []

    def process(_: Function, key: str) -> Reply:
        sent.append(key)
        return Reply(("written",))

    monkeypatch.setattr(Function, "process", process)
    monkeypatch.setattr(Progress, "update", lambda _, __, **values: updates.append(values))
    monkeypatch.setattr(auditing, "PROGRESS_INTERVAL", 2)
    for redrive in (False, True):
        good = auditing.audit(session, Scope(grace_seconds=0), redrive=redrive, confirmed=redrive)
        first, second, summary, *of_sending = lines(capsys)
        assert (first["kind"], first["key"], first["why"]) == ("failed", "a.jpg", "corrupt: it is cut off")
        assert (second["kind"], second["key"], second["output"]) == ("missing", "c.jpg", "resized-c.jpg")
        assert (first["bytes"], second["bytes"]) == (5, 7)
        assert {kind: count for kind, count in summary["outputs"].items() if count} == {
            "good": 1,
            "failed": 1,
            "missing": 1,
        }
        assert of_sending == ([{"sent": {"written": 1, "failed": 0}}] if redrive else [])
        assert (good, sent) == ((True, ["c.jpg"]) if redrive else (False, []))
        # After the failure queue's records, two listed uploads, the first comparison and the last.
        assert updates[:4] == [
            {"advance": 3},
            {"completed": 2},
            {"description": "Comparing", "completed": 1, "total": 3},
            {"description": "Comparing", "completed": 3, "total": 3},
        ]
        updates.clear()


def test_an_unconfirmed_redrive_of_an_audit_shows_what_it_would_send(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Function, "process", lambda *_: pytest.fail("was sent"))
    assert not auditing.audit(session, Scope(grace_seconds=0), redrive=True)
    assert lines(capsys)[-1] == {"would_send": 1}
    assert not auditing.audit(for_people(session), Scope(grace_seconds=0), redrive=True)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Uploads to send: 1.",
        "Nothing was sent. Run again with --yes to send.",
    ]


def test_the_runbook_documents_every_field_of_the_json_lines(
    with_foreign_messages: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = with_foreign_messages
    monkeypatch.setattr(Function, "invoke", lambda *_: Reply(error="it timed out"))
    monkeypatch.setattr(batch_job, "create", lambda *_: "job")
    session.deployment.client("iam", None).create_role(RoleName="images-jobs", AssumeRolePolicyDocument="{}")
    job = JobStatus("job", "Complete", 1, 1, 0, (), "resized", "manifest.json")
    monkeypatch.setattr(batch_job, "status", lambda *_: job)
    show_failures(session, Selection())
    for confirmed in (False, True):
        auditing.audit(session, Scope(grace_seconds=0), redrive=True, confirmed=confirmed)
        backfill(session, Request(job=confirmed), confirmed=confirmed)
    follow(session, "job")
    redriving.show_redrive(session, Selection())
    redriving.redrive(session, Selection())
    show_discard(session)
    discard(session)
    fields = {field for line in lines(capsys) for field in line}
    table = (ROOT / "docs" / "runbook.md").read_text().partition("With `--json`,")[2].partition("\n## ")[0]
    cells = " ".join(cell for row in table.splitlines() if row.startswith("| `") for cell in row.split("|")[2:])
    # "As for `failures`" names a command.
    commands = {"failures", "null", "--yes"}
    assert fields == set(re.findall(r"`([\w-]+)`", cells)) - commands


def test_an_interrupted_command_says_what_it_did(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def once() -> Iterator[bool]:
        yield True
        raise KeyboardInterrupt

    turns = once()
    monkeypatch.setattr(Function, "invoke", lambda *_: Reply(("written",)))
    receive = FailureQueue.receive
    monkeypatch.setattr(
        FailureQueue, "receive", lambda queue, seconds, **_: next(turns) and receive(queue, seconds, limit=1)
    )
    with pytest.raises(KeyboardInterrupt):
        redriving.redrive(session, Selection())
    monkeypatch.undo()
    assert lines(capsys) == [{"sent": {"written": 1, "failed": 0}, "left": None, "elsewhere": None}]
    assert count_messages(session) == (2, 0)

    def keys() -> Iterator[str]:
        yield "a.jpg"
        raise KeyboardInterrupt

    monkeypatch.setattr(Function, "invoke", lambda *_: Reply(error="it timed out"))
    with upload_set() as uploads:
        monkeypatch.setattr(uploads, "keys", keys)
        with pytest.raises(KeyboardInterrupt):
            session.send(uploads)
    said = capsys.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"key": "a.jpg", "error": "it timed out"},
        {"sent": {"failed": 1}},
    ]
    assert said.err == "Waiting for the invocations in flight\n"


def test_an_audit_of_a_wrong_folder_says_that_there_is_no_upload(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert auditing.audit(for_people(session), Scope("nope/"), redrive=False)
    assert capsys.readouterr().out == "No upload under nope/, and no output\n"


def test_a_redrive_of_an_audit_says_why_it_sends_no_failed_upload(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Function, "process", lambda *_: Reply(("written",)))
    assert auditing.audit(for_people(session), Scope(grace_seconds=0), redrive=True, confirmed=True)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Sent: 1 written",
        "Outputs of failed uploads, not sent: 1. `invoke failures` shows why.",
    ]


def test_people_see_an_audit_as_a_table(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert not auditing.audit(for_people(session), Scope(grace_seconds=0), redrive=False)
    heading, first, second, summary = capsys.readouterr().out.splitlines()
    assert heading.split() == ["WHAT", "UPLOAD", "OUTPUT", "WHY"]
    assert first.split() == ["failed", "a.jpg", "resized-a.jpg", "corrupt:", "it", "is", "cut", "off"]
    assert second.split()[:3] == ["missing", "c.jpg", "resized-c.jpg"]
    assert summary == "Outputs: 1 failed, 1 good, 1 missing"
