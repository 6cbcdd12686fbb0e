"""`invoke failures` and `invoke redrive`: what is in the failure queue, and to send it again."""

from collections import Counter
from datetime import UTC, datetime

from tools.operations.failure_queue import Choice, FailureQueue, Record
from tools.operations.operator import Operator
from tools.operations.redrive import Redrive, Redriven
from tools.operations.screen import counted, duration

SAMPLE = 1000
"""How many records are looked at to show them."""


def show(operator: Operator, choice: Choice) -> None:
    """Show what is in the failure queue, and leave it there.

    Args:
        operator: Who asks.
        choice: Which records.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: SQS could not do it.

    """
    queue = FailureQueue(operator.deployment)
    depth = queue.depth()
    with operator.screen.progress("Looking into the failure queue"):
        sample = queue.sample(SAMPLE)
    records = [record for record in sample if choice.fits(record)]
    for record in records:
        operator.screen.line(_described(record))
    now = datetime.now(UTC)
    rows = [(record.reason, _keys(record), duration(now - record.sent), record.message) for record in records]
    operator.screen.table(("REASON", "KEY", "AGE", "MESSAGE"), rows)
    reasons = Counter(record.reason for record in records)
    total = depth.waiting + depth.in_hand
    operator.screen.say(
        f"{counted(reasons)}. SQS lists no queue: this is a sample of {len(sample):,}, and there are about {total:,}."
    )
    operator.screen.line({"reasons": dict(reasons), "sample": len(sample), "approximate_total": total})


def redrive(operator: Operator, choice: Choice) -> bool:
    """Send records again, and remove those that are done with; whether all that were meant are.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: AWS could not do it; what is not done with is still there.

    """
    waiting = FailureQueue(operator.deployment).depth().waiting
    redrive = Redrive(operator.deployment, choice, operator.concurrency)
    with operator.screen.progress("Sending again", waiting) as bar:
        redriven = redrive.run(bar.advance)
    _show(operator, redriven)
    return not redriven.failed and not redriven.elsewhere


def _show(operator: Operator, redriven: Redriven) -> None:
    screen = operator.screen
    for record, why in redriven.failed:
        screen.line({**_described(record), "error": why})
    screen.table(("KEY", "FAILED AGAIN"), [(_keys(record), why) for record, why in redriven.failed])
    counts = {**redriven.statuses, "failed": len(redriven.failed)}
    screen.say(f"Sent again: {counted(counts)}. Not meant, or new: {redriven.left:,}")
    if redriven.elsewhere:
        screen.say(
            f"About {redriven.elsewhere:,} more are in the hands of somebody else, or of a redrive that was killed: "
            "run it again in a quarter of an hour."
        )
    screen.line({"sent": counts, "left": redriven.left, "elsewhere": redriven.elsewhere})


def _described(record: Record) -> dict[str, object]:
    return {
        "reason": record.reason,
        "keys": [address.key for address in record.addresses],
        "etag": record.etag,
        "message": record.message,
        "sent": record.sent.isoformat(timespec="seconds"),
    }


def _keys(record: Record) -> str:
    return ", ".join(address.key for address in record.addresses) or "-"
