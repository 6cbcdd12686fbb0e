"""Every output that there should be, in the order of its key: kept and sorted on disk, for there may be a billion."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from renditions import Rendition
from tools.common.errors import ToolError
from tools.operations.listing import Listed

CACHE_KIB = 65536
"""What SQLite may hold in memory; what it sorts beyond that, it sorts in files."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An output that there should be.

    Attributes:
        key: Its own.
        rendition: What it is to be.
        source: What it is to be made of.

    """

    key: str
    rendition: Rendition
    source: Listed


@contextlib.contextmanager
def sorted_outputs(
    uploads: Iterable[Listed], renditions: Sequence[Rendition], directory: Path
) -> Iterator[Iterator[Expected]]:
    """Give the outputs of all uploads, sorted by their keys as S3 sorts them, by the bytes of UTF-8.

    That is not the order of the uploads: ``a/b.jpg`` comes before ``a/b/c.jpg``, and ``a/resized-b.jpg`` after
    ``a/b/resized-c.jpg``.

    Args:
        uploads: Read to the end before this returns.
        renditions: Of each upload, one output each.
        directory: Where there is room for about 200 bytes an output. SQLite sorts in as much again in TMPDIR, or in
            /var/tmp.

    Raises:
        ToolError: There is no room; also while they are read.

    """
    with _room(), contextlib.closing(sqlite3.connect(directory / "expected.sqlite")) as database:
        database.executescript(
            f"""
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA temp_store = FILE;
            PRAGMA cache_size = -{CACHE_KIB};
            CREATE TABLE output (key BLOB, rendition INTEGER, source TEXT, etag TEXT, modified INTEGER, size INTEGER);
            """
        )
        rows = (
            (rendition.output_key(one.key).encode(), number, one.key, one.etag, one.modified.timestamp(), one.size)
            for one in uploads
            for number, rendition in enumerate(renditions)
        )
        database.executemany("INSERT INTO output VALUES (?, ?, ?, ?, ?, ?)", rows)
        yield (
            Expected(
                key.decode(),
                renditions[number],
                Listed(source, etag, datetime.fromtimestamp(modified, UTC), size),
            )
            for key, number, source, etag, modified, size in database.execute("SELECT * FROM output ORDER BY key")
        )


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ToolError(f"Cannot sort on disk: {error}: set TMPDIR to a folder with more room") from error
