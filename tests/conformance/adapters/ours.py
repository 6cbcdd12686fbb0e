"""The resizer of this project, with the defaults of the Terraform module."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3

from errors import RejectedError
from imaging.limits import Limits
from imaging.losses import summarize
from imaging.render import render as render_all
from renditions import Rendition
from tests.conformance.adapter import Refused, Wanted
from tools.common.tfvars import DEFAULTS

MEMORY_MIB = DEFAULTS["function"]["memory_size"]

HALF = Rendition("resized", scale=0.5)


def render(source: Path, target: Path, wanted: Wanted) -> Collection[str]:
    """Render one output."""
    size: dict[str, Any] = {"scale": wanted.scale} if wanted.scale else {"width": wanted.width, "height": wanted.height}
    rendition = Rendition("r", format=wanted.format, **size)
    try:
        rendered = render_all(source.read_bytes(), [rendition], limits=Limits(MEMORY_MIB << 20))
    except RejectedError as error:
        raise Refused(str(error)) from error
    (output,) = rendered.outputs
    target.write_bytes(output.body)
    return summarize(output.lost)


def handle(event: object) -> None:
    """Handle an event as Lambda does, in a new environment."""
    queue: Any = boto3.client("sqs").create_queue(QueueName="failures")
    os.environ |= {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MIB),
        "FAILURE_QUEUE_URL": queue["QueueUrl"],
        "RENDITIONS": json.dumps({HALF.name: {"scale": HALF.scale}}),
    }
    # It reads these variables when it is imported.
    from lambda_function import lambda_handler  # noqa: PLC0415

    lambda_handler(event, Mock(**{"get_remaining_time_in_millis.return_value": 60_000}))


output_key = HALF.output_key
