"""The operator's commands for a deployed pipeline: `invoke failures`, `redrive`, `audit` and `backfill`.

Every function that takes a client, a deployment or a session also raises ``botocore.exceptions.BotoCoreError`` and
``ClientError``; :func:`tools.operations.session.open_session` turns them into one-line errors.
"""

CONCURRENCY = 8
"""Default number of invocations in flight."""

GRACE_SECONDS = 60
"""Default age from which an audit reports an upload without output as missing."""

MAX_OBJECTS = 100_000
"""Default limit on the uploads of one backfill."""
