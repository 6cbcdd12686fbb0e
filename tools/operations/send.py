"""`invoke send`: sends a sample event to the function, and waits for its reply."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from botocore.exceptions import ReadTimeoutError

from aws.settings import Settings
from tools.common.errors import ToolError
from tools.common.paths import EVENTS
from tools.operations.deployment import Deployment
from tools.operations.function import invocation_client

SAMPLE_BUCKET = b"src-bucket-image-in"
"""The bucket that the events of ``events/`` are about."""

KEY_START = re.compile(rb'(?<=[Kk]ey)(\\*": *\\*")')
"""What stands before a key in an event, also in JSON within its strings."""


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


def find_samples() -> list[Path]:
    """Return the sample events of ``events/``, which also has schemas."""
    return [path for path in EVENTS.glob("*.json") if not path.name.endswith(".schema.json")]


def find_event(name: str) -> Path:
    """Return the path of a file of ``events/``, with or without its folder and extension, or of any other file.

    Raises:
        ToolError: There is no such file.

    """
    for path in (Path(name), EVENTS / name, EVENTS / f"{name}.json"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in find_samples()))
    raise ToolError(f"No event {name}: give a path, or one of {known}")


def read_event(path: Path, settings: Settings) -> bytes:
    """Read an event.

    If it is one of ``events/`` about the sample bucket, make it one about the function's source bucket, with keys under
    its prefix. The prefix is encoded as in S3's notifications. Other events stay as they are.

    """
    event = path.read_bytes()
    is_sample = path.resolve().parent == EVENTS and SAMPLE_BUCKET in event
    return _address(event, settings) if is_sample else event


def _address(event: bytes, settings: Settings) -> bytes:
    # The samples' keys end in .jpg.
    prefix = next((one.prefix for one in settings.filters if ".jpg".endswith(one.suffix)), "")
    event = event.replace(SAMPLE_BUCKET, settings.source_bucket.encode())
    return KEY_START.sub(rb"\g<1>" + quote_plus(prefix, safe="/").encode(), event)


def send(deployment: Deployment, event: bytes) -> Answer:
    """Invoke the function with an event, and wait for its answer.

    Raises:
        ToolError: No answer came within the function's timeout.

    """
    client = invocation_client(deployment)
    try:
        response = client.invoke(FunctionName=deployment.target_arn, Payload=event, LogType="Tail")
    except ReadTimeoutError:
        name, timeout = deployment.function_name, deployment.settings.timeout_seconds
        raise ToolError(
            f"No reply from {name} within its timeout of {timeout} s: read its log with `invoke logs --function {name}`"
        ) from None
    return Answer(
        reply=json.dumps(json.loads(response["Payload"].read()), indent=2, ensure_ascii=False),
        log=base64.b64decode(response.get("LogResult", "")).decode(errors="replace"),
        failed="FunctionError" in response,
    )
