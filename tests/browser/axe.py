"""axe-core, an accessibility checker: one pinned version, downloaded from npm once."""

import tarfile
import tempfile
from pathlib import Path

from tools.common import locked, npm
from tools.common.paths import LOCAL

VERSION = "4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""From ``npm view axe-core@VERSION dist.integrity``."""


def read_script() -> str:
    """Return the script that defines ``axe`` in a page.

    Raises:
        ToolError: The download failed, or its digest differs.

    """
    with locked.only_one():
        path = LOCAL / f"axe-core-{VERSION}.js"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=LOCAL) as scratch:
                unfinished = _download(Path(scratch))
                unfinished.rename(path)
    return path.read_text()


def _download(folder: Path) -> Path:
    with tarfile.open(npm.fetch("axe-core", VERSION, INTEGRITY, folder)) as archive:
        archive.extract("package/axe.min.js", folder, filter="data")
    return folder / "package" / "axe.min.js"
