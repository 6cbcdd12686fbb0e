"""Builds the function's zip and the manifest that Terraform reads, with the same bytes on every machine."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tools.build import archive, interpreter, wheels
from tools.build.package import MANIFEST, ZIP, Package
from tools.build.target import LOCAL_RUNTIME, PROVIDERS, Target
from tools.common.errors import make_write_error
from tools.common.paths import FUNCTION

__all__ = ["LOCAL_RUNTIME", "PROVIDERS", "Package", "Target", "build", "describe_extras", "list_requirements"]

EXTRAS = {"heic": "HEIC", "c2pa": "Content Credentials"}
"""The optional parts of a zip, by the option of ``invoke build``, and what the function can do with each."""


def list_requirements(extras: Sequence[str]) -> list[str]:
    """Return the names of the lock files with the packages of a zip that has these extras."""
    first = "requirements-heic.txt" if "heic" in extras else "requirements.txt"
    return [first, *(f"requirements-{extra}.txt" for extra in extras if extra != "heic")]


def describe_extras(extras: Sequence[str]) -> str:
    """Return the end of a sentence about a zip with these extras."""
    return f", with {' and '.join(EXTRAS[extra] for extra in extras)}" if extras else ""


def build(
    target: Target, directory: Path, *, for_aws: bool = True, extras: Sequence[str] = (), source: Path = FUNCTION
) -> Package:
    """Build ``function.zip`` and ``function.json``; an earlier pair stays until the new one is complete.

    Args:
        target: The runtime; need not be this machine's.
        directory: For both files; created if it does not exist.
        for_aws: Whether the package must run on AWS, or only on this machine.
        extras: The optional parts to include, of ``EXTRAS``.
        source: The folder with the function's modules and requirements.

    Raises:
        ToolError: The target is not supported, a wheel can't be installed, or the package does not work.

    """
    target.check(for_aws=for_aws)
    with _scratch(directory) as scratch:
        tree = scratch / "tree"
        packages: dict[str, str] = {}
        for requirements in list_requirements(extras):
            packages |= wheels.install(target, source / requirements, tree)
        for module in source.rglob("*.py"):
            copy = tree / module.relative_to(source)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(module, copy)
        python = interpreter.find(target)
        if python:
            interpreter.compile_all(python, tree)
        archive.pack(tree, scratch / ZIP)
        if python and target.runs_here:
            archive.unpack(scratch / ZIP, scratch / "unpacked")
            interpreter.try_out(python, scratch / "unpacked")
        package = Package.of(scratch / ZIP, target, archive.contents_digest(tree), packages)
        (scratch / MANIFEST).write_text(package.manifest())
        for name in (ZIP, MANIFEST):
            (scratch / name).replace(directory / name)
    return replace(package, path=directory / ZIP)


@contextlib.contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """Create a temporary folder in ``directory``, on the same file system: a rename moves a file in one step."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix="building-") as scratch:
            yield Path(scratch)
    except OSError as error:
        raise make_write_error(directory, error, "make it a folder that you may write to") from error
