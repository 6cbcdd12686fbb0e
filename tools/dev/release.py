"""Checks that a clone is a release, and makes its artifacts: zips, manifests, bills of materials and checksums."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from tools.build import Target, list_requirements, sbom, wheels
from tools.build.publish import build_all, file_name
from tools.build.target import AWS_PYTHONS
from tools.common.cli import Say
from tools.common.errors import ToolError, make_write_error
from tools.common.paths import FUNCTION, ROOT
from tools.dev import lock, vulnerabilities

CHECKSUMS = "SHA256SUMS"


def objections(version: str) -> list[str]:
    """Return one line for each thing that keeps this clone from being a release, with what to do.

    Args:
        version: The release's version, such as ``1.0.0``.

    Raises:
        ToolError: The version is malformed, or this is not a clone.

    """
    check_version(version)
    return [
        *_check_changelog(version),
        *_check_references(version),
        *lock.objections(),
        *_check_vulnerabilities(),
        *_check_commit(version),
    ]


def check_version(version: str) -> None:
    """Check that a version is three numbers.

    Raises:
        ToolError: It is not.

    """
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ToolError(f"{version!r} is not a version: give one such as 1.0.0")


def make(version: str, directory: Path, say: Say, *, extras: Sequence[str] = ()) -> list[Path]:
    """Make the zip, manifest and bill of materials of each runtime and processor, and checksums.

    The same commit gives the same bytes. Terraform finds a manifest beside its zip.

    Args:
        version: The release's version, such as ``1.0.0``.
        directory: Created if it does not exist.
        say: Shows progress.
        extras: The optional parts of the zips, of ``tools.build.EXTRAS``.

    Raises:
        ToolError: A package can't be built, or the directory can't be written to or has other files.

    """
    commit, time = run_git("show", "--no-patch", "--format=%H %cI", "HEAD").split()
    origin = sbom.Origin(version, commit, datetime.fromisoformat(time))
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for python in (python for python, obstacle in AWS_PYTHONS.items() if not obstacle):
            for package in build_all(Path(scratch) / python, say, python=python, extras=extras):
                chosen: dict[str, wheels.Wheel] = {}
                for requirements in list_requirements(extras):
                    chosen |= wheels.resolve(Target(python, package.architecture), FUNCTION / requirements)
                archive = made / file_name(package)
                archive.with_suffix(".json").write_text(package.manifest())
                archive.with_suffix(".cdx.json").write_text(sbom.make_sbom(package, origin, chosen))
                package.path.rename(archive)
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made.iterdir())]
        (made / CHECKSUMS).write_text("".join(sums))
        return _move(made, directory)


def _move(made: Path, directory: Path) -> list[Path]:
    """Move the files to ``directory``, which may have nothing else."""
    names = sorted(path.name for path in made.iterdir())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if others := sorted({path.name for path in directory.iterdir()} - set(names)):
            raise ToolError(f"{directory} has {others[0]}, which is not part of this release: give an empty folder")
        for name in names:
            shutil.move(made / name, directory / name)
    except OSError as error:
        raise make_write_error(directory, error, "make it a folder that you may write to") from error
    return [directory / name for name in names]


def _check_changelog(version: str) -> Iterator[str]:
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(r"^## (.*)$", text, re.MULTILINE)
    heading = found[1] if found else "nothing"
    if not re.fullmatch(rf"{re.escape(version)}, \d{{4}}-\d\d-\d\d", heading):
        yield f"CHANGELOG.md begins with {heading!r}: make that '{version}, ' and the date, such as 2026-01-31"


def _check_references(version: str) -> Iterator[str]:
    for name in run_git("ls-files", "*.md").splitlines():
        found = set(re.findall(r"\?ref=(v\d[\w.]*)", (ROOT / name).read_text()))
        if others := sorted(found - {f"v{version}"}):
            yield f"{name} refers to {' and '.join(others)}: write ?ref=v{version} there"


def _check_vulnerabilities() -> Iterator[str]:
    """Look at the packages in the zips only: no release fixes a tool's own dependency."""
    try:
        yield from vulnerabilities.find(("function", "heic", "c2pa"))
    except ToolError as error:
        yield str(error)


def _check_commit(version: str) -> Iterator[str]:
    tag = f"v{version}"
    if lines := run_git("status", "--porcelain").splitlines():
        others = f" and {len(lines) - 1} more" if lines[1:] else ""
        yield f"Not committed: {lines[0][3:]}{others}: run `git status`, and commit"
    if tag not in run_git("tag", "--points-at", "HEAD").split():
        if run_git("tag", "--list", tag):
            yield f"{tag} is another commit's tag: run `git checkout {tag}`, or take another version"
        else:
            yield f"This commit has no tag {tag}: once all else is in order, run `git tag -a {tag} -m {tag}`"


def run_git(*arguments: str) -> str:
    """Run git in this clone, and return what it printed.

    Raises:
        ToolError: There is no git, or this is not a clone.

    """
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ToolError("No git on PATH: install it") from None
    if done.returncode:
        raise ToolError(f"{ROOT} is not a clone with a commit: git says: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
