"""The operator's commands for a deployed pipeline: `invoke failures`, `redrive`, `audit` and `backfill`."""

CONCURRENCY = 8
"""Default number of invocations in flight."""

GRACE_SECONDS = 60
"""Default age from which an audit reports an upload without output as missing."""

MAX_OBJECTS = 100_000
"""Default limit on the uploads of one backfill."""
