"""Invokes the deployed function, and waits for its replies."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ReadTimeoutError

from tools.common.aws import one_line
from tools.operations import CONCURRENCY
from tools.operations.console import announcing_wait
from tools.operations.deployment import Deployment

READ_MARGIN_SECONDS = 30
"""How long Lambda may take in addition to the function's timeout."""

ATTEMPTS = 8
"""Attempts of a throttled invocation; the last ones are up to 20 s apart."""

THROTTLED = {"TooManyRequestsException", "429"}


@dataclass(frozen=True)
class Reply:
    """The function's reply to one event.

    Attributes:
        statuses: One for each object: ``written``, ``rejected``, ``removed``, ``gone`` or ``ignored``.
        error: Why there are no statuses; empty after a success.

    """

    statuses: tuple[str, ...] = ()
    error: str = ""


@dataclass
class Sent:
    """The replies to many events.

    Attributes:
        statuses: Number of objects by status.
        failed: Error by key, for keys to send again.

    """

    statuses: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Function:
    """The deployed function.

    Attributes:
        concurrency: Invocations in flight at most.

    """

    deployment: Deployment
    concurrency: int = CONCURRENCY

    def process_all(self, keys: Iterable[str], sent: Sent, advance: Callable[[], None]) -> None:
        """Have the function process many objects; reads at most as many keys ahead as are in flight.

        Args:
            keys: Keys of the source bucket.
            sent: Receives the replies, also those of invocations in flight when an error or Ctrl-C ends the call.
            advance: Called after each reply.

        """
        pending: dict[Future[Reply], str] = {}

        def collect(done: Iterable[Future[Reply]]) -> None:
            for future in done:
                key, reply = pending.pop(future), future.result()
                sent.statuses.update(reply.statuses)
                if reply.error:
                    sent.failed[key] = reply.error
                advance()

        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                with announcing_wait():
                    for key in keys:
                        if len(pending) >= self.concurrency:
                            collect(wait(pending, return_when=FIRST_COMPLETED).done)
                        pending[pool.submit(self.process, key)] = key
                    collect(wait(pending).done)
            finally:
                ended = wait(pending).done
                collect([future for future in ended if future.exception() is None])
                # Raise what ended the others.
                collect(ended & pending.keys())

    def process(self, key: str) -> Reply:
        """Have the function process one object of the source bucket."""
        # EventBridge's envelope is the only one that holds the key without an encoding.
        detail = {"bucket": {"name": self.deployment.settings.source_bucket}, "object": {"key": key}}
        return self.invoke({"source": "aws.s3", "detail": detail})

    def invoke(self, event: Mapping[str, object]) -> Reply:
        """Send an event."""
        try:
            response = self._client.invoke(FunctionName=self.deployment.target_arn, Payload=json.dumps(event))
        except ReadTimeoutError:
            return Reply(error="no reply within the function's timeout")
        except HTTPClientError as error:
            return Reply(error=f"no reply: {one_line(error)}")
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                raise
            return Reply(error="throttled: the function's concurrency limit is reached")
        reply = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return Reply(error=str(reply.get("errorMessage", reply)))
        if "outcomes" not in reply:
            return Reply(error="an event of a queue or a job, whose reply has no statuses")
        return Reply(tuple(outcome["status"] for outcome in reply["outcomes"]))

    @cached_property
    def _client(self) -> Any:
        return invocation_client(self.deployment, self.concurrency)


def invocation_client(deployment: Deployment, concurrency: int = 1) -> Any:
    """Make a Lambda client that waits as long as the function may run, and repeats no event that may have reached it.

    It repeats a request that Lambda refused, such as a throttled one, or that found no connection.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(
        read_timeout=deployment.settings.timeout_seconds + READ_MARGIN_SECONDS,
        retries=retries,
        max_pool_connections=concurrency,
    )
    client = deployment.client("lambda", config)
    client.meta.events.register_first("needs-retry.lambda.Invoke", _raise_lost_reply, unique_id="lost-reply")
    return client


def _raise_lost_reply(caught_exception: Exception | None = None, **_: object) -> None:
    """Raise the error of a connection that broke or was silent: the function may be running."""
    if isinstance(caught_exception, HTTPClientError):
        raise caught_exception
