"""Environments of a lock file: they have exactly its packages, and concurrent callers or a kill make no second one."""

import fcntl
import hashlib
import os
import shlex
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import ROOT

WHEEL = "example-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another ``.local/``."""
    monkeypatch.setattr(locked, "LOCAL", tmp_path / ".local")
    return tmp_path / ".local"


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock file of one local package, which needs no network."""
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.writestr("example.py", "")
        wheel.writestr("example-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
        wheel.writestr("example-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("example-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    path = tmp_path / "lock.txt"
    path.write_text(f"example==1.0 --hash=sha256:{hashlib.sha256((tmp_path / WHEEL).read_bytes()).hexdigest()}\n")
    return path


def modules(python: Path) -> list[str]:
    """Return the modules that an interpreter has in addition to the standard library."""
    code = "import pkgutil, sysconfig; print(*(m.name for m in pkgutil.iter_modules([sysconfig.get_path('purelib')])))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_an_environment_has_the_locked_packages_and_no_others(requirements: Path) -> None:
    assert modules(locked.virtual_environment("one", requirements)) == ["example"]


def test_an_environment_is_made_once(requirements: Path) -> None:
    python = locked.virtual_environment("one", requirements)
    (requirements.parent / WHEEL).unlink()
    assert locked.virtual_environment("one", requirements) == python


def test_another_lock_file_makes_another_environment(requirements: Path) -> None:
    python = locked.virtual_environment("one", requirements)
    requirements.write_text(requirements.read_text() + "# Another.\n")
    assert locked.virtual_environment("one", requirements) != python


def test_an_unfinished_environment_is_made_again(requirements: Path, local: Path) -> None:
    python = locked.virtual_environment("one", requirements)
    folder = python.parent.parent
    folder.rename(local / f"{folder.name}.unfinished")
    (packages,) = (local / f"{folder.name}.unfinished").glob("lib/*/site-packages")
    (packages / "half.py").touch()
    assert modules(locked.virtual_environment("one", requirements)) == ["example"]


def test_two_callers_at_once_share_one_environment(requirements: Path) -> None:
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(lambda _: locked.virtual_environment("one", requirements), range(2))
    assert one == other
    assert modules(one) == ["example"]


def test_after_a_kill_the_next_process_waits_for_the_running_pip(
    tmp_path: Path, requirements: Path, local: Path
) -> None:
    began, end = tmp_path / "began", tmp_path / "end"
    os.mkfifo(began)
    os.mkfifo(end)
    pip = tmp_path / "python"
    pip.write_text(f"#!/bin/sh\n: > {shlex.quote(str(began))}\n: < {shlex.quote(str(end))}\n")
    pip.chmod(0o755)
    code = f"""
import sys
from pathlib import Path
from tools.common import locked
sys.executable = {str(pip)!r}
locked.LOCAL = Path({str(local)!r})
locked.virtual_environment("one", Path({str(requirements)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as process:
        began.read_bytes()
        process.kill()
    with (local / "prepare.lock").open("w") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end.write_bytes(b"")
        fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.mark.parametrize("line", ["example==1.0", f"example==1.0 --hash=sha256:{'0' * 64}"])
def test_a_package_that_differs_from_the_lock_file_is_refused(requirements: Path, local: Path, line: str) -> None:
    requirements.write_text(line + "\n")
    with pytest.raises(ToolError, match=r"^Cannot fetch the packages of .*lock\.txt: "):
        locked.virtual_environment("one", requirements)
    assert not [path for path in local.iterdir() if path.suffix not in {".lock", ".unfinished"}]


def test_without_a_network_the_error_says_so(requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    # Nothing listens on port 9, the discard service.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ToolError, match=r"No matching .*: check the network, or set PIP_INDEX"):
        locked.virtual_environment("one", requirements)


def test_a_folder_that_cannot_be_written_is_named(requirements: Path, local: Path) -> None:
    local.touch()
    with pytest.raises(ToolError, match=r"^Cannot write .*\.local: File exists: make it a folder"):
        locked.virtual_environment("one", requirements)
