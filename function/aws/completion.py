"""Sends completion events, which tell other programs how a source object was settled: written, rejected or removed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from botocore.config import Config

from aws import clients
from aws.description import Description, SourceDescription
from aws.outcomes import ObjectAddress, Outcome, Status
from aws.settings import Settings
from aws.source import Identity
from errors import UnsentError

SCHEMA_VERSION = 1
"""The version of events/completion.schema.json. Added fields do not change it."""

SOURCE = "image-resize"
"""EventBridge's ``source``."""

DETAIL_TYPES = {
    Status.WRITTEN: "Image resized",
    Status.REJECTED: "Image rejected",
    Status.REMOVED: "Image removed",
}
"""EventBridge's ``detail-type``."""

MAX_BYTES = 240 << 10
"""The most bytes of an event. SNS allows 256 KiB unless the topic has another ``MaximumMessageSize``, EventBridge 1 MB.

https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""


@dataclass(frozen=True)
class Completions:
    """Sends completion events to the bus or topic of the settings.

    Attributes:
        client: A client of EventBridge or SNS.

    """

    client: Any
    settings: Settings

    @classmethod
    def of(cls, settings: Settings, config: Config) -> "Completions":
        """Make the client; no request is sent."""
        return cls(clients.make_for(str(settings.event_target_arn), config), settings)

    def send(
        self, outcome: Outcome, confirmed_at: datetime, identity: Identity | None, description: Description | None
    ) -> None:
        """Send the event of an outcome; return once EventBridge or SNS has stored it.

        Args:
            outcome: How one state of the object was settled.
            confirmed_at: A time after the state was read, and before the check that found it unchanged. So the times of
                an object's events have the order of its states, however late an event is sent.
            identity: The state; None if the object does not exist.
            description: What was written; None unless something was.

        Raises:
            UnsentError: EventBridge refused it.
            botocore.exceptions.BotoCoreError, ClientError: The request failed; a retry may succeed.

        """
        # After a send that failed, the retry finds nothing left to remove. Its event must still say "removed".
        status = Status.REMOVED if outcome.status is Status.GONE else outcome.status
        arn, address, rejection = str(self.settings.event_target_arn), outcome.address, outcome.rejection
        time = confirmed_at.isoformat(timespec="milliseconds")
        # An absent object has no version and no date. Without a time, its second removal would look like a repetition.
        state = [*astuple(address), *(astuple(identity) if identity else (time,))]
        made = [status, rejection and rejection.reason, description and astuple(description)]
        body = _encode(
            {
                "schema_version": SCHEMA_VERSION,
                "status": status,
                "idempotency_key": self._make_key([*state, *made]),
                "confirmed_at": time,
                **self._describe(address, identity, description),
                "reason": rejection and rejection.reason,
                "message": rejection and rejection.message,
            }
        )
        if ":sns:" in arn:
            self.client.publish(TopicArn=arn, Message=body)
        else:
            self._put(status, address, body, confirmed_at)

    def _put(self, status: Status, address: ObjectAddress, body: str, confirmed_at: datetime) -> None:
        entry = {
            "EventBusName": self.settings.event_target_arn,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPES[status],
            "Detail": body,
            "Time": confirmed_at,
        }
        response = self.client.put_events(Entries=[entry])
        # EventBridge answers 200 although it refused an entry.
        if response["FailedEntryCount"]:
            refusal = response["Entries"][0]
            raise UnsentError(
                f"EventBridge refused the completion event of s3://{address.bucket}/{address.key}: "
                f"{refusal.get('ErrorCode')}: {refusal.get('ErrorMessage')}"
            )

    def _describe(
        self, address: ObjectAddress, identity: Identity | None, description: Description | None
    ) -> dict[str, Any]:
        """Return the source and its outputs: all fields of those that were written, and the keys of removed ones."""
        if description:
            source, renditions = description.source, [asdict(one) for one in description.renditions]
        else:
            version, etag = (identity.version_id, identity.etag.strip('"')) if identity else (None, None)
            source = SourceDescription(address.bucket, address.key, version, etag)
            removed = () if identity else self.settings.renditions
            renditions = [{"name": one.name, "key": one.output_key(address.key)} for one in removed]
        return {
            "source": asdict(source),
            "destination_bucket": self.settings.destination_bucket,
            "renditions": renditions,
            "renditions_omitted": 0,
            "lost": list(dict.fromkeys(lost for one in renditions for lost in one.get("lost", ()))),
        }

    def _make_key(self, settled: Sequence[object]) -> str:
        """Return a digest of the settled state and the settings, which repetitions of an event share.

        It covers the outputs because another release makes others with equal settings, and because no two signatures
        of Content Credentials are equal. It does not cover ``manifest``, because no event mentions manifests.
        """
        settings = self.settings
        digests = [one.digest(settings.metadata, is_signed=settings.is_signed) for one in settings.renditions]
        parts = [*settled, settings.destination_bucket, *digests, *settings.limits]
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _encode(event: dict[str, Any]) -> str:
    """Return an event as JSON; leave out the renditions if they make it too large."""
    body = json.dumps(event)
    if len(body) <= MAX_BYTES:
        return body
    return json.dumps({**event, "renditions": [], "renditions_omitted": len(event["renditions"])})
