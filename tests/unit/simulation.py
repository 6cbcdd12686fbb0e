"""Simulates S3 and SQS, and runs invocations that wait before each call until a scheduler lets them continue."""

import hashlib
import io
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from aws.completion import Completions
from aws.outcomes import EventType, ObjectAddress, ObjectEvent
from aws.reconcile import Reconciler
from aws.settings import Settings
from errors import UnsentError, UnsettledError
from key_template import MANIFEST_SUFFIX
from tests.models import CheckedClient

CORRUPT, ARCHIVED, LOCKED = b"corrupt", b"archived", b"locked"
"""Bodies that the renderer rejects, that GET refuses, and that GET and HEAD refuse for lack of a customer key."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

UNSURE = timedelta(minutes=15)
"""How long after ``EPOCH``, when versioning is first enabled, S3 may not find an existing version."""


class Clock:
    """The simulated time, which replaces ``datetime``."""

    moment = EPOCH

    def now(self, _: object) -> datetime:
        return self.moment


REFUSALS = 0.1
"""The share of completion events that EventBridge refuses."""

FORGETFULNESS = 0.2
"""The share of requests for which S3 does not find an existing version while it is unsure."""


class CrashError(BaseException):
    """An invocation dies. This is no ``Exception``, so that no handler catches it."""


@dataclass(frozen=True)
class State:
    """One version of a source object."""

    body: bytes
    album: str
    version_id: str | None
    last_modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'

    @property
    def reported(self) -> tuple[str, str | None]:
        """The ETag and version that completion events name: no version of an object with a customer key."""
        return self.etag.strip('"'), None if self.body == LOCKED else self.version_id

    def describe(self) -> dict[str, Any]:
        """Return the fields that GET and HEAD share."""
        version = {} if self.version_id is None else {"VersionId": self.version_id}
        return {
            "ETag": self.etag,
            "LastModified": self.last_modified,
            "ContentLength": len(self.body),
            "Metadata": {"album": self.album},
            **version,
        }


@dataclass
class Store:
    """Both buckets and the failure queue; strongly consistent, except while S3 is unsure.

    Attributes:
        chance: Decides whether S3 finds a version while it is unsure; None if it always finds it.
        states: The versions of each source key, the current one last; None is a delete marker.
        outputs: The destination's objects: body and metadata by key.
        records: The messages that were sent to the queue.
        completions: The completion events that were sent, in that order.

    """

    versioned: bool
    clock: Clock = field(default_factory=Clock)
    chance: Random | None = None
    states: dict[str, list[State | None]] = field(default_factory=dict)
    outputs: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)
    completions: list[dict[str, Any]] = field(default_factory=list)
    _changes: int = 0

    @property
    def unsure(self) -> bool:
        """Whether S3 may not find an existing version."""
        return self.chance is not None and self.versioned and self.clock.moment - EPOCH < UNSURE

    def change(self, key: str, body: bytes | None, album: str = "") -> ObjectEvent:
        """Upload to a source key, or delete it. A second passes, the resolution of S3's dates."""
        self._changes += 1
        self.clock.moment += timedelta(seconds=1)
        version = str(self._changes) if self.versioned else None
        state = None if body is None else State(body, album, version, self.clock.moment)
        kept = self.states.setdefault(key, [])
        if not self.versioned:
            kept.clear()
        if state or self.versioned:
            kept.append(state)
        return ObjectEvent(ObjectAddress("in", key), EventType.AVAILABLE if state else None, version, self.clock.moment)

    def delete_version(self, key: str, which: int, *, by_rule: bool) -> ObjectEvent:
        """Delete a version or a delete marker permanently; a lifecycle rule deletes only noncurrent ones."""
        self.clock.moment += timedelta(seconds=1)
        kept = self.states[key]
        index = which % (len(kept) - by_rule)
        state = kept.pop(index)
        version = state.version_id if state else "a delete marker's"
        change = EventType.EXPIRED if by_rule else EventType.DELETED
        return ObjectEvent(ObjectAddress("in", key), change, version, self.clock.moment)

    def current(self, key: str) -> State | None:
        return self.states[key][-1] if self.states.get(key) else None

    def look(self, key: str, code: str) -> State:
        """Return the current version; raise an error with this code if S3 does not find it."""
        state = self.current(key)
        forgets = self.unsure and self.chance and self.chance.random() < FORGETFULNESS
        if state and not forgets:
            return state
        is_marked = not state and bool(self.states.get(key))
        raise _refusal(code, headers={"x-amz-delete-marker": "true"} if is_marked else {})


def _refusal(code: str, message: str = "", headers: dict[str, str] | None = None) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPHeaders": headers or {}}}
    return ClientError(response, "")


class Client:
    """The clients of S3, SQS and EventBridge for one invocation; each call first calls ``pause``."""

    _seen_last: State | None = None
    _has_looked = False

    def __init__(self, store: Store, pause: Callable[[], None]) -> None:
        self._store = store
        self._pause = pause
        self._put: dict[str, str] = {}
        self._has_removed_outputs = False

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's names
        self._pause()
        self._has_removed_outputs = False
        state = self._store.look(Key, "NoSuchKey")
        if state.body == ARCHIVED:
            raise _refusal("InvalidObjectState")
        if state.body == LOCKED:
            raise _refusal("InvalidRequest", "The object was stored using a form of Server Side Encryption.")
        return {**state.describe(), "Body": StreamingBody(io.BytesIO(state.body), len(state.body))}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._pause()
        if Bucket == "out":
            if Key not in self._store.outputs:
                raise _refusal("403")
            return {"Metadata": self._store.outputs[Key][1]}
        self._has_looked, self._seen_last = True, None
        self._seen_last = state = self._store.look(Key, "404")
        if state.body == LOCKED:
            raise _refusal("400")
        return state.describe()

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's
        self._pause()
        self._seen_last = state = self._store.current(Prefix)
        if state is None:
            return {}
        listed = {"Key": Prefix, "ETag": state.etag, "LastModified": state.last_modified, "Size": len(state.body)}
        return {"Contents": [listed]}

    def put_object(self, Key: str, Body: bytes, Metadata: dict[str, str], **_: object) -> dict[str, Any]:  # noqa: N803
        self._pause()
        self._has_looked = False
        if Key.endswith(MANIFEST_SUFFIX):
            described = json.loads(Body)["renditions"]
            assert self._has_put(described), "the manifest describes outputs that were not put"
        self._put[Key] = hashlib.sha256(Body).hexdigest()
        self._store.outputs[Key] = Body, Metadata
        return {}

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's
        self._pause()
        self._has_looked = False
        is_manifest = Key.endswith(MANIFEST_SUFFIX)
        assert not (is_manifest and self._has_removed_outputs), "outputs were removed before their manifest"
        self._has_removed_outputs = not is_manifest
        if self._store.outputs.pop(Key, None) is None:
            raise _refusal("PreconditionFailed")
        return {}

    def send_message(self, QueueUrl: str, MessageBody: str) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's names
        self._pause()
        self._store.records.append(MessageBody)
        return {}

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self._pause()
        event = json.loads(Entries[0]["Detail"])
        self._check(event)
        if self._store.chance and self._store.chance.random() < REFUSALS:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        self._store.completions.append(event)
        return {"FailedEntryCount": 0}

    def _check(self, event: dict[str, Any]) -> None:
        """Check what must hold when an event is sent, whatever happens next."""
        source, state = event["source"], self._seen_last
        assert self._has_looked, "the source was not checked after the last change of the destination"
        seen = state.reported if state else (None, None)
        assert (source["etag"], source["version_id"]) == seen, "the last check found another state"
        is_true = event["status"] != "written" or self._has_put(event["renditions"])
        assert is_true, "the destination never had these outputs"

    def _has_put(self, renditions: list[dict[str, Any]]) -> bool:
        return all(self._put.get(one["key"]) == one["sha256"] for one in renditions)


class ForgetfulClient(Client):
    """A client whose HEAD repeats the result of the last GET, as if the invocation checked nothing after writing."""

    _seen: dict[str, Any] | None = None

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._seen = None
        found = super().get_object(Bucket, Key)
        self._seen = {name: value for name, value in found.items() if name != "Body"}
        return found

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return (Bucket == "in" and self._seen) or super().head_object(Bucket, Key)


class CarelessClient(Client):
    """A client whose HEAD finds no source after a removal, as if the invocation checked nothing after removing."""

    _removed = False

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        answer = super().delete_object(Bucket, Key, IfMatch)
        self._removed = True
        return answer

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if self._removed:
            raise _refusal("404", headers={"x-amz-delete-marker": "true"})
        return super().head_object(Bucket, Key)


class Invocation:
    """One reconciliation of one object, in its own threads, which run only while :meth:`step` waits for them.

    Attributes:
        event: The event that it handles.
        ended: Whether it has ended.
        failed: Whether it ended with an error, so that its event is retried.

    """

    def __init__(self, store: Store, settings: Settings, event: ObjectEvent, client: type[Client] = Client) -> None:
        self.event = event
        self.ended = False
        self.failed = False
        self._chance = store.chance or Random(0)  # noqa: S311 - no secret
        self._crashing = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._running_threads = 0
        # Each lock is that of a thread which waits before a call.
        self._waiting: list[threading.Lock] = []
        api: Any = CheckedClient(client(store, self._pause), "s3", "sqs", "events")
        self._api = api
        completions = Completions(api, settings) if settings.event_target_arn else None
        self._reconciler = Reconciler(api, settings, completions=completions)
        InvocationThread(target=self._run, invocation=self).start()
        self._await_calls()

    def step(self) -> None:
        """Make any of the pending calls, and run up to the next ones."""
        with self._changed:
            lock = self._waiting.pop(self._chance.randrange(len(self._waiting)))
            self._running_threads += 1
        lock.release()
        self._await_calls()
        if self._error:
            raise self._error

    def crash(self) -> None:
        """End the invocation before its pending calls."""
        self._crashing = True
        while self._waiting:
            self.step()

    def count(self, change: int) -> None:
        """Add to the number of threads that run: neither waiting before a call nor for another thread."""
        with self._changed:
            self._running_threads += change
            self._changed.notify_all()

    def _await_calls(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._running_threads)

    def _pause(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        with self._changed:
            self._waiting.append(lock)
        self.count(-1)
        lock.acquire()
        if self._crashing:
            raise CrashError

    def _run(self) -> None:
        try:
            self._pause()
            outcome = self._reconciler.reconcile(self.event.address, lambda: math.inf, [self.event])
            if outcome.rejection:
                self._api.send_message(QueueUrl="", MessageBody=outcome.rejection.to_json())
        except (CrashError, UnsentError, UnsettledError):
            self.failed = True
        except Exception as error:  # noqa: BLE001 - `step` raises it
            self._error = error
        finally:
            self.ended = True


class InvocationThread(threading.Thread):
    """A thread of an invocation, by default of the one that starts it. It counts itself while it runs."""

    def __init__(self, target: Callable[[], object], invocation: Invocation | None = None) -> None:
        super().__init__(target=target, daemon=True)
        starter = threading.current_thread()
        self._invocation: Invocation = invocation or cast(InvocationThread, starter)._invocation
        self._end = threading.Lock()
        self._is_awaited = self._has_ended = False

    def start(self) -> None:
        self._invocation.count(1)
        super().start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            with self._end:
                self._has_ended = True
                # The thread that waits for this one runs now in its place.
                if not self._is_awaited:
                    self._invocation.count(-1)

    def join(self, timeout: float | None = None) -> None:
        with self._end:
            self._is_awaited = not self._has_ended
            if self._is_awaited:
                self._invocation.count(-1)
        super().join(timeout)
