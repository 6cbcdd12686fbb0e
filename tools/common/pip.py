"""Runs pip, or uv's pip. The user's settings choose the package index and nothing else."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tools.common.errors import ToolError
from tools.common.paths import ROOT

REACHING_AN_INDEX = {
    *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "KEYRING_PROVIDER"),
    *("PROXY", "CERT", "CLIENT_CERT", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "USE_FEATURE", "USE_DEPRECATED"),
    *("CONFIG_FILE", "CACHE_DIR", "NO_CACHE_DIR"),
}
"""The environment variables that pip keeps, without ``PIP_``. The others choose other packages or another folder."""

OPTIONS = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps")


def fetch(command: str, requirements: Path, folder: Path, *options: str, pass_fds: Iterable[int] = ()) -> list[Path]:
    """Fetch the wheels of a lock file, which must have their hashes.

    pip's configuration files can redirect an installation, as ``[install] root`` does. They can't redirect these two
    commands: neither has ``root``, ``prefix``, ``target``, ``user`` or ``dry-run``.

    Args:
        command: ``download``, for any platform; or ``wheel``, which also builds a wheel if an option asks for it.
        requirements: The lock file.
        folder: For the wheels.
        options: Further options of the command.
        pass_fds: Descriptors that pip holds open while it runs.

    Returns:
        The wheels, sorted by name.

    Raises:
        ToolError: There is no pip, or it failed; with its reason.

    """
    where = "--dest" if command == "download" else "--wheel-dir"
    arguments = ("--require-hashes", "--only-binary", ":all:", *options, where, str(folder))
    try:
        run(command, *OPTIONS, *arguments, "--requirement", str(requirements), pass_fds=pass_fds)
    except ToolError as error:
        name = requirements.relative_to(ROOT) if requirements.is_relative_to(ROOT) else requirements
        raise ToolError(f"Cannot fetch the packages of {name}: {error}") from None
    return sorted(folder.glob("*.whl"))


def install(wheels: Iterable[Path], folder: Path, *, pass_fds: Iterable[int] = ()) -> None:
    """Install wheels for this Python into ``folder``, without an index and without any of the user's settings.

    Raises:
        ToolError: There is no pip, or it failed; with its reason.

    """
    arguments = ("--no-index", "--target", str(folder), *map(str, wheels))
    run("install", *OPTIONS, *arguments, configuration=os.devnull, pass_fds=pass_fds)


def run(*arguments: str, configuration: str = "", pass_fds: Iterable[int] = ()) -> None:
    """Run pip.

    Args:
        arguments: The command and its options.
        configuration: A file to read in place of pip's configuration files; empty to read those.
        pass_fds: Descriptors that pip holds open while it runs.

    Raises:
        ToolError: There is no pip, or it failed; the message is its last error.

    """
    environment = {name: value for name, value in os.environ.items() if _is_kept(name)}
    # A configuration file can name files with constraints and further packages. This file, which is empty, takes their
    # place.
    environment |= dict.fromkeys(("PIP_CONSTRAINT", "PIP_REQUIREMENT"), os.devnull)
    if configuration:
        environment["PIP_CONFIG_FILE"] = configuration
    pip = subprocess.run(
        [*_find_program(), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        pass_fds=tuple(pass_fds),
    )
    if pip.returncode:
        # pip's warnings about indexes and retries come first; its last error is the reason.
        lines = [line for line in pip.stderr.splitlines() if line.startswith("ERROR: ")] or pip.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with exit code {pip.returncode}"
        if "No matching distribution" in reason:
            reason += ": check the network, or set PIP_INDEX_URL to a mirror that has it"
        raise ToolError(reason)


def _is_kept(name: str) -> bool:
    if name.startswith("PIP_"):
        return name.removeprefix("PIP_") in REACHING_AN_INDEX
    # PYTHONPATH could hold another package named pip.
    return not name.startswith("PYTHON")


def _find_program() -> list[str]:
    """Return this Python's pip; without it, the pip that uv fetches, because `uv venv` installs none."""
    if importlib.util.find_spec("pip"):
        # Without -P, pip would import a module of the current folder in place of its own.
        return [sys.executable, "-P", "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--quiet", "--python", sys.executable, "pip"]
    raise ToolError(
        f"{sys.executable} has no pip, and PATH has no uv: run `{sys.executable} -m ensurepip`, or install uv"
    )
