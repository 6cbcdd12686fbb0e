"""Adds to Invoke: tasks that take any number of files, and errors of one line."""

import contextlib
import functools
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.tasks import Task

from tools.common.errors import ToolError

REQUIREMENTS_OF = {
    "build": ("build",),
    **dict.fromkeys(("audit", "backfill", "failures", "publish", "redrive"), ("operate",)),
    **dict.fromkeys(("clean", "demo", "down", "logs", "send", "up"), ("local",)),
    "preview": ("preview",),
    "test": ("dev", "judges"),
}
"""Task to the files in tools/requirements/ that have its packages; all other tasks need dev.txt."""

P = ParamSpec("P")
R = TypeVar("R")


def _set_value(argument: Argument, value: str, cast: bool = True) -> None:
    """Refuse a value that is not a number with one line; Invoke would show a traceback."""
    try:
        _set_any_value(argument, value, cast)
    except ValueError:
        raise ParseError(f"Error: --{argument.name} is {value!r}: it must be a whole number") from None


_set_any_value = Argument.set_value
Argument.set_value = _set_value  # type: ignore[assignment, method-assign]  # for all tasks


class FilesTask(Task):  # type: ignore[type-arg]  # generic for type checkers only
    """A task whose parameter ``files`` has the words of the command line up to the first option.

    Invoke takes a fixed number of positional arguments, so this class declares one for each word.
    """

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = [argument for argument in super().get_arguments(ignore_unknown_help) if argument.name != "files"]
        return [Argument(name=name, positional=True, help="A file.") for name in self._words()] + arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        files = [Path(kwargs.pop(name)) for name in self._words() if name in kwargs]
        return super().__call__(*args, files=files, **kwargs)

    def _words(self) -> list[str]:
        """Return a name for each word that follows this task's name."""
        if self.name not in sys.argv:
            return []
        words = sys.argv[sys.argv.index(self.name) + 1 :]
        count = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
        return [f"file-{number}" for number in range(count)]


Say = Callable[[str], None]
"""Shows the user one line of progress."""


def say(line: str) -> None:
    """Print a line of progress; flush, so that a reader of a pipe sees it at once."""
    print(line, flush=True)


def require(*packages: str) -> None:
    """Check that packages are installed that only a task's other processes import.

    Raises:
        ModuleNotFoundError: One is missing; the task's error names the file to install.

    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(name=package)


def save(content: str | bytes, output: Path) -> None:
    """Write a file that the user asked for, with the folders above it.

    Raises:
        ToolError: The file can't be written there.

    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise ToolError(f"Cannot write {output}: {error.strerror}: choose another --output") from None


@contextlib.contextmanager
def _interrupt_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP, which would end Python at once, into an interrupt, so that tasks clean up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def readable_errors(body: Callable[P, R], code: int = 1) -> Callable[P, R]:
    """Turn an error that the user can fix into one line, and end an interrupted task quietly.

    Args:
        body: The task's function.
        code: The exit status after an error.

    """

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _interrupt_on_signals():
                return body(*args, **kwargs)
        except ToolError as error:
            raise Exit(f"Error: {error}", code=code) from error
        except ModuleNotFoundError as error:
            files = " ".join(
                f"-r tools/requirements/{name}.txt" for name in REQUIREMENTS_OF.get(body.__name__, ["dev"])
            )
            message = f"Error: this task needs the package {error.name}: run `pip install {files}`"
            raise Exit(message, code=code) from error
        except KeyboardInterrupt:
            raise Exit("Interrupted", code=130) from None
        except BrokenPipeError:
            # The reader has closed the pipe, as `head` does. Python would report it again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=141) from None

    return wrapped


def answers(body: Callable[P, bool]) -> Callable[P, None]:
    """Let a task that answers a question exit with 0 for yes, 1 for no and 2 for an error."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        if not readable_errors(body, 2)(*args, **kwargs):
            raise Exit(code=1)

    return wrapped
