"""Runs AWS's runtime client where AWS has no native part for it, such as on macOS: this module takes its place.

Run as ``python runtime_client.py HANDLER``, in place of ``python -m awslambdaric HANDLER``.
"""

import http.client
import os
import sys
from pathlib import Path
from typing import Any

DEADLINE = "Lambda-Runtime-Deadline-Ms"


def initialize_client(_user_agent: str) -> None:
    """Do nothing: there is no connection to keep."""


def next() -> tuple[bytes, dict[str, Any]]:  # noqa: A001 - awslambdaric calls it so
    """Wait for an invocation; returns its event and its headers."""
    event, headers = _request("GET", "next")
    return event, headers | {DEADLINE: int(headers[DEADLINE])}


def post_invocation_result(request_id: str, result: bytes, content_type: str, *_: str | None) -> None:
    """Send what the function returned."""
    _request("POST", f"{request_id}/response", result, {"Content-Type": content_type})


def post_error(request_id: str, error: str, *_: str | None) -> None:
    """Send the description of what the function raised."""
    _request("POST", f"{request_id}/error", error.encode())


def _request(
    method: str, path: str, content: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[bytes, dict[str, Any]]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, f"/2018-06-01/runtime/invocation/{path}", content, headers or {})
    response = connection.getresponse()
    return response.read(), dict(response.getheaders())


if __name__ == "__main__":
    sys.modules["runtime_client"] = sys.modules["__main__"]
    # As with `python -m`: the function's modules, not those beside this file.
    sys.path[0] = str(Path.cwd())
    from awslambdaric.__main__ import main

    main(sys.argv)
