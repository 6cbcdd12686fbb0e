"""The handler: all objects of an event are finished before it says that some failed."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from errors import EventError, IncompleteError, UnsettledError
from events import ObjectAddress, Outcome, Status


class Reconciler:
    """Remembers what it was asked for, and fails for keys that say so."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def reconcile(self, address: ObjectAddress, seconds_left: Callable[[], float]) -> Outcome:
        assert seconds_left() == 12.5
        self.seen.append(address.key)
        if "bad" in address.key:
            raise UnsettledError("changed 3 times")
        return Outcome(Status.WRITTEN, address, (f"resized-{address.key}",))


class Context:
    """What Lambda passes beside the event."""

    def get_remaining_time_in_millis(self) -> int:
        return 12500


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "SOURCE_BUCKET": "in",
        "DESTINATION_BUCKET": "out",
        "FAILURE_QUEUE_URL": "https://sqs.invalid/",
        "RENDITIONS": '{"resized": {"scale": 0.5}}',
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    imported = importlib.import_module("lambda_function")
    monkeypatch.setattr(imported, "reconciler", Reconciler())
    yield imported
    del sys.modules["lambda_function"]


def event(*keys: str) -> dict[str, object]:
    return {
        "Records": [
            {"eventSource": "aws:s3", "eventVersion": "2.1", "s3": {"bucket": {"name": "in"}, "object": {"key": key}}}
            for key in keys
        ]
    }


def test_the_reply_says_what_was_written(module: ModuleType) -> None:
    assert module.lambda_handler(event("cake.jpg"), Context()) == {
        "outcomes": [{"status": "written", "key": "cake.jpg", "outputs": ["resized-cake.jpg"]}]
    }


def test_all_are_finished_then_the_failed_are_named_once(module: ModuleType) -> None:
    with pytest.raises(IncompleteError, match=r"^2 of 4 objects failed: bad-1 \(UnsettledError: .*\); bad-2 \("):
        module.lambda_handler(event("bad-1", "good-1", "bad-2", "good-2"), Context())
    assert sorted(module.reconciler.seen) == ["bad-1", "bad-2", "good-1", "good-2"]


def test_two_objects_are_looked_at_at_once(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(2, timeout=20)

    class Meeting(Reconciler):
        def reconcile(self, address: ObjectAddress, seconds_left: Callable[[], float]) -> Outcome:
            meeting.wait()
            return super().reconcile(address, seconds_left)

    monkeypatch.setattr(module, "reconciler", Meeting())
    reply = module.lambda_handler(event("a", "b", "c", "d"), Context())
    assert [outcome["key"] for outcome in reply["outcomes"]] == ["a", "b", "c", "d"]


def test_an_unknown_event_is_an_error(module: ModuleType) -> None:
    with pytest.raises(EventError):
        module.lambda_handler({"hello": "world"}, Context())
