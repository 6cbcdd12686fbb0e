"""What an session's tasks show, to people and to scripts, and how they end."""

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.progress import Progress

from tools.operations import audit as auditing
from tools.operations import redrive as redriving
from tools.operations.console import Console
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import Selection
from tools.operations.function import Function, Reply
from tools.operations.redrive import Redrive, RedriveResult, show_failures
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


def test_failures_are_shown_and_stay(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        show_failures(session, Selection())
        *records, summary = lines(capsys)
        assert [(one["keys"], one["reason"], one["message"]) for one in records] == [
            ([key], "corrupt", "it is cut off") for key in ("a.jpg", "b/[red].jpg", "c.jpg")
        ]
        assert summary == {"reasons": {"corrupt": 3}, "sample": 3, "approximate_total": 3}
    show_failures(session, Selection(prefix="b/"))
    (record, summary) = lines(capsys)
    assert (record["keys"], summary["sample"]) == (["b/[red].jpg"], 3)


def test_people_see_failures_as_a_table(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    show_failures(replace(session, console=Console(as_json=False)), Selection())
    heading, *rows, summary = capsys.readouterr().out.splitlines()
    assert heading.split() == ["REASON", "KEY", "AGE", "MESSAGE"]
    assert [row.split()[:2] for row in rows] == [["corrupt", key] for key in ("a.jpg", "b/[red].jpg", "c.jpg")]
    assert summary == "3 corrupt. SQS can't list all messages: the sample has 3 of about 3."


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


def test_records_of_another_process_make_a_redrive_incomplete(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Redrive, "run", lambda *_: RedriveResult(held_elsewhere=2))
    assert not redriving.redrive(replace(session, console=Console(as_json=False)), Selection())
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
        good = auditing.audit(session, folder="", deep=False, grace_seconds=0, redrive=redrive)
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
        # After two listed uploads, the first comparison and the last.
        assert updates[:3] == [
            {"completed": 2},
            {"description": "Comparing", "completed": 1, "total": 3},
            {"description": "Comparing", "completed": 3, "total": 3},
        ]
        updates.clear()


def test_people_see_an_audit_as_a_table(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert not auditing.audit(
        replace(session, console=Console(as_json=False)), folder="", deep=False, grace_seconds=0, redrive=False
    )
    heading, first, second, summary = capsys.readouterr().out.splitlines()
    assert heading.split() == ["WHAT", "UPLOAD", "OUTPUT", "WHY"]
    assert first.split() == ["failed", "a.jpg", "resized-a.jpg", "corrupt:", "it", "is", "cut", "off"]
    assert second.split()[:3] == ["missing", "c.jpg", "resized-c.jpg"]
    assert summary == "Outputs: 1 failed, 1 good, 1 missing"
