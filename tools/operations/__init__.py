"""What an operator asks of a deployed pipeline, on AWS or the local one: what failed, what is missing, and mends it."""

CONCURRENCY = 8
"""How many invocations a task keeps running at a time, unless told otherwise."""

GRACE_SECONDS = 60
"""How old an upload must be before an audit calls its output missing, unless told otherwise."""

MAX_OBJECTS = 100_000
"""How many uploads a backfill takes, unless told otherwise."""
