"""The CPU of a cold start: the built zip against a plain handler, in turn, and import by import."""

import functools
import os
import re
import shutil
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.benchmarks.job import OURS
from tools.benchmarks.results import Ratio, take_turns
from tools.build import Package, Target, build
from tools.build.archive import unpack
from tools.build.publish import build_all
from tools.common.errors import ToolError
from tools.common.table import Table
from tools.local.aws.runtime import prepare

START = Path(__file__).with_name("start.py")
MARK = "the handler begins here"

BARE, PLAIN = "ours without .pyc", "plain"

PLAIN_HANDLER = """\
import boto3
from PIL import Image

s3 = boto3.client("s3")


def handler(event, context):
    pass
"""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    "AWS_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "DESTINATION_BUCKET": "out",
    "FAILURE_QUEUE_URL": "https://sqs.invalid/",
    # Lambda's file system is read-only.
    "PYTHONDONTWRITEBYTECODE": "1",
    "RENDITIONS": '{"resized": {"scale": 0.5}}',
    "SOURCE_BUCKET": "in",
}
"""The variables that Lambda and the Terraform module set."""

IMPORT_RUNS = 5

IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)")
"""A line of ``python -X importtime``: microseconds by itself, microseconds in all, and the module."""

SHOWN_IMPORTS = 12


@dataclass(frozen=True)
class Import:
    """A module, and the seconds of its import by itself and with all that it imports."""

    name: str
    own: float
    total: float


@dataclass(frozen=True)
class Cold:
    """The measurements.

    Attributes:
        cpu: Seconds that the handler's import took in every round, by handler.
        imports: Of this function, the slowest first.
        zips: Target, byte code and bytes, as the table shows them.

    """

    cpu: Mapping[str, tuple[float, ...]]
    imports: tuple[Import, ...]
    zips: tuple[tuple[str, str, str], ...]

    def tables(self) -> list[Table]:
        """Return all tables, the most important first."""
        starts = []
        for name, cpu in self.cpu.items():
            milliseconds = (f"{1000 * seconds:.0f}" for seconds in (statistics.median(cpu), min(cpu), max(cpu)))
            starts.append((name, *milliseconds, "1" if name == PLAIN else str(Ratio.of(cpu, self.cpu[PLAIN]))))
        imports = [(one.name, f"{1000 * one.own:.1f}", f"{1000 * one.total:.1f}") for one in self.imports]
        return [
            Table("Cold start", ("who", "CPU, ms", "lowest", "highest", f"/ {PLAIN}"), tuple(starts)),
            Table("Imports", ("module", "by itself, ms", "in all, ms"), tuple(imports[:SHOWN_IMPORTS])),
            Table("The zip", ("target", ".pyc", "bytes"), self.zips, words=2),
        ]


@dataclass(frozen=True)
class Handler:
    """A handler, unpacked as in Lambda."""

    folder: Path
    name: str

    def start(self, python: Path) -> float:
        """Import it in a process of its own, and return the CPU seconds."""
        return float(self._run(python).stdout)

    def import_times(self, python: Path) -> str:
        """Return Python's report on the imports of such a process."""
        return self._run(python, "-X", "importtime").stderr

    def _run(self, python: Path, *options: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(self.folder), "_HANDLER": self.name}
        done = subprocess.run(
            # -P keeps the modules beside the script off the path.
            [str(python), "-P", *options, str(START), MARK],
            cwd=self.folder,
            env=ENVIRONMENT | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"The handler {self.name} does not start: {done.stderr.strip().splitlines()[-1]}")
        return done


def measure(folder: Path, rounds: int, say: Callable[[str], None]) -> Cold:
    """Build the zips, then start every handler once a round after a warm-up.

    Raises:
        ToolError: A handler can't be downloaded, built or started.

    """
    python = prepare().python
    say("Building for this machine")
    package = build(Target.of_this_machine(), folder, for_aws=False)
    packages = [package, *build_all(folder, say, extras=())]
    handlers = _unpack(package, folder)
    say("Measuring the cold start")
    for handler in handlers.values():
        handler.start(python)
    return Cold(
        cpu=take_turns({name: functools.partial(handler.start, python) for name, handler in handlers.items()}, rounds),
        imports=parse_imports([handlers[OURS].import_times(python) for _ in range(IMPORT_RUNS)]),
        zips=tuple(
            (f"{one.runtime}, {one.architecture}", "with" if one.has_byte_code else "without", f"{one.size:,}")
            for one in packages
        ),
    )


def parse_imports(reports: Sequence[str]) -> tuple[Import, ...]:
    """Return the medians of the handler's imports in Python's reports, the slowest first."""
    own, total = defaultdict(list), defaultdict(list)
    for report in reports:
        for microseconds, with_others, name in IMPORT.findall(report.partition(MARK)[2]):
            own[name].append(int(microseconds) / 1e6)
            total[name].append(int(with_others) / 1e6)
    found = (Import(name, statistics.median(own[name]), statistics.median(total[name])) for name in own)
    return tuple(sorted(found, key=lambda one: (-one.total, one.name)))


def _unpack(package: Package, folder: Path) -> dict[str, Handler]:
    """Unpack the handlers: ours as built, ours without byte code, and a plain one with our Pillow."""
    folders = {name: folder / name.replace(" ", "-") for name in (OURS, BARE, PLAIN)}
    for unpacked in folders.values():
        shutil.rmtree(unpacked, ignore_errors=True)
    unpack(package.path, folders[OURS])
    shutil.copytree(folders[OURS], folders[BARE], ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("PIL", "pillow.libs"):
        shutil.copytree(folders[BARE] / part, folders[PLAIN] / part)
    (folders[PLAIN] / "plain.py").write_text(PLAIN_HANDLER)
    names = {OURS: package.handler, BARE: package.handler, PLAIN: "plain.handler"}
    return {name: Handler(unpacked, names[name]) for name, unpacked in folders.items()}
