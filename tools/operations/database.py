"""Lists too long for memory, in a temporary SQLite database: uploads to send, and the outputs that should exist."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from renditions import Target
from tools.common.errors import ToolError
from tools.operations.listing import Listed

CACHE_KIB = 65536
"""SQLite's cache in memory; beyond that it writes and sorts on disk."""


@contextlib.contextmanager
def _database(table: str) -> Iterator[sqlite3.Connection]:
    """Create a database with one table; SQLite deletes its file after the block.

    Raises:
        ToolError: The disk is full.

    """
    try:
        # An empty name makes a temporary file, in TMPDIR or /var/tmp.
        with contextlib.closing(sqlite3.connect("")) as database:
            database.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -{CACHE_KIB}; {table}"
            )
            yield database
    except sqlite3.OperationalError as error:
        raise ToolError(f"Cannot sort on disk: {error}: set TMPDIR to a folder with more room") from error


class UploadSet:
    """A set of uploads.

    Attributes:
        count: Number of uploads.

    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.count = 0
        self._database = database

    def add(self, upload: Listed) -> None:
        """Add an upload, unless its key is in the set."""
        values = upload.key, upload.size
        self.count += self._database.execute("INSERT OR IGNORE INTO upload VALUES (?, ?)", values).rowcount

    @property
    def size(self) -> int:
        """Bytes of all uploads."""
        return int(self._database.execute("SELECT coalesce(sum(size), 0) FROM upload").fetchone()[0])

    def keys(self) -> Iterator[str]:
        """Yield the keys in order."""
        for (key,) in self._database.execute("SELECT key FROM upload ORDER BY key"):
            yield key


@contextlib.contextmanager
def upload_set() -> Iterator[UploadSet]:
    """Create an empty set, deleted after the block.

    Raises:
        ToolError: The disk is full.

    """
    with _database("CREATE TABLE upload (key TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID") as database:
        yield UploadSet(database)


@dataclass(frozen=True, slots=True)
class Expected:
    """An output that should exist.

    Attributes:
        target: What the output is.
        source: The upload that it is made from.

    """

    key: str
    target: Target
    source: Listed


@contextlib.contextmanager
def sorted_outputs(uploads: Iterable[Listed], targets: Sequence[Target]) -> Iterator[Iterator[Expected]]:
    """Yield the outputs of all uploads, sorted by the UTF-8 bytes of their keys as S3 sorts them.

    The uploads' order differs: ``a/b.jpg`` comes before ``a/b/c.jpg``, but ``a/resized-b.jpg`` after
    ``a/b/resized-c.jpg``. Takes about 200 bytes of disk per output, and twice that while SQLite sorts.

    Args:
        uploads: Read to the end at once.
        targets: Each upload has one output per target.

    Raises:
        ToolError: The disk is full.

    """
    columns = "key BLOB, target INTEGER, source TEXT, etag TEXT, modified INTEGER, size INTEGER"
    with _database(f"CREATE TABLE output ({columns})") as database:
        rows = (
            (target.template.fill(one.key).encode(), number, one.key, one.etag, one.modified.timestamp(), one.size)
            for one in uploads
            for number, target in enumerate(targets)
        )
        database.executemany("INSERT INTO output VALUES (?, ?, ?, ?, ?, ?)", rows)
        yield (
            Expected(key.decode(), targets[number], Listed(source, etag, datetime.fromtimestamp(modified, UTC), size))
            for key, number, source, etag, modified, size in database.execute("SELECT * FROM output ORDER BY key")
        )
