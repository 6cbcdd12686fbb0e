"""Faults that tests inject into the local AWS: S3 requests that fail, and functions that die."""

import contextlib
import dataclasses
import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tools.common.local_stack import LocalAws

MODULE = "tests.faults"
"""The local AWS that knows faults, for ``tools.local.aws.service.MODULE``."""

PATH = "/_local/"
"""Requests below it are for the local AWS itself; no bucket can have this name."""

ANSWER_SECONDS = 240
"""How long an answer may take. The server gives up earlier."""


@dataclass(frozen=True)
class Fault:
    """Which requests are hit, and how. The first fault that matches a request and hits it applies.

    A delayed or held read gets the answer as of its arrival. A delayed or held write takes effect afterwards, and never
    if its client hangs up meanwhile.

    Attributes:
        method: GET, PUT and so on; ``*`` for any.
        bucket: Its name.
        key: A shell pattern.
        status: The HTTP status to answer; 0 for the usual answer.
        code: The S3 error code to answer with it.
        delay: Seconds.
        hold: Whether to wait until the fault is released.
        cut: Whether the connection of a GET closes half-way through the content.
        length: The Content-Length of the answer to a GET or HEAD, in bytes. A GET gets no more than that, and no
            checksum. If it is longer than the content, the connection stays open until the fault is released.
        times: How many requests are hit at most.
        rate: The share of matching requests that is hit, from 0 to 1.
        seed: Of the random choice: equal seeds hit the same requests of a sequence.
        functions_only: Whether requests of the administrator are spared.

    """

    method: str
    bucket: str
    key: str = "*"
    status: int = 0
    code: str = "InternalError"
    delay: float = 0
    hold: bool = False
    cut: bool = False
    length: int | None = None
    times: int = 1
    rate: float = 1
    seed: int = 0
    functions_only: bool = True


def inject(aws: LocalAws, fault: Fault) -> str:
    """Set up a fault; returns its id."""
    identity: str = _ask(aws, "POST", "faults", dataclasses.asdict(fault))
    return identity


def await_held(aws: LocalAws, identity: str, count: int = 1) -> None:
    """Wait until the fault has delayed or held a number of requests in all.

    Raises:
        TimeoutError: They did not come.

    """
    _ask(aws, "GET", f"faults/{identity}", count)


def release(aws: LocalAws, identity: str) -> None:
    """Remove a fault, and let the requests that it delays or holds go on."""
    _ask(aws, "DELETE", f"faults/{identity}")


def kill(aws: LocalAws, function_name: str) -> None:
    """Kill all running invocations of a function; returns when they are gone, with their connections.

    The caller sees that the runtime exited. An asynchronous event is retried.
    """
    _ask(aws, "POST", f"kill/{function_name}")


def backlog(aws: LocalAws, function_name: str) -> int:
    """Count the asynchronous events of a function that have not ended: queued, in flight, or to be retried."""
    count: int = _ask(aws, "GET", f"backlog/{function_name}")
    return count


def _ask(aws: LocalAws, method: str, path: str, content: Any = None) -> Any:
    """Send a request to the local AWS itself; returns its answer.

    Raises:
        TimeoutError: What it waits for did not happen.

    """
    address = urllib.parse.urlsplit(aws.endpoint).netloc
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, PATH + path, json.dumps(content))
        response = connection.getresponse()
        if response.status == http.client.REQUEST_TIMEOUT:
            raise TimeoutError(f"{path} did not happen")
        return json.load(response)
