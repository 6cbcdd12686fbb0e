"""The CPU of a cold start: the built zip's against a plain handler's, interleaved, and import by import."""

import json
import os
import re
import shutil
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.benchmarks.results import OURS, PLAIN, Cold, Import, Zip
from tools.build import Package, Target, build
from tools.build.archive import unpack
from tools.build.publish import built
from tools.common.errors import ToolError
from tools.local.aws.runtime import prepare

START = Path(__file__).with_name("start.py")
MARK = "the handler begins here"

BARE = "ours without .pyc"

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
    # As in Lambda, where the code can't be written to.
    "PYTHONDONTWRITEBYTECODE": "1",
    "RENDITIONS": '{"resized": {"scale": 0.5}}',
    "SOURCE_BUCKET": "in",
}
"""What Lambda and the Terraform module set."""

IMPORT_RUNS = 5

IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)")
"""A line of ``python -X importtime``: microseconds of its own, and with what it imports, and the module."""

PLUGIN = re.compile(r"PIL\.(\w+)ImagePlugin")


@dataclass(frozen=True)
class Start:
    """What one start took: CPU seconds, and the modules that it loaded."""

    cpu: float
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Handler:
    """A handler as it is unpacked in Lambda."""

    folder: Path
    name: str

    def start(self, python: Path) -> Start:
        """Import it in a process of its own."""
        return Start(**json.loads(self._run(python).stdout))

    def import_times(self, python: Path) -> str:
        """What Python reports of the imports of such a process."""
        return self._run(python, "-X", "importtime").stderr

    def _run(self, python: Path, *options: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(self.folder), "_HANDLER": self.name}
        done = subprocess.run(
            # -P: the modules beside the script are not to be found.
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
    """Build, and start every handler once a round, after a warm-up.

    Raises:
        ToolError: Something can't be fetched, built or started.

    """
    python = prepare().python
    say("Building for this machine")
    package = build(Target.of_this_machine(), folder, for_aws=False)
    packages = [package, *built(folder, say, heic=False)]
    handlers = _unpacked(package, folder)
    say("Measuring the cold start")
    modules = {name: handler.start(python).modules for name, handler in handlers.items()}
    ours, plain = (modules[name] for name in (OURS, PLAIN))
    own = {path.stem for path in handlers[OURS].folder.iterdir()}
    return Cold(
        cpu=_rounds(handlers, python, rounds),
        imports=imports([handlers[OURS].import_times(python) for _ in range(IMPORT_RUNS)]),
        plugins=tuple(found[1] for name in ours if (found := PLUGIN.fullmatch(name))),
        beyond=tuple(sorted(_packages(ours) - _packages(plain) - own)),
        spared=tuple(sorted(_packages(plain) - _packages(ours) - {"plain"})),
        zips=tuple(Zip(f"{one.runtime}, {one.architecture}", one.size, one.has_byte_code) for one in packages),
    )


def _rounds(handlers: Mapping[str, Handler], python: Path, rounds: int) -> dict[str, tuple[float, ...]]:
    """Start each once a round; who begins changes."""
    cpu: dict[str, list[float]] = {name: [] for name in handlers}
    names = list(handlers)
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            cpu[name].append(handlers[name].start(python).cpu)
    return {name: tuple(seconds) for name, seconds in cpu.items()}


def _packages(modules: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules if not name.startswith("_")}


def imports(reports: Sequence[str]) -> tuple[Import, ...]:
    """The medians of what Python reported of the handler's imports, by what each took with all that it imports."""
    own, total = defaultdict(list), defaultdict(list)
    for report in reports:
        for microseconds, with_others, name in IMPORT.findall(report.partition(MARK)[2]):
            own[name].append(int(microseconds) / 1e6)
            total[name].append(int(with_others) / 1e6)
    found = (Import(name, statistics.median(own[name]), statistics.median(total[name])) for name in own)
    return tuple(sorted(found, key=lambda one: (-one.total, one.name)))


def _unpacked(package: Package, folder: Path) -> dict[str, Handler]:
    """The handlers: ours as it is built, ours as it would be without a Python to compile it, and the plain one."""
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
