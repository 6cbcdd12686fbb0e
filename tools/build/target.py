"""What a package is for: a version of Python on a processor, and whether AWS or this machine can run it."""

import platform
import sys
from dataclasses import dataclass

from tools.common.errors import ToolError

AWS_PYTHONS = {
    "3.11": "its Lambda runtime has glibc 2.26, and Pillow's wheels need 2.28",
    "3.12": "",
    "3.13": "",
    "3.14": "version 5 of Terraform's AWS provider does not know that runtime",
}
"""What keeps each from running the function on AWS, if anything does."""

LOCAL_PYTHONS = ("3.11", "3.12", "3.13")

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's names of the processors to Linux's."""

MACOS_PLATFORMS = {"arm64": "macosx_11_0_arm64", "x86_64": "macosx_10_13_x86_64"}
"""The platforms of Pillow's wheels for macOS."""


@dataclass(frozen=True)
class Target:
    """The Lambda runtime that a package is for, or this machine's Python.

    Attributes:
        python: Minor version, such as ``3.13``.
        architecture: Lambda's name of it: ``arm64`` or ``x86_64``.
        system: ``linux``, as on Lambda; or ``darwin``, for the local AWS on macOS.

    """

    python: str = "3.13"
    architecture: str = "arm64"
    system: str = "linux"

    @classmethod
    def of_this_machine(cls) -> "Target":
        """The interpreter and the processor that this runs on."""
        machine = platform.machine()
        architectures = {linux: name for name, linux in MACHINES.items()}
        return cls(".".join(platform.python_version_tuple()[:2]), architectures.get(machine, machine), sys.platform)

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime, and the program's name on PATH: ``python3.13``."""
        return f"python{self.python}"

    @property
    def version_tag(self) -> str:
        """The version without its dot, as in the names of compiled modules: ``313``."""
        return self.python.replace(".", "")

    @property
    def platform(self) -> str:
        """The platform of its wheels; Lambda's Amazon Linux 2023 has glibc 2.34."""
        if self.system == "darwin":
            return MACOS_PLATFORMS[self.architecture]
        return f"manylinux_2_28_{MACHINES[self.architecture]}"

    @property
    def runs_here(self) -> bool:
        """Whether this machine can load its machine code."""
        here = Target.of_this_machine()
        is_loadable = self.system == "darwin" or platform.libc_ver()[0] == "glibc"
        return (self.system, self.architecture) == (here.system, here.architecture) and is_loadable

    def check(self, *, for_aws: bool) -> None:
        """Refuse what can't be built, or can't run where it is meant to.

        Raises:
            ToolError: With the reason and what to ask for instead.

        """
        if self.architecture not in MACHINES:
            raise ToolError(f"No architecture {self.architecture!r}: use {' or '.join(MACHINES)}")
        if not for_aws and self.python not in LOCAL_PYTHONS:
            raise ToolError(f"The local AWS does not run Python {self.python!r}: use {' or '.join(LOCAL_PYTHONS)}")
        if for_aws and (reason := AWS_PYTHONS.get(self.python, "that is no runtime which was tried")):
            raise ToolError(f"AWS can't run the function on Python {self.python!r}: {reason}: use 3.12 or 3.13")
