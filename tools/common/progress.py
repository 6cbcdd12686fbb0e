"""A progress bar on standard error; only a terminal shows it."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Update = Callable[..., None]
"""Updates a progress bar: :meth:`rich.progress.Progress.update` for its task."""


@contextlib.contextmanager
def show_progress(description: str, total: int | None = None) -> Iterator[Update]:
    """Show a progress bar, such as ``3 of 200``, while the block runs; yields the function that updates it."""
    columns = (
        SpinnerColumn(),
        # A file's name may look like rich's markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(separator=" of "),
        TimeElapsedColumn(),
    )
    errors = Console(stderr=True)
    # The bar must not capture output that goes to a file or a pipe.
    options: dict[str, Any] = {"disable": not errors.is_terminal, "redirect_stdout": Console().is_terminal}
    with Progress(*columns, console=errors, transient=True, **options) as progress:
        yield partial(progress.update, progress.add_task(description, total=total))
