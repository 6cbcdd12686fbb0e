"""The handler: it processes all objects of an event before it reports those that failed."""

import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest

from aws.outcomes import EventType, ObjectAddress, ObjectEvent, Outcome, Rejection, Status
from errors import EventError, IncompleteError, Reason, SettingsError, UnsettledError
from tests.models import CheckedClient
from tests.unit.conftest import ENVIRONMENT


class Reconciler:
    """Records its calls; keys with ``bad`` fail, and keys with ``no-image`` are rejected."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.event_types: list[EventType | None] = []

    def reconcile(
        self, address: ObjectAddress, seconds_left: Callable[[], float], events: Sequence[ObjectEvent]
    ) -> Outcome:
        assert seconds_left() == 12.5
        assert {event.address for event in events} == {address}
        self.seen.append(address.key)
        self.event_types += [event.type for event in events]
        if "bad" in address.key:
            raise UnsettledError("changed 3 times")
        if "no-image" in address.key:
            rejection = Rejection(address.bucket, address.key, None, "etag", Reason.NOT_AN_IMAGE, "it is text", "now")
            return Outcome(Status.REJECTED, address, rejection=rejection)
        return Outcome(Status.WRITTEN, address, (f"resized-{address.key}",))


class Queue:
    """Remembers the keys of its messages; keys with ``unrecorded`` fail."""

    def __init__(self) -> None:
        self.recorded: list[str] = []

    def send_message(self, QueueUrl: str, MessageBody: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert QueueUrl == "https://sqs.invalid/"
        key = json.loads(MessageBody)["key"]
        if "unrecorded" in key:
            raise ConnectionError("no connection to SQS")
        self.recorded.append(key)
        return {}


class Context:
    """The context that Lambda passes with the event."""

    def __init__(self, *milliseconds_left: int) -> None:
        self._left = list(milliseconds_left)

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0) if self._left else 12500


def test_a_zip_that_cannot_sign_says_how_to_build_one_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a zip without c2pa-python.
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.delitem(sys.modules, "imaging.content_credentials", raising=False)
    monkeypatch.delitem(sys.modules, "aws.signing", raising=False)
    chosen = json.dumps({"secret_arn": "arn:aws:secretsmanager:eu-west-2:123456789012:secret:signer"})
    for name, value in (ENVIRONMENT | {"CONTENT_CREDENTIALS": chosen}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^CONTENT_CREDENTIALS is set, .*: run `invoke build --c2pa` and `terra"):
        importlib.import_module("lambda_function")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    imported = importlib.import_module("lambda_function")
    monkeypatch.setattr(imported, "reconciler", Reconciler())
    queue = Queue()
    monkeypatch.setattr(imported, "get_sqs", lambda: CheckedClient(queue, "sqs"))
    yield imported
    del sys.modules["lambda_function"]


def make_event(*keys: str) -> dict[str, object]:
    about = [{"bucket": {"name": "uploads"}, "object": {"key": key}} for key in keys]
    return {"Records": [{"eventSource": "aws:s3", "eventVersion": "2.1", "s3": one} for one in about]}


def test_the_reply_names_the_written_outputs(module: ModuleType) -> None:
    assert module.lambda_handler(make_event("cake.jpg"), Context()) == {
        "outcomes": [{"status": "written", "key": "cake.jpg", "outputs": ["resized-cake.jpg"]}]
    }


def test_the_reconciler_receives_all_reports_about_an_object(module: ModuleType) -> None:
    twice: Any = make_event("cake.jpg", "cake.jpg")
    twice["Records"][0]["eventName"] = "ObjectCreated:Put"
    module.lambda_handler(twice, Context())
    assert (module.reconciler.seen, module.reconciler.event_types) == (["cake.jpg"], [EventType.AVAILABLE, None])


def test_all_objects_are_processed_before_the_failures_are_raised(module: ModuleType) -> None:
    with pytest.raises(IncompleteError, match=r"^2 of 4 objects failed: bad-1 \(UnsettledError: .*\); bad-2 \("):
        module.lambda_handler(make_event("bad-1", "good-1", "bad-2", "good-2"), Context())
    assert sorted(module.reconciler.seen) == ["bad-1", "bad-2", "good-1", "good-2"]


def test_two_objects_are_processed_concurrently(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(2, timeout=20)

    class WaitingReconciler(Reconciler):
        def reconcile(
            self, address: ObjectAddress, seconds_left: Callable[[], float], events: Sequence[ObjectEvent]
        ) -> Outcome:
            barrier.wait()
            return super().reconcile(address, seconds_left, events)

    monkeypatch.setattr(module, "reconciler", WaitingReconciler())
    reply = module.lambda_handler(make_event("a", "b", "c", "d"), Context())
    assert [outcome["key"] for outcome in reply["outcomes"]] == ["a", "b", "c", "d"]


def test_a_rejection_is_recorded_and_not_an_error(module: ModuleType) -> None:
    reply = module.lambda_handler(make_event("no-image", "good"), Context())
    assert [outcome["status"] for outcome in reply["outcomes"]] == ["rejected", "written"]
    assert module.get_sqs().recorded == ["no-image"]


def test_a_rejection_is_recorded_once_its_event_succeeds(module: ModuleType) -> None:
    for _ in range(3):
        with pytest.raises(IncompleteError, match=r"^1 of 2 objects failed: bad "):
            module.lambda_handler(make_event("no-image", "bad"), Context())
    assert module.get_sqs().recorded == []
    module.lambda_handler(make_event("no-image", "mended"), Context())
    assert module.get_sqs().recorded == ["no-image"]


def test_a_rejection_that_cannot_be_recorded_is_an_error(module: ModuleType) -> None:
    with pytest.raises(IncompleteError, match=r"^1 of 1 objects failed: no-image-unrecorded \(ConnectionError"):
        module.lambda_handler(make_event("no-image-unrecorded"), Context())


def test_no_object_is_started_when_too_little_time_is_left(module: ModuleType) -> None:
    # The timeout is 120 s; an object needs a tenth of it to start. Later calls return 12.5 s.
    with pytest.raises(IncompleteError, match=r"^1 of 2 objects failed: late \(LateError: only 11.9 s are left"):
        module.lambda_handler(make_event("late", "good"), Context(11_900))
    assert module.reconciler.seen == ["good"]


def test_an_unknown_record_is_logged_and_fails_the_event(module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    both = make_event("good") | {"Records": [*make_event("good")["Records"], {"odd": 1}]}  # type: ignore[misc]  # a list
    with pytest.raises(IncompleteError, match=r"^1 of 2 objects failed: The record is not an S3 notification"):
        module.lambda_handler(both, Context())
    assert module.reconciler.seen == ["good"]
    (line,) = [record for record in caplog.records if record.message == "not_understood"]
    assert line.__dict__["why"] == 'The record is not an S3 notification of version 2: {"odd": 1}'


@pytest.mark.parametrize(
    ("timeout", "connect", "read"), [(120, 3, 20), (900, 3, 20), (30, 3, 5), (12, 2, 2), (3, 1, 1)]
)
def test_request_timeouts_leave_time_for_three_attempts(
    module: ModuleType, timeout: int, connect: int, read: int
) -> None:
    config = module._make_client_config(timeout)
    assert (config.connect_timeout, config.read_timeout) == (connect, read)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_an_unknown_event_is_an_error(module: ModuleType) -> None:
    with pytest.raises(EventError):
        module.lambda_handler({"hello": "world"}, Context())
