"""Sends the records of the failure queue to the function again, and removes each once that is done with."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aws.outcomes import ObjectAddress
from tools.operations import CONCURRENCY
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import Choice, FailureQueue, Record
from tools.operations.function import Function, Look

PASSED_OVER_SECONDS = 900
"""How long what is not meant is hidden: longer than all others take, and it is shown again at the end."""

MARGIN_SECONDS = 60
"""How long a record is hidden beside the function's timeout: Lambda may throttle its first attempts."""

LONG_POLL_SECONDS = 20
"""The longest that SQS waits for a message."""

Advance = Callable[[], None]
"""Told of each record that is done with."""


@dataclass
class Redriven:
    """What became of the records.

    Attributes:
        statuses: How many objects are now ``written``, ``rejected`` (and recorded anew) and so on.
        failed: Records that stay, each with the function's reason: the event failed again.
        left: Records that were not meant, or are new.
        elsewhere: Records that somebody else has in hand, or had, and was killed: they come back by themselves.

    """

    statuses: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[Record, str]] = field(default_factory=list)
    left: int = 0
    elsewhere: int = 0


class Redrive:
    """One redrive: of what was in the queue before it began, and each record once.

    A record is hidden for as long as its event may take, and removed only when the function has said what became of
    its objects: by then each has its image, or a new record. Killed at any moment, a redrive leaves every record that
    is not done with; those that it had in hand are shown again when their time is over.

    Args:
        deployment: Whose queue.
        choice: Which records.
        concurrency: How many events are under way at a time.

    """

    def __init__(self, deployment: Deployment, choice: Choice, concurrency: int = CONCURRENCY) -> None:
        self._queue = FailureQueue(deployment)
        self._function = Function(deployment, concurrency)
        self._choice = choice
        self._concurrency = concurrency
        self._lease = deployment.settings.timeout_seconds + MARGIN_SECONDS
        self._seen: set[str] = set()
        self._sent: set[ObjectAddress] = set()
        # With the receipt that counts: a message that comes again has another.
        self._in_hand: dict[str, Record] = {}
        self._result = Redriven()

    def run(self, advance: Advance) -> Redriven:
        """Send all that is there.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: AWS could not do it; what is not done with is still there.

        """
        depth = self._queue.depth()
        until = time.monotonic() + self._lease if depth.in_hand else 0.0
        pending: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(self._concurrency) as pool:
                while True:
                    records = self._next(self._concurrency - len(pending), until)
                    if not records and not pending:
                        break
                    meant = self._sorted_out(records, depth.at)
                    pending |= {pool.submit(self._send, record, advance) for record in meant}
                    pending = self._finished(pending, wait_for_one=not records or len(pending) >= self._concurrency)
            self._result.left = len(self._in_hand) - len(self._result.failed)
            self._result.elsewhere = max(0, self._queue.depth().in_hand - len(self._in_hand))
        finally:
            # Only now, or they would come again at once.
            self._queue.hide(self._in_hand.values(), 0)
        return self._result

    def _next(self, room: int, until: float) -> list[Record]:
        """Receive as much as can be sent at once; wait for what somebody else has in hand, while it may come back."""
        if room <= 0:
            return []
        records = self._queue.receive(self._lease, most=room)
        others_have = True
        while not records and others_have and room == self._concurrency and time.monotonic() < until:
            # Asked first: what comes back in between is received.
            others_have = self._others_have()
            records = self._queue.receive(self._lease, most=room, wait=LONG_POLL_SECONDS)
        return records

    def _others_have(self) -> bool:
        return self._queue.depth().in_hand > len(self._in_hand)

    def _sorted_out(self, records: Sequence[Record], began: datetime) -> list[Record]:
        """What is meant of these; the others are hidden until the end, that they do not come again and again."""
        meant: list[Record] = []
        others: list[Record] = []
        for record in records:
            fits = self._choice.fits(record) and record.message_id not in self._seen and self._is_old(record, began)
            (meant if fits else others).append(record)
            self._seen.add(record.message_id)
            if fits:
                self._sent.update(record.addresses)
        self._in_hand |= {record.message_id: record for record in records}
        self._queue.hide(others, PASSED_OVER_SECONDS)
        return meant

    def _is_old(self, record: Record, began: datetime) -> bool:
        """Whether a record was there before: of the second in which all began, what is recorded anew was not."""
        # SQS tells its own time to the second.
        return record.sent < began or (
            record.sent < began + timedelta(seconds=1) and self._sent.isdisjoint(record.addresses)
        )

    def _send(self, record: Record, advance: Advance) -> None:
        look = self._function.send(record.event) if record.event is not None else Look(error="it is no event")
        if look.error:
            self._result.failed.append((record, look.error))
            return
        self._queue.delete(self._in_hand[record.message_id])
        del self._in_hand[record.message_id]
        self._result.statuses.update(look.statuses)
        advance()

    @staticmethod
    def _finished(pending: set[Future[None]], *, wait_for_one: bool) -> set[Future[None]]:
        """Raise what a thread raised; returns those that are still under way."""
        done, left = wait(pending, timeout=None if wait_for_one else 0, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        return left
