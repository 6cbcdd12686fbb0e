"""The lock files: renews them from the dependency groups of pyproject.toml, and tells which are not in step with it."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.common.errors import ToolError
from tools.common.paths import FUNCTION, REQUIREMENTS, ROOT

INSTALLED = ("dev", "judges", "local", "operate", "preview", "build")
"""The groups that are installed beside each other, first the one whose versions the others take."""

LOCKS = {
    **{group: REQUIREMENTS / f"{group}.txt" for group in INSTALLED},
    "function": FUNCTION / "requirements.txt",
    "heic": FUNCTION / "requirements-heic.txt",
    "runtime": ROOT / "tools" / "local" / "aws" / "runtime.txt",
    "scan": ROOT / "tools" / "dev" / "scan.txt",
}
"""Dependency group to its lock file; each holds for all supported Pythons and platforms."""

PINNED = re.compile(r"([\w.-]+)==([^\s;\\]+)( ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
"""An entry that names one version, and what its files must be."""


@dataclass(frozen=True)
class Locked:
    """One entry of a lock file; whether pyproject.toml itself asks for it, or only another package does."""

    name: str
    version: str
    asked_for: bool


def lock() -> None:
    """Resolve every group anew, with hashes.

    Raises:
        ToolError: uv, which can lock for other platforms than its own, is not there, or it found no solution.

    """
    for group, path in LOCKS.items():
        command = [
            *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
            *(["--constraint", str(LOCKS["dev"])] if group in INSTALLED[1:] else []),
            *("--generate-hashes", "--group", group, "--output-file", str(path)),
        ]
        try:
            # It would write its own command line, with this machine's paths, into the file.
            subprocess.run(command, cwd=ROOT, env=os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "invoke lock"}, check=True)
        except FileNotFoundError:
            raise ToolError("No uv on PATH: run `pip install uv` first") from None
        except subprocess.CalledProcessError:
            raise ToolError(f"uv could not lock the group {group}; its reason is above") from None


def objections(root: Path = ROOT) -> list[str]:
    """Compare the lock files with pyproject.toml, without a network: one line for each thing that is not in step.

    Args:
        root: The folder of a clone.

    """
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    found = []
    for group, path in LOCKS.items():
        name = path.relative_to(ROOT)
        text = (root / name).read_text() if (root / name).exists() else ""
        found += [f"{name} {what}: run `invoke lock`" for what in _differences(_requirements(groups, group), text)]
    return found


def _requirements(groups: Mapping[str, Any], group: str) -> list[Requirement]:
    """List what a group asks for, with the groups that it includes."""
    found = []
    for entry in groups[group]:
        found += [Requirement(entry)] if isinstance(entry, str) else _requirements(groups, entry["include-group"])
    return found


def _differences(wanted: list[Requirement], text: str) -> Iterator[str]:
    entries = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)[1:]
    for entry in entries:
        if not PINNED.match(entry):
            yield f"does not say which file {entry.splitlines()[0]!r} must be"
    locked = [
        Locked(canonicalize_name(pinned[1]), pinned[2], "(pyproject.toml:" in entry)
        for entry in entries
        if (pinned := PINNED.match(entry))
    ]
    for one in wanted:
        versions = [other.version for other in locked if other.name == canonicalize_name(one.name)]
        if not versions:
            yield f"lacks {one}"
        for version in versions:
            if not one.specifier.contains(version, prereleases=True):
                yield f"has {one.name} {version} in place of {one}"
    names = {canonicalize_name(one.name) for one in wanted}
    for left in sorted({one.name for one in locked if one.asked_for} - names):
        yield f"still has {left}, which pyproject.toml no longer asks for"
