"""Collect every kind of line of the function's log, from the real handler, formatted as Lambda does."""

import contextlib
import importlib
import json
import logging
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws

from aws.reconcile import Reconciler
from errors import IncompleteError
from tests.images import encode, picture
from tests.unit.conftest import ENVIRONMENT
from tests.unit.test_reconcile import BrokenBody, change_response_once, run_before_next

SOURCE, DESTINATION = ENVIRONMENT["SOURCE_BUCKET"], ENVIRONMENT["DESTINATION_BUCKET"]

COMMON = frozenset({"timestamp", "level", "message", "logger", "requestId"})
"""The fields that Lambda's runtime writes into every line."""

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"taskName", "message", "asctime"}
"""The attributes of every record of ``logging``. Of these, the runtime writes only those in :func:`format_line`."""


class LineHandler(logging.Handler):
    """Collects formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(format_line(record))


def format_line(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record as Lambda's runtime writes it: without null values, with extra fields at the top level."""
    line: dict[str, Any] = {
        "timestamp": "2026-11-26T12:00:00Z",
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
        "requestId": "6d68ca91-49c9-4448-89b8-7ca3e6dc66aa",
    }
    if record.exc_info and record.exc_info[0]:
        line |= {
            "errorType": record.exc_info[0].__name__,
            "errorMessage": str(record.exc_info[1]),
            "stackTrace": [],
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
        }
    line |= {name: value for name, value in vars(record).items() if name not in STANDARD_ATTRIBUTES}
    parsed: dict[str, Any] = json.loads(json.dumps({name: value for name, value in line.items() if value is not None}))
    return parsed


def collect_lines() -> list[dict[str, Any]]:
    """Run the handler on moto in this process, once for each outcome that it logs; return the lines of its log."""
    handler = LineHandler()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        try:
            _cause_every_outcome(patch)
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            sys.modules.pop("lambda_function", None)
    return [line for line in handler.lines if line["logger"] in {"lambda_function", "aws.reconcile", "aws.destination"}]


def _cause_every_outcome(patch: pytest.MonkeyPatch) -> None:
    tile = {"width": 32, "height": 24, "fit": "cover", "focus": "metadata"}
    settings = {
        "MANIFEST": "{dir}{name}.renditions.json",
        "MIRROR_DELETES": "true",
        "RENDITIONS": json.dumps({"half": {"scale": 0.5}, "tile": tile}),
    }
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for name, value in (ENVIRONMENT | settings | credentials).items():
        patch.setenv(name, value)
    sqs = boto3.client("sqs", region_name="eu-west-2")
    patch.setenv("FAILURE_QUEUE_URL", sqs.create_queue(QueueName="failures")["QueueUrl"])
    # The function has its own client, so that only its requests are disturbed.
    function_s3, s3 = (boto3.client("s3", region_name="eu-west-2") for _ in range(2))
    for bucket in (SOURCE, DESTINATION):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    function = importlib.import_module("lambda_function")
    patch.setattr(function, "reconciler", Reconciler(function_s3, function.settings))
    patch.setattr(function, "get_sqs", lambda: sqs)

    def upload(key: str, body: bytes, **options: Any) -> None:
        s3.put_object(Bucket=SOURCE, Key=key, Body=body, **options)

    def invoke(key: str, bucket: str = SOURCE, **fields: object) -> None:
        about = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "versionId": "1"}}
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "s3": about, **fields}
        function.lambda_handler({"Records": [record]}, _Context())

    photo = encode(picture(1000, 750))
    upload("written.jpg", photo, Metadata={"large": "x" * 1980, "focus": "left"})
    invoke("written.jpg")
    upload("changed.jpg", photo)
    run_before_next(function_s3, "PutObject", lambda: upload("changed.jpg", photo))
    invoke("changed.jpg")
    upload("broken off.jpg", photo)
    change_response_once(function_s3, "GetObject", Body=BrokenBody())
    invoke("broken off.jpg")
    upload("rejected.jpg", b"no image")
    invoke("rejected.jpg")
    for key in ("half-removed.jpg", "tile-removed.jpg"):
        s3.put_object(Bucket=DESTINATION, Key=key)
    invoke("removed.jpg")
    with contextlib.suppress(IncompleteError):
        invoke("missing.jpg", eventName="ObjectCreated:Put", eventTime=datetime.now(UTC).isoformat())
    # The key is so long that it can't have an output.
    invoke("gone" * 255)
    invoke("ignored/")
    with contextlib.suppress(IncompleteError):
        invoke("failed.jpg", "another-bucket")
    with contextlib.suppress(IncompleteError):
        function.lambda_handler({"Records": [{"odd": 1}]}, _Context())
    without_deletes = replace(function.settings, mirror_deletes=False)
    patch.setattr(function, "reconciler", Reconciler(function_s3, without_deletes))
    invoke("gone.jpg")


class _Context:
    """The context of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        return 120_000
