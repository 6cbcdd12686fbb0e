"""Two parts of the tests side by side: both are seen, and either's failure is the whole's."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from tools import checks


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
