"""Installs the zip's packages: rejects wheels for another platform, and leaves out unused files."""

import hashlib
import importlib.metadata
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.build.archive import files, unpack
from tools.build.elf import find_needed_libraries
from tools.build.target import Target
from tools.common import pip
from tools.common.errors import ToolError

RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
"""A wheel's list of its files, which only pip reads; licences stay."""

UNUSED = re.compile(
    r"PIL/_imagingft\."  # draws text, with FreeType, HarfBuzz, Brotli and libpng: a fifth of the zip
    r"|PIL/_imagingmorph\."  # ImageMorph, which nothing else imports
    r"|PIL/_imagingtk\."  # shows images in Tk
    r"|PIL/.*\.pyi$"  # types, for checkers
    r"|c2pa/build\.py$|c2pa/libs/.*\.(d|rlib)$"  # for builds of c2pa-python
)
"""Parts of packages that the function never loads; the smoke test runs without them."""

HEADERS = {
    ("linux", "arm64"): (b"\x7fELF", 18, b"\xb7\0"),
    ("linux", "x86_64"): (b"\x7fELF", 18, b"\x3e\0"),
    ("darwin", "arm64"): (b"\xcf\xfa\xed\xfe", 4, b"\x0c\0\0\1"),
    ("darwin", "x86_64"): (b"\xcf\xfa\xed\xfe", 4, b"\x07\0\0\1"),
}
"""Magic number of machine code, and offset and value of its processor: ELF's ``e_machine`` in the System V ABI, and
Mach-O's ``cputype`` in ``mach-o/loader.h``."""

AMAZON_LINUX = {
    *("ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libm.so.6", "libmvec.so.1"),
    *("libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
}
"""The libraries of glibc, GCC and zlib, which Lambda's runtimes have. manylinux also allows libraries of a desktop."""


@dataclass(frozen=True)
class Wheel:
    """A package's wheel.

    Attributes:
        file: The file's name.
        sha256: Of the file, in hex.

    """

    file: str
    sha256: str


def resolve(target: Target, requirements: Path) -> dict[str, Wheel]:
    """Return the wheels that :func:`install` uses, by package.

    Raises:
        ToolError: pip can't find one.

    """
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: Wheel(wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest())
            for wheel in _download(target, requirements, Path(folder))
            for name in _read_versions(wheel)
        }


def install(target: Target, requirements: Path, tree: Path) -> dict[str, str]:
    """Unpack the lock file's wheels for the target into ``tree``.

    Returns:
        Version by package.

    Raises:
        ToolError: pip can't find a wheel, or the tree can't run on the target.

    """
    with tempfile.TemporaryDirectory() as folder:
        for wheel in _download(target, requirements, Path(folder)):
            unpack(wheel, tree)
    for path in files(tree):
        name = path.relative_to(tree).as_posix()
        if RECORD.fullmatch(name) or UNUSED.match(name):
            path.unlink()
    packages = _read_versions(tree)
    _check_versions(packages, requirements)
    _check_tags(target, requirements, tree)
    _check_machine_code(target, tree)
    _remove_unneeded_libraries(tree)
    if target.system == "linux":
        _check_libraries(tree)
    return packages


def _download(target: Target, requirements: Path, folder: Path) -> list[Path]:
    """Download the lock file's wheels for the target."""
    return pip.fetch(
        *("download", requirements, folder),
        *("--implementation", "cp", "--python-version", target.python, "--abi", f"cp{target.version_tag}"),
        *("--platform", target.platform),
    )


def _read_versions(path: Path) -> dict[str, str]:
    """Return version by package, in a folder or in a wheel."""
    packages = importlib.metadata.distributions(path=[str(path)])
    return dict(sorted((package.name, package.version) for package in packages))


def _check_versions(packages: Mapping[str, str], requirements: Path) -> None:
    """Require each locked package: pip skips a package whose marker this machine does not match."""
    present = {f"{_normalize(name)}=={version}" for name, version in packages.items()}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", requirements.read_text(), re.MULTILINE):
        if f"{_normalize(name)}=={version}" not in present:
            raise ToolError(f"{name} {version} of {requirements} is not in the package: remove its marker")


def _normalize(name: str) -> str:
    """Return a package's name as pip compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _check_tags(target: Target, requirements: Path, tree: Path) -> None:
    """Reject a wheel whose tags are for another target."""
    abi = f"cp{target.version_tag}"
    accepted = {f"{abi}-{abi}-{target.platform}", f"py3-none-{target.platform}", "py3-none-any"}
    for wheel in tree.glob("*.dist-info/WHEEL"):
        tags = re.findall(r"^Tag: (\S+)", wheel.read_text(), flags=re.MULTILINE)
        if not accepted.intersection(tags):
            raise ToolError(
                f"The wheel of {wheel.parent.stem} is for {' or '.join(tags)}, not for Python {target.python} on "
                f"{target.platform}: lock another version in {requirements}"
            )


def _check_machine_code(target: Target, tree: Path) -> None:
    """Reject machine code for another target, whatever the wheel's tags say."""
    magic, offset, machine = HEADERS[target.system, target.architecture]
    for path in _find_binaries(tree):
        with path.open("rb") as file:
            header = file.read(20)
        if not (header.startswith(magic) and header.startswith(machine, offset)):
            raise ToolError(f"{path.name} is not for {target.architecture}: its wheel is for another platform")
        # A free-threaded Python has the tag 313t.
        version = re.search(r"\.cpython-(\w+)-", path.name)
        if version and version[1] != target.version_tag:
            raise ToolError(f"{path.name} is not for Python {target.python}: its wheel is for another version")


def _remove_unneeded_libraries(tree: Path) -> None:
    """Remove shared libraries that no module and no remaining library loads.

    auditwheel gives each library a unique name with a digest, and the files that load it contain that name.
    """
    unneeded = {path.name.encode(): path for path in tree.glob("*.libs/*")}
    needed = [path for path in _find_binaries(tree) if path.name.encode() not in unneeded]
    while needed:
        body = needed.pop().read_bytes()
        needed.extend(unneeded.pop(name) for name in list(unneeded) if name in body)
    for path in unneeded.values():
        path.unlink()


def _check_libraries(tree: Path) -> None:
    """Require each library that machine code loads, because the zip of another platform can't be run here."""
    binaries = _find_binaries(tree)
    present = AMAZON_LINUX | {path.name for path in binaries}
    for path in binaries:
        if missing := sorted(set(find_needed_libraries(path.read_bytes())) - present):
            raise ToolError(
                f"{path.name} needs {missing[0]}, which neither the zip nor Lambda has: lock another version"
            )


def _find_binaries(tree: Path) -> list[Path]:
    return [path for path in files(tree) if ".so" in path.suffixes]
