"""Upload small JPEGs to a deployed pipeline, and find the outcome of each."""

import hashlib
import io
import json
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from PIL import Image, UnidentifiedImageError

from renditions import Rendition
from tests.faults import count_events
from tools.common.local_stack import Stack
from tools.local.stack import RENDITION

UPLOADERS = 8
"""The number of threads that upload."""


COMPLETIONS = "completions"
"""The name of the bus for completion events, and of a queue that gets all of them."""


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of a set of uploads.

    Attributes:
        images: Keys with a correct output of the current version.
        recorded: The reason of each key with a record in the failure queue; ``event`` for Lambda's record of an event.
        lost: Keys with neither an output nor a record.
        wrong: Keys with a damaged output, or an output of another version.
        records: The number of records, including duplicates.

    """

    images: frozenset[str]
    recorded: Mapping[str, str]
    lost: frozenset[str]
    wrong: frozenset[str]
    records: int


def draw_pictures(count: int, seed: int, *, broken: float = 0) -> dict[str, bytes]:
    """Return JPEGs of random sizes, by key.

    Args:
        count: The number of JPEGs.
        seed: Different seeds give different keys and pictures.
        broken: The share of JPEGs that are truncated.

    """
    generator = random.Random(seed)  # noqa: S311 - no secret
    noise = Image.effect_noise((400, 300), 40)
    bodies = {}
    for number in range(count):
        size = generator.randint(100, 400), generator.randint(80, 300)
        target = io.BytesIO()
        noise.resize(size, box=(0, 0, *size)).convert("RGB").save(target, "JPEG", comment=str(number))
        body = target.getvalue()
        bodies[f"{seed}/{number}.jpg"] = body[: len(body) // 2] if generator.random() < broken else body
    return bodies


def upload(stack: Stack, bodies: Mapping[str, bytes]) -> None:
    """Upload all bodies in parallel."""
    s3 = stack.client("s3")

    def put(key: str) -> None:
        s3.put_object(Bucket=stack.source_bucket, Key=key, Body=bodies[key])

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for _ in pool.map(put, bodies):
            pass


def await_idle(stack: Stack, seconds: float = 1200) -> None:
    """Wait until no event of the function is queued or in flight."""
    deadline = time.monotonic() + seconds
    while (events := count_events(stack.aws, stack.function_name)) > 0:
        assert time.monotonic() < deadline, f"{events} events are still queued or in flight after {seconds:.0f} s"
        time.sleep(0.1)


def find_outcomes(stack: Stack, bodies: Mapping[str, bytes], rendition: Rendition = RENDITION) -> Outcomes:
    """Return the outcomes of uploads, and empty the failure queue."""
    records = [record for message in drain_failure_queue(stack) for record in _parse_record(json.loads(message))]
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


def drain_failure_queue(stack: Stack) -> list[str]:
    """Delete all messages of the failure queue, and return their bodies."""
    return drain_queue(stack, stack.failure_queue_url)


def drain_queue(stack: Stack, url: str) -> list[str]:
    """Delete all messages of a queue, and return their bodies."""
    # PurgeQueue would be simpler, but SQS allows it only once a minute.
    sqs = stack.client("sqs")
    bodies = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
    return bodies


def make_completion_queue(stack: Stack) -> None:
    """Make the bus ``COMPLETIONS``, and a queue that gets its events."""
    sqs, events = stack.client("sqs"), stack.client("events")
    url = sqs.create_queue(QueueName=COMPLETIONS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    events.create_event_bus(Name=COMPLETIONS)
    events.put_rule(Name=COMPLETIONS, EventBusName=COMPLETIONS, EventPattern='{"source": ["image-resize"]}')
    events.put_targets(Rule=COMPLETIONS, EventBusName=COMPLETIONS, Targets=[{"Id": "queue", "Arn": arn}])


def find_completions(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the completion event of the latest state of each upload, and empty their queue."""
    messages = drain_queue(stack, stack.client("sqs").get_queue_url(QueueName=COMPLETIONS)["QueueUrl"])
    events = sorted((json.loads(message)["detail"] for message in messages), key=lambda one: str(one["confirmed_at"]))
    return {event["source"]["key"]: event for event in events}


def find_untold(stack: Stack, outcomes: Outcomes) -> dict[str, object]:
    """Return the uploads without a completion event of their outcome, and what they have instead; empty their queue.

    If Lambda gave up on an upload's event, the upload has a record instead. A redrive would send the completion event.
    """
    completions, s3 = find_completions(stack), stack.client("s3")
    untold: dict[str, object] = {}
    for key in outcomes.images | outcomes.recorded.keys():
        reason = outcomes.recorded.get(key)
        event = completions.get(key)
        if reason == "event":
            continue
        if event is None or event["reason"] != reason:
            untold[key] = event
            continue
        for one in event["renditions"]:
            body = s3.get_object(Bucket=stack.destination_bucket, Key=one["key"])["Body"].read()
            if hashlib.sha256(body).hexdigest() != one["sha256"]:
                untold[key] = event
    return untold


def _parse_record(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the key and the reason of each object in a record."""
    if "reason" in record:
        return [(record["key"], record["reason"])]
    events = record["requestPayload"]["Records"]
    return [(unquote_plus(event["s3"]["object"]["key"]), "event") for event in events]
