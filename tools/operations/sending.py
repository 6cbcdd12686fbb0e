"""Has the function look at many objects, a few at a time, and tells what became of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from tools.operations.function import Function, Look

Advance = Callable[[], None]
"""Told of each object that is done with."""


@dataclass
class Sent:
    """What became of the objects.

    Attributes:
        statuses: How many are ``written``, ``rejected`` (and recorded) and so on.
        failed: Keys about which nothing is known, each with the reason: to be sent again.

    """

    statuses: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


def send(function: Function, keys: Iterable[str], advance: Advance) -> Sent:
    """Send every key of the source bucket; no more of them are read than are under way.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: The function may not be invoked, or not be reached.

    """
    sent = Sent()
    pending: dict[Future[Look], str] = {}

    def take(done: Iterable[Future[Look]]) -> None:
        for future in done:
            key, look = pending.pop(future), future.result()
            sent.statuses.update(look.statuses)
            if look.error:
                sent.failed[key] = look.error
            advance()

    with ThreadPoolExecutor(function.concurrency) as pool:
        for key in keys:
            if len(pending) >= function.concurrency:
                take(wait(pending, return_when=FIRST_COMPLETED).done)
            pending[pool.submit(function.look_at, key)] = key
        take(wait(pending).done)
    return sent
