"""The failure queue: its records, looked at without being taken, or taken one by one."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aws import events
from aws.outcomes import ObjectAddress
from errors import EventError
from tools.operations.deployment import Deployment

BATCH = 10
"""The most messages that SQS takes or gives at a time."""

SAMPLE_SECONDS = 120
"""How long what a sample has seen is hidden from others, where it is not released any more."""

UNDELIVERED = "undelivered"
"""The reason of an event as it was sent."""

NOT_UNDERSTOOD = "not_understood"
"""The reason of a message that is no record."""


@dataclass(frozen=True)
class Record:
    """A message of the failure queue.

    Attributes:
        message_id: Stays the same however often it is received.
        receipt: What it is hidden, shown and deleted by; each time it is received another.
        sent: When SQS took it.
        event: Its content, which the function takes for an event; None where it is no JSON object.
        reason: Of a rejection; of an event that Lambda gave up, its condition, such as ``RetriesExhausted``;
            ``undelivered`` of one that never came to Lambda.
        addresses: The objects that it is about.
        etag: Of the object that was rejected, in quotation marks; empty where an event was given up.
        message: What is wrong, for a person.

    """

    message_id: str
    receipt: str
    sent: datetime
    event: Mapping[str, object] | None
    reason: str
    addresses: tuple[ObjectAddress, ...]
    etag: str
    message: str

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Record":
        """Read what SQS gave."""
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        identity = message["MessageId"], message["ReceiptHandle"], sent
        try:
            body = json.loads(message["Body"])
            addresses = tuple(events.parse(body).events)
        except (ValueError, RecursionError, EventError):
            return cls(*identity, None, NOT_UNDERSTOOD, (), "", message["Body"][:200])
        match body:
            case {"reason": str(reason), "etag": str(etag)}:
                return cls(*identity, body, reason, addresses, etag, str(body.get("message", "")))
            case {"requestContext": {"condition": str(condition)}}:
                said = body.get("responsePayload")
                error = said.get("errorMessage", "") if isinstance(said, dict) else ""
                return cls(*identity, body, condition, addresses, "", str(error))
        return cls(*identity, body, UNDELIVERED, addresses, "", "")

    @property
    def is_rejection(self) -> bool:
        """Whether it says that an object can have no image, rather than that an event was given up."""
        return bool(self.etag)


@dataclass(frozen=True)
class Choice:
    """Which records are meant.

    Attributes:
        reason: Exactly this; any where empty.
        prefix: What a key of theirs begins with.

    """

    reason: str = ""
    prefix: str = ""

    def fits(self, record: Record) -> bool:
        """Whether a record is meant."""
        if self.reason and record.reason != self.reason:
            return False
        return not self.prefix or any(address.key.startswith(self.prefix) for address in record.addresses)


@dataclass(frozen=True)
class Depth:
    """How many messages there are, as far as SQS knows.

    Attributes:
        waiting: Those that can be received.
        in_hand: Those that somebody has received and not yet released.
        at: SQS's own time, to the second.

    """

    waiting: int
    in_hand: int
    at: datetime


@dataclass(frozen=True)
class FailureQueue:
    """The queue of a pipeline; every method raises botocore's errors where SQS cannot do it."""

    deployment: Deployment

    def depth(self) -> Depth:
        """Ask how many messages there are."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        waiting, in_hand = (int(response["Attributes"][name]) for name in names)
        date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
        return Depth(waiting, in_hand, datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC))

    def sample(self, most: int) -> list[Record]:
        """Look at so many records, and leave them where they are.

        SQS gives what some of its servers have, so what comes is a sample, even where nothing more comes.
        """
        seen: dict[str, Record] = {}
        deadline = time.monotonic() + SAMPLE_SECONDS / 2
        try:
            while len(seen) < most and time.monotonic() < deadline:
                records = self.receive(SAMPLE_SECONDS)
                if not records:
                    break
                seen |= {record.message_id: record for record in records}
        finally:
            self.hide(seen.values(), 0)
        return sorted(seen.values(), key=lambda record: record.sent)

    def receive(self, seconds: int, *, most: int = BATCH, wait: int = 1) -> list[Record]:
        """Take some messages, hidden from others for so many seconds; none where none came within ``wait`` seconds."""
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, BATCH),
            VisibilityTimeout=seconds,
            WaitTimeSeconds=wait,
            AttributeNames=["SentTimestamp"],
        )
        return [Record.of(message) for message in response.get("Messages", [])]

    def hide(self, records: Iterable[Record], seconds: int) -> None:
        """Hide messages that were received for so many seconds from now; 0 shows them to everyone at once."""
        for batch in _batches(records):
            entries = [
                {"Id": str(number), "ReceiptHandle": record.receipt, "VisibilityTimeout": seconds}
                for number, record in enumerate(batch)
            ]
            # What fails in it is shown again when its time is over.
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def delete(self, record: Record) -> None:
        """Remove a message that was received."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=record.receipt)

    @property
    def _url(self) -> str:
        return self.deployment.settings.failure_queue_url

    @cached_property
    def _client(self) -> Any:
        return self.deployment.client("sqs", None)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    left = list(records)
    for start in range(0, len(left), BATCH):
        yield left[start : start + BATCH]
