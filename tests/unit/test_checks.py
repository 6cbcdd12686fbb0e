"""The tasks `lint` and `test`: which tools they run, and that too little coverage fails."""

import os
import re
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from tools.dev import checks

FEW = ["tests/unit/test_keys.py"]


@pytest.fixture(autouse=True)
def own_coverage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the file with the coverage of the tests that a test runs."""
    path = tmp_path / "coverage"
    monkeypatch.setenv("COVERAGE_FILE", str(path))
    return path


def test_unit_tests_that_leave_out_too_much_of_the_function_fail(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "SUITES", {"judges": [], "unit": FEW})
    with pytest.raises(Exit) as caught:
        checks.test(unit=True, judges=True)
    assert caught.value.code == 1
    output = capfd.readouterr().out
    assert "FAIL Required test coverage of 99.0% not reached." in output
    assert "function/imaging/decode.py" in output


def test_other_tests_are_not_measured(monkeypatch: pytest.MonkeyPatch, own_coverage: Path) -> None:
    monkeypatch.setattr(checks, "SUITES", {"terraform": FEW, "unit": []})
    checks.test(unit=False, terraform=True)
    assert not own_coverage.exists()


def test_each_file_runs_on_one_worker(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Otherwise every worker deploys a pipeline: pytest 9.2 and pytest-xdist 3.8 ignore the groups without a word."""
    monkeypatch.setattr(checks, "SUITES", {"terraform": FEW})
    monkeypatch.setenv("PYTEST_ADDOPTS", "-v")
    checks.test(terraform=True)
    workers = re.findall(rf"\[(gw\d)] .+ {FEW[0]}::", capfd.readouterr().out)
    assert len(workers) > 1
    assert len(set(workers)) == 1


@pytest.mark.parametrize(("suites", "is_offline"), [(["unit"], True), (["judges", "unit"], False), ([], False)])
def test_unit_tests_alone_need_no_network(monkeypatch: pytest.MonkeyPatch, suites: list[str], is_offline: bool) -> None:
    words: list[str] = []
    monkeypatch.setattr(checks, "_run", lambda *command: words.extend(command))
    checks.test(**{suite: suite in suites for suite in checks.SUITES})
    assert "tests/unit" in words
    assert ("not network" in words) == is_offline


def test_lint_checks_style_format_and_types(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(checks, "_run", lambda *command: commands.append(command[2:]))
    monkeypatch.setattr(checks, "_lint_terraform", lambda: None)
    checks.lint()
    assert commands == [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)]


def test_badly_formatted_terraform_fails_outside_ci_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "terraform"
    program.write_text(
        """#!/bin/sh\n[ "$1" = version ] && echo '{"terraform_version": "1.11.0"}' || { echo main.tf; exit 3; }"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(Exit, match=r"^Error: terraform fmt: main\.tf$") as caught:
        checks._lint_terraform()
    assert caught.value.code == 1


@pytest.mark.parametrize(("status", "code"), [(1, 1), (2, 2), (5, 2), (-9, 2)])
def test_a_check_that_could_not_run_exits_with_2(status: int, code: int) -> None:
    with pytest.raises(Exit) as caught:
        checks._run(sys.executable, "-c", f"import os; os.kill(os.getpid(), 9) if {status} < 0 else os._exit({status})")
    assert caught.value.code == code
