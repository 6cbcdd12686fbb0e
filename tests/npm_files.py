"""Files of npm packages that tests run in Chromium: pinned versions, each downloaded once."""

import tarfile
import tempfile
from pathlib import Path

from tools.common import locked, npm
from tools.common.paths import LOCAL


def read(package: str, version: str, integrity: str, name: str) -> str:
    """Return a text file of a package.

    Args:
        package: The package's name.
        version: The exact version.
        integrity: From ``npm view PACKAGE@VERSION dist.integrity``.
        name: The file's name, in the package's folder.

    Raises:
        ToolError: The download failed, or its digest differs.

    """
    with locked.only_one():
        path = LOCAL / f"{package}-{version}.js"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=LOCAL) as scratch:
                with tarfile.open(npm.fetch(package, version, integrity, Path(scratch))) as archive:
                    archive.extract(f"package/{name}", scratch, filter="data")
                (Path(scratch) / "package" / name).rename(path)
    return path.read_text()
