"""Who takes part: how each contestant is started, its version, and why one that is not installed is missing."""

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

from tools.benchmarks.results import OURS, Contestant
from tools.common.paths import FUNCTION, ROOT

SHARP_WORKER = Path(__file__).parent / "contestants" / "sharp.js"

DEPLOYED = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "268435456"}
"""What the Terraform module sets for the function beside its own settings."""

ONE_THREAD = {"VIPS_CONCURRENCY": "1", "UV_THREADPOOL_SIZE": "1"}


@dataclass(frozen=True)
class Peer:
    """One contestant, as it is started.

    Attributes:
        contestant: Who it is.
        command: Of its worker, to be followed by the path of a job.
        environment: Beside this process's own.

    """

    contestant: Contestant
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.contestant.name


def peers(cache: Path, say: Callable[[str], None]) -> tuple[Peer, ...]:
    """Find all contestants; sharp is installed below ``cache`` where it is not there yet."""
    pillow = f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    return (
        _python(OURS, pillow, environment=DEPLOYED),
        _python("classic", pillow),
        _sharp(cache / "sharp", say),
        _pyvips(),
        _limit(),
        _python("parts", pillow, environment=DEPLOYED),
    )


def _python(
    name: str, version: str, *, module: str = "", environment: Mapping[str, str] = MappingProxyType({})
) -> Peer:
    command = (sys.executable, "-m", "tools.benchmarks.worker", module or name)
    return Peer(
        Contestant(name, version),
        command,
        {"PYTHONPATH": os.pathsep.join((str(ROOT), str(FUNCTION))), **ONE_THREAD, **environment},
    )


def _missing(name: str, why: str) -> Peer:
    return Peer(Contestant(name, "", why))


def _limit() -> Peer:
    if not (shutil.which("djpeg") and shutil.which("cjpeg")):
        return _missing("limit", "not installed: apt-get install libjpeg-turbo-progs")
    version = subprocess.run(["cjpeg", "-version"], capture_output=True, text=True, check=False).stderr
    return _python("limit", f"djpeg and cjpeg of {version.strip().split(' (')[0]}")


def _sharp(folder: Path, say: Callable[[str], None]) -> Peer:
    if not (shutil.which("node") and shutil.which("npm")):
        return _missing("sharp", "not installed: it needs node and npm")
    modules = folder / "node_modules"
    if not (modules / "sharp").exists():
        say("Installing sharp")
        folder.mkdir(parents=True, exist_ok=True)
        if not _runs("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "sharp@latest"):
            return _missing("sharp", "not installed: npm could not install it")
    environment = {"NODE_PATH": str(modules), **ONE_THREAD}
    ask = "const {versions} = require('sharp'); console.log(`sharp ${versions.sharp}, libvips ${versions.vips}`)"
    version = _answer(["node", "-e", ask], environment)
    if not version:
        return _missing("sharp", "not installed: it does not run")
    node = _answer(["node", "--version"], {})
    return Peer(Contestant("sharp", f"{version}, Node.js {node}"), ("node", str(SHARP_WORKER)), environment)


def _pyvips() -> Peer:
    ask = "import pyvips as v; print(f'pyvips {v.__version__}, libvips', '.'.join(str(v.version(i)) for i in range(3)))"
    version = _answer([sys.executable, "-c", ask], {})
    if not version:
        return _missing("pyvips", "not installed: pip install -r tests/requirements.txt")
    return _python("pyvips", version, module="libvips")


def _runs(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _answer(command: list[str], environment: Mapping[str, str]) -> str:
    """What a command prints; nothing where it fails."""
    answer = subprocess.run(
        command, env=os.environ | dict(environment), capture_output=True, text=True, check=False, cwd=ROOT
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""
