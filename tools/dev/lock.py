"""Resolves the dependency groups of pyproject.toml into lock files, and finds the files that are out of date."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.common.errors import ToolError
from tools.common.paths import FUNCTION, REQUIREMENTS, ROOT

INSTALLED = ("dev", "judges", "local", "operate", "preview", "build")
"""Groups that may share an environment; the others take the versions of the first."""

LOCKS = {
    **{group: REQUIREMENTS / f"{group}.txt" for group in INSTALLED},
    "function": FUNCTION / "requirements.txt",
    "heic": FUNCTION / "requirements-heic.txt",
    "c2pa": FUNCTION / "requirements-c2pa.txt",
    "runtime": ROOT / "tools" / "local" / "aws" / "runtime.txt",
    "scan": ROOT / "tools" / "dev" / "scan.txt",
    "audit": ROOT / "tools" / "dev" / "audit.txt",
    "thumbor": ROOT / "tools" / "benchmarks" / "thumbor.txt",
}
"""Lock file by dependency group; each holds for all supported Pythons and platforms."""

ALONE = frozenset({"c2pa"})
"""Groups without their dependencies: the function imports only ``c2pa``, which imports nothing else."""

PINNED = re.compile(r"([\w.-]+)(?:\[[^]]+])?==([^\s;\\]+)( ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
"""A package with its version, marker and hashes."""


def lock(package: str = "") -> None:
    """Resolve every group with hashes; needs uv, which resolves for other platforms, too.

    Args:
        package: The only one to update; empty to update all.

    Raises:
        ToolError: No lock file has the package, uv is not on PATH, or it found no solution.

    """
    package = canonicalize_name(package)
    if package and not any(
        re.search(rf"^{re.escape(package)}(\[.*])?==", path.read_text(), re.MULTILINE) for path in LOCKS.values()
    ):
        raise ToolError(f"No lock file has the package {package}: check its name, or add it to pyproject.toml")
    upgrade = ("--upgrade-package", package) if package else ("--upgrade",)
    for group, path in LOCKS.items():
        command = [
            *("uv", "pip", "compile", "--quiet", *upgrade, "--universal", "--python-version", "3.11"),
            # pip finds a package that is asked for with an extra only if it is locked with the extra.
            "--no-strip-extras",
            *(["--constraint", str(LOCKS["dev"])] if group in INSTALLED[1:] else []),
            *(["--no-deps"] if group in ALONE else []),
            *("--generate-hashes", "--group", group, "--output-file", str(path)),
        ]
        try:
            # uv writes its command into the file: by default, with this machine's paths.
            subprocess.run(command, cwd=ROOT, env=os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "invoke lock"}, check=True)
        except FileNotFoundError:
            raise ToolError("No uv on PATH: run `pip install uv` first") from None
        except subprocess.CalledProcessError:
            raise ToolError(f"uv could not resolve the group {group}; see its error above") from None


def objections(root: Path = ROOT) -> list[str]:
    """Compare the lock files with pyproject.toml, without a network; returns one line for each difference.

    Args:
        root: A clone's folder.

    """
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    found = []
    for group, path in LOCKS.items():
        name = path.relative_to(ROOT)
        text = (root / name).read_text() if (root / name).exists() else ""
        found += [
            f"{name} {what}: run `invoke lock`" for what in _find_differences(_read_requirements(groups, group), text)
        ]
    return found


def _read_requirements(groups: Mapping[str, Any], group: str) -> list[Requirement]:
    """Return the requirements of a group and of the groups that it includes."""
    found = []
    for entry in groups[group]:
        found += [Requirement(entry)] if isinstance(entry, str) else _read_requirements(groups, entry["include-group"])
    return found


def _find_differences(wanted: list[Requirement], text: str) -> Iterator[str]:
    versions: dict[str, list[str]] = {}
    named: set[str] = set()
    for entry in re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)[1:]:
        pinned = PINNED.match(entry)
        if pinned is None:
            yield f"has no version with hashes in {entry.splitlines()[0]!r}"
            continue
        name = canonicalize_name(pinned[1])
        versions.setdefault(name, []).append(pinned[2])
        if "(pyproject.toml:" in entry:
            named.add(name)
    for one in wanted:
        name = canonicalize_name(one.name)
        if name not in versions:
            yield f"lacks {one}"
        for version in versions.get(name, []):
            if not one.specifier.contains(version, prereleases=True):
                yield f"has {one.name} {version} in place of {one}"
        named.discard(name)
    for left in sorted(named):
        yield f"still has {left}, which pyproject.toml no longer names"
