"""`invoke redrive`: sends records of the failure queue to the function again, and deletes those that succeed."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aws.outcomes import ObjectAddress
from tools.common.progress import Update, show_progress
from tools.operations import CONCURRENCY
from tools.operations.console import announcing_wait, format_counts
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import SAMPLE, FailureQueue, Record, Selection, describe_held
from tools.operations.failures import describe_record, name_record, show_records
from tools.operations.function import Function, Reply
from tools.operations.session import Session

Handle = Callable[[Record], Reply]
"""Handles a record; it is deleted after a reply without an error."""

SKIPPED_SECONDS = 900
"""Visibility timeout of records that the selection skips: longer than a redrive, which shows them at its end."""

MARGIN_SECONDS = 60
"""Added to the function's timeout for a record's visibility timeout: Lambda may throttle the first attempts."""

WAITING = "Waiting for records that another process holds"
HANDLING = "Handling records"

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
        is_complete: Whether the run received every record; otherwise, an error or Ctrl-C ended it, and the queue may
            hold more records than those counted.

    """

    statuses: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[Record, str]] = field(default_factory=list)
    skipped: int = 0
    held_elsewhere: int = 0
    is_complete: bool = False


class Redrive:
    """Sends each record that was in the queue at the start once.

    A record is hidden for as long as its event may take, and deleted after the function's reply: by then each of its
    objects has its image or a new record. A redrive that is killed loses no record; those that it held become visible
    when their timeout ends.

    Args:
        deployment: The pipeline.
        selects: Whether to handle a record.
        concurrency: Events in flight at most.
        handle: By default, sends the record to the function.

    Attributes:
        result: What happened so far.

    """

    def __init__(
        self,
        deployment: Deployment,
        selects: Callable[[Record], bool],
        concurrency: int = CONCURRENCY,
        handle: Handle | None = None,
    ) -> None:
        self.result = RedriveResult()
        self._queue = FailureQueue(deployment)
        self._function = Function(deployment, concurrency)
        self._deployment = deployment
        self._selects = selects
        self._handle = handle or self._send
        self._concurrency = concurrency
        self._visibility_seconds = deployment.settings.timeout_seconds + MARGIN_SECONDS
        self._seen: set[str] = set()
        self._sent: set[ObjectAddress] = set()
        # By message id; the latest receipt counts.
        self._held: dict[str, Record] = {}

    def run(self, update: Update) -> None:
        """Handle the records; ``update`` of a progress bar advances by one for each, also if it is skipped or fails."""
        depth = self._queue.depth()
        wait_until = time.monotonic() + self._visibility_seconds if depth.in_flight else 0.0
        pending: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(self._concurrency) as pool, announcing_wait():
                while True:
                    records = self._receive(self._concurrency - len(pending), wait_until, update)
                    if not records and not pending:
                        break
                    selected = self._select(records, depth.at, update)
                    pending |= {pool.submit(self._handle_one, record, update) for record in selected}
                    pending = self._collect(pending, wait_for_one=not records or len(pending) >= self._concurrency)
            self.result.held_elsewhere = max(0, self._queue.depth().in_flight - len(self._held))
            self.result.is_complete = True
        finally:
            self.result.skipped = len(self._held) - len(self.result.failed)
            # Release them only now: the loop would receive them again.
            self._queue.hide(self._held.values(), 0)

    def _receive(self, room: int, wait_until: float, update: Update) -> list[Record]:
        """Receive as many records as can be sent now; wait for records that a killed process may have held."""
        if room <= 0:
            return []
        records = self._queue.receive(self._visibility_seconds, limit=room)
        others_hold = True
        while not records and others_hold and room == self._concurrency and time.monotonic() < wait_until:
            update(description=WAITING)
            # Ask before receiving: a record that is released in between is received.
            others_hold = self._queue.depth().in_flight > len(self._held)
            records = self._queue.receive(self._visibility_seconds, limit=room, wait=LONG_POLL_SECONDS)
        return records

    def _select(self, records: Sequence[Record], began: datetime, update: Update) -> list[Record]:
        """Return the records to send; hide the others until the end, so that they aren't received again and again."""
        selected: list[Record] = []
        skipped: list[Record] = []
        for record in records:
            is_due = record.message_id not in self._seen and self._is_old(record, began)
            is_selected = is_due and self._selects(record)
            (selected if is_selected else skipped).append(record)
            self._seen.add(record.message_id)
            if is_selected:
                self._sent.update(record.addresses)
            update(description=HANDLING, advance=int(is_due and not is_selected))
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

    def _handle_one(self, record: Record, update: Update) -> None:
        reply = self._handle(record)
        update(advance=1)
        if reply.error:
            self.result.failed.append((record, reply.error))
            return
        self._queue.delete(self._held[record.message_id])
        del self._held[record.message_id]
        self.result.statuses.update(reply.statuses)

    def _send(self, record: Record) -> Reply:
        obstacle = record.find_obstacle(self._deployment.settings.source_bucket)
        if record.event is None or obstacle:
            return Reply(error=f"{obstacle}: see `{self._deployment.discard_command}`")
        return self._function.invoke(record.event)

    @staticmethod
    def _collect(pending: set[Future[None]], *, wait_for_one: bool) -> set[Future[None]]:
        """Raise the threads' errors, and return the unfinished futures."""
        done, unfinished = wait(pending, timeout=None if wait_for_one else 0, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        return unfinished


def show_redrive(session: Session, selection: Selection) -> None:
    """Print the records that :func:`redrive` would send again, and leave them in the queue."""
    sample = session.read_failures(SAMPLE)
    bucket = session.deployment.settings.source_bucket
    selected = [record for record in sample.records if selection.matches(record)]
    usable = Counter(record.reason for record in selected if not record.find_obstacle(bucket))
    show_records(session, selected)
    say, skipped = session.console.text, len(sample.records) - len(selected)
    say(f"Would send again: {format_counts(usable)}. Not selected: {skipped:,}.")
    if unusable := len(selected) - usable.total():
        say(_describe_unusable(unusable, session.deployment))
    for note in sample.notes():
        say(note)
    if usable:
        say("Nothing was sent. Run again with --yes to send.")
    session.console.json({**sample.counts(selected), "would_send": usable.total()})


def redrive(session: Session, selection: Selection) -> bool:
    """Send records again, and delete those that succeed; returns whether all selected records succeeded."""
    depth = FailureQueue(session.deployment).depth()
    work = Redrive(session.deployment, selection.matches, session.concurrency)
    try:
        with show_progress(HANDLING, depth.visible) as update:
            work.run(update)
    finally:
        # An error or Ctrl-C may have ended the run: print what was done before.
        _print_result(session, work.result)
    return not work.result.failed and not work.result.held_elsewhere


def _print_result(session: Session, result: RedriveResult) -> None:
    console, bucket = session.console, session.deployment.settings.source_bucket
    for record, error in result.failed:
        console.json({**describe_record(record, bucket), "error": error})
    console.table(("KEY", "ERROR"), [(name_record(record), error) for record, error in result.failed])
    unusable = sum(bool(record.find_obstacle(bucket)) for record, _ in result.failed)
    sent = {"rejected again" if name == "rejected" else name: count for name, count in result.statuses.items()}
    sent["failed"] = len(result.failed) - unusable
    left = f" Not selected, or new: {result.skipped:,}." if result.is_complete else ""
    console.text(f"Sent again: {format_counts(sent)}.{left}")
    if unusable:
        console.text(_describe_unusable(unusable, session.deployment))
    if result.held_elsewhere:
        console.text(describe_held(result.held_elsewhere))
    console.json(
        {
            "sent": {**result.statuses, "failed": len(result.failed)},
            "left": result.skipped if result.is_complete else None,
            "elsewhere": result.held_elsewhere if result.is_complete else None,
        }
    )


def _describe_unusable(count: int, deployment: Deployment) -> str:
    return f"Not sent, because the function can't use them: {count:,}. `{deployment.discard_command}` shows them."
