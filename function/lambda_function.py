"""The Lambda function's entry point: an event in, every object it names reconciled, a reply out."""

import functools
import gc
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

# What the start makes stays: to look through it for garbage again and again takes a seventh of the start.
gc.disable()

from botocore.config import Config  # noqa: E402

from aws import clients, events  # noqa: E402
from aws.outcomes import Failure, ObjectAddress, Outcome  # noqa: E402
from aws.reconcile import Reconciler  # noqa: E402
from aws.settings import Settings  # noqa: E402
from errors import LateError  # noqa: E402
from imaging import memory  # noqa: E402

logger = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)
# At INFO it tells at every start where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)

AT_ONCE = 2
"""Objects of one event that are looked at at once: while one is rendered, another is read or written."""

ATTEMPTS = 3
"""How often a request is made. All of them may hang, and half of the invocation is left."""

LATE_SHARE = 0.1
"""Of the timeout, what must be left to begin with another object: what is done by then is not to be done again."""


def _client_config(timeout_seconds: int) -> Config:
    """Standard mode backs off from what throttles, with jitter; adaptive mode would hold back other objects too."""
    patience = timeout_seconds / (2 * ATTEMPTS)
    return Config(
        connect_timeout=max(1, min(3, patience)),
        read_timeout=max(1, min(20, patience)),
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )


settings = Settings.from_environment(os.environ)
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # Set by Lambda's runtime alone: a test or a tool that imports this module has a memory of its own.
    memory.cap(settings.limits.memory_bytes)
config = _client_config(settings.timeout_seconds)
reconciler = Reconciler(s3=clients.s3(config), sqs=functools.cache(lambda: clients.sqs(config)), settings=settings)

# Nor is it looked through later.
gc.freeze()
gc.enable()


class LambdaContext(Protocol):
    """What is used of the context that Lambda passes."""

    def get_remaining_time_in_millis(self) -> int:
        """Tell how long this invocation may still take."""


def lambda_handler(event: object, context: LambdaContext) -> dict[str, object]:
    """Look at every object that ``event`` names; finish all of them before saying that some failed.

    Raises:
        EventError: The event is of no known shape.
        IncompleteError: Some objects could not be looked at now; the whole event is to be delivered again, which is
            harmless.

    """
    envelope = events.parse(event)
    for problem in envelope.problems:
        logger.error("not_understood", extra={"why": str(problem)})

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    def look(address: ObjectAddress) -> Outcome:
        left = seconds_left()
        if left < LATE_SHARE * settings.timeout_seconds:
            raise LateError(f"only {left:.1f} s are left of the invocation")
        return reconciler.reconcile(address, seconds_left, notices[address])

    notices = envelope.notices
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(notices, pool.map(functools.partial(_tried, look), notices), strict=True))
    # Only now: what comes again with a neighbour that failed would be recorded again each time.
    for outcome in envelope.done(results):
        results[outcome.address] = _tried(functools.partial(_recorded, outcome), outcome.address)
    return envelope.reply(results)


def _recorded(outcome: Outcome, _: ObjectAddress) -> Outcome:
    if outcome.rejection:
        reconciler.record(outcome.rejection)
    return outcome


def _tried(action: Callable[[ObjectAddress], Outcome], address: ObjectAddress) -> Outcome | Failure:
    """What became of an object; a failure, logged, where that is not known."""
    try:
        return action(address)
    except Exception as error:
        logger.exception("failed", extra={"bucket": address.bucket, "key": address.key})
        return Failure.of(error)
