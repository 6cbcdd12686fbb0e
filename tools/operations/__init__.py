"""The operator's commands for a deployed pipeline: `invoke failures`, `redrive`, `discard`, `audit`, `backfill`.

Every function that takes a client, a deployment or a session also raises ``botocore.exceptions.BotoCoreError`` and
``ClientError``; :func:`tools.operations.session.open_session` turns them into one-line errors.
"""

from errors import Reason

CONCURRENCY = 8
"""Default number of invocations in flight."""

GRACE_SECONDS = 60
"""Default age from which an audit reports an upload without output as missing."""

MAX_OBJECTS = 100_000
"""Default limit on the uploads of one backfill."""

UNDELIVERED = "undelivered"
"""Reason of an event that EventBridge could not deliver."""

NOT_UNDERSTOOD = "not_understood"
"""Reason of a message that is neither a record nor an event about an object."""

REASONS = (
    *Reason,
    "RetriesExhausted",
    "EventAgeExceeded",
    "ZeroReservedConcurrency",
    UNDELIVERED,
    NOT_UNDERSTOOD,
)
"""All reasons of records. Those in CamelCase are Lambda's conditions:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
