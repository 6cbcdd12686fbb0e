"""A redrive on moto's queue: each record is sent once, and gone only when the function has answered for it."""

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
from tools.operations.failure_queue import Choice, FailureQueue, Record
from tools.operations.function import Function, Look
from tools.operations.redrive import LONG_POLL_SECONDS, Redrive, Redriven

WRITTEN, FAILED = Look(("written",)), Look(error="it timed out")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "Invoke")

Answer = Callable[[str], Look]
"""What the function says of a key."""


class Clock:
    """Moto's, which tests can put forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def milliseconds(self) -> float:
        """What moto takes for the time."""
        return 1000 * (time.time() + self.ahead_seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", made.milliseconds)
    return made


@pytest.fixture
def patient(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock, where a long poll takes its time, and a redrive sees it."""
    receive = FailureQueue.receive

    def waiting(queue: FailureQueue, seconds: int, *, most: int = 10, wait: int = 0) -> list[Record]:
        clock.ahead_seconds += wait
        return receive(queue, seconds, most=most)

    monkeypatch.setattr(FailureQueue, "receive", waiting)
    monkeypatch.setattr(redrive, "time", SimpleNamespace(monotonic=lambda: clock.milliseconds() / 1000))
    return clock


class Pipeline:
    """A failure queue, and a function that answers as a test wants."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deployment = deployment
        self.queue = FailureQueue(deployment)
        self.sqs, self.url = deployment.client("sqs", None), deployment.settings.failure_queue_url
        self.sent: list[str] = []
        self.answer: Answer = lambda _: WRITTEN
        monkeypatch.setattr(Function, "send", lambda _, event: self._answered(event))

    def record(self, *keys: str, reason: str = "corrupt") -> None:
        """Do what the function does with what it rejects."""
        for key in keys:
            body = {"bucket": "uploads", "key": key, "etag": '"1"', "reason": reason}
            self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))

    def redrive(self, choice: Choice | None = None, concurrency: int = 8) -> tuple[Redriven, int]:
        """Run a redrive; what became of the records, and how many it told to be done with."""
        told: list[None] = []
        redriven = Redrive(self.deployment, choice or Choice(), concurrency).run(lambda: told.append(None))
        return redriven, len(told)

    @property
    def total(self) -> int:
        """How many records there are, in hand or not."""
        depth = self.queue.depth()
        return depth.waiting + depth.in_hand

    def left(self) -> list[str]:
        """The keys of all records, of which none may be hidden."""
        assert self.queue.depth().in_hand == 0
        found = self.queue.sample(1000)
        return sorted(address.key for record in found for address in record.addresses)

    def _answered(self, event: Mapping[str, Any]) -> Look:
        self.sent.append(event["key"])
        return self.answer(event["key"])


@pytest.fixture
def pipeline(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Pipeline:  # noqa: ARG001 - moto's
    return Pipeline(deployment, monkeypatch)


def names(numbers: Iterable[int]) -> list[str]:
    return [f"{number:02}.jpg" for number in numbers]


def test_what_is_done_with_is_removed_and_counted(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(25)))
    pipeline.answer = lambda key: Look(("rejected",)) if key == "07.jpg" else WRITTEN
    redriven, told = pipeline.redrive()
    assert sorted(pipeline.sent) == names(range(25))
    assert (redriven.statuses, redriven.failed) == ({"written": 24, "rejected": 1}, [])
    assert (redriven.left, redriven.elsewhere, told, pipeline.total) == (0, 0, 25, 0)


def test_an_empty_queue_is_no_error(pipeline: Pipeline) -> None:
    assert pipeline.redrive() == (Redriven(), 0)


def test_nothing_is_removed_before_the_function_has_answered(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(5)))
    totals: list[int] = []

    def looks(_: str) -> Look:
        totals.append(pipeline.total)
        return WRITTEN

    pipeline.answer = looks
    pipeline.redrive(concurrency=1)
    assert totals == [5, 4, 3, 2, 1]


def test_no_more_are_in_hand_than_are_under_way(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(9)))
    # Each of the three is in hand until all of them are.
    together = threading.Barrier(3, timeout=60)
    in_hand: list[int] = []

    def looks(_: str) -> Look:
        together.wait()
        in_hand.append(pipeline.queue.depth().in_hand)
        together.wait()
        return WRITTEN

    pipeline.answer = looks
    pipeline.redrive(concurrency=3)
    assert in_hand == [3] * 9


def test_what_fails_again_stays_and_is_shown_at_once(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(12)))
    pipeline.answer = lambda key: FAILED if key < "05" else WRITTEN
    redriven, told = pipeline.redrive(concurrency=2)
    assert sorted((record.addresses[0].key, why) for record, why in redriven.failed) == [
        (key, "it timed out") for key in names(range(5))
    ]
    assert (redriven.statuses, redriven.left, redriven.elsewhere, told) == ({"written": 7}, 0, 0, 7)
    assert len(pipeline.sent) == 12
    assert pipeline.left() == names(range(5))


def test_what_is_no_event_is_not_sent_and_stays(pipeline: Pipeline) -> None:
    pipeline.sqs.send_message(QueueUrl=pipeline.url, MessageBody="no JSON")
    pipeline.record("cake.jpg")
    redriven, _ = pipeline.redrive()
    assert [(record.message, why) for record, why in redriven.failed] == [("no JSON", "it is no event")]
    assert (pipeline.sent, redriven.left, pipeline.queue.depth().waiting) == (["cake.jpg"], 0, 1)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (Choice(reason="too_slow"), ["a/1.jpg", "b/1.jpg"]),
        (Choice(prefix="a/"), ["a/0.jpg", "a/1.jpg"]),
        (Choice(reason="too_slow", prefix="a/"), ["a/1.jpg"]),
        (Choice(prefix="c/"), []),
    ],
)
def test_what_is_not_meant_stays_and_is_shown_at_once(pipeline: Pipeline, choice: Choice, sent: list[str]) -> None:
    every = ["a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg"]
    for key in every:
        pipeline.record(key, reason="too_slow" if "1" in key else "corrupt")
    redriven, told = pipeline.redrive(choice)
    assert (sorted(pipeline.sent), told, redriven.left) == (sent, len(sent), 4 - len(sent))
    assert pipeline.left() == [key for key in every if key not in sent]


def test_what_came_after_it_began_is_left(pipeline: Pipeline, clock: Clock) -> None:
    pipeline.record(*names(range(3)))
    clock.ahead_seconds = 5
    pipeline.record(*names(range(3, 5)))
    redriven, _ = pipeline.redrive()
    assert (sorted(pipeline.sent), redriven.left) == (names(range(3)), 2)
    assert pipeline.left() == names(range(3, 5))


@pytest.mark.parametrize(("seconds", "most"), [(2, 1), (0.3, 5)], ids=["later", "within the same second"])
def test_what_the_function_records_anew_is_not_sent_for_ever(
    pipeline: Pipeline, clock: Clock, seconds: float, most: int
) -> None:
    pipeline.record("cake.jpg", "tart.jpg")

    def rejects(key: str) -> Look:
        clock.ahead_seconds += seconds
        pipeline.record(key)
        return Look(("rejected",))

    pipeline.answer = rejects
    redriven, _ = pipeline.redrive(concurrency=1)
    assert all(1 <= pipeline.sent.count(key) <= most for key in ("cake.jpg", "tart.jpg"))
    assert redriven.statuses == {"rejected": len(pipeline.sent)}
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_an_error_of_aws_ends_it_and_all_that_is_not_done_with_is_shown_at_once(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(12)))

    def denied_later(key: str) -> Look:
        if key > "02.jpg":
            raise DENIED
        return FAILED if key == "01.jpg" else WRITTEN

    pipeline.answer = denied_later
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive(Choice(), concurrency=3)
    assert pipeline.left() == ["01.jpg", *names(range(3, 12))]


def test_an_error_while_others_are_under_way_waits_for_them(pipeline: Pipeline) -> None:
    pipeline.record(*names(range(3)))
    together = threading.Barrier(3, timeout=60)

    def denied_once(key: str) -> Look:
        together.wait()
        if key == "01.jpg":
            raise DENIED
        return WRITTEN

    pipeline.answer = denied_once
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive()
    assert pipeline.left() == ["01.jpg"]


def test_what_cannot_be_removed_is_shown_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.record("cake.jpg", "tart.jpg")
    monkeypatch.setattr(FailureQueue, "delete", Mock(side_effect=DENIED))
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive()
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_what_cannot_be_hidden_for_longer_is_shown_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.record("cake.jpg", "tart.jpg")
    hide = FailureQueue.hide

    def not_again(queue: FailureQueue, records: Iterable[Record], seconds: int) -> None:
        if seconds:
            raise DENIED
        hide(queue, records, seconds)

    monkeypatch.setattr(FailureQueue, "hide", not_again)
    with pytest.raises(ClientError, match="not you"):
        pipeline.redrive(Choice(prefix="cake"))
    assert pipeline.left() == ["cake.jpg", "tart.jpg"]


def test_an_interrupt_shows_again_what_is_not_done_with(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.record(*names(range(6)))
    receive = pipeline.queue.receive
    turns = iter([True])

    def interrupted(_: FailureQueue, seconds: int, *, most: int) -> list[Record]:
        if not next(turns, False):
            raise KeyboardInterrupt
        return receive(seconds, most=most)

    monkeypatch.setattr(FailureQueue, "receive", interrupted)
    pipeline.answer = lambda key: FAILED if key == "00.jpg" else WRITTEN
    with pytest.raises(KeyboardInterrupt):
        pipeline.redrive(concurrency=3)
    monkeypatch.undo()
    assert pipeline.left() == ["00.jpg", *names(range(3, 6))]


def test_a_record_that_comes_again_while_it_is_under_way_is_not_sent_twice(
    pipeline: Pipeline, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.record("slow.jpg", "fast.jpg")
    came_again = threading.Event()
    hidden: list[Record] = []
    removed: list[Record] = []
    hide, delete = FailureQueue.hide, FailureQueue.delete

    def hiding(queue: FailureQueue, records: Iterable[Record], seconds: int) -> None:
        hide(queue, records, seconds)
        if seconds and (others := list(records)):
            hidden.extend(others)
            came_again.set()

    def removing(queue: FailureQueue, record: Record) -> None:
        delete(queue, record)
        removed.append(record)

    def answer(key: str) -> Look:
        if key == "slow.jpg":
            came_again.wait(60)
        else:
            # Longer than a record is hidden while it is under way.
            clock.ahead_seconds += 181
        return WRITTEN

    monkeypatch.setattr(FailureQueue, "hide", hiding)
    monkeypatch.setattr(FailureQueue, "delete", removing)
    pipeline.answer = answer
    redriven, told = pipeline.redrive(concurrency=2)
    assert (sorted(pipeline.sent), told, redriven.left) == (["fast.jpg", "slow.jpg"], 2, 0)
    assert pipeline.left() == []
    # SQS may not take an older one.
    assert removed[1].receipt == hidden[0].receipt


@pytest.mark.parametrize(
    ("hidden_seconds", "sent", "elsewhere"), [(60, ["cake.jpg"], 0), (900, [], 1)], ids=["it was killed", "it lives"]
)
def test_what_somebody_else_has_in_hand_is_waited_for_while_a_killed_redrive_may_have_had_it(
    pipeline: Pipeline, patient: Clock, hidden_seconds: int, sent: list[str], elsewhere: int
) -> None:
    pipeline.record("cake.jpg")
    pipeline.queue.receive(hidden_seconds)
    redriven, _ = pipeline.redrive()
    assert (pipeline.sent, redriven.elsewhere, redriven.left) == (sent, elsewhere, 0)
    assert pipeline.total == elsewhere
    assert patient.ahead_seconds <= 180 + LONG_POLL_SECONDS


def test_what_somebody_else_is_done_with_is_not_waited_for(
    pipeline: Pipeline, patient: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.record("cake.jpg")
    (held,) = pipeline.queue.receive(900)
    receive = FailureQueue.receive

    def meanwhile(queue: FailureQueue, seconds: int, **options: int) -> list[Record]:
        if "wait" in options:
            queue.delete(held)
        return receive(queue, seconds, **options)

    monkeypatch.setattr(FailureQueue, "receive", meanwhile)
    assert pipeline.redrive() == (Redriven(), 0)
    # Once to see it gone, and once more for what came back meanwhile.
    assert patient.ahead_seconds == 2 * LONG_POLL_SECONDS
