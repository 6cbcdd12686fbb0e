"""The lock files match pyproject.toml, and every package has its hashes."""

import re
import shutil
from pathlib import Path

import pytest

from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.dev import lock


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with pyproject.toml and the lock files."""
    for path in (ROOT / "pyproject.toml", *lock.LOCKS.values()):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return tmp_path


def test_the_lock_files_match_pyproject() -> None:
    assert lock.objections() == []


def test_every_package_in_every_requirements_file_has_hashes() -> None:
    files = [
        path for pattern in ("*.txt", "function/*.txt", "tests/*.txt", "tools/**/*.txt") for path in ROOT.glob(pattern)
    ]
    assert set(files) >= set(lock.LOCKS.values())
    for path in files:
        entries = re.split(r"^(?=[^\s#])", path.read_text(), flags=re.MULTILINE)[1:]
        assert [entry.splitlines()[0] for entry in entries if not lock.PINNED.match(entry)] == []
        assert entries


def test_files_that_are_installed_together_agree_on_every_version() -> None:
    versions: dict[tuple[str, str], set[str]] = {}
    for group in lock.INSTALLED:
        for name, version, marker, _ in lock.PINNED.findall(lock.LOCKS[group].read_text()):
            versions.setdefault((name, marker), set()).add(version)
    assert {key: found for key, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "said"),
    [
        ("pyproject.toml", r'"mypy",', '"mypy", "one-more>=2",', r"tools/requirements/dev\.txt lacks one-more>=2"),
        (
            "pyproject.toml",
            r'"moto==[\d.]+"',
            '"moto==4.0"',
            r"tools/requirements/dev\.txt has moto [\d.]+ in place of moto==4\.0",
        ),
        (
            "pyproject.toml",
            r', "pillow-heif==[\d.]+"\]',
            "]",
            r"function/requirements-heic\.txt still has pillow-heif, which pyproject\.toml no longer names",
        ),
        (
            "tools/local/aws/runtime.txt",
            r"(?s)(boto3==[\d.]+) .*?\n    #",
            r"\1\n    #",
            r"tools/local/aws/runtime\.txt has no version with hashes in 'boto3==[\d.]+'",
        ),
        ("tools/dev/scan.txt", r"(?s).*", "", r"tools/dev/scan\.txt lacks checkov==[\d.]+"),
    ],
)
def test_a_difference_is_named_with_the_fix(clone: Path, file: str, pattern: str, replacement: str, said: str) -> None:
    path = clone / file
    changed, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)
    assert any(re.fullmatch(f"{said}: run `invoke lock`", line) for line in lock.objections(clone))


def test_a_missing_lock_file_lacks_every_package(clone: Path) -> None:
    (clone / "function" / "requirements.txt").unlink()
    (line,) = lock.objections(clone)
    assert line.startswith("function/requirements.txt lacks Pillow==")


def test_without_uv_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^No uv on PATH: run `pip install uv` first$"):
        lock.lock()


@pytest.mark.parametrize(
    ("package", "upgrade"), [("", "--upgrade "), ("Pillow", "--upgrade-package pillow ")], ids=["all", "one"]
)
def test_every_group_is_resolved_with_hashes_into_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str, upgrade: str
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\necho "$UV_CUSTOM_COMPILE_COMMAND: $@" >> {tmp_path}/said\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lock.lock(package)
    said = (tmp_path / "said").read_text().splitlines()
    for line, (group, path) in zip(said, lock.LOCKS.items(), strict=True):
        assert line.startswith(f"invoke lock: pip compile --quiet {upgrade}--universal")
        assert line.endswith(f" --generate-hashes --group {group} --output-file {path}")


def test_a_package_that_no_lock_file_has_is_refused() -> None:
    with pytest.raises(ToolError, match=r"^No lock file has the package none-such: check its name, or add it to py"):
        lock.lock("None_Such")


def test_a_group_without_a_solution_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^uv could not resolve the group dev; see its error above$"):
        lock.lock()
