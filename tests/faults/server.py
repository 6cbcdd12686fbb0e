"""The local AWS with faults: S3 requests that fail, and functions that die."""

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

from tests.faults import PATH, Fault
from tools.local.aws.server import REGION, Server

FUNCTIONS = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function"

HOLD_SECONDS = 120
"""How long a request is held if no test releases it."""

LOOK_SECONDS = 0.05
"""How often a held request checks whether its client hung up."""


class _Active:
    """An injected fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self.chance = random.Random(fault.seed)  # noqa: S311 - no secret
        self.released = threading.Event()
        self._held = 0
        self._changed = threading.Condition()

    def hits(self, method: str, bucket: str, key: str, *, by_administrator: bool) -> bool:
        """Whether the fault hits a request, which counts as one of its ``times``."""
        fault = self.fault
        matches = (
            self.left > 0
            and fault.method in {"*", method}
            and (method == "GET" or not fault.cut)
            and (method in {"GET", "HEAD"} or fault.length is None)
            and bucket == fault.bucket
            and fnmatch.fnmatchcase(key, fault.key)
            and not (fault.functions_only and by_administrator)
        )
        hit = matches and self.chance.random() < fault.rate
        self.left -= hit
        return hit

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
        while (left := end - time.monotonic()) > 0:
            released = self.released.wait(min(left, LOOK_SECONDS))
            if _has_hung_up(connection):
                raise ConnectionAbortedError
            if released:
                return

    def await_held(self, count: int) -> bool:
        """Wait until a number of requests have been held; returns whether they came."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, HOLD_SECONDS)


class FlakyS3:
    """Passes requests on to an application, with faults.

    Args:
        application: Answers the requests.
        is_administrator: Whether a request with an Authorization header is the administrator's.

    """

    def __init__(self, application: WSGIApplication, is_administrator: Callable[[str], bool]) -> None:
        self._application = application
        self._is_administrator = is_administrator
        self._active: dict[str, _Active] = {}
        self._lock = threading.Lock()

    def inject(self, _: str, content: Any) -> str:
        """Inject a fault; returns its id."""
        with self._lock:
            identity = str(len(self._active))
            self._active[identity] = _Active(Fault(**content))
            return identity

    def await_held(self, identity: str, count: int) -> None:
        if not self._active[identity].await_held(count):
            raise TimeoutError

    def release(self, identity: str, _: Any) -> None:
        self._active[identity].left = 0
        self._active[identity].released.set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        hit = self._hit(environ)
        if hit is None:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} and not hit.fault.status:
            return self._read(hit, environ, start_response)
        _take_content(environ)
        hit.wait(environ["werkzeug.socket"])
        if hit.fault.status:
            return _error(hit.fault, start_response)
        return self._application(environ, start_response)

    def _hit(self, environ: WSGIEnvironment) -> _Active | None:
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        by_administrator = self._is_administrator(environ.get("HTTP_AUTHORIZATION", ""))
        request = (environ["REQUEST_METHOD"], bucket, unquote(key))
        with self._lock:
            active = self._active.values()
            return next((one for one in active if one.hits(*request, by_administrator=by_administrator)), None)

    def _read(self, hit: _Active, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        answers: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None, /) -> Callable[[bytes], object]:
            answers.append((status, headers))
            return io.BytesIO().write

        content = b"".join(self._application(environ, start))
        status, headers = answers[-1]
        hit.wait(environ["werkzeug.socket"])
        length = hit.fault.length
        if length is not None:
            headers = [(name, value) for name, value in headers if not _describes_content(name)]
            headers.append(("Content-Length", str(length)))
        start_response(status, headers)
        # werkzeug closes every connection after one answer.
        yield content[: len(content) // 2] if hit.fault.cut else content[:length]
        if environ["REQUEST_METHOD"] == "GET" and length is not None and length > len(content):
            hit.wait_for_release(environ["werkzeug.socket"])


Answer = Callable[[str, Any], Any]
"""Takes the rest of a request's path and its content; raises TimeoutError if it waited in vain."""


class Control:
    """Answers the requests of tests to the local AWS itself, and passes on all others.

    Args:
        application: Answers the others.
        answers: By a request's method and the name that follows :data:`PATH`.

    """

    def __init__(self, application: WSGIApplication, answers: Mapping[tuple[str, str], Answer]) -> None:
        self._application = application
        self._answers = answers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PATH):
            return self._application(environ, start_response)
        name, _, about = environ["PATH_INFO"].removeprefix(PATH).partition("/")
        content = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        try:
            answer = self._answers[environ["REQUEST_METHOD"], name](about, content)
        except TimeoutError:
            start_response("408 Request Timeout", [])
            return []
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


class FaultyServer(Server):
    """The local AWS, with faults."""

    def wrap(self, application: WSGIApplication) -> WSGIApplication:
        flaky = FlakyS3(application, self._control.is_administrator)
        return Control(
            flaky,
            {
                ("POST", "faults"): flaky.inject,
                ("GET", "faults"): flaky.await_held,
                ("DELETE", "faults"): flaky.release,
                ("POST", "kill"): lambda name, _: self._pool.kill(name),
                ("GET", "backlog"): lambda name, _: self._queue.backlog(f"{FUNCTIONS}:{name}"),
            },
        )


def _take_content(environ: WSGIEnvironment) -> None:
    """Read the content of a request. Only after it can the end of the connection be seen."""
    source = environ["wsgi.input"]
    ends_by_itself = environ.get("wsgi.input_terminated", False)
    content = source.read() if ends_by_itself else source.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)


def _has_hung_up(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _describes_content(header: str) -> bool:
    return header.lower() == "content-length" or header.lower().startswith("x-amz-checksum-")


def _error(fault: Fault, start_response: StartResponse) -> list[bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>A fault of the tests.</Message></Error>"
    start_response(f"{fault.status} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body.encode()]
