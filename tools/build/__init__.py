"""Builds the function's zip and the manifest that Terraform reads: the same bytes wherever it is built."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tools.build import archive, interpreter, wheels
from tools.build.package import MANIFEST, ZIP, Package
from tools.build.target import Target
from tools.common.errors import ToolError
from tools.common.paths import FUNCTION

__all__ = ["Package", "Target", "build"]


def build(
    target: Target, directory: Path, *, for_aws: bool = True, heic: bool = False, source: Path = FUNCTION
) -> Package:
    """Build ``function.zip`` and ``function.json`` in ``directory``; an earlier pair stays until the new one is whole.

    Args:
        target: What it is to run on; need not be this machine.
        directory: Made where it does not exist.
        for_aws: Whether it must run on AWS, or only here.
        heic: Whether it reads HEIC, with a decoder that has a licence of its own.
        source: The folder with the function's modules and its requirements.

    Raises:
        ToolError: The target can't run it, its wheels can't be had, or the result does not work.

    """
    target.check(for_aws=for_aws)
    with _scratch(directory) as scratch:
        tree = scratch / "tree"
        requirements = source / ("requirements-heic.txt" if heic else "requirements.txt")
        packages = wheels.install(target, requirements, tree)
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
    """A folder to work in, inside ``directory``: renaming its files into place is one step, and leaves nothing."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix="building-") as scratch:
            yield Path(scratch)
    except OSError as error:
        raise ToolError(
            f"Cannot write to {directory}: {error.strerror}: make it a folder that you may write to"
        ) from error
