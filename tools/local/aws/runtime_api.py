"""Lambda's Runtime API for one execution environment: it hands out invocations and takes their results.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any


class RuntimeApi(TCPServer):
    """Serves one runtime client, one request per call of ``handle_request``.

    The protocol is strictly sequential, so it needs no thread: a client that asks for its next invocation too early
    waits in the backlog of the socket.

    Attributes:
        address: Where it listens.
        result: The path and the content of the client's last POST; None before it.

    """

    timeout = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.headers: dict[str, str] = {}
        self.payload = b""
        self.result: tuple[str, bytes] | None = None

    def offer(self, payload: bytes, request_id: str, function_arn: str, deadline: float) -> None:
        """Answer the next request for an invocation with this one; its deadline is in seconds since 1970."""
        self.result = None
        self.payload = payload
        self.headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": function_arn,
        }

    def handle_error(self, *_: Any) -> None:
        """Ignore a client that was killed in the middle of a request: its process is watched elsewhere."""


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    timeout = 5

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK, self.server.headers, self.server.payload)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(HTTPStatus.ACCEPTED, {}, b"")
        self.server.result = self.path, content

    def _answer(self, status: HTTPStatus, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log no requests."""
