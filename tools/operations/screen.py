"""What an operator sees: progress on standard error, and on standard output tables for people or JSON for scripts."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

SHOWN = 100
"""How many rows a table for people has at most; ``--json`` has all."""


@dataclass(frozen=True)
class Bar:
    """A progress bar that is shown."""

    progress: Progress
    task: TaskID

    def advance(self, steps: int = 1) -> None:
        """Move it on."""
        self.progress.advance(self.task, steps)

    def place(self, doing: str, done: int, total: int | None) -> None:
        """Say where it stands; None where nobody knows how much there is."""
        self.progress.update(self.task, description=doing, completed=done, total=total)


class Screen:
    """Where a task shows what it does and what came of it.

    Args:
        as_json: Whether standard output is for scripts: a line of JSON for each thing, and a last one that sums up.

    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # A key may hold what would be a colour or a smiley.
        self._out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        if not self._out.is_terminal:
            # Whatever reads it wants a line for each row.
            self._out.width = 32_768
        self._progress = Console(stderr=True)

    @contextlib.contextmanager
    def progress(self, doing: str, total: int | None = None) -> Iterator[Bar]:
        """Show how far something is while the block runs."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        # What a script reads must not go where the bar is.
        options: dict[str, Any] = {"disable": not self._progress.is_terminal, "redirect_stdout": self._out.is_terminal}
        with Progress(*columns, console=self._progress, transient=True, **options) as progress:
            yield Bar(progress, progress.add_task(doing, total=total))

    def line(self, thing: dict[str, Any]) -> None:
        """Print a thing for scripts; for people nothing."""
        if self.as_json:
            # In ASCII alone nothing is the end of a line to one reader and none to another.
            print(json.dumps(thing))

    def say(self, text: str) -> None:
        """Print a line for people; for scripts nothing."""
        if not self.as_json:
            self._out.print(_visible(text))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], total: int = 0) -> None:
        """Print the first rows of a table for people; for scripts nothing.

        Args:
            headings: Of the columns.
            rows: All, or the first :data:`SHOWN` of them.
            total: How many there are, where ``rows`` are not all.

        """
        if self.as_json or not rows:
            return
        table = Table(*headings, box=None, pad_edge=False, header_style="bold")
        for row in rows[:SHOWN]:
            table.add_row(*map(_visible, row))
        self._out.print(table)
        if (more := max(total, len(rows)) - SHOWN) > 0:
            self.say(f"... and {more:,} more: --json has all")


def counted(counts: Mapping[str, int]) -> str:
    """Tell how many there are of what, the most first: ``20 written, 3 rejected``; ``none`` where there is nothing."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered if number) or "none"


def duration(time: timedelta) -> str:
    """A time in its largest unit, such as ``3 h``."""
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"


def _visible(text: str) -> str:
    """A text in which is written out what a terminal would obey, or not show: a key may hold anything."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
