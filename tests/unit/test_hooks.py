"""The pre-commit hooks: clean files pass, and each hook finds its fault."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import repository
from tools.common.paths import ROOT

PYTHON = {"function/one.py", "tools/one.py", "tests/one.py", "tasks.py"}

FAULTS = {
    "ruff-check": ("function/two.py", '"""Two."""\n\nimport os\n'),
    "ruff-format": ("function/two.py", '"""Two."""\n\nTWO  =  2\n'),
    "mypy": ("function/two.py", '"""Two."""\n\nTWO: int = "2"\n'),
    "terraform-fmt": ("terraform/two.tf", "locals {\n two = 2\n}\n"),
    "whitespace": ("two.md", "Two \n"),
    "large-files": ("two.bin", "2" * (600 << 10)),
}
"""A file that each hook refuses."""

CONFLICT = "<<<<<<< one\nOne.\n=======\nTwo.\n>>>>>>> two\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small repository with the hooks and settings of this one."""
    folder = repository.create(tmp_path / "clone")
    for name in (".pre-commit-config.yaml", ".gitignore", "pyproject.toml"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in PYTHON:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text('"""One."""\n')
    (folder / ".venv").symlink_to(sys.prefix)
    repository.git(folder, "add", "--all")
    return folder


def run_hooks(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the hooks as ``pre-commit`` does, on all files."""
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never", *arguments],
        cwd=folder,
        env=repository.ENVIRONMENT | {"PRE_COMMIT_HOME": str(folder.parent / "home")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_clean_files_pass_unchanged(clone: Path) -> None:
    done = run_hooks(clone)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") == len(FAULTS) - 1  # without a Terraform file, terraform-fmt is skipped
    assert repository.git(clone, "diff") == ""


@pytest.mark.parametrize("hook", FAULTS)
def test_each_hook_finds_its_fault(clone: Path, hook: str) -> None:
    if hook == "terraform-fmt" and not shutil.which("terraform") and "CI" not in os.environ:
        pytest.skip("No terraform on PATH")
    name, body = FAULTS[hook]
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).write_text(body)
    repository.git(clone, "add", "--all")
    done = run_hooks(clone, hook)
    assert done.returncode == 1, done.stdout
    assert name in done.stdout or "files were modified by this hook" in done.stdout


def test_a_leftover_conflict_marker_is_found(clone: Path) -> None:
    (clone / "two.md").write_text(CONFLICT)
    repository.git(clone, "add", "--all")
    assert "two.md:1: leftover conflict marker" in run_hooks(clone, "whitespace").stdout


def test_the_terraform_hook_is_skipped_without_terraform(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("git", "bash"):
        (programs / program).symlink_to(str(shutil.which(program)))
    (clone / "two.tf").write_text(FAULTS["terraform-fmt"][1])
    repository.git(clone, "add", "--all")
    done = run_hooks(clone, "terraform-fmt", PATH=str(programs))
    assert done.returncode == 0, done.stdout
    assert "Skipped, there is no terraform on PATH" in done.stdout


def test_this_repository_passes(tmp_path: Path) -> None:
    folder = repository.copy(tmp_path / "copy")
    # `invoke lint` runs the skipped hooks on all files.
    done = run_hooks(folder, SKIP="ruff-check,ruff-format,mypy")
    assert done.returncode == 0, done.stdout
    assert repository.git(folder, "diff") == ""
