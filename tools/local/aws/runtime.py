"""The Python that functions run in: it has what Lambda's own has, and nothing else."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.common import locked
from tools.common.errors import ToolError

HERE = Path(__file__).parent

PYTHONS = ((3, 11), (3, 12), (3, 13))


@dataclass(frozen=True)
class Runtime:
    """How to run a function.

    Attributes:
        python: An interpreter with AWS's runtime client and boto3, and without Pillow: an incomplete zip must fail.
        client: The arguments that make it run AWS's runtime client, before the name of the handler.

    """

    python: Path
    client: tuple[str, ...]


def prepare() -> Runtime:
    """Make the interpreter, unless an earlier call did.

    Raises:
        ToolError: This machine can't run it, or its packages can't be fetched.

    """
    if sys.version_info[:2] not in PYTHONS:
        raise ToolError(
            f"The local AWS runs with Python 3.11 to 3.13, not {platform.python_version()}: use one of those"
        )
    requirements = HERE / "runtime.txt"
    if sys.platform == "linux":
        return Runtime(locked.virtual_environment("runtime", requirements), ("-m", "awslambdaric"))
    # AWS publishes wheels of its client for Linux only. Elsewhere its source installs without its native part.
    python = locked.virtual_environment("runtime", requirements, "--no-binary", "awslambdaric")
    return Runtime(python, (str(HERE / "runtime_client.py"),))
