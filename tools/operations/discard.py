"""`invoke discard`: deletes messages of the failure queue that the function can't use."""

from collections.abc import Sequence

from tools.common.progress import show_progress
from tools.operations.console import Console
from tools.operations.failure_queue import SAMPLE, FailureQueue, Record, describe_held
from tools.operations.function import Reply
from tools.operations.redrive import HANDLING, Redrive
from tools.operations.session import Session

EXCERPT = 60
"""Characters of a message that a table shows."""


def show_discard(session: Session) -> None:
    """Print the messages that :func:`discard` would delete, and leave them in the queue."""
    sample = session.read_failures(SAMPLE)
    bucket = session.deployment.settings.source_bucket
    chosen = [record for record in sample.records if record.find_obstacle(bucket)]
    for record in chosen:
        session.console.json(_describe(record, bucket))
    _print_table(session.console, chosen, bucket)
    say = session.console.text
    say(f"Messages to delete: {len(chosen):,} of {len(sample.records):,}.")
    for note in sample.notes():
        say(note)
    if chosen:
        say("Nothing was deleted. Run again with --yes to delete. --json prints whole messages.")
    session.console.json({**sample.counts(chosen), "would_delete": len(chosen)})


def discard(session: Session) -> bool:
    """Delete the messages that the function can't use; returns whether none can be left."""
    console, bucket = session.console, session.deployment.settings.source_bucket
    chosen: list[Record] = []

    def print_before_deletion(record: Record) -> Reply:
        console.json(_describe(record, bucket))
        chosen.append(record)
        return Reply(("deleted",))

    depth = FailureQueue(session.deployment).depth()
    work = Redrive(
        session.deployment,
        lambda record: bool(record.find_obstacle(bucket)),
        session.concurrency,
        print_before_deletion,
    )
    try:
        with show_progress(HANDLING, depth.visible) as update:
            work.run(update)
    finally:
        # An error or Ctrl-C may have ended the run: print what was done before.
        _print_table(console, chosen, bucket)
        result = work.result
        deleted, elsewhere, is_complete = result.statuses["deleted"], result.held_elsewhere, result.is_complete
        others = f" Others: {result.skipped:,}." if is_complete else ""
        console.text(f"Messages deleted: {deleted:,}.{others}")
        if elsewhere:
            console.text(describe_held(elsewhere))
        console.json(
            {
                "deleted": deleted,
                "left": result.skipped if is_complete else None,
                "elsewhere": elsewhere if is_complete else None,
            }
        )
    return not elsewhere


def _print_table(console: Console, records: Sequence[Record], bucket: str) -> None:
    rows = [
        (
            record.message_id,
            f"{record.sent:%Y-%m-%d %H:%M:%S}",
            str(record.received),
            record.find_obstacle(bucket),
            record.body[:EXCERPT],
        )
        for record in records
    ]
    console.table(("MESSAGE ID", "SENT (UTC)", "RECEIVED", "WHY", "BEGINS WITH"), rows)


def _describe(record: Record, bucket: str) -> dict[str, object]:
    return {
        "id": record.message_id,
        "sent": record.sent.isoformat(timespec="seconds"),
        "received": record.received,
        "why": record.find_obstacle(bucket),
        "body": record.body,
    }
