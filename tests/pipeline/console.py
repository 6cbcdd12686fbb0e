"""Runs a task as its user does, on the pipeline of these tests, and reads what it says."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks


@dataclass(frozen=True)
class Told:
    """What a task ended with.

    Attributes:
        code: What it exits with.
        things: The lines of JSON before the last.
        sum: The last one; empty where there was none.
        error: What it said in place of an answer.

    """

    code: int
    things: list[dict[str, Any]]
    sum: dict[str, Any]
    error: str


class Console:
    """A shell of an operator's."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, name: str, **options: Any) -> Told:
        """Run ``invoke NAME --local --json``."""
        self._capsys.readouterr()
        code, error = 0, ""
        try:
            getattr(tasks, name)(Context(), local=True, json=True, **options)
        except Exit as ended:
            code, error = ended.code, str(ended.message or "")
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return Told(code, lines[:-1], lines[-1] if lines else {}, error)
