"""axe-core, an accessibility checker: one pinned version, downloaded from npm once."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tools.common import locked
from tools.common.errors import ToolError
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
    if not shutil.which("npm"):
        raise ToolError("npm, which downloads axe-core, is not on PATH: apt-get install npm")
    command = ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", str(folder)]
    packed = subprocess.run(command, capture_output=True, text=True, check=False)
    if packed.returncode:
        raise ToolError(f"npm cannot fetch axe-core {VERSION}: check the network. {packed.stderr.strip()}")
    (package,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise ToolError(f"npm's axe-core {VERSION} has the integrity sha512-{digest}, not {INTEGRITY}: do not use it")
    with tarfile.open(package) as archive:
        archive.extract("package/axe.min.js", folder, filter="data")
    return folder / "package" / "axe.min.js"
