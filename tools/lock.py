"""Renews the lock files from the dependency groups of pyproject.toml."""

import os
import subprocess

from tools.errors import ToolError
from tools.paths import FUNCTION, ROOT

LOCKS = {
    "dev": ROOT / "requirements.txt",
    "function": FUNCTION / "requirements.txt",
    "heic": FUNCTION / "requirements-heic.txt",
    "runtime": ROOT / "tools" / "local_aws" / "runtime.txt",
    "scan": ROOT / "tools" / "scan.txt",
}
"""Dependency group to its lock file; each holds for all supported Pythons and platforms."""


def lock() -> None:
    """Resolve every group anew, with hashes.

    Raises:
        ToolError: uv, which can lock for other platforms than its own, is not there, or it found no solution.

    """
    for group, path in LOCKS.items():
        command = [
            *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--group", group, "--output-file", str(path)),
        ]
        try:
            # It would write its own command line, with this machine's paths, into the file.
            subprocess.run(command, cwd=ROOT, env=os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "invoke lock"}, check=True)
        except FileNotFoundError:
            raise ToolError("No uv on PATH: run `pip install uv` first") from None
        except subprocess.CalledProcessError:
            raise ToolError(f"uv could not lock the group {group}; its reason is above") from None
