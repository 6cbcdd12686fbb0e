"""pip obeys the user's settings of the index and no others; a Python without pip uses uv's pip, or says what to do."""

import hashlib
import os
import shlex
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest

from tools.build import Target, wheels
from tools.common import locked, pip
from tools.common.paths import ROOT


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with one wheel, which is the only index, and its lock file."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "example-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("example.py", "")
        archive.writestr("example-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
        archive.writestr("example-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("example-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "lock.txt").write_text(f"example==1.0 --hash=sha256:{digest}\n")
    (folder / "constraints.txt").write_text("example<1\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(locked, "LOCAL", tmp_path / ".local")
    return folder


def check_both_installations(index: Path) -> None:
    """Install the example for the zip and into an environment, and expect it nowhere else."""
    elsewhere = index.parent / "elsewhere"
    assert wheels.install(Target(), index / "lock.txt", index.parent / "tree") == {"example": "1.0"}
    python = locked.virtual_environment("one", index / "lock.txt")
    subprocess.run([python, "-c", "import example"], check=True)
    assert not elsewhere.exists()


def test_environment_variables_do_not_redirect_an_installation(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow = index.parent / "shadow"
    shadow.mkdir()
    (shadow / "pip.py").write_text("raise SystemExit('another pip')")
    elsewhere = str(index.parent / "elsewhere")
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(index),
        "PIP_NO_INDEX": "1",
        **dict.fromkeys(("PIP_ROOT", "PIP_PREFIX", "PIP_TARGET", "PIP_REPORT", "PIP_LOG"), elsewhere),
        **dict.fromkeys(("PIP_USER", "PIP_DRY_RUN", "PIP_PRE"), "1"),
        **dict.fromkeys(("PIP_REQUIREMENT", "PIP_PYTHON"), str(index / "missing")),
        "PIP_CONSTRAINT": str(index / "constraints.txt"),
        "PIP_PLATFORM": "win_amd64",
        "PYTHONPATH": str(shadow),
    }.items():
        monkeypatch.setenv(name, value)
    check_both_installations(index)


def test_a_configuration_file_does_not_redirect_an_installation(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = index.parent / "elsewhere"
    (index / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links = {index}\nconstraint = {index / 'constraints.txt'}\n"
        f"requirement = {index / 'missing'}\n"
        f"[install]\nuser = true\ndry-run = true\nroot = {elsewhere}\nprefix = {elsewhere}\ntarget = {elsewhere}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(index / "pip.conf"))
    check_both_installations(index)


@pytest.mark.parametrize("has_uv", [True, False])
def test_a_python_without_pip_uses_uv_or_says_what_to_do(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_uv: bool
) -> None:
    # `uv venv` makes such an environment, too.
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    programs = tmp_path / "programs"
    programs.mkdir()
    if has_uv:
        # This stands for: uv tool run --quiet --python PYTHON pip ARGUMENTS
        uv = programs / "uv"
        uv.write_text(
            f'#!/bin/sh\nshift 6\nPATH={shlex.quote(os.environ["PATH"])} exec {shlex.join(pip._find_program())} "$@"\n'
        )
        uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code = "import sys; from pathlib import Path; from tools.build import Target, wheels; "
    code += "print(wheels.install(Target(), Path(sys.argv[1]), Path(sys.argv[2])))"
    done = subprocess.run(
        [python, "-c", code, index / "lock.txt", tmp_path / "tree"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if has_uv:
        assert done.stdout == "{'example': '1.0'}\n", done.stderr
    else:
        assert f"{python} has no pip, and PATH has no uv: run `{python} -m ensurepip`, or install uv\n" in done.stderr
