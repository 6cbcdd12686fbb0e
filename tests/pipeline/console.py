"""Run an operator's task on the tests' pipeline, and parse its output."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks


@dataclass(frozen=True)
class Result:
    """The result of a task.

    Attributes:
        code: The exit code.
        items: The lines of JSON before the last one.
        summary: The last line of JSON; empty if there is none.
        error: The error message; empty if there is none.

    """

    code: int
    items: list[dict[str, Any]]
    summary: dict[str, Any]
    error: str


class Console:
    """Runs tasks in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, name: str, **options: Any) -> Result:
        """Run ``invoke NAME --local --json``."""
        self._capsys.readouterr()
        code, error = 0, ""
        try:
            getattr(tasks, name)(Context(), local=True, json=True, **options)
        except Exit as exit_:
            code, error = exit_.code, str(exit_.message or "")
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return Result(code, lines[:-1], lines[-1] if lines else {}, error)
