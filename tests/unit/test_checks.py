"""Two parts of the tests side by side: both are seen, and either's failure, or too little coverage, is the whole's."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from tools.dev import checks


def script(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_of_both_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    checks._run_beside(script("print('busy')"), script("print('waiting')"))
    output = capfd.readouterr().out
    assert output.index("\nwaiting\n") < output.index("\nbusy\n")


@pytest.mark.parametrize(
    ("busy", "waiting", "code"), [("exit(3)", "", 3), ("", "exit(4)", 4), ("exit(3)", "exit(4)", 3)]
)
def test_who_of_both_fails_fails_the_whole(busy: str, waiting: str, code: int) -> None:
    with pytest.raises(Exit) as caught:
        checks._run_beside(script(busy), script(waiting))
    assert caught.value.code == code


@pytest.mark.parametrize("others", [False, True])
def test_unit_tests_that_leave_out_too_much_of_the_function_fail(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, others: bool
) -> None:
    few = ["tests/unit/test_keys.py"]
    monkeypatch.setattr(checks, "SUITES", {"unit": few, "terraform": [], "pipeline": few})
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / "coverage"))
    with pytest.raises(Exit) as caught:
        checks.test(unit=True, terraform=False, pipeline=others)
    output = capfd.readouterr()
    assert re.search(r"total of \d\d\.\d\d is less than fail-under=99", output.out + output.err)
    assert "function/imaging/decode.py" in output.out
    assert caught.value.code


def test_lint_checks_style_format_and_types(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(checks, "_run", lambda *command: commands.append(command[2:]))
    monkeypatch.setattr(checks, "_lint_terraform", lambda: None)
    checks.lint()
    assert commands == [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)]


def test_other_tests_alone_are_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "SUITES", {"unit": [], "terraform": ["tests/unit/test_keys.py"], "pipeline": []})
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / "coverage"))
    checks.test(unit=False, terraform=True, pipeline=False)
    assert not (tmp_path / "coverage").exists()


def test_whoever_is_interrupted_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = tmp_path / "started"
    busy = f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); time.sleep(600)"

    def interrupted(*_: object, **__: object) -> None:
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checks._run_beside(script(busy), script(""))
    assert not Path("/proc", started.read_text()).exists()
