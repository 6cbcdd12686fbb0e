"""The contestants: how each is started, its version, and why one that is not installed is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import PIL
from PIL import features

from tools.benchmarks.job import OURS
from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import FUNCTION, ROOT

HERE = Path(__file__).parent
SHARP_WORKER = HERE / "contestants" / "sharp.js"
SHARP_PACKAGES = (HERE / "sharp" / "package.json", HERE / "sharp" / "package-lock.json")
THUMBOR_PACKAGES = HERE / "thumbor.txt"

DEPLOYED = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "268435456"}
"""The allocator's settings in the Terraform module."""

ONE_THREAD = {"VIPS_CONCURRENCY": "1", "UV_THREADPOOL_SIZE": "1"}


@dataclass(frozen=True)
class Peer:
    """One contestant.

    Attributes:
        name: Of its column.
        version: Of its libraries.
        missing: Why it does not take part; empty if it does.
        command: Starts its worker; the path of a job follows.
        environment: Added to this process's environment.

    """

    name: str
    version: str = ""
    missing: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.missing or self.version}"


def find_peers(cache: Path, say: Callable[[str], None]) -> tuple[Peer, ...]:
    """Find all contestants; install sharp below ``cache`` and thumbor below ``.local/``, unless an earlier call did."""
    pillow = f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    return (
        python_peer(OURS, pillow, environment=DEPLOYED),
        python_peer("usual", pillow),
        _find_sharp(cache, say),
        _find_pyvips(),
        _find_thumbor(),
        _find_limit(),
        python_peer("parts", pillow, environment=DEPLOYED),
    )


def python_peer(
    name: str,
    version: str,
    *,
    module: str = "",
    python: str = sys.executable,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Peer:
    """Return a contestant whose worker is Python's, from a module of ``contestants``."""
    command = (python, "-m", "tools.benchmarks.worker", module or name)
    path = os.pathsep.join((str(ROOT), str(FUNCTION)))
    return Peer(name, version, command=command, environment={"PYTHONPATH": path, **ONE_THREAD, **environment})


def _find_limit() -> Peer:
    if not (shutil.which("djpeg") and shutil.which("cjpeg")):
        return Peer("limit", missing="not installed: apt-get install libjpeg-turbo-progs")
    version = subprocess.run(["cjpeg", "-version"], capture_output=True, text=True, check=False).stderr
    return python_peer("limit", f"djpeg and cjpeg of {version.strip().split(' (')[0]}")


def _find_sharp(cache: Path, say: Callable[[str], None]) -> Peer:
    if not (shutil.which("node") and shutil.which("npm")):
        return Peer("sharp", missing="not installed: it needs node and npm")
    folder = cache / f"sharp-{locked.version(SHARP_PACKAGES[-1])}"
    modules = folder / "node_modules"
    # npm writes this file last.
    if not (modules / ".package-lock.json").exists():
        say("Installing sharp")
        folder.mkdir(parents=True, exist_ok=True)
        for path in SHARP_PACKAGES:
            shutil.copy(path, folder)
        npm = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        if subprocess.run(npm, capture_output=True, check=False).returncode:
            return Peer("sharp", missing="not installed: npm failed to install it")
    environment = {"NODE_PATH": str(modules), **ONE_THREAD}
    script = "const {versions} = require('sharp'); console.log(`sharp ${versions.sharp}, libvips ${versions.vips}`)"
    version = _output(["node", "-e", script], environment)
    if not version:
        return Peer("sharp", missing="not installed: it does not start")
    version += f", Node.js {_output(['node', '--version'], {})}"
    return Peer("sharp", version, command=("node", str(SHARP_WORKER)), environment=environment)


def _find_pyvips() -> Peer:
    script = (
        "import pyvips as v; print(f'pyvips {v.__version__}, libvips', '.'.join(str(v.version(i)) for i in range(3)))"
    )
    version = _output([sys.executable, "-c", script], {})
    if not version:
        return Peer("pyvips", missing="not installed: pip install -r tools/requirements/judges.txt")
    return python_peer("pyvips", version, module="libvips")


def _find_thumbor() -> Peer:
    try:
        # These have no wheels.
        python = str(locked.virtual_environment("thumbor", THUMBOR_PACKAGES, "--no-binary", "derpconf,jpegiptc"))
    except ToolError as error:
        return Peer("thumbor", missing=f"not installed: {error}")
    script = "import PIL, thumbor; print(f'thumbor {thumbor.__version__}, Pillow {PIL.__version__}')"
    version = _output([python, "-c", script], {})
    if not version:
        return Peer("thumbor", missing="not installed: it does not start")
    return python_peer("thumbor", version, python=python)


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    """Return the output of a command, or an empty string if it fails."""
    done = subprocess.run(
        command, env=os.environ | dict(environment), capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.stdout.strip() if done.returncode == 0 else ""
