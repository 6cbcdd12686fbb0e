"""A simulated S3 and SQS, and invocations that stop before each of their calls until a scheduler lets them go on."""

import hashlib
import io
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from aws.outcomes import EventType, ObjectAddress, ObjectEvent
from aws.reconcile import Reconciler
from aws.settings import Settings
from errors import UnsettledError

CORRUPT, ARCHIVED, LOCKED = b"corrupt", b"archived", b"locked"
"""What is no image; what GET refuses; what HEAD refuses too, as it does where the key is its uploader's."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

UNSURE = timedelta(minutes=15)
"""How long from ``EPOCH``, when versions are first kept, S3 may not know a version that is there."""


class Clock:
    """The time of the simulation, in place of ``datetime``."""

    moment = EPOCH

    def now(self, _: object) -> datetime:
        return self.moment


FORGETFULNESS = 0.2
"""The share of requests to which S3, as long as it is unsure, says that what is there is not."""


class CrashError(BaseException):
    """An invocation dies where it stands. No Exception, for nothing may catch it."""


@dataclass(frozen=True)
class State:
    """A source object between two changes of it."""

    body: bytes
    album: str
    version_id: str | None
    last_modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'

    def described(self) -> dict[str, Any]:
        """What S3 says of it to GET and HEAD."""
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
    """Both buckets and the failure queue; strongly consistent, as S3 is once it knows that versions are kept.

    Attributes:
        chance: Decides whether S3 knows a version, as long as it is unsure; None where it knows them from the start.
        states: Of each source key all that is kept, the current state last; None is a delete marker.
        outputs: The destination: body and metadata by key.
        records: What was sent to the queue.

    """

    versioned: bool
    clock: Clock = field(default_factory=Clock)
    chance: Random | None = None
    states: dict[str, list[State | None]] = field(default_factory=dict)
    outputs: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)
    _changes: int = 0

    @property
    def unsure(self) -> bool:
        """Whether S3 may not know a version that is there."""
        return self.chance is not None and self.versioned and self.clock.moment - EPOCH < UNSURE

    def change(self, key: str, body: bytes | None, album: str = "") -> ObjectEvent:
        """Upload to a source key, or delete it. A second passes, which is what S3's dates tell."""
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
        """Delete a version or a delete marker for good; a lifecycle rule deletes only what is not current."""
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
        """What S3 answers with; an error with this code where it says that there is nothing."""
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
    """S3 and SQS for one invocation; ``pause`` is called before each call has its effect."""

    def __init__(self, store: Store, pause: Callable[[], None]) -> None:
        self._store = store
        self._pause = pause

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's names
        self._pause()
        state = self._store.look(Key, "NoSuchKey")
        if state.body == ARCHIVED:
            raise _refusal("InvalidObjectState")
        if state.body == LOCKED:
            raise _refusal("InvalidRequest", "The object was stored using a form of Server Side Encryption.")
        return {**state.described(), "Body": StreamingBody(io.BytesIO(state.body), len(state.body))}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._pause()
        if Bucket == "out":
            if Key not in self._store.outputs:
                raise _refusal("403")
            return {"Metadata": self._store.outputs[Key][1]}
        state = self._store.look(Key, "404")
        if state.body == LOCKED:
            raise _refusal("400")
        return state.described()

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's
        self._pause()
        state = self._store.current(Prefix)
        if state is None:
            return {}
        listed = {"Key": Prefix, "ETag": state.etag, "LastModified": state.last_modified, "Size": len(state.body)}
        return {"Contents": [listed]}

    def put_object(self, Key: str, Body: bytes, Metadata: dict[str, str], **_: object) -> None:  # noqa: N803 - boto3's
        self._pause()
        self._store.outputs[Key] = Body, Metadata

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> None:  # noqa: N803, ARG002 - boto3's names
        self._pause()
        if self._store.outputs.pop(Key, None) is None:
            raise _refusal("PreconditionFailed")

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803, ARG002 - boto3's names
        self._pause()
        self._store.records.append(MessageBody)


class ForgetfulClient(Client):
    """The same for an invocation that does not look again at what it read: it is told once more what it was told."""

    _seen: dict[str, Any] | None = None

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._seen = None
        self._seen = super().get_object(Bucket, Key)
        return self._seen

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return (Bucket == "in" and self._seen) or super().head_object(Bucket, Key)


class CarelessClient(Client):
    """The same for an invocation that does not look again once it has removed outputs."""

    _removed = False

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> None:  # noqa: N803 - boto3's names
        super().delete_object(Bucket, Key, IfMatch)
        self._removed = True

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if self._removed:
            raise _refusal("404", headers={"x-amz-delete-marker": "true"})
        return super().head_object(Bucket, Key)


class Invocation:
    """One look at one object, in a thread of its own that runs only while :meth:`step` waits for it.

    Attributes:
        event: What it is told.
        ended: Whether there is nothing more to do.
        failed: Whether it is to be tried again, once it has ended.

    """

    def __init__(self, store: Store, settings: Settings, event: ObjectEvent, client: type[Client] = Client) -> None:
        self.event = event
        self.ended = False
        self.failed = False
        self._crashing = False
        self._error: Exception | None = None
        # Whoever waits for its turn waits to acquire one, which the other releases.
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        api: Any = client(store, self._pause)
        self._api = api
        self._reconciler = Reconciler(api, settings)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it make the call that it stands before, and go on to the next."""
        self._go.release()
        self._stopped.acquire()
        if self._error:
            raise self._error

    def crash(self) -> None:
        """Let it die before that call, or before its first."""
        self._crashing = True
        while not self.ended:
            self.step()

    def _pause(self) -> None:
        self._stopped.release()
        self._go.acquire()
        if self._crashing:
            raise CrashError

    def _run(self) -> None:
        self._go.acquire()
        try:
            outcome = self._reconciler.reconcile(self.event.address, lambda: math.inf, [self.event])
            if outcome.rejection:
                self._api.send_message("", outcome.rejection.to_json())
        except (CrashError, UnsettledError):
            self.failed = True
        except Exception as error:  # noqa: BLE001 - it is raised where somebody sees it
            self._error = error
        finally:
            self.ended = True
            self._stopped.release()
