"""The Python that runs functions. It has the packages of Lambda's Python runtime, and no others."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tools.common import locked

HERE = Path(__file__).parent


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
        ToolError: Its packages can't be fetched.

    """
    requirements = HERE / "runtime.txt"
    if sys.platform == "linux":
        return Runtime(locked.virtual_environment("runtime", requirements), ("-m", "awslambdaric"))
    # AWS publishes wheels of its client for Linux only. Elsewhere its source installs without its native part.
    python = locked.virtual_environment("runtime", requirements, "--no-binary", "awslambdaric")
    return Runtime(python, (str(HERE / "runtime_client.py"),))
