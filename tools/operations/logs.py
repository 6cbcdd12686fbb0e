"""`invoke logs`: prints the function's log, and new lines when they arrive."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.operations.session import Session

POLL_SECONDS = 2
"""Time between two requests: CloudWatch Logs allows five a second for the whole account."""

LATE_MILLISECONDS = 30_000
"""Time that a line may take to arrive. Each environment has its own stream, so a later line may arrive first."""


def show_log(session: Session, since_seconds: int, *, follow: bool) -> None:
    """Print the lines of the last ``since_seconds``; with ``follow``, then new lines until an interrupt."""
    since = datetime.now(UTC) - timedelta(seconds=since_seconds)
    is_empty = True
    for event in _read(session, int(since.timestamp() * 1000), follow=follow):
        is_empty = False
        _show(session, event)
    if is_empty:
        print(f"The log has no lines since {since:%Y-%m-%d %H:%M} UTC: --since looks further back", file=sys.stderr)


def _read(session: Session, start: int, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Yield events since a time in milliseconds, each once, oldest first."""
    group = session.deployment.log_group
    paginator = session.deployment.client("logs", None).get_paginator("filter_log_events")
    seen: dict[str, int] = {}
    while True:
        for page in paginator.paginate(logGroupName=group, startTime=start):
            for event in page["events"]:
                if event["eventId"] not in seen:
                    yield event
                if follow:
                    seen[event["eventId"]] = event["timestamp"]
        if not follow:
            return
        sys.stdout.flush()
        start = max([start, *(at - LATE_MILLISECONDS for at in seen.values())])
        seen = {name: at for name, at in seen.items() if at >= start}
        time.sleep(POLL_SECONDS)


def _show(session: Session, event: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    session.console.json(
        {
            "timestamp": at.isoformat(timespec="milliseconds"),
            "stream": event["logStreamName"],
            "message": event["message"].rstrip("\n"),
        }
    )
    for line in event["message"].splitlines():
        session.console.text(line.expandtabs())
