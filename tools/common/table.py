"""A table, as plain text and as Markdown."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A heading, column names and rows of the same length; the first ``words`` columns are text.

    Attributes:
        note: What has to be known to read it; a paragraph below the heading.

    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    note: str = ""

    def text(self) -> str:
        """Aligned, for a terminal."""
        lines = [tuple(column.upper() for column in self.columns), *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = ["  ".join(self._aligned(line, widths)).rstrip() for line in lines]
        return "\n".join([self.heading, *self._paragraphs(), *body])

    def markdown(self) -> str:
        """As a section of a document."""
        rule = ["---" if index < self.words else "---:" for index in range(len(self.columns))]
        lines = [f"| {' | '.join(line)} |" for line in (self.columns, tuple(rule), *self.rows)]
        return "\n\n".join([f"## {self.heading}", *self._paragraphs(), "\n".join(lines)])

    def _paragraphs(self) -> list[str]:
        """The note, in lines that fit this project's documents."""
        return [textwrap.fill(self.note, 118, break_on_hyphens=False)] if self.note else []

    def _aligned(self, line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
        for index, (cell, width) in enumerate(zip(line, widths, strict=True)):
            yield cell.ljust(width) if index < self.words else cell.rjust(width)
