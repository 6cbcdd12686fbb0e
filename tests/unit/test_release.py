"""A release: a clone's check names everything that is missing at once, and artifacts are the same bytes every time."""

import base64
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests import repository
from tools.common import locked
from tools.common.errors import ToolError
from tools.dev import release

DATED = "## 1.0.0, 2026-01-31"


def run(clone: Path, *options: str, vulnerable: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the clone's own task as its user does, with a pip-audit that needs no network."""
    found = [{"name": "pillow", "version": "13.0.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["13.0.1"]}]}]
    answer = json.dumps({"dependencies": found if vulnerable else []})
    requirements = clone / "tools" / "dev" / "audit.txt"
    folder = clone / ".local" / f"audit-{platform.python_version()}-{locked.version(requirements)}" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "python").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (folder / "python").chmod(0o755)
    return subprocess.run(
        [sys.executable, "-m", "invoke", "release", *options],
        cwd=clone,
        env=repository.ENVIRONMENT | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def replace(path: Path, pattern: str, replacement: str) -> None:
    changed, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(changed)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of release 1.0.0."""
    clone = repository.copy(tmp_path_factory.mktemp("release") / "clone")
    replace(clone / "CHANGELOG.md", r"^## .*$", DATED)
    for path in clone.glob("terraform/**/*.md"):
        path.write_text(re.sub(r"\?ref=v[\d.]+", "?ref=v1.0.0", path.read_text()))
    repository.commit(clone)
    repository.git(clone, "tag", "--annotate", "v1.0.0", "--message", "v1.0.0")
    return clone


def clone_release(released: Path, folder: Path) -> Path:
    """A clone of the release, for a test to break."""
    repository.git(folder, "clone", "--quiet", str(released), "clone")
    return folder / "clone"


@pytest.fixture(scope="module")
def artifacts(released: Path) -> Path:
    """The folder with the release's artifacts."""
    done = run(released, "--version", "1.0.0", "--artifacts")
    assert done.returncode == 0, done.stdout + done.stderr
    return released / "dist" / "release"


PROGRESS = "Checking the clone, its lock files and the packages\n"


def test_a_release_passes(released: Path) -> None:
    done = run(released, "--version", "1.0.0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "This is 1.0.0\n", PROGRESS)


def test_everything_that_is_missing_is_named_at_once(released: Path, tmp_path: Path) -> None:
    clone = clone_release(released, tmp_path)
    repository.git(clone, "tag", "--delete", "v1.0.0")
    replace(clone / "CHANGELOG.md", r"^## .*$", "## 1.0.0, not released")
    replace(clone / "terraform" / "README.md", r"\?ref=v[\d.]+", "?ref=v0.9.0")
    replace(clone / "pyproject.toml", r'^    "mypy",$', '    "mypy", "one-more",')
    done = run(clone, "--version", "1.0.0", "--artifacts", vulnerable=True)
    assert done.returncode == 1
    assert done.stderr == f"{PROGRESS}Error: this is not a release yet; what to do is above\n"
    assert done.stdout.splitlines() == [
        "CHANGELOG.md begins with '1.0.0, not released': make that '1.0.0, ' and the date, such as 2026-01-31",
        "terraform/README.md refers to v0.9.0: write ?ref=v1.0.0 there",
        "tools/requirements/dev.txt lacks one-more: run `invoke lock`",
        "pillow 13.0.0 has PYSEC-1: raise any pin to 13.0.1, and run `invoke lock --package pillow`",
        "Not committed: CHANGELOG.md and 2 more: run `git status`, and commit",
        "This commit has no tag v1.0.0: once all else is in order, run `git tag -a v1.0.0 -m v1.0.0`",
    ]
    assert not (clone / "dist").exists()


def test_a_tag_of_another_commit_is_named(released: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clone = clone_release(released, tmp_path)
    (clone / "more").touch()
    repository.commit(clone)
    monkeypatch.setattr(release, "ROOT", clone)
    assert list(release._check_commit("1.0.0")) == [
        "v1.0.0 is another commit's tag: run `git checkout v1.0.0`, or take another version"
    ]


@pytest.mark.parametrize(
    "heading", ["1.0.0", "1.0.0, ", "1.0.0, 31 January", "1.0.1, 2026-01-31", "1.0.0 2026-01-31", "1x0.0, 2026-01-31"]
)
def test_a_changelog_without_the_version_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, heading: str
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n{DATED}\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (line,) = release._check_changelog("1.0.0")
    assert line.startswith(f"CHANGELOG.md begins with '{heading}': make that '1.0.0, ' and the date")


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "1.0.0.0", "1.0.0\n", ""])
def test_a_malformed_version_is_refused(version: str) -> None:
    with pytest.raises(ToolError, match=r"is not a version: give one such as 1\.0\.0$"):
        release.objections(version)


def test_a_folder_that_is_not_a_clone_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ToolError, match=r" is not a clone with a commit: git says: fatal: not a git repository"):
        release.run_git("status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^No git on PATH: install it$"):
        release.run_git("status")


@pytest.mark.network
def test_each_runtime_and_processor_has_a_zip_a_manifest_and_a_bill_of_materials_with_checksums(
    artifacts: Path,
) -> None:
    names = sorted(path.name for path in artifacts.iterdir())
    assert [re.sub(r"[0-9a-f]{64}", "DIGEST", name) for name in names] == [
        "SHA256SUMS",
        *(
            f"image-resize-{runtime}-{architecture}-DIGEST.{suffix}"
            for runtime in ("python3.12", "python3.13", "python3.14")
            for architecture in ("arm64", "x86_64")
            for suffix in ("cdx.json", "json", "zip")
        ),
    ]
    for archive in artifacts.glob("*.zip"):
        digest = hashlib.sha256(archive.read_bytes())
        assert digest.hexdigest() in archive.name
        # Where the module looks for it.
        manifest = json.loads(archive.with_suffix(".json").read_text())
        assert manifest["sha256"] == base64.b64encode(digest.digest()).decode()
        assert archive.name.startswith(f"image-resize-{manifest['runtime']}-{manifest['architecture']}-")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=artifacts, capture_output=True, text=True, check=True
    )
    assert [line.removesuffix(": OK") for line in checked.stdout.splitlines()] == names[1:]


@pytest.mark.network
def test_a_bill_of_materials_names_its_zip_and_the_commit(released: Path, artifacts: Path) -> None:
    commit = repository.git(released, "rev-parse", "HEAD").strip()
    for archive in artifacts.glob("*.zip"):
        text = archive.with_suffix(".cdx.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        function = json.loads(text)["metadata"]["component"]
        assert (function["name"], function["version"]) == ("image-resize", "1.0.0")
        assert function["hashes"][0]["content"] in archive.name
        assert {"name": "image-resize:commit", "value": commit} in function["properties"]
        runtime, architecture = archive.name.split("-")[2:4]
        assert {"name": "image-resize:runtime", "value": runtime} in function["properties"]
        assert {"name": "image-resize:architecture", "value": architecture} in function["properties"]
        assert f"-cp{runtime.removeprefix('python').replace('.', '')}-manylinux" in text


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    made, folder = tmp_path / "made", tmp_path / "folder"
    for path in (made, folder):
        path.mkdir()
    (made / "a.zip").touch()
    (folder / "b.zip").touch()
    with pytest.raises(ToolError, match=r" has b\.zip, which is not part of this release: give an empty folder$"):
        release._move(made, folder)
    (folder / "b.zip").rename(folder / "a.zip")
    assert release._move(made, folder) == [folder / "a.zip"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match=r"^Cannot write .*file/release: Not a directory: make it a folder that you"):
        release._move(tmp_path, tmp_path / "file" / "release")
