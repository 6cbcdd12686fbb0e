"""The local AWS with faults: S3 requests that fail, and invocations that are killed."""

import fnmatch
import io
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.faults import HOLD_SECONDS, PATH, Fault
from tests.faults.requests import Recorder
from tools.local.aws.server import REGION, Server

FUNCTIONS = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function"

POLL_SECONDS = 0.05
"""The interval at which a held request checks whether its client hung up."""


class _ActiveFault:
    """A fault that was injected, and the requests that it holds."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.remaining = fault.times
        self.generator = random.Random(fault.seed)  # noqa: S311 - no secret
        self.released = threading.Event()
        self._held = 0
        self._changed = threading.Condition()

    def hits(self, method: str, bucket: str, key: str, *, by_administrator: bool) -> bool:
        """Return whether the fault hits a request, and count the hit."""
        fault = self.fault
        matches = (
            self.remaining > 0
            and fault.method in {"*", method}
            and (method == "GET" or not fault.cut)
            and (method in {"GET", "HEAD"} or fault.length is None)
            and bucket == fault.bucket
            and fnmatch.fnmatchcase(key, fault.key)
            and not (fault.functions_only and by_administrator)
        )
        is_hit = matches and self.generator.random() < fault.rate
        self.remaining -= is_hit
        return is_hit

    def wait(self, connection: socket.socket) -> None:
        """Delay or hold a request.

        Raises:
            ConnectionAbortedError: The client hung up. werkzeug then ends the request without an error.

        """
        seconds = self.fault.delay + (HOLD_SECONDS if self.fault.hold else 0)
        if seconds:
            self.wait_for_release(connection, seconds)

    def wait_for_release(self, connection: socket.socket, seconds: float = HOLD_SECONDS) -> None:
        with self._changed:
            self._held += 1
            self._changed.notify_all()
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0:
            is_released = self.released.wait(min(remaining, POLL_SECONDS))
            if _has_hung_up(connection):
                raise ConnectionAbortedError
            if is_released:
                return

    def await_held(self, count: int, seconds: float) -> bool:
        """Wait until ``count`` requests have been held; return whether they arrived in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, seconds)


class FlakyS3:
    """WSGI middleware that applies faults to requests.

    Args:
        application: The application that answers the requests.
        is_administrator: Returns whether an Authorization header is the administrator's.

    """

    def __init__(self, application: WSGIApplication, is_administrator: Callable[[str], bool]) -> None:
        self._application = application
        self._is_administrator = is_administrator
        self._faults: dict[str, _ActiveFault] = {}
        self._lock = threading.Lock()

    def inject(self, _: str, content: Any) -> str:
        """Inject a fault; return its id."""
        with self._lock:
            fault_id = str(len(self._faults))
            self._faults[fault_id] = _ActiveFault(Fault(**content))
            return fault_id

    def await_held(self, fault_id: str, content: Any) -> None:
        if not self._faults[fault_id].await_held(*content):
            raise TimeoutError

    def release(self, fault_id: str, _: Any) -> None:
        self._faults[fault_id].remaining = 0
        self._faults[fault_id].released.set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        active = self._find_fault(environ)
        if active is None:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} and not active.fault.status:
            return self._read(active, environ, start_response)
        _buffer_content(environ)
        active.wait(environ["werkzeug.socket"])
        if active.fault.status:
            return _respond_with_error(active.fault, start_response)
        return self._application(environ, start_response)

    def _find_fault(self, environ: WSGIEnvironment) -> _ActiveFault | None:
        """Return the first fault that hits a request."""
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        by_administrator = self._is_administrator(environ.get("HTTP_AUTHORIZATION", ""))
        request = (environ["REQUEST_METHOD"], bucket, unquote(key))
        with self._lock:
            faults = self._faults.values()
            return next((fault for fault in faults if fault.hits(*request, by_administrator=by_administrator)), None)

    def _read(self, active: _ActiveFault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        """Apply a fault to a GET or HEAD."""
        responses: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None, /) -> Callable[[bytes], object]:
            responses.append((status, headers))
            return io.BytesIO().write

        content = b"".join(self._application(environ, start))
        status, headers = responses[-1]
        active.wait(environ["werkzeug.socket"])
        length = active.fault.length
        if length is not None:
            headers = [(name, value) for name, value in headers if not _is_content_header(name)]
            headers.append(("Content-Length", str(length)))
        start_response(status, headers)
        # werkzeug closes each connection after one response.
        yield content[: len(content) // 2] if active.fault.cut else content[:length]
        if environ["REQUEST_METHOD"] == "GET" and length is not None and length > len(content):
            active.wait_for_release(environ["werkzeug.socket"])


Handler = Callable[[str, Any], Any]
"""Takes the rest of a request's path, and the request's content. Raises TimeoutError if it waited in vain."""


class Control:
    """WSGI middleware that handles requests to the local AWS itself.

    Args:
        application: The application that answers all other requests.
        handlers: By a request's method, and the segment of its path that follows :data:`PATH`.

    """

    def __init__(self, application: WSGIApplication, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self._application = application
        self._handlers = handlers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PATH):
            return self._application(environ, start_response)
        name, _, rest = environ["PATH_INFO"].removeprefix(PATH).partition("/")
        content = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        try:
            result = self._handlers[environ["REQUEST_METHOD"], name](rest, content)
        except TimeoutError:
            start_response("408 Request Timeout", [])
            return []
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(result).encode()]


class FaultyServer(Server):
    """The local AWS, with faults."""

    def wrap(self, application: WSGIApplication) -> WSGIApplication:
        recorder = Recorder(application)
        flaky = FlakyS3(recorder, self._control.is_administrator)
        return Control(
            flaky,
            {
                ("POST", "faults"): flaky.inject,
                ("GET", "faults"): flaky.await_held,
                ("DELETE", "faults"): flaky.release,
                ("GET", "requests"): recorder.get,
                ("POST", "kill"): lambda name, _: self._pool.kill(name),
                ("GET", "events"): lambda name, _: self._queue.backlog(f"{FUNCTIONS}:{name}"),
            },
        )


def _buffer_content(environ: WSGIEnvironment) -> None:
    """Read the content of a request into memory. The end of its connection can be detected only afterwards."""
    stream = environ["wsgi.input"]
    is_terminated = environ.get("wsgi.input_terminated", False)
    content = stream.read() if is_terminated else stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)


def _has_hung_up(connection: socket.socket) -> bool:
    """Return whether the client of a connection has closed it."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _is_content_header(header: str) -> bool:
    return header.lower() == "content-length" or header.lower().startswith("x-amz-checksum-")


def _respond_with_error(fault: Fault, start_response: StartResponse) -> list[bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>Injected by a test.</Message></Error>"
    start_response(f"{fault.status} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body.encode()]
