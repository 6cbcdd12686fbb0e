"""Keys of uploads that are to be sent, each once: on disk, for there may be millions."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.operations.listing import Listed


class Spool:
    """A set of uploads.

    Attributes:
        count: How many there are.

    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.count = 0
        self._database = database
        database.execute("CREATE TABLE upload (key TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID")

    def add(self, upload: Listed) -> None:
        """Keep an upload; one that is there already is the same."""
        values = upload.key, upload.size
        self.count += self._database.execute("INSERT OR IGNORE INTO upload VALUES (?, ?)", values).rowcount

    @property
    def size(self) -> int:
        """Their bytes, all together."""
        return int(self._database.execute("SELECT coalesce(sum(size), 0) FROM upload").fetchone()[0])

    def keys(self) -> Iterator[str]:
        """Their keys, sorted."""
        for (key,) in self._database.execute("SELECT key FROM upload ORDER BY key"):
            yield key


@contextlib.contextmanager
def spool() -> Iterator[Spool]:
    """Make an empty set, which is gone after the block."""
    with (
        tempfile.TemporaryDirectory(prefix="spool-") as directory,
        contextlib.closing(sqlite3.connect(Path(directory) / "spool.sqlite", isolation_level=None)) as database,
    ):
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        yield Spool(database)
