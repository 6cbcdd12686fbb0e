"""The failure queue and its records."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aws import events
from aws.outcomes import ObjectAddress
from errors import EventError
from tools.operations import NOT_UNDERSTOOD, UNDELIVERED
from tools.operations.deployment import Deployment

BATCH = 10
"""SQS's limit on the messages of one request."""

SAMPLE = 10_000
"""Records that a command reads to show them."""

SAMPLE_SECONDS = 120
"""Visibility timeout of sampled messages, for a process that dies before it releases them."""


@dataclass(frozen=True)
class Record:
    """A message of the failure queue.

    Attributes:
        message_id: The same each time that the message is received.
        receipt: Handle that hides, shows and deletes the message; another one each time.
        sent: When SQS accepted it.
        received: How often it has been received, approximately.
        body: Its text.
        event: The body, parsed, if the function accepts it and it names an object; otherwise None.
        reason: A rejection's reason; Lambda's condition for an event that it gave up, such as ``RetriesExhausted``;
            or :data:`UNDELIVERED` or :data:`NOT_UNDERSTOOD`.
        addresses: The objects that it is about.
        etag: ETag of a rejected object, in quotation marks; empty for an event that was given up.
        message: The error, for people.

    """

    message_id: str
    receipt: str
    sent: datetime
    received: int
    body: str
    event: Mapping[str, object] | None
    reason: str
    addresses: tuple[ObjectAddress, ...]
    etag: str
    message: str

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Record":
        """Parse a message of SQS's ``receive_message``."""
        attributes = message["Attributes"]
        sent = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
        received = int(attributes["ApproximateReceiveCount"])
        identity = message["MessageId"], message["ReceiptHandle"], sent, received, message["Body"]
        excerpt = message["Body"][:200]
        try:
            body = json.loads(message["Body"])
            parsed = events.parse(body)
        except EventError as unknown:
            return cls(*identity, None, NOT_UNDERSTOOD, (), "", str(unknown))
        except (ValueError, RecursionError):
            return cls(*identity, None, NOT_UNDERSTOOD, (), "", f"The message is not JSON: {excerpt}")
        addresses = tuple(parsed.events)
        if not addresses:
            # The function would accept an event without objects, and the redrive would delete it without a word.
            why = str(parsed.errors[0]) if parsed.errors else f"The event names no object: {excerpt}"
            return cls(*identity, None, NOT_UNDERSTOOD, (), "", why)
        match body:
            case {"reason": str(reason), "etag": str(etag)}:
                return cls(*identity, body, reason, addresses, etag, str(body.get("message", "")))
            case {"requestContext": {"condition": str(condition)}}:
                payload = body.get("responsePayload")
                error = payload.get("errorMessage", "") if isinstance(payload, dict) else ""
                return cls(*identity, body, condition, addresses, "", str(error))
        return cls(*identity, body, UNDELIVERED, addresses, "", "")

    @property
    def is_rejection(self) -> bool:
        """Whether the function rejected the object, rather than Lambda giving up the event."""
        return bool(self.etag)

    def find_obstacle(self, bucket: str) -> str:
        """Return why the function of a source bucket can't process the record; empty if it may."""
        if self.event is None:
            return "neither a record nor an event about an object"
        others = {address.bucket for address in self.addresses}
        return "" if bucket in others else f"about the bucket {', '.join(sorted(others))}, not {bucket}"

    def describe(self, bucket: str) -> str:
        """Return the error for people, after the bucket of a record that the function of ``bucket`` can't process."""
        obstacle = self.find_obstacle(bucket) if self.event is not None else ""
        return ": ".join(filter(None, (obstacle, self.message)))


@dataclass(frozen=True)
class Selection:
    """Which records a command is for.

    Attributes:
        reason: The records' reason; any if empty.
        prefix: Prefix of at least one key of each record.

    """

    reason: str = ""
    prefix: str = ""

    def matches(self, record: Record) -> bool:
        if self.reason and record.reason != self.reason:
            return False
        return not self.prefix or any(address.key.startswith(self.prefix) for address in record.addresses)


@dataclass(frozen=True)
class Depth:
    """Approximate numbers of messages.

    Attributes:
        visible: Messages that can be received.
        in_flight: Messages that a process has received, and neither deleted nor released.
        at: When SQS counted them, by its clock, in whole seconds.

    """

    visible: int
    in_flight: int
    at: datetime

    @property
    def total(self) -> int:
        return self.visible + self.in_flight


@dataclass(frozen=True)
class Sample:
    """Records that were read and left in the queue.

    Attributes:
        records: The records, the oldest first.
        depth: How many messages there were before.

    """

    records: list[Record]
    depth: Depth

    def counts(self, chosen: Iterable[Record]) -> dict[str, object]:
        """Return the totals of a JSON line: the reasons of the chosen records, and how many were read."""
        reasons = Counter(record.reason for record in chosen)
        return {"reasons": reasons, "sample": len(self.records), "approximate_total": self.depth.total}

    def notes(self) -> list[str]:
        """Say how many messages the sample lacks, and why."""
        notes: list[str] = []
        if len(self.records) < self.depth.visible:
            notes.append(
                f"SQS can't list all messages. These are {len(self.records):,} of about {self.depth.visible:,}."
            )
        if self.depth.in_flight:
            notes.append(describe_held(self.depth.in_flight))
        return notes


def describe_held(count: int) -> str:
    """Say that another process holds records, and what to do."""
    return f"Another process holds about {count:,} more, or held them when it was killed. Run again in 15 minutes."


@dataclass(frozen=True)
class FailureQueue:
    """A pipeline's failure queue."""

    deployment: Deployment

    def depth(self) -> Depth:
        """Return how many messages there are."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        visible, in_flight = (int(response["Attributes"][name]) for name in names)
        date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
        return Depth(visible, in_flight, datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC))

    def sample(self, limit: int, advance: Callable[[int], None] = lambda _: None) -> list[Record]:
        """Read about ``limit`` records and leave them in the queue.

        It may miss some: each request to SQS asks only some of its servers.

        Args:
            limit: May be exceeded by the last request's records.
            advance: Called with the number of new records after each request.

        """
        seen: dict[str, Record] = {}
        deadline = time.monotonic() + SAMPLE_SECONDS / 2
        try:
            while len(seen) < limit and time.monotonic() < deadline:
                records = self.receive(SAMPLE_SECONDS)
                if not records:
                    break
                before = len(seen)
                seen |= {record.message_id: record for record in records}
                advance(len(seen) - before)
        finally:
            self.hide(seen.values(), 0)
        return sorted(seen.values(), key=lambda record: record.sent)

    def receive(self, seconds: int, *, limit: int = BATCH, wait: int = 1) -> list[Record]:
        """Receive up to ``limit`` messages within ``wait`` seconds, and hide them for ``seconds``."""
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(limit, BATCH),
            VisibilityTimeout=seconds,
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return [Record.of(message) for message in response.get("Messages", [])]

    def hide(self, records: Iterable[Record], seconds: int) -> None:
        """Hide received messages for ``seconds`` from now; 0 makes them visible at once."""
        remaining = list(records)
        for start in range(0, len(remaining), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": record.receipt, "VisibilityTimeout": seconds}
                for number, record in enumerate(remaining[start : start + BATCH])
            ]
            # Failed entries need no retry: their messages become visible when the earlier timeout ends.
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def delete(self, record: Record) -> None:
        """Delete a received message."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=record.receipt)

    @property
    def _url(self) -> str:
        return self.deployment.settings.failure_queue_url

    @cached_property
    def _client(self) -> Any:
        return self.deployment.client("sqs", None)
