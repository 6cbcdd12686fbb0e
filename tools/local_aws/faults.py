"""The knob for tests: chosen S3 requests are delayed, held until they are released, or answered with an error."""

import contextlib
import dataclasses
import fnmatch
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from tools.local_aws.service import LocalAws

PATH = "/_local/faults"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

HOLD_SECONDS = 120
"""After which a request that nobody releases goes on."""


@dataclass(frozen=True)
class Fault:
    """Which requests are hit, and how. A read is delayed or held with its answer made; a write before it has an effect.

    Attributes:
        method: GET, PUT and so on.
        bucket: Its name.
        key: A shell pattern.
        status: Answer this HTTP status; 0 answers as usual.
        code: S3's error code that goes with it.
        delay: Seconds.
        hold: Whether to wait until the fault is released.
        times: How many requests are hit.
        functions_only: Whether only functions' requests are, not an administrator's.

    """

    method: str
    bucket: str
    key: str = "*"
    status: int = 0
    code: str = "InternalError"
    delay: float = 0
    hold: bool = False
    times: int = 1
    functions_only: bool = True


def inject(aws: "LocalAws", fault: Fault) -> str:
    """Set a fault up; returns its id."""
    identity: str = _call(aws, "POST", "", dataclasses.asdict(fault))
    return identity


def await_held(aws: "LocalAws", identity: str) -> None:
    """Wait until a request is being held by the fault.

    Raises:
        TimeoutError: None came.

    """
    _call(aws, "GET", f"/{identity}", None)


def release(aws: "LocalAws", identity: str) -> None:
    """Let what the fault holds go on, and remove it."""
    _call(aws, "DELETE", f"/{identity}", None)


def _call(aws: "LocalAws", method: str, path: str, body: Any) -> Any:
    address = urllib.parse.urlsplit(aws.endpoint).netloc
    connection = http.client.HTTPConnection(address, timeout=2 * HOLD_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, PATH + path, json.dumps(body))
        response = connection.getresponse()
        if response.status == http.client.REQUEST_TIMEOUT:
            raise TimeoutError(f"no request that the fault {path} would hold")
        return json.load(response)


class _Active:
    """A fault that is set up."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self.held = threading.Event()
        self.released = threading.Event()

    def apply(self) -> None:
        time.sleep(self.fault.delay)
        if self.fault.hold:
            self.held.set()
            self.released.wait(HOLD_SECONDS)


class Faults:
    """Stands before an application and lets faults happen.

    Args:
        application: What answers the requests.
        is_administrator: Tells from a request's Authorization header whether an administrator sent it.

    """

    def __init__(self, application: Application, is_administrator: Callable[[str], bool]) -> None:
        self._application = application
        self._is_administrator = is_administrator
        self._active: dict[str, _Active] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(PATH):
            return self._control(environ, start_response)
        hit = self._hit(environ)
        if hit is None:
            return self._application(environ, start_response)
        is_read = environ["REQUEST_METHOD"] in {"GET", "HEAD"}
        if hit.fault.status:
            hit.apply()
            return _error(hit.fault, start_response)
        if not is_read:
            hit.apply()
            return self._application(environ, start_response)
        answer = list(self._application(environ, start_response))
        hit.apply()
        return answer

    def _hit(self, environ: Environ) -> _Active | None:
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        by_administrator = self._is_administrator(environ.get("HTTP_AUTHORIZATION", ""))
        with self._lock:
            for active in self._active.values():
                fault = active.fault
                if (
                    active.left > 0
                    and (fault.method, fault.bucket) == (environ["REQUEST_METHOD"], bucket)
                    and fnmatch.fnmatchcase(unquote(key), fault.key)
                    and not (fault.functions_only and by_administrator)
                ):
                    active.left -= 1
                    return active
        return None

    def _control(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        identity = environ["PATH_INFO"].removeprefix(PATH).strip("/")
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            with self._lock:
                identity = str(len(self._active))
                self._active[identity] = _Active(Fault(**json.loads(body)))
        elif environ["REQUEST_METHOD"] == "GET":
            if not self._active[identity].held.wait(HOLD_SECONDS):
                start_response("408 Request Timeout", [])
                return []
        else:
            self._active[identity].left = 0
            self._active[identity].released.set()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(identity).encode()]


def _error(fault: Fault, start_response: StartResponse) -> list[bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>A fault of the tests.</Message></Error>"
    start_response(f"{fault.status} Fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body.encode()]
