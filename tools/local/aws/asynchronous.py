"""Lambda's asynchronous invocation: a queue, retries, a maximum age, and a record of what failed for good."""

import heapq
import itertools
import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tools.local.aws.environment import FunctionSpec
from tools.local.aws.pool import Pool, ReservedError, TooManyInvocationsError

THROTTLE_SECONDS, LONGEST_THROTTLE_SECONDS = 0.05, 1
"""How long a throttled event waits at first, and at most; on AWS a second, and five minutes."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What is to happen to a function's events when it fails: its event invoke configuration.

    Attributes:
        retries: How often an event is tried again.
        max_age: Seconds after which it is not.
        on_failure: ARN of the queue that gets a record; None where nobody is told.

    """

    retries: int = 2
    max_age: int = 21600
    on_failure: str | None = None


@dataclass(frozen=True)
class Event:
    """An event on its way to a function.

    Attributes:
        arrived: When it was accepted, on the monotonic clock, in seconds.
        attempts: How often it has been tried.
        throttled: Seconds that it last waited, because as many of the function ran as are reserved for it.
        reply: What the function answered last; None before it was tried.

    """

    arn: str
    payload: bytes
    request_id: str
    arrived: float
    attempts: int = 0
    throttled: float = 0
    reply: bytes | None = None


Lookup = Callable[[str], tuple[FunctionSpec, Terms] | None]
"""Gives a function as it is now, by its ARN; None where it is gone."""

SendRecord = Callable[[FunctionSpec, str, str], None]
"""Puts a function's record into the queue of an ARN."""


class AsynchronousQueue:
    """Accepts events at once and brings them to their functions.

    Args:
        pool: Where functions run.
        workers: How many events may be under way.
        retry_delays: Seconds before the first and the second retry; Lambda waits one minute, then two.
        lookup: Gives the function as it is when its event is tried.
        send_record: Gets the record of an event that failed for good.

    """

    def __init__(
        self, pool: Pool, workers: int, retry_delays: tuple[float, ...], lookup: Lookup, send_record: SendRecord
    ) -> None:
        self._pool = pool
        self._retry_delays = retry_delays
        self._lookup = lookup
        self._send_record = send_record
        self._due: list[tuple[float, int, Event]] = []
        self._order = itertools.count()
        self._open: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closing = False
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for worker in self._workers:
            worker.start()

    def accept(self, arn: str, payload: bytes) -> str:
        """Take an event over; returns the id of its request."""
        event = Event(arn, payload, str(uuid.uuid4()), time.monotonic())
        self._schedule(event, time.monotonic())
        return event.request_id

    def backlog(self, arn: str) -> int:
        """Tell how many events of a function have not ended: waiting, under way, or to be tried again."""
        with self._changed:
            return self._open[arn]

    def close(self) -> None:
        """Begin nothing new."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for what is under way."""
        for worker in self._workers:
            worker.join()

    def _schedule(self, event: Event, due: float) -> None:
        with self._changed:
            self._open[event.arn] += 1
            heapq.heappush(self._due, (due, next(self._order), event))
            self._changed.notify()

    def _work(self) -> None:
        while (event := self._next()) is not None:
            try:
                found = self._lookup(event.arn)
                if found is not None:
                    self._try(event, *found)
            except Exception:
                # A fault of ours in one event must not keep all others waiting for ever.
                logger.exception("%s is lost for %s", event.request_id, event.arn)
            finally:
                # One that is to be tried again has been counted anew.
                with self._changed:
                    self._open[event.arn] -= 1

    def _next(self) -> Event | None:
        """Wait for an event that is due; None when there will be none any more."""
        with self._changed:
            while not self._closing:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _try(self, event: Event, spec: FunctionSpec, terms: Terms) -> None:
        if spec.reserved == 0:
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html: without any retries.
            self._give_up(event, spec, terms, "ZeroReservedConcurrency")
            return
        left = event.arrived + terms.max_age - time.monotonic()
        # One that never waited is tried, however little time it has.
        if left <= 0 and event.throttled:
            self._give_up(event, spec, terms, "EventAgeExceeded")
            return
        try:
            reply = self._pool.invoke(spec, event.payload, event.request_id, patience=max(left, 0))
        except ReservedError:
            delay = min(max(THROTTLE_SECONDS, 2 * event.throttled), LONGEST_THROTTLE_SECONDS, left)
            self._schedule(replace(event, throttled=delay), time.monotonic() + delay)
            return
        except TooManyInvocationsError:
            self._give_up(event, spec, terms, "EventAgeExceeded")
            return
        if not reply.failed or self._closing:
            return
        tried = replace(event, attempts=event.attempts + 1, reply=reply.payload)
        delay = self._retry_delays[min(event.attempts, len(self._retry_delays) - 1)]
        if tried.attempts > terms.retries:
            self._give_up(tried, spec, terms, "RetriesExhausted")
        elif time.monotonic() + delay - event.arrived > terms.max_age:
            self._give_up(tried, spec, terms, "EventAgeExceeded")
        else:
            self._schedule(tried, time.monotonic() + delay)

    def _give_up(self, event: Event, spec: FunctionSpec, terms: Terms, condition: str) -> None:
        if terms.on_failure is None:
            return
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": f"{event.arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.payload),
        }
        if event.reply is not None:
            record["responseContext"] = {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            }
            record["responsePayload"] = json.loads(event.reply)
        self._send_record(spec, terms.on_failure, json.dumps(record))
