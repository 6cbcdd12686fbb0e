"""The Lambda function's entry point: reconciles every object that an event names, and replies to the event's sender."""

import functools
import gc
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

# Imports leave no garbage. Searching for it would take a seventh of the cold start.
gc.disable()

from botocore.config import Config  # noqa: E402

from aws import clients, events  # noqa: E402
from aws.outcomes import Failure, ObjectAddress, Outcome  # noqa: E402
from aws.reconcile import Reconciler  # noqa: E402
from aws.settings import Settings  # noqa: E402
from errors import LateError  # noqa: E402
from imaging import memory  # noqa: E402

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)
# Without JSON logging, Lambda sets no level. Its DEBUG would add only the libraries' lines.
logging.getLogger().setLevel(logging.WARNING if os.environ.get("AWS_LAMBDA_LOG_LEVEL") == "WARN" else logging.INFO)
# At INFO, botocore logs the source of its credentials at every cold start.
logging.getLogger("botocore").setLevel(logging.WARNING)

CONCURRENCY = 2
"""Objects of an event that are processed concurrently: while one is rendered, another is read or written."""

REQUEST_ATTEMPTS = 3
"""Attempts of each request to AWS. If all of them hang, half of the invocation's time is left."""

MIN_TIME_SHARE = 0.1
"""Share of the timeout that must be left to start another object. With less, the event is delivered again."""


def _make_client_config(timeout_seconds: int) -> Config:
    """Use botocore's standard retries: the adaptive mode would delay requests for other objects too."""
    attempt_seconds = timeout_seconds / (2 * REQUEST_ATTEMPTS)
    return Config(
        connect_timeout=max(1, min(3, attempt_seconds)),
        read_timeout=max(1, min(20, attempt_seconds)),
        retries={"mode": "standard", "total_max_attempts": REQUEST_ATTEMPTS},
    )


settings = Settings.from_environment(os.environ)
# Only Lambda's runtime sets this variable: tests and tools that import this module must not have their memory limited.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    memory.limit(settings.limits.memory_bytes)
config = _make_client_config(settings.timeout_seconds)
signing = None
if settings.signing_key:
    # Few deployments sign, and the library takes time to load.
    from aws.signing import Signing

    signing = Signing.of(settings.signing_key, config)
completions = None
if settings.event_target_arn:
    # Few deployments send events.
    from aws.completion import Completions

    completions = Completions.of(settings, config)
reconciler = Reconciler(clients.make_s3(config), settings, signing, completions)

# Exempt everything allocated so far from later collections.
gc.freeze()
gc.enable()


class LambdaContext(Protocol):
    """The part of Lambda's context object that the handler uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long this invocation may still take."""


def lambda_handler(event: object, context: LambdaContext) -> dict[str, object]:
    """Reconcile every object that ``event`` names, then report those that failed.

    Raises:
        EventError: The event has an unknown shape.
        IncompleteError: Some objects failed. Its sender delivers the whole event again, which is harmless.

    """
    envelope = events.parse(event)
    for error in envelope.errors:
        logger.error("not_understood", extra={"why": str(error)})

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    def reconcile(address: ObjectAddress) -> Outcome:
        seconds = seconds_left()
        if seconds < MIN_TIME_SHARE * settings.timeout_seconds:
            raise LateError(f"only {seconds:.1f} s are left of the invocation")
        return reconciler.reconcile(address, seconds_left, object_events[address])

    object_events = envelope.events
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        found = pool.map(functools.partial(_attempt, reconcile), object_events)
        results = dict(zip(object_events, found, strict=True))
    # Record rejections last, and only those of items that won't be delivered again.
    for outcome in envelope.completed_outcomes(results):
        results[outcome.address] = _attempt(functools.partial(_record, outcome), outcome.address)
    return envelope.reply(results)


def _record(outcome: Outcome, _: ObjectAddress) -> Outcome:
    """Send a rejection to the failure queue."""
    if outcome.rejection:
        get_sqs().send_message(QueueUrl=settings.failure_queue_url, MessageBody=outcome.rejection.to_json())
    return outcome


@functools.cache
def get_sqs() -> "SQSClient":
    """Return the client of SQS, which most execution environments never need. Only the handler's thread calls this."""
    return clients.make_sqs(config)


def _attempt(action: Callable[[ObjectAddress], Outcome], address: ObjectAddress) -> Outcome | Failure:
    """Return the outcome of ``action``; if it fails, log and return the failure."""
    try:
        return action(address)
    except Exception as error:
        logger.exception("failed", extra={"bucket": address.bucket, "key": address.key})
        return Failure.from_exception(error)
