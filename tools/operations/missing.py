"""`invoke audit`: what is missing, stale, failed and orphaned, and to send the first two."""

from collections.abc import Iterator

from tools.operations.audit import REPORTED, TO_SEND, Audit, Finding, Kind, Known
from tools.operations.failure_queue import FailureQueue
from tools.operations.operator import Operator
from tools.operations.screen import SHOWN, counted
from tools.operations.spool import spool

KNOWN_AT_MOST = 100_000
"""How many records of the failure queue are read, to tell what failed from what is missing."""

EVERY = 1000
"""After how many keys the progress bar moves: each move takes longer than a key."""


def audit(operator: Operator, *, folder: str, deep: bool, grace_seconds: float, redrive: bool) -> bool:
    """Compare both buckets and show what is wrong; whether the destination agrees with the source.

    Args:
        operator: Who asks.
        folder: Only what is in it.
        deep: Whether to ask each output what it was made of.
        grace_seconds: How old an upload is before its output is missed.
        redrive: Whether to have the function look at what is missing or stale; then whether that is known of all.

    Raises:
        ToolError: The prefix is no folder.
        botocore.exceptions.BotoCoreError, ClientError: AWS could not do it.

    """
    made = started(operator, folder=folder, deep=deep, grace_seconds=grace_seconds)
    with spool() as to_send:
        shown: list[Finding] = []
        for finding in findings(operator, made):
            operator.screen.line(_described(finding))
            if len(shown) < SHOWN:
                shown.append(finding)
            if finding.kind in TO_SEND and finding.source:
                to_send.add(finding.source)
        rows = [(one.kind.value, one.source.key if one.source else "-", one.output, one.why) for one in shown]
        operator.screen.table(("WHAT", "UPLOAD", "OUTPUT", "WHY"), rows, sum(made.tally[kind] for kind in REPORTED))
        counts = {kind.value: made.tally[kind] for kind in Kind}
        operator.screen.say(f"Outputs: {counted(counts)}")
        operator.screen.line({"outputs": counts})
        return operator.send(to_send) if redrive and to_send.count else made.agrees


def started(operator: Operator, *, folder: str, deep: bool, grace_seconds: float) -> Audit:
    """Ask the failure queue what is known, and prepare the comparison.

    Raises:
        ToolError: The prefix is no folder.
        botocore.exceptions.BotoCoreError, ClientError: AWS could not do it.

    """
    deployment = operator.deployment
    with operator.screen.progress("Looking into the failure queue"):
        records = FailureQueue(deployment).sample(KNOWN_AT_MOST)
    known = Known.of(records, deployment.settings.source_bucket)
    return Audit.of(deployment, known, folder=folder, deep=deep, grace_seconds=grace_seconds)


def findings(operator: Operator, audit: Audit) -> Iterator[Finding]:
    """Run an audit and show how far it is.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: AWS could not do it.

    """
    listed = compared = 0
    with operator.screen.progress("Listing uploads") as bar:

        def advance(more_listed: int, more_compared: int) -> None:
            nonlocal listed, compared
            listed, compared = listed + more_listed, compared + more_compared
            if (listed + compared) % EVERY:
                return
            if compared:
                bar.place("Comparing", compared, listed * len(audit.settings.renditions))
            else:
                bar.place("Listing uploads", listed, None)

        yield from audit.run(advance)


def _described(finding: Finding) -> dict[str, object]:
    described: dict[str, object] = {"kind": finding.kind, "output": finding.output, "why": finding.why}
    if finding.source:
        described |= {"key": finding.source.key, "etag": finding.source.etag, "bytes": finding.source.size}
    return described
