"""A command's output: tables for people or JSON lines for scripts, and progress on standard error."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import rich.console
from rich.table import Table

from tools.common.cli import escape

MAX_ROWS = 100
"""Rows that a table shows at most; ``--json`` prints all."""


class _Output(rich.console.Console):
    """Standard output; a closed pipe raises ``BrokenPipeError``, where rich would exit with 1, an audit's answer no."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this while it handles the error


class Console:
    """Where a command prints.

    Args:
        as_json: Whether to print one JSON object a line, the last one with the totals, instead of text for people.

    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # A key may look like rich's markup or an emoji code.
        self._out = _Output(soft_wrap=True, highlight=False, markup=False, emoji=False)
        if not self._out.is_terminal:
            # Programs such as grep expect each row on one line.
            self._out.width = 32_768

    def json(self, value: dict[str, Any]) -> None:
        """Print a JSON line; without ``--json``, nothing."""
        if self.as_json:
            # json.dumps escapes all but ASCII: some readers end a line at U+2028. One write keeps threads' lines whole.
            print(f"{json.dumps(value)}\n", end="")

    def text(self, line: str) -> None:
        """Print a line for people; with ``--json``, nothing."""
        if not self.as_json:
            self._out.print(escape(line))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], total: int = 0) -> None:
        """Print the first rows of a table for people; with ``--json``, nothing.

        Args:
            headings: Column names.
            rows: All rows, or at least the first :data:`MAX_ROWS`.
            total: Number of all rows, if ``rows`` has fewer.

        """
        if self.as_json or not rows:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            # A shortened key could not be copied.
            table.add_column(heading, overflow="fold")
        for row in rows[:MAX_ROWS]:
            table.add_row(*map(escape, row))
        self._out.print(table)
        if (more := max(total, len(rows)) - MAX_ROWS) > 0:
            self.text(f"... and {more:,} more: --json prints all")


@contextlib.contextmanager
def announcing_wait() -> Iterator[None]:
    """After Ctrl-C in the block, say that the command waits for its invocations before it ends."""
    try:
        yield
    except KeyboardInterrupt:
        print("Waiting for the invocations in flight", file=sys.stderr)
        raise


def format_counts(counts: Mapping[str, int]) -> str:
    """Format counts, largest first: ``20 written, 3 rejected``, or ``none``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered if number) or "none"


def format_age(age: timedelta) -> str:
    """Format an age in its largest unit, such as ``3 h``."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"
