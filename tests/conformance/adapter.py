"""The interface of a resizer under test: a Python module, or commands."""

import importlib
import shlex
import subprocess
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tools.common.errors import ToolError


class Refused(Exception):  # noqa: N818 - a resizer's answer, not an error of the set
    """The resizer refuses a source, and says why."""


@dataclass(frozen=True)
class Wanted:
    """What an output must be.

    Attributes:
        width: Pixels, as displayed.
        height: Pixels, as displayed.
        scale: The share of the source's sides that gives this size; None if a box was asked for.
        format: ``jpeg``, ``png``, ``webp`` or ``avif``; None for the source's own.

    """

    width: int
    height: int
    scale: float | None
    format: str | None


class Adapter(Protocol):
    """A resizer under test."""

    def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
        """Write an output; return the properties that the resizer says are lost, by the names of docs/images.md.

        Raises:
            Refused: The resizer refuses the source.

        """

    @property
    def handler(self) -> tuple[str, ...]:
        """The command that takes an event on its standard input, and exits with 0 if it is done; empty if none."""

    def output_key(self, key: str) -> str:
        """Return the key of the output that the handler writes for a source."""


class ModuleAdapter:
    """A Python module with ``render``, and perhaps ``handle`` and ``output_key``.

    Args:
        name: The module's name, such as ``tests.conformance.adapters.ours``.

    Raises:
        ToolError: The module, or one that it imports, is not found; or it lacks a function.

    """

    def __init__(self, name: str) -> None:
        try:
            self._module: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ToolError(
                f"Cannot import {name}: {error}: name a module, such as my_resizer for my_resizer.py in this folder"
            ) from error
        has_handler = hasattr(self._module, "handle")
        needed = ("render", "output_key") if has_handler else ("render",)
        if missing := [function for function in needed if not hasattr(self._module, function)]:
            raise ToolError(
                f"{name} has no function {missing[0]}: write it as tests/conformance/adapters/usual.py does"
            )
        self.handler = (sys.executable, "-m", "tests.conformance.invoke", name) if has_handler else ()

    def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
        """Call the module's ``render``."""
        lost: Collection[str] = self._module.render(source, target, wanted)
        return lost

    def output_key(self, key: str) -> str:
        """Call the module's ``output_key``."""
        output_key: str = self._module.output_key(key)
        return output_key


@dataclass(frozen=True)
class CommandAdapter:
    """Commands, as templates.

    Attributes:
        command: Renders an output. ``{source}``, ``{target}``, ``{width}``, ``{height}``, ``{scale}`` and ``{format}``
            are replaced in each word; ``scale`` and ``format`` may be empty. Each line ``lost NAME`` on its standard
            output names a loss.
        handler: Handles the event on its standard input.
        key: Template of an output's key, with ``{key}`` for the source's.

    """

    command: str
    handler: tuple[str, ...] = ()
    key: str = "{key}"

    def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
        """Run the command.

        Raises:
            Refused: It exits with a status other than 0.
            ToolError: The template is wrong, or the command can't be started.
            subprocess.CalledProcessError: A signal ended it.

        """
        values = {name: "" if value is None else str(value) for name, value in asdict(wanted).items()}
        try:
            words = [word.format(source=source, target=target, **values) for word in shlex.split(self.command)]
        except (ValueError, LookupError) as error:
            fields = ", ".join(f"{{{name}}}" for name in ("source", "target", *values))
            raise ToolError(f"Cannot fill in --render: {error}: use {fields}, and double all other braces") from error
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ToolError(f"Cannot run {words[0]}: {error.strerror}: give --render a program on PATH") from error
        if done.returncode < 0:
            done.check_returncode()
        if done.returncode:
            raise Refused(done.stderr.strip()[-200:])
        return [line.removeprefix("lost ") for line in done.stdout.splitlines() if line.startswith("lost ")]

    def output_key(self, key: str) -> str:
        """Fill in the template."""
        return self.key.format(key=key)
