"""Records the requests of clients to the local AWS: service, operation and parameters."""

import io
import json
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model


class Recorder:
    """WSGI middleware that records requests, by a word of their User-Agent.

    Args:
        application: The application that answers the requests.

    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._requests: dict[str, list[dict[str, Any]]] = {}

    def get(self, agent: str, _: Any) -> list[dict[str, Any]]:
        """Return the requests of an agent since the first call, which starts the recording."""
        return self._requests.setdefault(agent, [])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for agent in self._requests.keys() & environ.get("HTTP_USER_AGENT", "").split():
            content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(content)
            self._requests[agent].append(_parse({**environ, "wsgi.input": io.BytesIO(content)}))
        return self._application(environ, start_response)


def _parse(environ: WSGIEnvironment) -> dict[str, Any]:
    """Return a request's service, operation and parameters."""
    request = Request(environ)
    service = environ["HTTP_AUTHORIZATION"].split("/")[3]
    model = get_service_model("cloudwatch" if service == "monitoring" else service)
    operation, in_path = get_service_router(model.service_name).match(request)
    protocol = determine_request_protocol(model, request.content_type)
    parser: Any = PROTOCOL_PARSERS[protocol](operation, map_type=dict)
    values = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.data,
        "url_path": request.path,
        "url_params": in_path,
    }
    # Without the zip of a function.
    parameters = json.loads(json.dumps(parser.parse(values), default=lambda value: type(value).__name__))
    return {"service": model.service_name, "operation": operation.name, "parameters": parameters}
