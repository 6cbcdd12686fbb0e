"""Checks requests to AWS and their responses against botocore's models, also those of hand-written clients.

botocore itself checks a request's names, types and minimum lengths. This module also checks maximum lengths, patterns,
enumerations and responses: a test with a response that AWS can't give proves nothing.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import get_session

TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime,),
}
"""The classes of values, by the type of a shape. A blob may be bytes, or a file."""

MEASURED = (str, bytes, list, tuple, dict)


class CheckedClient:
    """A hand-written client whose requests and responses are checked.

    Args:
        client: Its methods have the names of boto3's. Calls of other methods are not checked.
        services: The services that it replaces, such as ``s3``.

    """

    def __init__(self, client: object, *services: str) -> None:
        self._client = client
        self._services = services

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        operation = next((found for one in self._services if (found := _operations(one).get(name))), None)
        if operation is None:
            return method

        def call(**parameters: Any) -> Any:
            check_request(operation, parameters)
            response = method(**parameters)
            check_response(operation, response)
            return response

        return call


def check_request(operation: OperationModel, parameters: Mapping[str, Any]) -> None:
    """Fail if AWS would refuse the parameters of a request."""
    _fail(f"the request {operation.name}", _find_faults(operation.input_shape, parameters))


def check_response(operation: OperationModel, response: Any) -> None:
    """Fail if AWS can't answer a request like this. A response may lack what the test does not need."""
    shape = operation.output_shape or StructureShape("", {"type": "structure"})
    _fail(f"the response of {operation.name}", _find_faults(shape, response))


def _fail(what: str, faults: Iterator[str]) -> None:
    found = list(faults)
    assert not found, f"{what} does not fit botocore's model: {'; '.join(found)}"


@functools.cache
def _operations(service: str) -> dict[str, OperationModel]:
    """Return the operations of a service, by the names of boto3's methods."""
    model: ServiceModel = get_session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def _find_faults(shape: Shape | None, value: Any, where: str = "") -> Iterator[str]:
    if shape is None:
        yield from [f"{where}: no parameters are known"] if value else []
        return
    expected = TYPES.get(shape.type_name, (bytes, bytearray, str))
    is_file = shape.type_name == "blob" and hasattr(value, "read")
    if not (is_file or isinstance(value, expected)) or (isinstance(value, bool) and bool not in expected):
        yield f"{where or 'all'}: {value!r} is not of type {shape.type_name}"
    elif isinstance(shape, StructureShape):
        yield from (f"{where}.{name} is unknown" for name in value.keys() - shape.members.keys())
        yield from (f"{where}.{name} is missing" for name in shape.required_members if name not in value)
        for name in value.keys() & shape.members.keys():
            yield from _find_faults(shape.members[name], value[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for number, member in enumerate(value):
            yield from _find_faults(shape.member, member, f"{where}[{number}]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from _find_faults(shape.key, name, f"{where}.{name}")
            yield from _find_faults(shape.value, member, f"{where}.{name}")
    yield from _find_limit_faults(shape, value, where)


def _find_limit_faults(shape: Shape, value: Any, where: str) -> Iterator[str]:
    measured = len(value) if isinstance(value, MEASURED) else value
    if isinstance(measured, int) and not shape.metadata.get("min", measured) <= measured <= shape.metadata.get(
        "max", measured
    ):
        yield f"{where}: {measured} is not between {shape.metadata.get('min')} and {shape.metadata.get('max')}"
    if isinstance(shape, StringShape) and isinstance(value, str):
        if shape.enum and value not in shape.enum:
            yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"
        if not _compile(shape.metadata.get("pattern", "")).fullmatch(value):
            yield f"{where}: {value!r} does not match {shape.metadata['pattern']}"


@functools.cache
def _compile(pattern: str) -> "re.Pattern[str]":
    """Compile a pattern. If it is empty, or in a syntax that Python lacks, return one that matches everything."""
    try:
        return re.compile(pattern or ".*", re.DOTALL)
    except re.error:
        return re.compile(".*", re.DOTALL)
