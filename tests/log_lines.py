"""Every kind of line in the function's log, produced by the real handler and formatted like Lambda's."""

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
"""Fields that Lambda's runtime writes into every line."""

OF_RECORDS = frozenset(vars(logging.makeLogRecord({}))) | {"taskName", "message", "asctime"}
"""Attributes of every record of ``logging``; the runtime writes only those in :func:`format_line`."""


class Log(logging.Handler):
    """Keeps every line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(format_line(record))


def format_line(record: logging.LogRecord) -> dict[str, Any]:
    """Return a record as Lambda's runtime writes it: without null values, with extra fields at the top level."""
    written: dict[str, Any] = {
        "timestamp": "2026-11-26T12:00:00Z",
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
        "requestId": "6d68ca91-49c9-4448-89b8-7ca3e6dc66aa",
    }
    if record.exc_info and record.exc_info[0]:
        written |= {
            "errorType": record.exc_info[0].__name__,
            "errorMessage": str(record.exc_info[1]),
            "stackTrace": [],
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
        }
    written |= {name: value for name, value in vars(record).items() if name not in OF_RECORDS}
    formatted: dict[str, Any] = json.loads(
        json.dumps({name: value for name, value in written.items() if value is not None})
    )
    return formatted


def collect_log() -> list[dict[str, Any]]:
    """Run the handler through every outcome that it logs, against moto in this process, and return its log."""
    log = Log()
    root = logging.getLogger()
    level = root.level
    root.addHandler(log)
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        try:
            _run_every_outcome(patch)
        finally:
            root.removeHandler(log)
            root.setLevel(level)
            sys.modules.pop("lambda_function", None)
    return [line for line in log.lines if line["logger"] in {"lambda_function", "aws.reconcile", "aws.destination"}]


def _run_every_outcome(patch: pytest.MonkeyPatch) -> None:
    own = {"MIRROR_DELETES": "true", "RENDITIONS": '{"half": {"scale": 0.5}, "tile": {"width": 32}}'}
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for name, value in (ENVIRONMENT | own | keys).items():
        patch.setenv(name, value)
    sqs = boto3.client("sqs", region_name="eu-west-2")
    patch.setenv("FAILURE_QUEUE_URL", sqs.create_queue(QueueName="failures")["QueueUrl"])
    ours, others = (boto3.client("s3", region_name="eu-west-2") for _ in range(2))
    for bucket in (SOURCE, DESTINATION):
        others.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        others.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    handler = importlib.import_module("lambda_function")
    patch.setattr(handler, "reconciler", Reconciler(ours, handler.settings))
    patch.setattr(handler, "get_sqs", lambda: sqs)

    def upload(key: str, body: bytes, **options: Any) -> None:
        others.put_object(Bucket=SOURCE, Key=key, Body=body, **options)

    def tell(key: str, bucket: str = SOURCE, **more: object) -> None:
        about = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "versionId": "1"}}
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "s3": about, **more}
        handler.lambda_handler({"Records": [record]}, _Context())

    photo = encode(picture(1000, 750))
    upload("written.jpg", photo, Metadata={"large": "x" * 1990})
    tell("written.jpg")
    upload("changed.jpg", photo)
    run_before_next(ours, "PutObject", lambda: upload("changed.jpg", photo))
    tell("changed.jpg")
    upload("broken off.jpg", photo)
    change_response_once(ours, "GetObject", Body=BrokenBody())
    tell("broken off.jpg")
    upload("rejected.jpg", b"no image")
    tell("rejected.jpg")
    for key in ("half-removed.jpg", "tile-removed.jpg"):
        others.put_object(Bucket=DESTINATION, Key=key)
    tell("removed.jpg")
    with contextlib.suppress(IncompleteError):
        tell("missing.jpg", eventName="ObjectCreated:Put", eventTime=datetime.now(UTC).isoformat())
    # The key is too long for an output.
    tell("gone" * 255)
    tell("ignored/")
    with contextlib.suppress(IncompleteError):
        tell("failed.jpg", "another-bucket")
    with contextlib.suppress(IncompleteError):
        handler.lambda_handler({"Records": [{"odd": 1}]}, _Context())
    keeping = replace(handler.settings, mirror_deletes=False)
    patch.setattr(handler, "reconciler", Reconciler(ours, keeping))
    tell("gone.jpg")


class _Context:
    """The context that Lambda passes with the event."""

    def get_remaining_time_in_millis(self) -> int:
        return 120_000
