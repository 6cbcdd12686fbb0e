"""`invoke failures` and `invoke redrive`: print the failure queue's records, and send them to the function again."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aws.outcomes import ObjectAddress
from tools.operations import CONCURRENCY
from tools.operations.console import format_age, format_counts
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import FailureQueue, Record, Selection
from tools.operations.function import Function, Reply
from tools.operations.session import Session

SAMPLE = 1000
"""Records that `invoke failures` reads."""

SKIPPED_SECONDS = 900
"""Visibility timeout of records that the selection skips: longer than a redrive, which shows them at its end."""

MARGIN_SECONDS = 60
"""Added to the function's timeout for a record's visibility timeout: Lambda may throttle the first attempts."""

LONG_POLL_SECONDS = 20
"""SQS's limit on waiting for a message."""


@dataclass
class RedriveResult:
    """What happened to the records.

    Attributes:
        statuses: Number of objects by the function's status; ``rejected`` ones have a new record.
        failed: Records that stay because their event failed again, each with the error.
        skipped: Records that the selection skips, or that are new.
        held_elsewhere: Records that another process is working on, or was when it was killed; they become visible again
            by themselves.

    """

    statuses: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[Record, str]] = field(default_factory=list)
    skipped: int = 0
    held_elsewhere: int = 0


class Redrive:
    """Sends each record that was in the queue at the start once.

    A record is hidden for as long as its event may take, and deleted after the function's reply: by then each of its
    objects has its image or a new record. A redrive that is killed loses no record; those that it held become visible
    when their timeout ends.

    Args:
        deployment: The pipeline.
        selection: Which records.
        concurrency: Events in flight at most.

    """

    def __init__(self, deployment: Deployment, selection: Selection, concurrency: int = CONCURRENCY) -> None:
        self._queue = FailureQueue(deployment)
        self._function = Function(deployment, concurrency)
        self._selection = selection
        self._concurrency = concurrency
        self._visibility_seconds = deployment.settings.timeout_seconds + MARGIN_SECONDS
        self._seen: set[str] = set()
        self._sent: set[ObjectAddress] = set()
        # By message id; the latest receipt counts.
        self._held: dict[str, Record] = {}
        self._result = RedriveResult()

    def run(self, advance: Callable[[], None]) -> RedriveResult:
        """Send the records; ``advance`` is called after each success."""
        depth = self._queue.depth()
        wait_until = time.monotonic() + self._visibility_seconds if depth.in_flight else 0.0
        pending: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(self._concurrency) as pool:
                while True:
                    records = self._receive(self._concurrency - len(pending), wait_until)
                    if not records and not pending:
                        break
                    selected = self._select(records, depth.at)
                    pending |= {pool.submit(self._send, record, advance) for record in selected}
                    pending = self._collect(pending, wait_for_one=not records or len(pending) >= self._concurrency)
            self._result.skipped = len(self._held) - len(self._result.failed)
            self._result.held_elsewhere = max(0, self._queue.depth().in_flight - len(self._held))
        finally:
            # Release them only now: the loop would receive them again.
            self._queue.hide(self._held.values(), 0)
        return self._result

    def _receive(self, room: int, wait_until: float) -> list[Record]:
        """Receive as many records as can be sent now; wait for records that a killed process may have held."""
        if room <= 0:
            return []
        records = self._queue.receive(self._visibility_seconds, limit=room)
        others_hold = True
        while not records and others_hold and room == self._concurrency and time.monotonic() < wait_until:
            # Ask before receiving: a record that is released in between is received.
            others_hold = self._queue.depth().in_flight > len(self._held)
            records = self._queue.receive(self._visibility_seconds, limit=room, wait=LONG_POLL_SECONDS)
        return records

    def _select(self, records: Sequence[Record], began: datetime) -> list[Record]:
        """Return the records to send; hide the others until the end, so that they aren't received again and again."""
        selected: list[Record] = []
        skipped: list[Record] = []
        for record in records:
            is_selected = (
                self._selection.matches(record) and record.message_id not in self._seen and self._is_old(record, began)
            )
            (selected if is_selected else skipped).append(record)
            self._seen.add(record.message_id)
            if is_selected:
                self._sent.update(record.addresses)
        self._held |= {record.message_id: record for record in records}
        self._queue.hide(skipped, SKIPPED_SECONDS)
        return selected

    def _is_old(self, record: Record, began: datetime) -> bool:
        """Whether a record was in the queue at the start.

        SQS's clock has whole seconds: in the first second, a record about an object that was sent already is new.
        """
        return record.sent < began or (
            record.sent < began + timedelta(seconds=1) and self._sent.isdisjoint(record.addresses)
        )

    def _send(self, record: Record, advance: Callable[[], None]) -> None:
        reply = Reply(error="not an event") if record.event is None else self._function.invoke(record.event)
        if reply.error:
            self._result.failed.append((record, reply.error))
            return
        self._queue.delete(self._held[record.message_id])
        del self._held[record.message_id]
        self._result.statuses.update(reply.statuses)
        advance()

    @staticmethod
    def _collect(pending: set[Future[None]], *, wait_for_one: bool) -> set[Future[None]]:
        """Raise the threads' errors, and return the unfinished futures."""
        done, unfinished = wait(pending, timeout=None if wait_for_one else 0, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        return unfinished


def show_failures(session: Session, selection: Selection) -> None:
    """Print records of the failure queue, and leave them there."""
    queue = FailureQueue(session.deployment)
    total = queue.depth().total
    with session.console.progress("Reading the failure queue"):
        sample = queue.sample(SAMPLE)
    records = [record for record in sample if selection.matches(record)]
    for record in records:
        session.console.json(_to_json(record))
    now = datetime.now(UTC)
    rows = [(record.reason, _keys(record), format_age(now - record.sent), record.message) for record in records]
    session.console.table(("REASON", "KEY", "AGE", "MESSAGE"), rows)
    reasons = Counter(record.reason for record in records)
    session.console.text(
        f"{format_counts(reasons)}. SQS can't list all messages: the sample has {len(sample):,} of about {total:,}."
    )
    session.console.json({"reasons": dict(reasons), "sample": len(sample), "approximate_total": total})


def redrive(session: Session, selection: Selection) -> bool:
    """Send records again, and delete those that succeed; returns whether all selected records succeeded."""
    visible = FailureQueue(session.deployment).depth().visible
    with session.console.progress("Sending again", visible) as update:
        result = Redrive(session.deployment, selection, session.concurrency).run(lambda: update(advance=1))
    for record, error in result.failed:
        session.console.json({**_to_json(record), "error": error})
    session.console.table(("KEY", "ERROR"), [(_keys(record), error) for record, error in result.failed])
    counts = {**result.statuses, "failed": len(result.failed)}
    session.console.text(f"Sent again: {format_counts(counts)}. Not selected, or new: {result.skipped:,}")
    if result.held_elsewhere:
        session.console.text(
            f"Another process holds about {result.held_elsewhere:,} more, or held them when it was killed: "
            "run this again in 15 minutes."
        )
    session.console.json({"sent": counts, "left": result.skipped, "elsewhere": result.held_elsewhere})
    return not result.failed and not result.held_elsewhere


def _to_json(record: Record) -> dict[str, object]:
    return {
        "reason": record.reason,
        "keys": [address.key for address in record.addresses],
        "etag": record.etag,
        "message": record.message,
        "sent": record.sent.isoformat(timespec="seconds"),
    }


def _keys(record: Record) -> str:
    return ", ".join(address.key for address in record.addresses) or "-"
