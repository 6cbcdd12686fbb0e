"""Files of npm packages that tests run in Chromium or Node.js: pinned versions, each downloaded once."""

import tarfile
import tempfile
from pathlib import Path

from tools.common import locked, npm
from tools.common.paths import LOCAL


def unpack(package: str, version: str, integrity: str) -> Path:
    """Return the folder of a package's files.

    Args:
        package: The package's name.
        version: The exact version.
        integrity: From ``npm view PACKAGE@VERSION dist.integrity``.

    Raises:
        ToolError: npm is missing, the download failed, or its digest differs.

    """
    folder = LOCAL / f"{package.replace('/', '-')}-{version}"
    with locked.only_one():
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=LOCAL) as scratch:
                with tarfile.open(npm.fetch(package, version, integrity, Path(scratch))) as archive:
                    archive.extractall(scratch, filter="data")
                (Path(scratch) / "package").rename(folder)
    return folder
