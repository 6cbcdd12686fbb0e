"""A model of concurrent changes: in whatever order calls interleave, the destination finally matches the source."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from aws import destination, reconcile
from aws.completion import Completions
from aws.description import Description
from aws.destination import Destination
from aws.outcomes import ObjectAddress, ObjectEvent, Outcome, Status
from aws.reconcile import Reconciler
from aws.settings import Settings
from aws.source import Identity
from errors import Reason, RejectedError, UnsentError
from imaging.limits import Limits
from imaging.render import Output, Rendered
from key_template import KeyTemplate
from renditions import MetadataPolicy, Rendition
from tests.unit.simulation import (
    ARCHIVED,
    CORRUPT,
    EPOCH,
    LOCKED,
    UNSURE,
    CarelessClient,
    Client,
    Clock,
    ForgetfulClient,
    Invocation,
    InvocationThread,
    State,
    Store,
)
from tools.common.progress import show_progress

RENDITIONS = (Rendition("large", scale=0.5), Rendition("small", scale=0.1))
KEYS = st.sampled_from(["cake.jpg", "cake.jpg", "cake.jpg", "tart.jpg"])
BODIES = st.sampled_from([b"one", b"two", b"one", b"two", b"one", CORRUPT, ARCHIVED, LOCKED])
ALBUMS = st.sampled_from(["", "summer"])
WHICH = st.integers(0, 9)
SELDOM = st.sampled_from([False, False, False, False, True])
MANIFEST = KeyTemplate.of("{dir}{name}.renditions.json", "")
REASONS = {CORRUPT: Reason.CORRUPT, ARCHIVED: Reason.ARCHIVED, LOCKED: Reason.CUSTOMER_KEY}

clock = Clock()

MAX_TURNS = 1000
"""More turns than all events and invocations take to end."""

SHORT = settings(stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
# Without shrinking: any failing example is enough.
UNTIL_FOUND = settings(SHORT, max_examples=5000, derandomize=True, database=None, phases=[Phase.generate])


def render_names(body: bytes, renditions: Sequence[Rendition], **_: object) -> Rendered:
    """Return outputs that name their rendition and source, instead of images."""
    if body == CORRUPT:
        raise RejectedError(Reason.CORRUPT, "the body is corrupt")
    outputs = [Output(name_output(body, rendition), "image/jpeg", 1, 1) for rendition in renditions]
    return Rendered(outputs, pixels=0, size=(1, 1))


def name_output(body: bytes, rendition: Rendition) -> bytes:
    return rendition.name.encode() + b" of " + body


class Race(RuleBasedStateMachine):
    """Interleaves uploads, deletions and the invocations for their events, call by call."""

    client: type[Client] = Client
    mirrors_versions = False
    """Whether every history mirrors deletions, in buckets that have long been versioned."""

    sends_events = False
    """Whether every history sends completion events."""

    @initialize(
        seed=st.integers(0, 1_000_000),
        versioned=st.booleans(),
        unsure=st.booleans(),
        mirror_deletes=st.booleans(),
        manifest=st.booleans(),
    )
    def deploy(self, seed: int, *, versioned: bool, unsure: bool, mirror_deletes: bool, manifest: bool) -> None:
        if self.mirrors_versions:
            versioned, unsure, mirror_deletes = True, False, True
        clock.moment = EPOCH if unsure else EPOCH + UNSURE
        self.chance = Random(seed)  # noqa: S311 - no secret
        self.store = Store(versioned, clock, self.chance)
        self.settings = Settings(
            "in",
            "out",
            "queue",
            RENDITIONS,
            MetadataPolicy.NONE,
            Limits(1 << 30),
            mirror_deletes=mirror_deletes,
            event_target_arn="bus" if self.sends_events else None,
            manifest=MANIFEST if manifest else None,
        )
        self.events: list[ObjectEvent] = []
        self.running: list[Invocation] = []

    @rule(key=KEYS, body=BODIES, album=ALBUMS)
    def upload(self, key: str, body: bytes, album: str) -> None:
        self._change(key, body, album)

    @rule(key=KEYS, album=ALBUMS)
    def upload_the_same_bytes_again(self, key: str, album: str = "new") -> None:
        state = self.store.current(key)
        if state is not None:
            self._change(key, state.body, album)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        if self.store.current(key) is not None and not self.store.unsure:
            self._change(key, None)

    @rule(key=KEYS, which=WHICH, by_rule=st.booleans(), settled=st.booleans())
    def delete_version(self, key: str, which: int, *, by_rule: bool, settled: bool = False) -> None:
        if settled:
            # Otherwise a pending event of another change repairs what this one breaks.
            self.settle()
        if self.store.versioned and len(self.store.states.get(key, [])) > by_rule and not self.store.unsure:
            self.events.append(self.store.delete_version(key, which, by_rule=by_rule))

    @rule()
    def time_passes(self) -> None:
        """Pass the time after which S3 finds every version."""
        clock.moment += UNSURE

    @precondition(lambda self: self.events)
    @rule(which=WHICH, is_redelivered=SELDOM)
    def invoke(self, which: int, *, is_redelivered: bool) -> None:
        """Start an invocation for any event."""
        event = self.events[which % len(self.events)]
        if not is_redelivered:
            self.events.remove(event)
        self.running.append(Invocation(self.store, self.settings, event, self.client))

    @precondition(lambda self: self.running)
    @rule(which=WHICH, calls=st.integers(1, 4), dies=SELDOM)
    def continue_running(self, which: int, calls: int, *, dies: bool) -> None:
        invocation = self.running[which % len(self.running)]
        for _ in range(calls):
            if not invocation.ended:
                invocation.step()
        if dies and not invocation.ended:
            invocation.crash()
        self._collect()

    @precondition(lambda self: self.running)
    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        invocation = self.running[which % len(self.running)]
        while not invocation.ended:
            invocation.step()
        self._collect()

    @rule(seed=st.integers(0, 1_000_000), turns=st.integers(1, 50))
    def take_many_turns(self, seed: int, turns: int) -> None:
        """Take many random steps in one rule, because Hypothesis rarely combines many rules."""
        chance = Random(seed)  # noqa: S311 - no secret
        for _ in range(turns):
            key, album = chance.choice(["cake.jpg", "tart.jpg"]), chance.choice(["", "summer"])
            if chance.random() < 0.1:
                self.upload(key, chance.choice([b"one", b"two", CORRUPT]), album)
            elif chance.random() < 0.15:
                chance.choice([self.delete, self.delete, self.upload_the_same_bytes_again])(key)
            elif chance.random() < 0.1:
                self.delete_version(key, chance.randrange(10), by_rule=chance.random() < 0.5)
            else:
                self._turn(chance)

    def settle(self) -> None:
        """Handle all pending events, in any order."""
        for _ in range(MAX_TURNS):
            if not self.events + self.running:
                return
            self._turn(self.chance)
        raise AssertionError(f"events or invocations are left after {MAX_TURNS} turns")

    def teardown(self) -> None:
        """Check the destination after all events."""
        try:
            self.settle()
            for key in self.store.states:
                self._check(key)
        finally:
            for invocation in self.running:
                invocation.crash()

    def _turn(self, chance: Random) -> None:
        """Start or continue an invocation; prefer the newest, so that old events often come last."""
        if self.events and chance.random() < 0.6:
            self.invoke(chance.choice([chance.randrange(10), len(self.events) - 1]), is_redelivered=False)
        elif self.running:
            which = chance.choice([chance.randrange(10), len(self.running) - 1])
            self.continue_running(which, chance.choice([1, 2, 3, 9]), dies=False)

    def _change(self, key: str, body: bytes | None, album: str = "") -> None:
        self.events.append(self.store.change(key, body, album))

    def _collect(self) -> None:
        failed = [one.event for one in self.running if one.ended and one.failed]
        self.events += failed
        # Lambda waits before it tries again.
        clock.moment += timedelta(minutes=len(failed))
        self.running = [one for one in self.running if not one.ended]

    def _check(self, key: str) -> None:
        state = self.store.current(key)
        outputs = [self.store.outputs.get(rendition.output_key(key)) for rendition in RENDITIONS]
        manifest = self.store.outputs.get(MANIFEST.fill(key))
        assert manifest is None or self.settings.manifest
        if state is None:
            assert [*outputs, manifest] == [None, None, None] or not self.settings.mirror_deletes
        elif state.body in REASONS:
            found = [json.loads(record) for record in self.store.records]
            assert (key, state.etag, REASONS[state.body]) in {(one["key"], one["etag"], one["reason"]) for one in found}
        else:
            expected = [self._expect_output(state, rendition) for rendition in RENDITIONS]
            assert outputs == expected, "the outputs are of another state"
            if self.settings.manifest:
                assert manifest is not None
                self._check_manifest(key, state, *manifest)
        if self.sends_events and (state or self.settings.mirror_deletes):
            self._check_last_event(key, state)

    def _check_last_event(self, key: str, state: State | None) -> None:
        """Check that a consumer that keeps the event with the latest time has the final state."""
        events = [one for one in self.store.completions if one["source"]["key"] == key]
        assert events, "no event was sent"
        last = max(events, key=lambda one: str(one["confirmed_at"]))
        if state is None:
            assert last["status"] == "removed"
            return
        reported = last["source"]["etag"], last["source"]["version_id"]
        assert reported == state.reported, "the last event is about an older state"
        assert last["reason"] == REASONS.get(state.body)
        assert last["status"] == ("rejected" if state.body in REASONS else "written")

    def _expect_output(self, state: State, rendition: Rendition) -> tuple[bytes, dict[str, str]]:
        metadata = {"album": state.album, "resized-by": rendition.digest(MetadataPolicy.NONE)}
        return name_output(state.body, rendition), metadata | name_state(state)

    def _check_manifest(self, key: str, state: State, body: bytes, metadata: dict[str, str]) -> None:
        """Check that a manifest describes the state of the source and the outputs that are there."""
        manifest = json.loads(body)
        source = {name: manifest["source"][name] for name in ("key", "version_id", "etag")}
        assert source == {"key": key, "version_id": state.version_id, "etag": state.etag.strip('"')}
        assert metadata.items() >= name_state(state).items()
        there = [(one["key"], self.store.outputs[one["key"]][0]) for one in manifest["renditions"]]
        assert [key for key, _ in there] == [rendition.output_key(key) for rendition in RENDITIONS]
        sums = [(len(body), hashlib.sha256(body).hexdigest()) for _, body in there]
        assert [(one["bytes"], one["sha256"]) for one in manifest["renditions"]] == sums


def name_state(state: State) -> dict[str, str]:
    """Return the metadata that names the state of a source."""
    return {
        "resized-from-etag": state.etag.strip('"'),
        "resized-from-modified": state.last_modified.isoformat(),
        "resized-from-version": state.version_id or "null",
    }


class ForgetfulRace(Race):
    """Invocations that don't check the source after writing."""

    client = ForgetfulClient


class EventRace(Race):
    """Every history sends completion events."""

    sends_events = True

    @precondition(lambda self: self.store.versioned and not self.store.unsure)
    @rule(key=KEYS)
    def delete_the_newest_version(self, key: str) -> None:
        """Make an older version current, whose event and outputs were replaced long ago."""
        for body in (b"one", b"two"):
            self.upload(key, body, "")
        self.settle()
        self.delete_version(key, -1, by_rule=False)


class DeletionRace(Race):
    """Every history mirrors deletions in versioned buckets."""

    mirrors_versions = True


class CarelessRace(DeletionRace):
    """Invocations that don't check the source after removing."""

    client = CarelessClient


@pytest.fixture(autouse=True)
def no_pillow() -> Iterator[None]:
    with (
        patch.object(reconcile, "render", render_names),
        patch.object(destination, "Thread", InvocationThread),
        patch.object(reconcile, "datetime", clock),
        patch.object(reconcile.logger, "disabled", new=True),
    ):
        yield


@pytest.mark.soak(few=400, many=20_000)
@pytest.mark.parametrize("race", [Race, EventRace])
def test_the_destination_finally_matches_the_source(count: int, race: type[Race]) -> None:
    with show_progress("Running histories", count) as update:

        class CountedRace(race):  # type: ignore[valid-type, misc]  # a parameter
            def teardown(self) -> None:
                super().teardown()
                update(advance=1)

        run_state_machine_as_test(CountedRace, settings=settings(SHORT, max_examples=count))


def has_same_etag(one: Identity, other: Any) -> bool:
    return isinstance(other, Identity) and one.etag == other.etag


def describe_once() -> contextlib.AbstractContextManager[object]:
    """Have each source described only once, as if a manifest were not replaced with its outputs."""
    described: dict[str, Description] = {}
    describe = Reconciler._describe

    def describe_first(self: Reconciler, address: ObjectAddress, *arguments: Any) -> Description:
        return described.setdefault(address.key, describe(self, address, *arguments))

    return patch.object(Reconciler, "_describe", describe_first)


def put_manifest_first(put: Any) -> Any:
    """Return ``Destination.put``, which then writes the manifest before the outputs."""

    def put_twice(self: Destination, description: Description, outputs: Sequence[Output], source: Any) -> None:
        put(self, description, [], source)
        put(self, description, outputs, source)

    return put_twice


@pytest.mark.parametrize(
    ("race", "change"),
    [
        (ForgetfulRace, contextlib.nullcontext()),
        (CarelessRace, contextlib.nullcontext()),
        (Race, patch.object(reconcile, "PROPAGATION", timedelta(0))),
        (DeletionRace, patch.object(Destination, "has_outputs_of", return_value=True)),
        (Race, patch.object(Identity, "__eq__", has_same_etag)),
        (Race, patch.object(InvocationThread, "join")),
        (Race, describe_once()),
        (Race, patch.object(Destination, "put", put_manifest_first(Destination.put))),
        (Race, patch.object(destination, "reversed", iter, create=True)),
    ],
    ids=[
        "no check after writing",
        "no check after removing",
        "no wait for S3",
        "no check of outputs",
        "ETag alone",
        "no wait for puts",
        "an older manifest",
        "the manifest before the outputs",
        "outputs removed before the manifest",
    ],
)
def test_a_broken_implementation_is_found(race: type[Race], change: contextlib.AbstractContextManager[object]) -> None:
    with change, pytest.raises(AssertionError):
        run_state_machine_as_test(race, settings=UNTIL_FOUND)


def send_early(write: Any) -> Any:
    """Return ``Reconciler._write_outputs``, which then also sends the event that belongs after the last check."""

    def write_outputs(reconciler: Reconciler, address: ObjectAddress, response: Any, seconds_left: Any) -> Description:
        description: Description = write(reconciler, address, response, seconds_left)
        assert reconciler.completions
        outcome = Outcome(Status.WRITTEN, address)
        reconciler.completions.send(outcome, clock.now(UTC), Identity.of(response), description)
        return description

    return write_outputs


def ignore_refusals(put: Any) -> Any:
    """Return ``Completions._put``, which then takes a refused event for sent."""

    def put_anyway(*arguments: Any) -> None:
        with contextlib.suppress(UnsentError):
            put(*arguments)

    return put_anyway


def trust_outputs(is_noncurrent: Any) -> Any:
    """Return ``Reconciler._is_noncurrent_deletion``, which then takes outputs for a sign of their completion event."""

    def is_noncurrent_without_events(reconciler: Reconciler, *arguments: Any) -> bool:
        found: bool = is_noncurrent(replace(reconciler, completions=None), *arguments)
        return found

    return is_noncurrent_without_events


class ForgetfulEventRace(EventRace):
    """Invocations that send events, but don't check the source after writing."""

    client = ForgetfulClient


@pytest.mark.parametrize(
    ("race", "change", "finding"),
    [
        (ForgetfulEventRace, contextlib.nullcontext(), "the source was not checked"),
        (
            EventRace,
            patch.object(Reconciler, "_write_outputs", send_early(Reconciler._write_outputs)),
            "was not checked",
        ),
        (
            EventRace,
            patch.object(Identity, "__eq__", has_same_etag),
            "the last check found another state|the outputs are of another state",
        ),
        (EventRace, patch.object(Destination, "put"), "the destination never had these outputs"),
        (
            EventRace,
            patch.object(Completions, "_put", ignore_refusals(Completions._put)),
            "no event was sent|the last event is about an older state",
        ),
        (
            EventRace,
            patch.object(Reconciler, "_is_noncurrent_deletion", trust_outputs(Reconciler._is_noncurrent_deletion)),
            "the last event is about an older state",
        ),
    ],
    ids=[
        "no check after writing",
        "sent before the check",
        "ETag alone",
        "no puts",
        "refusals are ignored",
        "outputs without an event",
    ],
)
def test_broken_completion_events_are_found(
    race: type[Race], change: contextlib.AbstractContextManager[object], finding: str
) -> None:
    with change, pytest.raises(AssertionError, match=finding):
        run_state_machine_as_test(race, settings=UNTIL_FOUND)
