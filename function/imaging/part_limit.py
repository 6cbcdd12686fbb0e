"""The bound of every walk over the structure of a file: a hostile file repeats its format's smallest part."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from errors import Reason, RejectedError

MAX_PARTS = 50_000
"""Segments, chunks, blocks or boxes of a file. A PNG of 400 MB has 50,000 chunks of the usual 8 KiB."""

Part = TypeVar("Part")


def limit_count(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield each of a file's parts.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``MAX_PARTS``.

    """
    for count, part in enumerate(parts):
        if count == MAX_PARTS:
            raise make_too_many_error()
        yield part


def make_too_many_error() -> RejectedError:
    """Return the rejection of a file with more parts than ``MAX_PARTS``, or with parts that overlap."""
    return RejectedError(
        Reason.TOO_LARGE, f"the file has more than {MAX_PARTS} parts, or overlapping parts: save it again"
    )
