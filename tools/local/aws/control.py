"""What a test asks of the local AWS itself, beside AWS's own APIs: requests below a path that no bucket can have."""

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.common.local_stack import LocalAws

PATH = "/_local/"

ANSWER_SECONDS = 240
"""How long an answer may take; what is awaited is given up before."""

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

Answer = Callable[[str, Any], Any]
"""Takes what is asked about, and the request's content; raises TimeoutError where it waited in vain."""


class Control:
    """Stands before an application and answers these requests itself.

    Args:
        application: What answers all others.
        answers: By the request's method, and by the name that follows :data:`PATH`.

    """

    def __init__(self, application: Application, answers: Mapping[tuple[str, str], Answer]) -> None:
        self._application = application
        self._answers = answers

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
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


def ask(aws: "LocalAws", method: str, path: str, content: Any = None) -> Any:
    """Send a request; returns its answer.

    Raises:
        TimeoutError: What it waits for did not happen.

    """
    address = urllib.parse.urlsplit(aws.endpoint).netloc
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, PATH + path, json.dumps(content))
        response = connection.getresponse()
        if response.status == http.client.REQUEST_TIMEOUT:
            raise TimeoutError(f"{path} waited in vain")
        return json.load(response)
