"""What runs a function here: AWS's emulator of Lambda's sandbox, and a Python that has only what Lambda's has."""

import platform
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import LOCAL

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
    return Runtime(emulator=_emulator(), python=locked.virtual_environment("runtime", HERE / "runtime.txt"))


def _emulator() -> Path:
    requirements = HERE / "emulator.txt"
    program = LOCAL / f"emulator-{locked.version(requirements)}"
    with locked.only_one() as lock:
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=LOCAL, prefix="emulator-") as scratch:
                locked.fetch(requirements, "download", "--dest", scratch, lock=lock)
                (wheel,) = Path(scratch).glob("*.whl")
                name = f"samcli/local/rapid/{EMULATORS[platform.machine()]}"
                with zipfile.ZipFile(wheel) as archive:
                    unpacked = Path(archive.extract(name, scratch))
                unpacked.chmod(0o755)
                unpacked.replace(program)
    return program
