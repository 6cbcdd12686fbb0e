"""Compares two buckets: which outputs are missing, stale or nobody's, and which can never be, for a record says so."""

import enum
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from aws.destination import MARKER
from aws.settings import Settings
from renditions import Rendition
from tools.common.errors import ToolError
from tools.operations.deployment import Deployment
from tools.operations.expected import Expected, sorted_outputs
from tools.operations.failure_queue import Record
from tools.operations.listing import Listed, outputs, uploads

HEADS_AT_ONCE = 32
"""How many outputs a deep audit asks about at a time."""

WINDOW = 1024
"""How many are handed out before the first answers are taken."""

Advance = Callable[[int, int], None]
"""Told how many more uploads have been listed, and how many more outputs have been compared."""

Pair = tuple[Expected | None, Listed | None]
"""What should be and what is, under one key."""


class Kind(enum.StrEnum):
    """How it stands with a key of the destination."""

    GOOD = "good"
    RECENT = "recent"
    MISSING = "missing"
    STALE = "stale"
    FAILED = "failed"
    ORPHANED = "orphaned"
    FOREIGN = "foreign"


TO_SEND = (Kind.MISSING, Kind.STALE)
"""What another look of the function would mend."""

REPORTED = (*TO_SEND, Kind.FAILED, Kind.ORPHANED)


@dataclass(frozen=True)
class Finding:
    """How it stands with one key of the destination.

    Attributes:
        output: The key.
        source: The upload; None where there is none.
        why: For a person.

    """

    kind: Kind
    output: str
    source: Listed | None = None
    why: str = ""


@dataclass(frozen=True)
class Known:
    """What the failure queue's records say.

    Attributes:
        rejected: Reason and message, by key and ETag of an object that can have no image.
        given_up: The same, by key, of events that Lambda tried in vain.

    """

    rejected: Mapping[tuple[str, str], str] = field(default_factory=dict)
    given_up: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], bucket: str) -> "Known":
        """Take what is about the source bucket; of several records about one object, the last."""
        rejected: dict[tuple[str, str], str] = {}
        given_up: dict[str, str] = {}
        for record in records:
            said = ": ".join(filter(None, (record.reason, record.message)))
            for address in record.addresses:
                if address.bucket == bucket and record.is_rejection:
                    rejected[address.key, record.etag] = said
                elif address.bucket == bucket:
                    given_up[address.key] = said
        return cls(rejected, given_up)


@dataclass(frozen=True)
class Audit:
    """A comparison of what should be with what is.

    Attributes:
        s3: Lists, and asks about outputs.
        reserved_prefix: What begins so in the destination bucket is no output.
        before: Uploads from then on may still be under way.
        folder: Which uploads are meant: those whose keys begin so.
        deep: Whether to ask each output what it was made of, which takes a request for each.
        known: What the failure queue says.
        tally: How many keys stand how, so far.

    """

    settings: Settings
    s3: Any
    reserved_prefix: str
    before: datetime
    folder: str = ""
    deep: bool = False
    known: Known = field(default_factory=Known)
    tally: Counter[Kind] = field(default_factory=Counter)

    @classmethod
    def of(cls, deployment: Deployment, known: Known, *, folder: str, deep: bool, grace_seconds: float) -> "Audit":
        """Audit a deployed pipeline.

        Raises:
            ToolError: The prefix is no folder.

        """
        if folder and not folder.endswith("/"):
            raise ToolError(f"The prefix {folder!r} is no folder: end it in a slash")
        s3 = deployment.client("s3", Config(max_pool_connections=HEADS_AT_ONCE))
        before = datetime.now(UTC) - timedelta(seconds=grace_seconds)
        return cls(deployment.settings, s3, deployment.reserved_prefix, before, folder, deep, known)

    @property
    def agrees(self) -> bool:
        """Whether nothing was found that is missing or stale."""
        return not any(self.tally[kind] for kind in TO_SEND)

    def run(self, advance: Advance) -> Iterator[Finding]:
        """Find what is wrong, in the order of the outputs' keys.

        The uploads are listed first: what is uploaded while the outputs are listed is not missed.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: S3 could not do it.

        """
        there = outputs(self.s3, self.settings, self.folder)
        return self.compare(uploads(self.s3, self.settings, self.folder), there, advance)

    def compare(self, sources: Iterable[Listed], there: Iterable[Listed], advance: Advance) -> Iterator[Finding]:
        """Do the same with listings that are given; the second in the order of its keys."""

        def counted() -> Iterator[Listed]:
            for one in sources:
                advance(1, 0)
                yield one

        with (
            tempfile.TemporaryDirectory(prefix="audit-") as directory,
            sorted_outputs(counted(), self.settings.renditions, Path(directory)) as expected,
        ):
            for finding in self._findings(_joined(expected, iter(there))):
                advance(0, 1)
                self.tally[finding.kind] += 1
                if finding.kind in REPORTED:
                    yield finding

    def _findings(self, pairs: Iterator[Pair]) -> Iterator[Finding]:
        if not self.deep:
            yield from map(self._finding, pairs)
            return
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            while window := list(islice(pairs, WINDOW)):
                yield from pool.map(self._finding, window)

    def _finding(self, pair: Pair) -> Finding:
        match pair:
            case (Expected() as expected, None):
                return self._lacking(expected, Kind.MISSING, "there is no output")
            case (Expected() as expected, Listed() as output):
                why = self._stale(expected, output)
                if why:
                    return self._lacking(expected, Kind.STALE, why)
                return Finding(Kind.GOOD, expected.key, expected.source)
            case (_, Listed() as output) if self._is_orphan(output.key):
                return Finding(Kind.ORPHANED, output.key, why="there is no upload that it would be of")
            case (_, output):
                return Finding(Kind.FOREIGN, output.key if output else "")

    def _lacking(self, expected: Expected, kind: Kind, why: str) -> Finding:
        """Tell why an output is not as it should be: it may come yet, or never."""
        source = expected.source
        rejected = self.known.rejected.get((source.key, source.etag))
        if rejected:
            return Finding(Kind.FAILED, expected.key, source, rejected)
        if source.modified >= self.before:
            return Finding(Kind.RECENT, expected.key, source)
        given_up = self.known.given_up.get(source.key)
        return Finding(kind, expected.key, source, f"{why}: {given_up}" if given_up else why)

    def _stale(self, expected: Expected, output: Listed) -> str:
        """Why an output is not of its source as it is now, or of other settings; empty where it is."""
        if output.modified < expected.source.modified:
            return "older than its source"
        if not self.deep:
            return ""
        metadata = self._metadata(expected.key)
        if metadata is None:
            return "it is gone since it was listed"
        if MARKER not in metadata:
            return "something else is under its key"
        if metadata[MARKER] != expected.rendition.digest(self.settings.metadata):
            return "made with other settings"
        made_of = metadata.get("resized-from-etag"), metadata.get("resized-from-modified")
        if made_of != (expected.source.etag.strip('"'), expected.source.modified.isoformat()):
            return "made of another state of its source"
        return ""

    def _is_orphan(self, key: str) -> bool:
        """Whether an object that nothing expects may be an output; only a deep audit is sure."""
        if key.startswith(self.reserved_prefix) or key.endswith("/"):
            return False
        if not any(one.can_write(key) and self._is_of_folder(key, one) for one in self.settings.renditions):
            return False
        return not self.deep or MARKER in (self._metadata(key) or {})

    def _is_of_folder(self, key: str, rendition: Rendition) -> bool:
        """Whether an output of this rendition is of an upload in the folder, as far as its key tells."""
        template = rendition.template
        # With folders before the name, thumbs/cake.jpg may be of cake.jpg, and not of what is in thumbs/.
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


def _joined(expected: Iterator[Expected], there: Iterator[Listed]) -> Iterator[Pair]:
    """Bring together what has one key; both are in the order of their keys."""
    wanted, found = next(expected, None), next(there, None)
    while wanted or found:
        # Code points have the order of their UTF-8.
        if found is None or (wanted and wanted.key < found.key):
            yield wanted, None
            wanted = next(expected, None)
        elif wanted is None or found.key < wanted.key:
            yield None, found
            found = next(there, None)
        else:
            yield wanted, found
            wanted, found = next(expected, None), next(there, None)
