"""Sends events to the deployed function, and reads its log."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tools.common import aws
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.paths import EVENTS


@dataclass(frozen=True)
class Answer:
    """A function's answer to an event.

    Attributes:
        reply: The function's reply as indented JSON, or Lambda's description of its error.
        log: The last 4 KB of its log.
        failed: Whether the function raised, timed out or died.

    """

    reply: str
    log: str
    failed: bool


def send(event: str, function: str = "") -> Answer:
    """Invoke a function with a sample event, and wait for its answer.

    Args:
        event: A file of ``events/``, with or without its folder and extension, or any other path.
        function: The name of a function on AWS; empty for the local function of ``invoke up``.

    Raises:
        ToolError: The event or the function does not exist, or AWS can't be reached.

    """
    payload = _event_file(event).read_bytes()
    try:
        if function:
            client = aws.client("lambda")
        else:
            stack = Stack.running()
            client, function = stack.client("lambda"), stack.function_name
        response = client.invoke(FunctionName=function, Payload=payload, LogType="Tail")
    except (BotoCoreError, ClientError) as error:
        raise ToolError(f"Cannot invoke {function}: {error}") from error
    return Answer(
        reply=json.dumps(json.loads(response["Payload"].read()), indent=2, ensure_ascii=False),
        log=base64.b64decode(response.get("LogResult", "")).decode(errors="replace"),
        failed="FunctionError" in response,
    )


def logs() -> Iterator[str]:
    """Yield the lines of the local function's log, oldest first.

    Raises:
        ToolError: No local AWS is running.

    """
    stack = Stack.running()
    yield from (event["message"].rstrip("\n") for event in log_events(stack))


def log_events(stack: Stack) -> Iterator[dict[str, Any]]:
    """Yield the events of the function's log group, oldest first."""
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=stack.log_group)
    yield from (event for page in pages for event in page["events"])


def _event_file(name: str) -> Path:
    for path in (Path(name), EVENTS / name, EVENTS / f"{name}.json"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json")))
    raise ToolError(f"No event {name}: give a path, or one of {known}")
