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
from tools.local.aws.versions import unqualify

THROTTLE_SECONDS, LONGEST_THROTTLE_SECONDS = 0.05, 1
"""The first and the longest wait of a throttled event; on AWS these are a second and five minutes."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventInvokeConfig:
    """What Lambda does with a function's failed events.

    Attributes:
        retries: How often an event is retried.
        max_age: Seconds after which it is not retried.
        on_failure: ARN of the queue that gets a record; None for no record.

    """

    retries: int = 2
    max_age: int = 21600
    on_failure: str | None = None


@dataclass(frozen=True)
class Event:
    """An event on its way to a function.

    Attributes:
        arrived: When it was accepted, on the monotonic clock, in seconds.
        attempts: How often the function was invoked with it.
        throttled: Seconds of its last wait, when the function's reserved concurrency was in use.
        reply: The function's last reply; None before the first attempt.

    """

    arn: str
    payload: bytes
    request_id: str
    arrived: float
    attempts: int = 0
    throttled: float = 0
    reply: bytes | None = None


Lookup = Callable[[str], tuple[FunctionSpec, EventInvokeConfig] | None]
"""Returns a function as it is now, by its ARN; None if it was deleted."""

SendRecord = Callable[[FunctionSpec, str, str], None]
"""Sends a function's record to the queue with an ARN."""


class AsynchronousQueue:
    """Accepts events at once, and invokes their functions later.

    Args:
        pool: Runs functions.
        workers: How many events may be in flight.
        retry_delays: Seconds before the first and the second retry. Lambda waits one minute, then two.
        lookup: Returns the function at the time of the attempt.
        send_record: Sends the record of an event that failed for good.

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
        """Queue an event; returns its request id."""
        event = Event(arn, payload, str(uuid.uuid4()), time.monotonic())
        self._schedule(event, time.monotonic())
        return event.request_id

    def backlog(self, arn: str) -> int:
        """Count the events of a function and its aliases that have not ended: queued, in flight, or to be retried."""
        with self._changed:
            return self._open[arn]

    def close(self) -> None:
        """Start no further event."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the events in flight."""
        for worker in self._workers:
            worker.join()

    def _schedule(self, event: Event, due: float) -> None:
        with self._changed:
            self._open[unqualify(event.arn)] += 1
            heapq.heappush(self._due, (due, next(self._order), event))
            self._changed.notify()

    def _work(self) -> None:
        while (event := self._next()) is not None:
            try:
                found = self._lookup(event.arn)
                if found is not None:
                    self._try(event, *found)
            except Exception:
                # A bug here must not end the worker, or all later events would wait forever.
                logger.exception("%s is lost for %s", event.request_id, event.arn)
            finally:
                # If the event is to be retried, `_schedule` has counted it once more.
                with self._changed:
                    self._open[unqualify(event.arn)] -= 1

    def _next(self) -> Event | None:
        """Wait for an event that is due; returns None after :meth:`close`."""
        with self._changed:
            while not self._closing:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _try(self, event: Event, spec: FunctionSpec, config: EventInvokeConfig) -> None:
        if spec.reserved == 0:
            # Lambda doesn't retry: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            self._give_up(event, spec, config, "ZeroReservedConcurrency")
            return
        left = event.arrived + config.max_age - time.monotonic()
        # An event that never waited is tried, however little time it has.
        if left <= 0 and event.throttled:
            self._give_up(event, spec, config, "EventAgeExceeded")
            return
        try:
            reply = self._pool.invoke(spec, event.payload, event.request_id, patience=max(left, 0))
        except ReservedError:
            delay = min(max(THROTTLE_SECONDS, 2 * event.throttled), LONGEST_THROTTLE_SECONDS, left)
            self._schedule(replace(event, throttled=delay), time.monotonic() + delay)
            return
        except TooManyInvocationsError:
            self._give_up(event, spec, config, "EventAgeExceeded")
            return
        if not reply.failed or self._closing:
            return
        tried = replace(event, attempts=event.attempts + 1, reply=reply.payload)
        delay = self._retry_delays[min(event.attempts, len(self._retry_delays) - 1)]
        if tried.attempts > config.retries:
            self._give_up(tried, spec, config, "RetriesExhausted")
        elif time.monotonic() + delay - event.arrived > config.max_age:
            self._give_up(tried, spec, config, "EventAgeExceeded")
        else:
            self._schedule(tried, time.monotonic() + delay)

    def _give_up(self, event: Event, spec: FunctionSpec, config: EventInvokeConfig, condition: str) -> None:
        if config.on_failure is None:
            return
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": f"{event.arn}:$LATEST" if event.arn == spec.arn else event.arn,
                "condition": condition,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.payload),
        }
        if event.reply is not None:
            record["responseContext"] = {
                "statusCode": 200,
                "executedVersion": spec.version,
                "functionError": "Unhandled",
            }
            record["responsePayload"] = json.loads(event.reply)
        self._send_record(spec, config.on_failure, json.dumps(record))
