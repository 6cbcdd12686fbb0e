"""Runs Terraform in one working directory: found, checked, and never left running."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.errors import ToolError

OLDEST = (1, 11)

PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
"""Where a filesystem mirror keeps the provider."""

ADD_ON_FOLDERS = ("/opt", "/usr/local", "/usr/local/share", "/usr/share", "~/.local/share", "~/.terraform.d")
"""The usual places for add-on software; a mirror is one level below one of them."""

PATIENCE = 30
"""Seconds that an interrupted Terraform gets to write its state before it is killed."""

SOURCE_LINE = re.compile(r"(on .* line \d+|with .*,$|\d+: )")
"""The parts of an error that show where in the code it is."""

Show = Callable[[str], None]


class Terraform:
    """The ``terraform`` program, for one working directory.

    Args:
        directory: The root module.
        environment: Variables that it gets beside this process's own.

    Raises:
        ToolError: There is no Terraform, or it is too old.

    """

    def __init__(self, directory: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._environment = _environment() | dict(environment or {})
        self._program = _program()

    def init(self) -> None:
        """Make the provider available: from a mirror on this machine where there is one, else from the network."""
        mirror = _mirror()
        options = [f"-plugin-dir={mirror}"] if mirror else []
        try:
            self.run("init", "-input=false", "-no-color", *options)
        except ToolError as error:
            raise ToolError(
                f"{error} (Without a network, set TF_PLUGIN_DIR to a folder that holds {PROVIDER}.)"
            ) from error

    def apply(self, *var_files: Path, show: Show) -> None:
        """Apply without asking; ``show`` gets a line for each thing that is made or changed."""
        self.run("apply", *_OPTIONS, *_var_files(var_files), show=_only_progress(show))

    def destroy(self, *, show: Show) -> None:
        """Destroy without asking; ``show`` gets a line for each thing that is destroyed."""
        self.run("destroy", *_OPTIONS, show=_only_progress(show))

    def output(self) -> dict[str, Any]:
        """Read the root module's outputs: name to value."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def run(self, *arguments: str, show: Show | None = None) -> str:
        """Run a command of Terraform's and return what it printed.

        Args:
            arguments: The command and its options.
            show: Gets every line as soon as it is printed.

        Raises:
            ToolError: It failed; the message is Terraform's own error on one line.

        """
        process = subprocess.Popen(
            [self._program, *arguments],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Its own group: Ctrl-C reaches us alone, and we end it in our own time, with its providers.
            start_new_session=True,
        )
        with _ended(process):
            errors = _Collector(process)
            printed = []
            for line in process.stdout or ():
                printed.append(line)
                if show:
                    show(line.rstrip("\n"))
            status = process.wait()
        if status:
            raise ToolError(f"terraform {arguments[0]}: {_condensed(errors.text() or ''.join(printed))}")
        return "".join(printed)


class _Collector(threading.Thread):
    """Reads a process's standard error to its end, so that it never blocks on a full pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._text = ""
        self.start()

    def run(self) -> None:
        if self._process.stderr:
            self._text = self._process.stderr.read()

    def text(self) -> str:
        self.join()
        return self._text


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Let nothing of ``process`` outlive the block, however it is left."""
    try:
        with process:
            try:
                yield
            except BaseException:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
                raise
            finally:
                # Providers are children of its own group; Terraform that ended well has ended them.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.wait()


_OPTIONS = ("-auto-approve", "-input=false", "-no-color")


def _program() -> str:
    program = shutil.which("terraform")
    if program is None:
        raise ToolError(
            f"No terraform on PATH: install Terraform {_dotted(OLDEST)} or newer, developer.hashicorp.com/terraform"
        )
    try:
        answer = subprocess.run(
            [program, "version", "-json"], capture_output=True, text=True, check=True, env=_environment()
        ).stdout
        version: str = json.loads(answer)["terraform_version"]
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError):
        raise ToolError(f"{program} does not run: install Terraform {_dotted(OLDEST)} or newer") from None
    if tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2]) < OLDEST:
        raise ToolError(f"Terraform {version} is too old: install {_dotted(OLDEST)} or newer")
    return program


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _environment() -> dict[str, str]:
    """Give the child this process's variables, without what would make it ask or fail."""
    environment = dict(os.environ) | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    configuration = environment.get("TF_CLI_CONFIG_FILE")
    if configuration and not Path(configuration).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    return environment


def _mirror() -> Path | None:
    """Find a folder laid out as a filesystem mirror that has the AWS provider."""
    if named := os.environ.get("TF_PLUGIN_DIR"):
        if not (Path(named) / PROVIDER).is_dir():
            raise ToolError(f"TF_PLUGIN_DIR is {named}, which does not hold {PROVIDER}")
        return Path(named)
    for folder in ADD_ON_FOLDERS:
        for candidate in sorted(Path(folder).expanduser().glob("*")):
            if (candidate / PROVIDER).is_dir():
                return candidate
    return None


def _var_files(paths: tuple[Path, ...]) -> list[str]:
    return [f"-var-file={path}" for path in paths]


def _only_progress(show: Show) -> Show:
    """Keep a plan's many lines from ``show``, and pass on what happens to each thing."""
    happening = re.compile(r"^[\w.\[\]\"-]+: (Creat|Destr|Modif|Still )|^(Apply|Destroy) complete")

    def filtered(line: str) -> None:
        if happening.match(line):
            show(re.sub(r" \[id=.*", "", line))

    return filtered


def _condensed(text: str) -> str:
    """One line of the first error that Terraform reported, without the code that it shows."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [re.sub(r"^[│╷╵ ]+", "", line).strip() for line in plain.splitlines()]
    starts = [index for index, line in enumerate(lines) if line.startswith("Error: ")]
    if not starts:
        return " ".join(line for line in lines if line)[:500]
    end = starts[1] if len(starts) > 1 else len(lines)
    kept = [line for line in lines[starts[0] : end] if line and not SOURCE_LINE.match(line)]
    return " ".join(kept).removeprefix("Error: ")
