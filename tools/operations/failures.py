"""`invoke failures`: prints the failure queue's records, and leaves them there."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tools.operations.console import format_age, format_counts
from tools.operations.failure_queue import SAMPLE, Record, Selection
from tools.operations.session import Session


def show_failures(session: Session, selection: Selection) -> None:
    """Print the failure queue's records that the selection is for."""
    sample = session.read_failures(SAMPLE)
    records = [record for record in sample.records if selection.matches(record)]
    show_records(session, records)
    session.console.text(f"Records: {format_counts(Counter(record.reason for record in records))}.")
    for note in sample.notes():
        session.console.text(note)
    session.console.json(sample.counts(records))


def show_records(session: Session, records: Sequence[Record]) -> None:
    """Print records as a table, or as one JSON line each."""
    now, bucket = datetime.now(UTC), session.deployment.settings.source_bucket
    for record in records:
        session.console.json(describe_record(record, bucket))
    rows = [
        (record.reason, name_record(record), format_age(now - record.sent), record.describe(bucket))
        for record in records
    ]
    session.console.table(("REASON", "KEY", "AGE", "MESSAGE"), rows)


def describe_record(record: Record, bucket: str) -> dict[str, object]:
    """Return a record's JSON object; ``bucket`` is the pipeline's source."""
    return {
        "reason": record.reason,
        "keys": [address.key for address in record.addresses],
        "etag": record.etag,
        "message": record.describe(bucket),
        "sent": record.sent.isoformat(timespec="seconds"),
    }


def name_record(record: Record) -> str:
    """Return the record's keys, or the ID of a message that names none."""
    return ", ".join(address.key for address in record.addresses) or record.message_id
