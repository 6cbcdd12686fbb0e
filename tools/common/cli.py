"""Output of tasks: progress, files, and errors of one line."""

import contextlib
import importlib.util
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from invoke.exceptions import Exit

from tools.common.errors import ToolError, make_write_error

REQUIREMENTS_OF = {
    "build": ("build",),
    **dict.fromkeys(("audit", "backfill", "discard", "failures", "logs", "publish", "redrive", "send"), ("operate",)),
    **dict.fromkeys(("accept", "clean", "demo", "down", "up"), ("local",)),
    "preview": ("preview",),
    **dict.fromkeys(("bench", "test"), ("dev", "judges")),
}
"""Task to the files in tools/requirements/ that have its packages; all other tasks need dev.txt."""

Say = Callable[[str], None]
"""Shows the user one line of progress."""


def say(line: str) -> None:
    """Print a line of progress; flush, so that a reader of a pipe sees it at once."""
    print(line, flush=True)


def note(line: str) -> None:
    """Print a line of progress on standard error: standard output has only the task's result."""
    print(line, file=sys.stderr, flush=True)


def escape(text: str) -> str:
    """Escape characters that a terminal would interpret or hide; a file's name or an object's key may contain any."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def find_invoke() -> str:
    """Return Invoke's path for a command that the user pastes: as the user started it, or its name if on ``PATH``."""
    started = Path(sys.argv[0])
    if started.name not in {"invoke", "inv"}:
        return "invoke"
    if os.path.realpath(shutil.which(started.name) or "") == os.path.realpath(started):
        return started.name
    return str(started.relative_to(Path.cwd()) if started.is_relative_to(Path.cwd()) else started)


def read_photo(photo: Path, count: int = -1) -> bytes:
    """Return up to ``count`` bytes of a file that the user named; all by default.

    Raises:
        ToolError: It can't be read.

    """
    try:
        with photo.open("rb") as file:
            return file.read(count)
    except IsADirectoryError as error:
        files = f"{shlex.quote(str(photo))}/*"
        raise ToolError(f"Cannot read {photo}: {error.strerror}: give its files, as in {files}") from None
    except OSError as error:
        raise ToolError(f"Cannot read {photo}: {error.strerror}") from None


def require(*packages: str) -> None:
    """Check that packages are installed that only a task's other processes import.

    Raises:
        ModuleNotFoundError: One is missing; the task's error names the file to install.

    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(name=package)


def check_output(output: Path) -> None:
    """Make the folders above a file, so that a wrong path fails before the work.

    Raises:
        ToolError: The file can't be written there.

    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise make_write_error(output, error, "choose another --output") from None
    if output.is_dir():
        raise ToolError(f"Cannot write {output}: it is a folder: choose another --output")
    # save() replaces the file, which takes the right to write to its folder.
    if not all(os.access(path, os.W_OK) for path in (output.parent, output) if path.exists()):
        raise ToolError(f"Cannot write {output}: permission denied: choose another --output")


def save(content: str | bytes, output: Path) -> None:
    """Write a file that the user asked for, with the folders above it; after an error, an earlier file is unchanged.

    Raises:
        ToolError: The file can't be written there.

    """
    # Renaming would replace a symbolic link, not its target.
    target = Path(os.path.realpath(output))
    temporary = target.with_name(f".saving-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(target)
    except OSError as error:
        raise make_write_error(output, error, "choose another --output") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _interrupt_on_signals() -> Iterator[None]:
    """Turn the first signal that ends a task into an interrupt, so that the task cleans up; ignore later ones.

    Without a handler, SIGTERM and SIGHUP would end Python at once.
    """
    # A shell ignores SIGINT for background tasks, and nohup ignores SIGHUP.
    numbers = [one for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]

    def interrupt(*_: object) -> None:
        for number in numbers:
            # Programs that the clean-up starts would inherit SIG_IGN.
            signal.signal(number, lambda *_: None)
        # print() would fail if the signal interrupted another print().
        with contextlib.suppress(OSError):
            os.write(2, b"Stopping\n")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _flush_output() -> None:
    """Write the rest of the output now: Python reports an error that it meets at exit as a traceback.

    Raises:
        BrokenPipeError: The reader has closed the pipe.
        ToolError: Standard output can't be written.

    """
    try:
        print(end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        raise ToolError(f"Cannot write to standard output: {error.strerror}: send the output elsewhere") from None


def _discard_output() -> None:
    """Discard the output that can't be written: Python would report it again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def readable_errors(task: str) -> Iterator[None]:
    """Turn an error that the user can fix into one line and exit code 2, and end an interrupted task quietly."""
    try:
        with _interrupt_on_signals():
            try:
                yield
            finally:
                _flush_output()
    except ToolError as error:
        raise Exit(f"Error: {escape(str(error))}", code=2) from error
    except ModuleNotFoundError as error:
        files = " ".join(f"-r tools/requirements/{name}.txt" for name in REQUIREMENTS_OF.get(task, ["dev"]))
        # `uv venv` makes an environment without pip.
        pip = "pip" if importlib.util.find_spec("pip") else "uv pip"
        raise Exit(f"Error: this task needs the package {error.name}: run `{pip} install {files}`", code=2) from error
    except KeyboardInterrupt:
        raise Exit("Interrupted", code=130) from None
    except BrokenPipeError:
        # The reader has closed the pipe, as `head` does.
        _discard_output()
        raise Exit(code=141) from None
