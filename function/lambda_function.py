"""The Lambda function's entry point: an event in, every object it names reconciled, a reply out."""

import functools
import gc
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

# What the start makes stays: to look through it for garbage again and again takes a seventh of the start.
gc.disable()

from botocore.config import Config  # noqa: E402

import clients  # noqa: E402
import events  # noqa: E402
from errors import IncompleteError  # noqa: E402
from reconcile import Reconciler  # noqa: E402
from settings import Settings  # noqa: E402

logger = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)
# At INFO it tells at every start where it found its credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)

# A request that hangs must not eat the invocation: two attempts fit well into the function's default timeout.
CLIENT_CONFIG = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})

AT_ONCE = 2
"""Objects of one event that are looked at at once: while one is rendered, another is read or written."""

reconciler = Reconciler(
    s3=clients.s3(CLIENT_CONFIG),
    sqs=functools.cache(lambda: clients.sqs(CLIENT_CONFIG)),
    settings=Settings.from_environment(os.environ),
)

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
        IncompleteError: Some objects could not be looked at now; Lambda retries the whole event, which is harmless.

    """

    def look(address: events.ObjectAddress) -> events.Outcome | str:
        try:
            return reconciler.reconcile(address, lambda: context.get_remaining_time_in_millis() / 1000)
        except Exception as error:
            logger.exception("failed", extra={"bucket": address.bucket, "key": address.key})
            return f"{address.key} ({type(error).__name__}: {error})"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(look, events.addresses(event)))
    failures = [result for result in results if isinstance(result, str)]
    if failures:
        raise IncompleteError(f"{len(failures)} of {len(results)} objects failed: {'; '.join(failures)}")
    return events.reply([result for result in results if isinstance(result, events.Outcome)])
