"""Builds the function's zip and the manifest that Terraform reads: the same bytes wherever it is built."""

import base64
import contextlib
import hashlib
import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.paths import FUNCTION

HANDLER = "lambda_function.lambda_handler"

AWS_PYTHONS = ("3.12", "3.13")
"""Pillow's wheels need glibc 2.28: Lambda's runtimes up to 3.11 are on Amazon Linux 2, which has 2.26, and 3.14 is not
known to version 5 of the AWS provider."""

LOCAL_PYTHONS = ("3.11", "3.12", "3.13")

WHEEL_ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's names to those in wheels and ELF files."""

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
"""``e_machine`` of the System V ABI."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold; one date for all, or the zip would differ from build to build."""

UNWANTED = re.compile(r"(^|/)(bin/|__pycache__/)|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$|\.pyi$")
"""What pip leaves behind that depends on the machine or serves only its own tools; licences stay."""

UNUSED = re.compile(
    r"PIL/_imaging(ft|math|morph|tk)\."  # text, arithmetic, morphology and Tk: a resizer needs none of them
    r"|pillow\.libs/lib(freetype|harfbuzz|png16|brotlidec|brotlicommon)-"  # which only text needs
)
"""Parts of Pillow that the function never loads; the smoke test of the very zip proves it."""

IN_LAMBDA = "/var/task"
"""Where Lambda unpacks the zip; tracebacks show this path."""

SMOKE_TEST = Path(__file__).with_name("smoke_test.py")


@dataclass(frozen=True)
class Target:
    """The Lambda runtime that a package is for.

    Attributes:
        python: Minor version, such as ``3.13``.
        architecture: Lambda's name of it: ``arm64`` or ``x86_64``.

    """

    python: str = "3.13"
    architecture: str = "arm64"

    @classmethod
    def of_this_machine(cls) -> "Target":
        """The interpreter and the processor that this runs on."""
        architectures = {wheel: name for name, wheel in WHEEL_ARCHITECTURES.items()}
        machine = platform.machine()
        return cls(".".join(platform.python_version_tuple()[:2]), architectures.get(machine, machine))

    @property
    def abi(self) -> str:
        """The name of its C interface in wheels: ``cp313``."""
        return f"cp{self.python.replace('.', '')}"

    def check(self, *, for_aws: bool) -> None:
        """Refuse what can't be built, or can't run where it is meant to.

        Raises:
            ToolError: With the reason and what to ask for instead.

        """
        pythons = AWS_PYTHONS if for_aws else LOCAL_PYTHONS
        if self.python not in pythons:
            where = "AWS Lambda can run this function only" if for_aws else "The local AWS runs"
            raise ToolError(f"{where} on Python {' and '.join(pythons)}, not {self.python}: Pillow needs glibc 2.28")
        if self.architecture not in WHEEL_ARCHITECTURES:
            raise ToolError(f"No architecture {self.architecture}: use {' or '.join(WHEEL_ARCHITECTURES)}")


@dataclass(frozen=True)
class Package:
    """A built zip; beside it lies its manifest, with the same name and the ending ``.json``.

    Attributes:
        size: Of the zip, in bytes.

    """

    path: Path
    target: Target
    size: int


def build(target: Target, directory: Path, *, for_aws: bool = True, source: Path = FUNCTION) -> Package:
    """Build ``function.zip`` and ``function.json`` in ``directory``; an earlier pair stays until the new one is whole.

    Args:
        target: What it is to run on; need not be this machine.
        directory: Made where it does not exist.
        for_aws: Whether it must run on AWS, or only here.
        source: The folder with the function's modules and its requirements.

    Raises:
        ToolError: The target can't run it, its wheels can't be had, or the result does not work.

    """
    target.check(for_aws=for_aws)
    with _writable(directory) as scratch:
        tree = scratch / "tree"
        _install(target, source / "requirements.txt", tree)
        for module in sorted(source.glob("*.py")):
            shutil.copyfile(module, tree / module.name)
        _remove_unwanted(tree)
        _check_machine_code(target, tree)
        packages = _packages(tree)
        _compile(target, tree)
        archive = scratch / "function.zip"
        _zip(tree, archive)
        if target == Target.of_this_machine():
            _try_out(archive, scratch / "unpacked")
        size = archive.stat().st_size
        manifest = {
            "runtime": f"python{target.python}",
            "architecture": target.architecture,
            "handler": HANDLER,
            "sha256": base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode(),
            "contents_sha256": _contents_digest(tree),
            "size": size,
            "packages": packages,
        }
        (scratch / "function.json").write_text(json.dumps(manifest, indent=2) + "\n")
        for name in ("function.zip", "function.json"):
            (scratch / name).replace(directory / name)
    return Package(directory / "function.zip", target, size)


@contextlib.contextmanager
def _writable(directory: Path) -> Iterator[Path]:
    """A folder to work in, beside the result, so that renaming it into place is one step."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=directory, prefix="building-")
    except OSError as error:
        raise ToolError(f"Cannot write to {directory}: {error.strerror}") from None
    with scratch as name:
        yield Path(name)


def _install(target: Target, requirements: Path, tree: Path) -> None:
    """Unpack the wheels that the lock file names, for the target instead of this machine."""
    machine = WHEEL_ARCHITECTURES[target.architecture]
    command = [
        *(
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
            "--disable-pip-version-check",
        ),
        *("--no-deps", "--no-compile", "--require-hashes", "--only-binary", ":all:"),
        *("--requirement", str(requirements)),
        *("--implementation", "cp", "--python-version", target.python, "--abi", target.abi),
        *("--platform", f"manylinux_2_28_{machine}", "--platform", f"manylinux_2_17_{machine}"),
        *("--target", str(tree)),
    ]
    pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode:
        errors = [line for line in pip.stderr.splitlines() if line.startswith("ERROR:")] or ["pip said nothing"]
        raise ToolError(
            f"No wheels for Python {target.python} on {target.architecture}: {errors[-1].removeprefix('ERROR: ')}"
        )


def _remove_unwanted(tree: Path) -> None:
    for path in _files(tree):
        name = path.relative_to(tree).as_posix()
        if UNWANTED.search(name) or UNUSED.match(name):
            path.unlink()


def _check_machine_code(target: Target, tree: Path) -> None:
    """Refuse a tree that holds machine code for something else than the target."""
    for path in _files(tree):
        if ".so" not in path.suffixes:
            continue
        with path.open("rb") as file:
            header = file.read(20)
        if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") != ELF_MACHINES[target.architecture]:
            raise ToolError(f"{path.name} is not for {target.architecture}: its wheel is for another platform")
        tag = re.search(r"\.cpython-(\d+)-", path.name)
        if tag and f"cp{tag[1]}" != target.abi:
            raise ToolError(f"{path.name} is not for Python {target.python}: its wheel is for another version")


def _packages(tree: Path) -> dict[str, str]:
    found = importlib.metadata.distributions(path=[str(tree)])
    return {package.name: package.version for package in sorted(found, key=lambda package: package.name)}


def _compile(target: Target, tree: Path) -> None:
    """Add byte code, which saves most of the import time; left out where the target's own Python is not at hand."""
    python = sys.executable if target.python == Target.of_this_machine().python else f"python{target.python}"
    # Unchecked: Lambda changes the dates of the files, which would make dated byte code stale.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
        if version.startswith(f"Python {target.python}."):
            subprocess.run([*command, "-s", str(tree), "-p", IN_LAMBDA, str(tree)], check=True)


def _zip(tree: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for path in _files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
            entry.create_system = 3  # Unix, or the mode below means nothing
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, path.read_bytes())


def _try_out(archive: Path, directory: Path) -> None:
    """Import the very zip and render with it, in an interpreter that sees nothing else."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(directory)
    command = [sys.executable, "-I", "-S", str(SMOKE_TEST), str(directory)]
    trial = subprocess.run(command, capture_output=True, text=True, check=False)
    if trial.returncode:
        last = (trial.stderr.strip().splitlines() or [f"it ended with status {trial.returncode}"])[-1]
        raise ToolError(f"The built function does not work: {last}")


def _contents_digest(tree: Path) -> str:
    """Identify what is in the package; unlike the zip's own hash it does not vary with the compressor at hand."""
    digest = hashlib.sha256()
    for path in _files(tree):
        if path.suffix != ".pyc":
            body = path.read_bytes()
            digest.update(f"{path.relative_to(tree).as_posix()}\0{len(body)}\0".encode())
            digest.update(body)
    return base64.b64encode(digest.digest()).decode()


def _files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file())
