"""Installs the zip's packages: rejects wheels for another platform, and leaves out unused files."""

import importlib.metadata
import json
import re
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.build.archive import files
from tools.build.target import Target
from tools.common.errors import ToolError

LEFT_BY_PIP = re.compile(r"bin/|[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$")
"""Files that differ by machine or that only pip reads; licences stay."""

UNUSED = re.compile(
    r"PIL/_imagingft\."  # draws text, with FreeType, HarfBuzz, Brotli and libpng: a fifth of the zip
    r"|PIL/_imaging(math|morph)\."  # ImageMath and ImageMorph, which nothing else imports
    r"|PIL/_imagingtk\."  # shows images in Tk
    r"|PIL/.*\.pyi$"  # types, for checkers
)
"""Parts of Pillow that the function never loads; the smoke test runs without them."""

HEADERS = {
    ("linux", "arm64"): (b"\x7fELF", 18, b"\xb7\0"),
    ("linux", "x86_64"): (b"\x7fELF", 18, b"\x3e\0"),
    ("darwin", "arm64"): (b"\xcf\xfa\xed\xfe", 4, b"\x0c\0\0\1"),
    ("darwin", "x86_64"): (b"\xcf\xfa\xed\xfe", 4, b"\x07\0\0\1"),
}
"""Magic number of machine code, and offset and value of its processor: ELF's ``e_machine`` in the System V ABI, and
Mach-O's ``cputype`` in ``mach-o/loader.h``."""


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
    """Return the wheels that :func:`install` uses, by package; installs nothing.

    Raises:
        ToolError: pip can't find one.

    """
    options = ("--dry-run", "--report", "-", "--target", "nowhere")
    wheels = {}
    for found in json.loads(_pip(target, requirements, *options))["install"]:
        download = found["download_info"]
        name = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(download["url"]).path)).name
        wheels[found["metadata"]["name"]] = Wheel(name, download["archive_info"]["hashes"]["sha256"])
    return wheels


def install(target: Target, requirements: Path, tree: Path) -> dict[str, str]:
    """Install the lock file's wheels for the target into ``tree``.

    Returns:
        Version by package.

    Raises:
        ToolError: pip can't install one, or one is for another target.

    """
    _pip(target, requirements, "--no-compile", "--target", str(tree))
    for path in files(tree):
        name = path.relative_to(tree).as_posix()
        if LEFT_BY_PIP.match(name) or UNUSED.match(name):
            path.unlink()
    _check_tags(target, requirements, tree)
    _check_machine_code(target, tree)
    _remove_unneeded_libraries(tree)
    packages = importlib.metadata.distributions(path=[str(tree)])
    return dict(sorted((package.name, package.version) for package in packages))


def _pip(target: Target, requirements: Path, *options: str) -> str:
    """Run pip for the lock file and the target; returns its output."""
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--requirement", str(requirements), "--require-hashes", "--no-deps", "--only-binary", ":all:"),
        *("--implementation", "cp", "--python-version", target.python, "--abi", f"cp{target.version_tag}"),
        *("--platform", target.platform, *options),
    ]
    pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode:
        # pip's warnings about indexes and retries come first; its last error is the reason.
        lines = [line for line in pip.stderr.splitlines() if line.startswith("ERROR: ")] or pip.stderr.splitlines()
        last = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {pip.returncode}"
        raise ToolError(
            f"No wheels for Python {target.python} on {target.architecture}; check the network. pip says: {last}"
        )
    return pip.stdout


def _check_tags(target: Target, requirements: Path, tree: Path) -> None:
    """Reject a wheel whose tags are for another target."""
    abi = f"cp{target.version_tag}"
    accepted = {f"{abi}-{abi}-{target.platform}", "py3-none-any"}
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
    for path in _binaries(tree):
        with path.open("rb") as file:
            header = file.read(20)
        if not (header.startswith(magic) and header.startswith(machine, offset)):
            raise ToolError(f"{path.name} is not for {target.architecture}: its wheel is for another platform")
        version = re.search(r"\.cpython-(\d+)-", path.name)
        if version and version[1] != target.version_tag:
            raise ToolError(f"{path.name} is not for Python {target.python}: its wheel is for another version")


def _remove_unneeded_libraries(tree: Path) -> None:
    """Remove shared libraries that no module and no remaining library loads.

    auditwheel gives each library a unique name with a digest, and the files that load it contain that name.
    """
    unneeded = {path.name.encode(): path for path in tree.glob("*.libs/*")}
    needed = [path for path in _binaries(tree) if path.name.encode() not in unneeded]
    while needed:
        body = needed.pop().read_bytes()
        needed.extend(unneeded.pop(name) for name in list(unneeded) if name in body)
    for path in unneeded.values():
        path.unlink()


def _binaries(tree: Path) -> list[Path]:
    return [path for path in files(tree) if ".so" in path.suffixes]
