"""What runs a function here: AWS's emulator of Lambda's sandbox, and a Python that has only what Lambda's has."""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.paths import LOCAL

HERE = Path(__file__).parent

EMULATORS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
"""This machine's processor to the emulator's name inside the wheel of AWS's SAM CLI."""

PYTHONS = ((3, 11), (3, 12), (3, 13))


@dataclass(frozen=True)
class Runtime:
    """The two programs that an execution environment is made of.

    Attributes:
        emulator: AWS's Runtime Interface Emulator.
        python: An interpreter with AWS's runtime client and boto3, and without Pillow: an incomplete zip must fail.

    """

    emulator: Path
    python: Path


def prepare() -> Runtime:
    """Fetch and unpack both, unless an earlier call did.

    Raises:
        ToolError: This machine can't run them, or they can't be fetched.

    """
    if sys.platform != "linux" or platform.machine() not in EMULATORS:
        raise ToolError(
            f"The local AWS runs on Linux on x86_64 and arm64, not on {sys.platform} on {platform.machine()}: "
            "AWS has no emulator for it"
        )
    if sys.version_info[:2] not in PYTHONS:
        raise ToolError(
            f"The local AWS runs with Python 3.11 to 3.13, not {platform.python_version()}: use one of those"
        )
    with _only_one():
        return Runtime(emulator=_emulator(), python=_python())


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Let two processes that prepare at once do it one after the other."""
    try:
        LOCAL.mkdir(exist_ok=True)
        lock = (LOCAL / "prepare.lock").open("w")
    except OSError as error:
        raise ToolError(f"Cannot write to {LOCAL}: {error.strerror}: make it a folder that you may write to") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _emulator() -> Path:
    requirements = HERE / "emulator.txt"
    program = LOCAL / f"emulator-{_version(requirements)}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=LOCAL, prefix="emulator-") as scratch:
            _pip("download", "--dest", scratch, "--only-binary", ":all:", "--requirement", str(requirements))
            (wheel,) = Path(scratch).glob("*.whl")
            name = f"samcli/local/rapid/{EMULATORS[platform.machine()]}"
            with zipfile.ZipFile(wheel) as archive:
                unpacked = Path(archive.extract(name, scratch))
            unpacked.chmod(0o755)
            unpacked.replace(program)
    return program


def _python() -> Path:
    requirements = HERE / "runtime.txt"
    folder = LOCAL / f"runtime-{platform.python_version()}-{_version(requirements)}"
    if not folder.exists():
        # Under another name until it is complete; nothing in it names its own folder.
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        venv.create(unfinished, symlinks=True)
        packages = unfinished / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        _pip("install", "--target", str(packages), "--only-binary", ":all:", "--requirement", str(requirements))
        unfinished.rename(folder)
    return folder / "bin" / "python"


def _version(requirements: Path) -> str:
    """Name the content of a lock file, so that a change of it is noticed."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]


def _pip(command: str, *arguments: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
    pip = subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *arguments], capture_output=True, text=True, check=False
    )
    if pip.returncode:
        errors = [line for line in pip.stderr.splitlines() if line.startswith("ERROR: ")] or ["pip gave no reason"]
        raise ToolError(f"Cannot fetch what runs functions locally: {errors[-1].removeprefix('ERROR: ')}")
