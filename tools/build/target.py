"""The runtimes that packages can be built for."""

import platform
import sys
from dataclasses import dataclass

from tools.common.errors import ToolError

AWS_PYTHONS = {
    "3.11": "its Lambda runtime has glibc 2.26, and Pillow's wheels need 2.28",
    "3.12": "",
    "3.13": "",
    "3.14": "",
}
"""Why a version can't run the function on AWS; empty if it can."""

LOCAL_PYTHONS = ("3.11", "3.12", "3.13", "3.14")

LOCAL_RUNTIME = "python3.13"
"""The runtime's name on the local AWS, which runs this machine's Python whatever the name is. Terraform's provider 5
refuses ``python3.14``."""

PROVIDERS = {"3.14": "6.21"}
"""The oldest AWS provider of Terraform that knows a runtime, if the module's own minimum does not:
https://github.com/hashicorp/terraform-provider-aws/blob/main/CHANGELOG.md#6210-november-13-2025"""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Linux's name of a processor, by Lambda's."""

MACOS_PLATFORMS = {"arm64": "macosx_11_0_arm64", "x86_64": "macosx_10_13_x86_64"}
"""Platforms of Pillow's wheels for macOS."""


@dataclass(frozen=True)
class Target:
    """A Lambda runtime, or this machine's Python.

    Attributes:
        python: Minor version, such as ``3.13``.
        architecture: ``arm64`` or ``x86_64``.
        system: ``linux``, as on Lambda; or ``darwin``, for the local AWS on macOS.

    """

    python: str = "3.13"
    architecture: str = "arm64"
    system: str = "linux"

    @classmethod
    def of_this_machine(cls) -> "Target":
        """Return this Python and processor."""
        machine = platform.machine()
        architectures = {linux: name for name, linux in MACHINES.items()}
        return cls(".".join(platform.python_version_tuple()[:2]), architectures.get(machine, machine), sys.platform)

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime and the Python's name on PATH: ``python3.13``."""
        return f"python{self.python}"

    @property
    def version_tag(self) -> str:
        """The version in the names of compiled modules: ``313``."""
        return self.python.replace(".", "")

    @property
    def platform(self) -> str:
        """The wheels' platform; Lambda's Amazon Linux 2023 has glibc 2.34."""
        if self.system == "darwin":
            return MACOS_PLATFORMS[self.architecture]
        return f"manylinux_2_28_{MACHINES[self.architecture]}"

    @property
    def runs_here(self) -> bool:
        """Whether this machine can run the target's machine code."""
        here = Target.of_this_machine()
        is_loadable = self.system == "darwin" or platform.libc_ver()[0] == "glibc"
        return (self.system, self.architecture) == (here.system, here.architecture) and is_loadable

    def check(self, *, for_aws: bool) -> None:
        """Check that the target is supported.

        Raises:
            ToolError: It is not; the message names targets that are.

        """
        if self.architecture not in MACHINES:
            raise ToolError(f"No architecture {self.architecture!r}: use {' or '.join(MACHINES)}")
        if not for_aws and self.python not in LOCAL_PYTHONS:
            raise ToolError(f"The local AWS does not run Python {self.python!r}: use {' or '.join(LOCAL_PYTHONS)}")
        if for_aws and (reason := AWS_PYTHONS.get(self.python, "this project was not tested on it")):
            raise ToolError(f"Cannot build for Python {self.python!r}: {reason}: use 3.12, 3.13 or 3.14")
