"""A redrive, on moto's queue: sends each record once, and deletes it only after the function's reply."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from tools.operations import redrive
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import FailureQueue, Record, Selection
from tools.operations.function import Function, Reply
from tools.operations.redrive import LONG_POLL_SECONDS, Redrive, RedriveResult

WRITTEN, FAILED = Reply(("written",)), Reply(error="it timed out")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "Invoke")

Answer = Callable[[str], Reply]
"""The function's reply to a key."""


class Clock:
    """Moto's clock, which a test can move forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def milliseconds(self) -> float:
        """Return moto's time."""
        return 1000 * (time.time() + self.ahead_seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", made.milliseconds)
    return made


@pytest.fixture
def patient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that each long poll moves forward, and that the redrive reads, too."""
    receive = FailureQueue.receive

    def receive_later(queue: FailureQueue, seconds: int, *, limit: int = 10, wait: int = 0) -> list[Record]:
        clock.ahead_seconds += wait
        return receive(queue, seconds, limit=limit)

    monkeypatch.setattr(FailureQueue, "receive", receive_later)
    monkeypatch.setattr(redrive, "time", SimpleNamespace(monotonic=lambda: clock.milliseconds() / 1000))
    return clock


class Pipeline:
    """A failure queue, and a function whose replies a test chooses."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deployment = deployment
        self.queue = FailureQueue(deployment)
        self.sqs, self.url = deployment.client("sqs", None), deployment.settings.failure_queue_url
        self.sent: list[str] = []
        self.answer: Answer = lambda _: WRITTEN
        monkeypatch.setattr(Function, "invoke", lambda _, event: self._answer(event))

    def record(self, *keys: str, reason: str = "corrupt") -> None:
        """Send the function's record of a rejection for each key."""
        for key in keys:
            body = {"bucket": "uploads", "key": key, "etag": '"1"', "reason": reason}
            self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))

    def redrive(self, selection: Selection | None = None, concurrency: int = 8) -> tuple[RedriveResult, int]:
        """Run a redrive; return its result, and by how much it advanced its progress bar."""
        advanced = 0

        def update(*, advance: int = 0, **_: str) -> None:
            nonlocal advanced
            advanced += advance

        work = Redrive(self.deployment, (selection or Selection()).matches, concurrency)
        work.run(update)
        return work.result, advanced

    @property
    def total(self) -> int:
        """Number of records, in flight or not."""
        depth = self.queue.depth()
        return depth.total

    def left(self) -> list[str]:
        """Return the keys of all records; none may be hidden."""
        assert self.queue.depth().in_flight == 0
        found = self.queue.sample(1000)
        return sorted(address.key for record in found for address in record.addresses)

    def _answer(self, event: Mapping[str, Any]) -> Reply:
        self.sent.append(event["key"])
        return self.answer(event["key"])


@pytest.fixture
def pipeline(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Pipeline:  # noqa: ARG001 - moto's
    return Pipeline(deployment, monkeypatch)


def names(numbers: Iterable[int]) -> list[str]:
    return [f"{number:02}.jpg" for number in numbers]


def test_successful_records_are_deleted_and_counted(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(25)))
    pipeline.answer = lambda key: Reply(("rejected",)) if key == "07.jpg" else WRITTEN
    redriven, advanced = pipeline.redrive()
    assert sorted(pipeline.sent) == names(range(25))
    assert (redriven.statuses, redriven.failed) == ({"written": 24, "rejected": 1}, [])
    assert (redriven.skipped, redriven.held_elsewhere, advanced, pipeline.total) == (0, 0, 25, 0)


def test_an_empty_queue_is_not_an_error(pipeline: Pipeline) -> None:
    assert pipeline.redrive() == (RedriveResult(is_complete=True), 0)


def test_a_record_is_deleted_only_after_the_reply(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(5)))
    totals: list[int] = []

    def answer(_: str) -> Reply:
        totals.append(pipeline.total)
        return WRITTEN

    pipeline.answer = answer
    pipeline.redrive(concurrency=1)
    assert totals == [5, 4, 3, 2, 1]


def test_records_are_received_only_when_they_can_be_sent(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(9)))
    together = threading.Barrier(3, timeout=60)
    in_flight: list[int] = []

    def answer(_: str) -> Reply:
        together.wait()
        in_flight.append(pipeline.queue.depth().in_flight)
        together.wait()
        return WRITTEN

    pipeline.answer = answer
    pipeline.redrive(concurrency=3)
    assert in_flight == [3] * 9


def test_a_record_that_fails_again_stays_and_is_visible_at_once(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(12)))
    pipeline.answer = lambda key: FAILED if key < "05" else WRITTEN
    redriven, advanced = pipeline.redrive(concurrency=2)
    assert sorted((record.addresses[0].key, why) for record, why in redriven.failed) == [
        (key, "it timed out") for key in names(range(5))
    ]
    assert (redriven.statuses, redriven.skipped, redriven.held_elsewhere, advanced) == ({"written": 7}, 0, 0, 12)
    assert len(pipeline.sent) == 12
    assert pipeline.left() == names(range(5))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no JSON", "neither a record nor an event about an object: see `invoke discard`"),
        ('{"Records": []}', "neither a record nor an event about an object: see `invoke discard`"),
        (
            '{"bucket": "others", "key": "a.jpg", "etag": "", "reason": "corrupt"}',
            "about the bucket others, not uploads: see `invoke discard`",
        ),
    ],
)
def test_a_message_that_the_function_cannot_use_is_not_sent_and_stays(pipeline: Pipeline, body: str, why: str) -> None:
    pipeline.sqs.send_message(QueueUrl=pipeline.url, MessageBody=body)
    pipeline.record("cake.jpg")
    redriven, _ = pipeline.redrive()
    assert [(record.body, error) for record, error in redriven.failed] == [(body, why)]
    assert (pipeline.sent, redriven.skipped, pipeline.queue.depth().visible) == (["cake.jpg"], 0, 1)


@pytest.mark.parametrize(
    ("selection", "sent"),
    [
        (Selection(reason="too_slow"), ["a/1.jpg", "b/1.jpg"]),
        (Selection(prefix="a/"), ["a/0.jpg", "a/1.jpg"]),
        (Selection(reason="too_slow", prefix="a/"), ["a/1.jpg"]),
        (Selection(prefix="c/"), []),
    ],
)
def test_a_skipped_record_stays_and_is_visible_at_once(
    pipeline: Pipeline, selection: Selection, sent: list[str]
) -> None:
    every = ["a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg"]
    for key in every:
        pipeline.record(key, reason="too_slow" if "1" in key else "corrupt")
    redriven, advanced = pipeline.redrive(selection)
    assert (sorted(pipeline.sent), advanced, redriven.skipped) == (sent, 4, 4 - len(sent))
    assert pipeline.left() == [key for key in every if key not in sent]


def test_records_newer_than_the_redrive_are_skipped(pipeline: Pipeline, clock: Clock) -> None:
    pipeline.record(*names(range(3)))
    clock.ahead_seconds = 5
    pipeline.record(*names(range(3, 5)))
    redriven, advanced = pipeline.redrive()
    assert (sorted(pipeline.sent), redriven.skipped, advanced) == (names(range(3)), 2, 3)
    assert pipeline.left() == names(range(3, 5))


@pytest.mark.parametrize(("seconds", "limit"), [(2, 1), (0.3, 5)], ids=["later", "within the same second"])
def test_new_records_of_the_function_are_not_sent_for_ever(
    pipeline: Pipeline, clock: Clock, seconds: float, limit: int
) -> None:
    pipeline.record("cake.jpg", "tart.jpg")

    def rejects(key: str) -> Reply:
        clock.ahead_seconds += seconds
        pipeline.record(key)
        return Reply(("rejected",))

    pipeline.answer = rejects
    redriven, _ = pipeline.redrive(concurrency=1)
    assert all(1 <= pipeline.sent.count(key) <= limit for key in ("cake.jpg", "tart.jpg"))
    assert redriven.statuses == {"rejected": len(pipeline.sent)}
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_an_error_of_aws_ends_the_redrive_and_releases_unfinished_records(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(12)))

    def deny_later(key: str) -> Reply:
        if key > "02.jpg":
            raise DENIED
        return FAILED if key == "01.jpg" else WRITTEN

    pipeline.answer = deny_later
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive(Selection(), concurrency=3)
    assert pipeline.left() == ["01.jpg", *names(range(3, 12))]


def test_an_error_waits_for_the_events_in_flight(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(3)))
    together = threading.Barrier(3, timeout=60)

    def deny_once(key: str) -> Reply:
        together.wait()
        if key == "01.jpg":
            raise DENIED
        return WRITTEN

    pipeline.answer = deny_once
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive()
    assert pipeline.left() == ["01.jpg"]


def test_a_record_that_cannot_be_deleted_is_released(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.record("cake.jpg", "tart.jpg")
    monkeypatch.setattr(FailureQueue, "delete", Mock(side_effect=DENIED))
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive()
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_a_record_that_cannot_be_hidden_for_longer_is_released(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.record("cake.jpg", "tart.jpg")
    hide = FailureQueue.hide

    def fail_to_hide(queue: FailureQueue, records: Iterable[Record], seconds: int) -> None:
        if seconds:
            raise DENIED
        hide(queue, records, seconds)

    monkeypatch.setattr(FailureQueue, "hide", fail_to_hide)
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive(Selection(prefix="cake"))
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_an_interrupt_releases_unfinished_records(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.record(*names(range(6)))
    receive = pipeline.queue.receive
    turns = iter([True])

    def interrupt(_: FailureQueue, seconds: int, *, limit: int) -> list[Record]:
        if not next(turns, False):
            raise KeyboardInterrupt
        return receive(seconds, limit=limit)

    monkeypatch.setattr(FailureQueue, "receive", interrupt)
    pipeline.answer = lambda key: FAILED if key == "00.jpg" else WRITTEN
    with pytest.raises(KeyboardInterrupt):
        pipeline.redrive(concurrency=3)
    monkeypatch.undo()
    assert pipeline.left() == ["00.jpg", *names(range(3, 6))]


def test_a_record_received_again_in_flight_is_not_sent_twice(
    pipeline: Pipeline, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.record("slow.jpg", "fast.jpg")
    came_again = threading.Event()
    hidden: list[Record] = []
    removed: list[Record] = []
    hide, delete = FailureQueue.hide, FailureQueue.delete

    def hide_and_note(queue: FailureQueue, records: Iterable[Record], seconds: int) -> None:
        hide(queue, records, seconds)
        if seconds and (others := list(records)):
            hidden.extend(others)
            came_again.set()

    def delete_and_note(queue: FailureQueue, record: Record) -> None:
        delete(queue, record)
        removed.append(record)

    def answer(key: str) -> Reply:
        if key == "slow.jpg":
            came_again.wait(60)
        else:
            # Longer than a record's visibility timeout.
            clock.ahead_seconds += 181
        return WRITTEN

    monkeypatch.setattr(FailureQueue, "hide", hide_and_note)
    monkeypatch.setattr(FailureQueue, "delete", delete_and_note)
    pipeline.answer = answer
    redriven, advanced = pipeline.redrive(concurrency=2)
    assert (sorted(pipeline.sent), advanced, redriven.skipped) == (["fast.jpg", "slow.jpg"], 2, 0)
    assert pipeline.left() == []
    # SQS may refuse an older receipt.
    assert removed[1].receipt == hidden[0].receipt


@pytest.mark.parametrize(
    ("hidden_seconds", "sent", "elsewhere"), [(60, ["cake.jpg"], 0), (900, [], 1)], ids=["killed", "alive"]
)
def test_records_of_other_processes_are_awaited_as_long_as_a_killed_redrive_may_hold_them(
    pipeline: Pipeline, patient: Clock, hidden_seconds: int, sent: list[str], elsewhere: int
) -> None:
    pipeline.record("cake.jpg")
    pipeline.queue.receive(hidden_seconds)
    redriven, _ = pipeline.redrive()
    assert (pipeline.sent, redriven.held_elsewhere, redriven.skipped) == (sent, elsewhere, 0)
    assert pipeline.total == elsewhere
    assert patient.ahead_seconds <= 180 + LONG_POLL_SECONDS


def test_finished_records_of_other_processes_are_not_awaited(
    pipeline: Pipeline, patient: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.record("cake.jpg")
    (held,) = pipeline.queue.receive(900)
    receive = FailureQueue.receive

    def delete_before_poll(queue: FailureQueue, seconds: int, **options: int) -> list[Record]:
        if "wait" in options:
            queue.delete(held)
        return receive(queue, seconds, **options)

    monkeypatch.setattr(FailureQueue, "receive", delete_before_poll)
    assert pipeline.redrive() == (RedriveResult(is_complete=True), 0)
    # One poll notices that it is gone, and one receives records that were released meanwhile.
    assert patient.ahead_seconds == 2 * LONG_POLL_SECONDS
