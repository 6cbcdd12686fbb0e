"""A table as plain text and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.common.cli import escape


@dataclass(frozen=True)
class Table:
    """A heading, column names and rows of equal length. The first ``words`` columns are text, the others numbers."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1

    def text(self) -> str:
        """Align the columns for a terminal."""
        lines = [tuple(map(escape, row)) for row in (map(str.upper, self.columns), *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join([self.heading, *("  ".join(self._align_cells(line, widths)).rstrip() for line in lines)])

    def markdown(self) -> str:
        """Return a section of a document."""
        return f"## {self.heading}\n\n{self.grid()}"

    def grid(self) -> str:
        """Return the table of a document, without a heading."""
        rule = tuple("---" if index < self.words else "---:" for index in range(len(self.columns)))
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.columns, rule, *self.rows))

    def _align_cells(self, line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
        for index, (cell, width) in enumerate(zip(line, widths, strict=True)):
            yield cell.ljust(width) if index < self.words else cell.rjust(width)
