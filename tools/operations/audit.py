"""`invoke audit`: compares both buckets, and reports which outputs are missing, stale, failed or orphaned."""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from aws.destination import LOST, MARKER
from aws.settings import Settings
from key_template import MANIFEST_SUFFIX, KeyTemplate
from tools.common.errors import ToolError
from tools.common.progress import show_progress
from tools.operations import GRACE_SECONDS
from tools.operations.console import MAX_ROWS, format_counts
from tools.operations.database import Expected, sorted_outputs, upload_set
from tools.operations.failure_queue import Record
from tools.operations.listing import Listed, outputs, uploads
from tools.operations.session import Session

MAX_RECORDS = 100_000
"""Records of the failure queue that an audit reads."""

HEADS_IN_FLIGHT = 32
"""HEAD requests that a deep audit keeps in flight."""

BATCH = 1024
"""Keys that a deep audit hands to its threads at a time."""

PROGRESS_INTERVAL = 1000
"""Keys between two updates of the progress bar, each of which takes longer than a key."""

Advance = Callable[[int, int], None]
"""Called with the number of uploads listed, and of keys compared, since the last call."""

Pair = tuple[Expected | None, Listed | None]
"""The output that should exist and the object that exists, under one key."""


class Kind(enum.StrEnum):
    """What the audit says about a key of the destination bucket."""

    GOOD = "good"
    LACKING = "lacking"
    RECENT = "recent"
    MISSING = "missing"
    STALE = "stale"
    FAILED = "failed"
    ORPHANED = "orphaned"
    FOREIGN = "foreign"


TO_SEND = (Kind.MISSING, Kind.STALE)
"""Kinds that the function mends when it processes the upload again."""

REPORTED = (*TO_SEND, Kind.FAILED, Kind.ORPHANED, Kind.LACKING)


@dataclass(frozen=True)
class Finding:
    """What the audit says about one key of the destination bucket.

    Attributes:
        output: The key.
        source: The upload; None if there is none.
        why: The reason, for people.

    """

    kind: Kind
    output: str
    source: Listed | None = None
    why: str = ""


@dataclass(frozen=True)
class KnownFailures:
    """What the failure queue's records say.

    Attributes:
        rejected: Reason and message of rejected objects, by key and ETag.
        given_up: Reason and message of events that Lambda gave up, by key.

    """

    rejected: Mapping[tuple[str, str], str] = field(default_factory=dict)
    given_up: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], bucket: str) -> "KnownFailures":
        """Collect the records about objects of ``bucket``; the last record of an object wins."""
        rejected: dict[tuple[str, str], str] = {}
        given_up: dict[str, str] = {}
        for record in records:
            reason = ": ".join(filter(None, (record.reason, record.message)))
            for address in record.addresses:
                if address.bucket == bucket and record.is_rejection:
                    rejected[address.key, record.etag] = reason
                elif address.bucket == bucket:
                    given_up[address.key] = reason
        return cls(rejected, given_up)


@dataclass(frozen=True)
class Scope:
    """Which uploads an audit compares, and how.

    Attributes:
        folder: Prefix of the uploads' keys; empty, or ends in a slash.
        deep: Whether to read each output's metadata, with one request each.
        grace_seconds: Age from which an upload should have its output.

    """

    folder: str = ""
    deep: bool = False
    grace_seconds: float = GRACE_SECONDS


@dataclass(frozen=True)
class Audit:
    """A comparison of the outputs that should exist with the objects that exist.

    Attributes:
        s3: A client.
        reserved_prefix: Prefix of objects in the destination bucket that are not outputs.
        before: Uploads made from this time on may still be in flight.
        folder: Prefix of the uploads to compare.
        deep: Whether to read each output's metadata, with one request each.
        known: What the failure queue says.
        tally: Number of keys of each kind so far.

    """

    settings: Settings
    s3: Any
    reserved_prefix: str
    before: datetime
    folder: str = ""
    deep: bool = False
    known: KnownFailures = field(default_factory=KnownFailures)
    tally: Counter[Kind] = field(default_factory=Counter)

    @property
    def agrees(self) -> bool:
        """Whether no output is missing or stale so far."""
        return not any(self.tally[kind] for kind in TO_SEND)

    def run(self, advance: Advance) -> Iterator[Finding]:
        """Yield what is wrong, in the order of the outputs' keys.

        Lists the uploads first, so that uploads made during the audit aren't reported as missing.

        """
        existing = outputs(self.s3, self.settings, self.folder)
        return self.compare(uploads(self.s3, self.settings, self.folder), existing, advance)

    def compare(self, sources: Iterable[Listed], existing: Iterable[Listed], advance: Advance) -> Iterator[Finding]:
        """Do what :meth:`run` does, with listings of both buckets; ``existing`` is sorted by key."""

        def with_progress() -> Iterator[Listed]:
            for one in sources:
                advance(1, 0)
                yield one

        with sorted_outputs(with_progress(), self.settings.targets) as expected:
            for finding in self._findings(_merge(expected, iter(existing))):
                advance(0, 1)
                self.tally[finding.kind] += 1
                if finding.kind in REPORTED:
                    yield finding

    def _findings(self, pairs: Iterator[Pair]) -> Iterator[Finding]:
        if not self.deep:
            yield from map(self._finding, pairs)
            return
        with ThreadPoolExecutor(HEADS_IN_FLIGHT) as pool:
            while batch := list(islice(pairs, BATCH)):
                yield from pool.map(self._finding, batch)

    def _finding(self, pair: Pair) -> Finding:
        match pair:
            case (Expected() as expected, None):
                return self._missing_or_stale(expected, Kind.MISSING, "there is no output")
            case (Expected() as expected, Listed() as output):
                kind, why = self._judge(expected, output)
                if kind is Kind.STALE:
                    return self._missing_or_stale(expected, kind, why)
                return Finding(kind, expected.key, expected.source, why)
            case (_, Listed() as output) if why := self._why_orphan(output.key):
                return Finding(Kind.ORPHANED, output.key, why=why)
            case (_, output):
                return Finding(Kind.FOREIGN, output.key if output else "")

    def _missing_or_stale(self, expected: Expected, kind: Kind, why: str) -> Finding:
        """Return FAILED for a rejected upload, and RECENT for an upload whose output may still come."""
        source = expected.source
        rejected = self.known.rejected.get((source.key, source.etag))
        if rejected:
            return Finding(Kind.FAILED, expected.key, source, rejected)
        if source.modified >= self.before:
            return Finding(Kind.RECENT, expected.key, source)
        given_up = self.known.given_up.get(source.key)
        return Finding(kind, expected.key, source, f"{why}: {given_up}" if given_up else why)

    def _judge(self, expected: Expected, output: Listed) -> tuple[Kind, str]:
        """Return GOOD; STALE, and why the output does not match its source or the settings; or LACKING, and what."""
        if output.modified < expected.source.modified:
            return Kind.STALE, "older than its source"
        if not self.deep:
            return Kind.GOOD, ""
        metadata = self._metadata(expected.key)
        if metadata is None:
            return Kind.STALE, "deleted since it was listed"
        if why := self._why_stale(expected, metadata):
            return Kind.STALE, why
        return (Kind.LACKING, metadata[LOST].replace(",", ", ")) if LOST in metadata else (Kind.GOOD, "")

    def _why_stale(self, expected: Expected, metadata: Mapping[str, str]) -> str:
        """Return why an output with this metadata does not match its source or the settings; empty if it matches."""
        if MARKER not in metadata:
            return "another program's object has its key"
        if metadata[MARKER] != expected.target.digest:
            return "made with other settings"
        made_of = metadata.get("resized-from-etag"), metadata.get("resized-from-modified")
        if made_of != (expected.source.etag.strip('"'), expected.source.modified.isoformat()):
            return "made from another version of its source"
        return ""

    def _why_orphan(self, key: str) -> str:
        """Return why an object that no upload explains may be an output, or a manifest; only a deep audit is sure."""
        if key.startswith(self.reserved_prefix) or key.endswith("/"):
            return ""
        if self._can_come_from((target.template for target in self.settings.targets), key):
            why = "it has no upload"
        elif self._can_come_from(self._former_manifests, key):
            why = "manifest is false"
        else:
            return ""
        return "" if self.deep and MARKER not in (self._metadata(key) or {}) else why

    @cached_property
    def _former_manifests(self) -> tuple[KeyTemplate, ...]:
        """Templates of manifests from before ``manifest`` was turned off, where the audit lists them."""
        prefixes = {target.template.prefix for target in self.settings.targets}
        return () if self.settings.manifest else tuple(KeyTemplate(one, "", MANIFEST_SUFFIX) for one in prefixes)

    def _can_come_from(self, templates: Iterable[KeyTemplate], key: str) -> bool:
        return any(one.can_give(key) and self._is_in_folder(key, one) for one in templates)

    def _is_in_folder(self, key: str, template: KeyTemplate) -> bool:
        """Whether the key of an output says that its upload is in the folder."""
        # If the template puts a folder before the name, thumbs/cake.jpg may come from cake.jpg, outside of thumbs/.
        return not self.folder or (key.startswith(template.prefix + self.folder) and "/" not in template.infix)

    def _metadata(self, key: str) -> Mapping[str, str] | None:
        try:
            response = self.s3.head_object(Bucket=self.settings.destination_bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return None
            raise
        metadata: Mapping[str, str] = response["Metadata"]
        return metadata


def audit(session: Session, scope: Scope, *, redrive: bool, confirmed: bool = False) -> bool:
    """Compare both buckets, and print what is wrong.

    Args:
        session: The command's run.
        scope: What to compare.
        redrive: Whether to have the function process the missing and stale outputs' uploads.
        confirmed: Whether to do that; otherwise, only print how many.

    Returns:
        Whether no output is missing or stale; after a redrive, whether every invocation succeeded.

    Raises:
        ToolError: The folder does not end in a slash.

    """
    comparison = start_audit(session, scope)
    with upload_set() as to_send:
        shown: list[Finding] = []
        for finding in find_with_progress(comparison):
            session.console.json(_to_json(finding))
            if len(shown) < MAX_ROWS:
                shown.append(finding)
            if finding.kind in TO_SEND and finding.source:
                to_send.add(finding.source)
        rows = [(one.kind.value, one.source.key if one.source else "-", one.output, one.why) for one in shown]
        total = sum(comparison.tally[kind] for kind in REPORTED)
        session.console.table(("WHAT", "UPLOAD", "OUTPUT", "WHY"), rows, total)
        counts = {kind.value: comparison.tally[kind] for kind in Kind}
        session.console.text(
            f"Outputs: {format_counts(counts)}"
            if comparison.tally
            else f"No upload under {scope.folder or comparison.settings.source_bucket}, and no output"
        )
        session.console.json({"outputs": counts})
        if not redrive:
            return comparison.agrees
        failed = comparison.tally[Kind.FAILED]
        if confirmed:
            is_good = session.send(to_send)
            if failed:
                session.console.text(f"Outputs of failed uploads, not sent: {failed:,}. `invoke failures` shows why.")
            return is_good
        session.console.text(f"Uploads to send: {to_send.count:,}.")
        if to_send.count:
            session.console.text("Nothing was sent. Run again with --yes to send.")
        session.console.json({"would_send": to_send.count})
        return comparison.agrees


def start_audit(session: Session, scope: Scope) -> Audit:
    """Read the failure queue, and prepare the comparison.

    Raises:
        ToolError: The folder does not end in a slash.

    """
    if scope.folder and not scope.folder.endswith("/"):
        raise ToolError(f"The prefix {scope.folder!r} is not a folder: end it in a slash")
    deployment = session.deployment
    records = session.read_failures(MAX_RECORDS).records
    s3 = deployment.client("s3", Config(max_pool_connections=HEADS_IN_FLIGHT))
    before = datetime.now(UTC) - timedelta(seconds=scope.grace_seconds)
    known = KnownFailures.of(records, deployment.settings.source_bucket)
    return Audit(deployment.settings, s3, deployment.reserved_prefix, before, scope.folder, scope.deep, known)


def find_with_progress(comparison: Audit) -> Iterator[Finding]:
    """Run an audit behind a progress bar."""
    listed = compared = 0
    with show_progress("Listing uploads") as update:

        def advance(more_listed: int, more_compared: int) -> None:
            nonlocal listed, compared
            listed, compared = listed + more_listed, compared + more_compared
            if (listed + compared) % PROGRESS_INTERVAL:
                return
            if compared:
                total = listed * len(comparison.settings.targets)
                update(description="Comparing", completed=compared, total=total)
            else:
                update(completed=listed)

        yield from comparison.run(advance)


def _merge(expected: Iterator[Expected], existing: Iterator[Listed]) -> Iterator[Pair]:
    """Merge two iterators, each sorted by key."""
    wanted, found = next(expected, None), next(existing, None)
    while wanted or found:
        # Strings sort by code point, which is the order of their UTF-8 bytes.
        if found is None or (wanted and wanted.key < found.key):
            yield wanted, None
            wanted = next(expected, None)
        elif wanted is None or found.key < wanted.key:
            yield None, found
            found = next(existing, None)
        else:
            yield wanted, found
            wanted, found = next(expected, None), next(existing, None)


def _to_json(finding: Finding) -> dict[str, object]:
    source = finding.source
    return {
        "kind": finding.kind,
        "output": finding.output,
        "why": finding.why,
        "key": source and source.key,
        "etag": source and source.etag,
        "bytes": source and source.size,
    }
