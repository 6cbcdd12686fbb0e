"""What became of every upload to a deployed pipeline: its image, a record that says why not, or nothing."""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from PIL import Image, UnidentifiedImageError

from renditions import Rendition
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.local.aws.faults import backlog
from tools.local.stack import RENDITION

UPLOADERS = 8
"""How many upload at once."""


@dataclass(frozen=True)
class Ledger:
    """How all uploads ended.

    Attributes:
        images: Keys whose output is the current image.
        recorded: Keys that a record in the failure queue is about, with its reason; ``event`` for Lambda's own record.
        lost: Keys that have neither.
        wrong: Keys whose output is not what it should be.
        records: How many records there were; above the number of keys where some came twice.

    """

    images: frozenset[str]
    recorded: Mapping[str, str]
    lost: frozenset[str]
    wrong: frozenset[str]
    records: int

    @property
    def reasons(self) -> Counter[str]:
        """How many keys were recorded for which reason."""
        return Counter(self.recorded.values())


def upload(stack: Stack, bodies: Mapping[str, bytes]) -> None:
    """Upload all, as fast as it goes."""
    s3 = stack.client("s3")

    def put(key: str) -> None:
        s3.put_object(Bucket=stack.source_bucket, Key=key, Body=bodies[key])

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for _ in pool.map(put, bodies):
            pass


def settle(stack: Stack, seconds: float = 1200) -> None:
    """Wait until no event waits or is under way any more.

    Raises:
        ToolError: That took longer.

    """
    deadline = time.monotonic() + seconds
    while (left := backlog(stack.aws, stack.function_name)) > 0:
        if time.monotonic() > deadline:
            raise ToolError(f"{left} events are still under way after {seconds:.0f} s")
        time.sleep(0.1)


def account(stack: Stack, bodies: Mapping[str, bytes], rendition: Rendition = RENDITION) -> Ledger:
    """Look what became of each; the failure queue is empty afterwards."""
    records = list(_records(stack))
    recorded = {key: reason for key, reason in records if key in bodies}
    s3 = stack.client("s3")
    images: set[str] = set()
    lost: set[str] = set()
    wrong: set[str] = set()
    for key, body in bodies.items():
        try:
            output = s3.get_object(Bucket=stack.destination_bucket, Key=rendition.output_key(key))
        except s3.exceptions.NoSuchKey:
            if key not in recorded:
                lost.add(key)
            continue
        source = s3.head_object(Bucket=stack.source_bucket, Key=key)
        (images if _is_image_of(output, source, body, rendition) else wrong).add(key)
    return Ledger(frozenset(images), recorded, frozenset(lost), frozenset(wrong), records=len(records))


def _is_image_of(output: Mapping[str, Any], source: Mapping[str, Any], body: bytes, rendition: Rendition) -> bool:
    try:
        resized, original = Image.open(io.BytesIO(output["Body"].read())), Image.open(io.BytesIO(body))
        resized.load()
    except (UnidentifiedImageError, OSError):
        return False
    return (
        output["Metadata"]["resized-from-etag"] == source["ETag"].strip('"')
        and rendition.place(original.size).size == resized.size
    )


def _records(stack: Stack) -> Iterator[tuple[str, str]]:
    """Take everything off the failure queue: the key and the reason of each record."""
    sqs, url = stack.client("sqs"), stack.failure_queue_url
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if "reason" in body:
                yield body["key"], body["reason"]
            else:
                for record in body["requestPayload"]["Records"]:
                    yield unquote_plus(record["s3"]["object"]["key"]), "event"
