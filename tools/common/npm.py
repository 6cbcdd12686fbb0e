"""Fetches packages from npm."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

from tools.common.errors import ToolError


def fetch(package: str, version: str, integrity: str, folder: Path) -> Path:
    """Download a package into a folder without other archives; returns the archive.

    Args:
        package: The package's name.
        version: The exact version.
        integrity: What ``npm view PACKAGE@VERSION dist.integrity`` prints.
        folder: An existing folder.

    Raises:
        ToolError: npm is missing, the download failed, or its digest differs.

    """
    if not shutil.which("npm"):
        raise ToolError(f"npm, which downloads {package}, is not on PATH: apt-get install npm")
    command = ["npm", "pack", "--silent", f"{package}@{version}", "--pack-destination", str(folder)]
    packed = subprocess.run(command, capture_output=True, text=True, check=False)
    if packed.returncode:
        raise ToolError(f"npm cannot fetch {package} {version}: check the network. {packed.stderr.strip()}")
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != integrity:
        raise ToolError(f"npm's {package} {version} has the integrity sha512-{digest}, not {integrity}: do not use it")
    return archive
