"""Inject faults into the local AWS: S3 requests that fail, and invocations that are killed."""

import contextlib
import dataclasses
import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tools.common.local_stack import LocalAws

MODULE = "tests.faults"
"""The value of ``tools.local.aws.service.MODULE`` that starts the local AWS with faults."""

PATH = "/_local/"
"""The prefix of requests to the local AWS itself. No bucket can have this name."""

HOLD_SECONDS = 120
"""The longest time for which a request is held."""

RESPONSE_SECONDS = 240
"""The time-out of a response. The server stops waiting earlier."""


@dataclass(frozen=True)
class Fault:
    """A fault, and the requests that it hits. The first fault that hits a request applies.

    The response to a delayed or held read is computed when the request arrives. A delayed or held write takes effect
    when it continues, unless its client has hung up.

    Attributes:
        method: The HTTP method; ``*`` for any.
        bucket: The bucket's name.
        key: A shell pattern of keys.
        status: The HTTP status of the response; 0 for the normal response.
        code: The S3 error code of the response, if ``status`` is not 0.
        delay: Seconds.
        hold: Whether the request waits until the fault is released.
        cut: Whether the connection of a GET closes after half of the content.
        length: The Content-Length of the response to a GET or HEAD, in bytes. The content of a GET is cut to this
            length, and has no checksum. If the content is shorter, the connection stays open until the fault is
            released.
        times: The most requests that are hit.
        rate: The share of matching requests that are hit, from 0 to 1.
        seed: The seed of the random choice. Equal seeds hit the same requests of a sequence.
        functions_only: Whether the administrator's requests are never hit.

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
    """Inject a fault; return its id."""
    fault_id: str = _send(aws, "POST", "faults", dataclasses.asdict(fault))
    return fault_id


def await_held(aws: LocalAws, fault_id: str, count: int = 1, *, seconds: float = HOLD_SECONDS) -> None:
    """Wait until a fault has delayed or held ``count`` requests in all.

    Raises:
        TimeoutError: Fewer requests arrived.

    """
    _send(aws, "GET", f"faults/{fault_id}", [count, seconds])


def release(aws: LocalAws, fault_id: str) -> None:
    """Remove a fault, and continue the requests that it delays or holds."""
    _send(aws, "DELETE", f"faults/{fault_id}")


def kill(aws: LocalAws, function_name: str) -> None:
    """Kill all running invocations of a function, and wait until their processes and connections have ended.

    Their callers get the error that the runtime exited. Lambda retries asynchronous events.
    """
    _send(aws, "POST", f"kill/{function_name}")


def count_events(aws: LocalAws, function_name: str) -> int:
    """Count the asynchronous events of a function that are queued, in flight, or waiting for a retry."""
    count: int = _send(aws, "GET", f"events/{function_name}")
    return count


def record(aws: LocalAws, agent: str) -> list[dict[str, Any]]:
    """Return the requests whose User-Agent contained a word since the first call: service, operation and parameters."""
    requests: list[dict[str, Any]] = _send(aws, "GET", f"requests/{agent}")
    return requests


def _send(aws: LocalAws, method: str, path: str, content: Any = None) -> Any:
    """Send a request to the local AWS itself; return its response.

    Raises:
        TimeoutError: The server waited in vain.

    """
    address = urllib.parse.urlsplit(aws.endpoint).netloc
    connection = http.client.HTTPConnection(address, timeout=RESPONSE_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, PATH + path, json.dumps(content))
        response = connection.getresponse()
        if response.status == http.client.REQUEST_TIMEOUT:
            raise TimeoutError(f"The local AWS waited in vain for {path}")
        return json.load(response)
