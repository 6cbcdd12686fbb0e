"""Uploads small JPEGs to a deployed pipeline, and finds the outcome of each."""

import io
import json
import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from PIL import Image, UnidentifiedImageError

from renditions import Rendition
from tests.faults import backlog
from tools.common.local_stack import Stack
from tools.local.stack import RENDITION

UPLOADERS = 8
"""How many threads upload at once."""


@dataclass(frozen=True)
class Outcomes:
    """How all uploads ended.

    Attributes:
        images: Keys whose output is the current image.
        recorded: Keys with a record in the failure queue, and its reason; ``event`` for Lambda's own record.
        lost: Keys that have neither.
        wrong: Keys whose output is not what it should be.
        records: How many records there were; some may have come twice.

    """

    images: frozenset[str]
    recorded: Mapping[str, str]
    lost: frozenset[str]
    wrong: frozenset[str]
    records: int


def draw_pictures(count: int, seed: int, *, broken: float = 0) -> dict[str, bytes]:
    """Draw JPEGs of different sizes; returns them by key.

    Args:
        count: How many.
        seed: Every seed draws other pictures.
        broken: The share of them that is cut off.

    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    noise = Image.effect_noise((400, 300), 40)
    drawn = {}
    for number in range(count):
        size = chance.randint(100, 400), chance.randint(80, 300)
        target = io.BytesIO()
        noise.resize(size, box=(0, 0, *size)).convert("RGB").save(target, "JPEG", comment=str(number))
        body = target.getvalue()
        drawn[f"{seed}/{number}.jpg"] = body[: len(body) // 2] if chance.random() < broken else body
    return drawn


def upload(stack: Stack, bodies: Mapping[str, bytes]) -> None:
    """Upload everything as fast as possible."""
    s3 = stack.client("s3")

    def put(key: str) -> None:
        s3.put_object(Bucket=stack.source_bucket, Key=key, Body=bodies[key])

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for _ in pool.map(put, bodies):
            pass


def await_idle(stack: Stack, seconds: float = 1200) -> None:
    """Wait until the function has no event left, neither waiting nor in flight."""
    deadline = time.monotonic() + seconds
    while (left := backlog(stack.aws, stack.function_name)) > 0:
        assert time.monotonic() < deadline, f"{left} events are still in flight after {seconds:.0f} s"
        time.sleep(0.1)


def find_outcomes(stack: Stack, bodies: Mapping[str, bytes], rendition: Rendition = RENDITION) -> Outcomes:
    """Find the outcome of each upload, and empty the failure queue."""
    records = list(_take_records(stack))
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
    return Outcomes(frozenset(images), recorded, frozenset(lost), frozenset(wrong), records=len(records))


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


def _take_records(stack: Stack) -> Iterator[tuple[str, str]]:
    """Empty the failure queue; yields the key and the reason of each record."""
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
