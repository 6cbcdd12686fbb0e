"""Runs Terraform, or OpenTofu in its place, and leaves no process of it behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tools.common.errors import ToolError

PROGRAMS = {"terraform": ("Terraform", "1.11"), "tofu": ("OpenTofu", "1.9")}
"""The product and oldest version of each program; the first on PATH is used. The module needs only Terraform 1.9; its
tests need 1.11, which mocks attributes of a plan. No test runs a real OpenTofu."""

PROVIDER = Path("hashicorp") / "aws"
"""Folder of the provider below a registry's in a filesystem mirror."""

ADD_ONS = Path("/opt")
"""Searched for mirrors; Terraform itself searches /usr/share, /usr/local/share and the home folder."""

REATTACH = "TF_REATTACH_PROVIDERS"
"""The variable that names running providers: https://developer.hashicorp.com/terraform/plugin/debugging"""

STOP_SECONDS = 30
"""Time for an interrupted Terraform to finish what it is doing and to write its state, before it is killed."""

Show = Callable[[str], None]


class Terraform:
    """The ``terraform`` or ``tofu`` program in one working directory.

    Args:
        directory: The root module; also an attribute.
        environment: Variables in addition to this process's.
        stop_seconds: Time for an interrupted Terraform to end; 0 kills it at once, and loses part of its state.

    Raises:
        ToolError: Terraform is missing or too old.

    """

    def __init__(
        self, directory: Path, *, environment: Mapping[str, str] | None = None, stop_seconds: float = STOP_SECONDS
    ) -> None:
        self.directory = directory
        self._environment = _make_environment(environment or {})
        self._stop_seconds = stop_seconds
        self._program = _find_program()

    def init(self, *options: str) -> None:
        """Install the provider from a mirror in /opt, if one has it, or as Terraform's CLI configuration says."""
        for provider in sorted(ADD_ONS.glob(f"*/*/{PROVIDER}")):
            # A mirror may lack the version that .terraform.lock.hcl names.
            with contextlib.suppress(ToolError):
                self.run("init", "-input=false", f"-plugin-dir={provider.parents[2]}", *options)
                return
        try:
            self.run("init", "-input=false", *options)
        except ToolError as error:
            raise ToolError(f"{error} (Without a network, set a filesystem_mirror in ~/.terraformrc.)") from error

    def apply(self, *var_files: Path, target: str = "", show: Show | None = None) -> None:
        """Apply without asking: everything, or only ``target`` and the resources that it needs."""
        options = [f"-var-file={path}" for path in var_files] + ([f"-target={target}"] if target else [])
        self.run("apply", "-auto-approve", "-input=false", *options, show=show)

    def destroy(self, *, show: Show | None = None) -> None:
        """Destroy everything without asking."""
        self.run("destroy", "-auto-approve", "-input=false", show=show)

    def output(self) -> dict[str, Any]:
        """Read the root module's outputs: name to value."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def versions(self) -> dict[str, str]:
        """Read the versions of Terraform, or OpenTofu, and of the installed providers, by name."""
        described = json.loads(self.run("version", "-json"))
        providers = {name.rpartition("/")[2]: version for name, version in described["provider_selections"].items()}
        return {Path(self._program).name: described["terraform_version"], **providers}

    def run(self, command: str, *options: str, show: Show | None = None) -> str:
        """Run a command of Terraform's and return what it printed.

        Args:
            command: Such as ``plan``.
            options: The command's options and arguments.
            show: Called with each line when it is printed.

        Raises:
            ToolError: The command failed; the message has Terraform's errors on one line.

        """
        printed = []
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with self._start([command, *options, "-no-color"], errors) as process:
                for line in process.stdout or ():
                    printed.append(line)
                    if show:
                        show(line.rstrip("\n"))
            errors.seek(0)
            if process.returncode:
                raise ToolError(f"{Path(self._program).name} {command}: {_condense(errors.read() or ''.join(printed))}")
        return "".join(printed)

    @contextlib.contextmanager
    def _start(self, arguments: list[str], errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
        """Run Terraform for the length of the block; afterwards, neither it nor a provider is running."""
        with subprocess.Popen(
            [self._program, *arguments],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            # In its own process group: Ctrl-C reaches only this process, which then ends the group.
            start_new_session=True,
        ) as process:
            try:
                yield process
                process.wait()
            except BaseException:
                if self._stop_seconds:
                    # Only once: a second interrupt makes Terraform exit without writing its state.
                    process.send_signal(signal.SIGINT)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.communicate(timeout=self._stop_seconds)
                raise
            finally:
                # Ends providers that Terraform did not end.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def start_provider(directory: Path, environment: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Run the provider of an initialised root module, and yield the variable with which Terraform uses it.

    Otherwise every plan starts a provider several times, which takes longer than the plan. One process can't serve two
    configurations of the provider at once, such as two regions.

    Args:
        directory: The root module.
        environment: The provider's variables in addition to this process's; those of Terraform don't reach it.

    """
    (program,) = directory.glob(f".terraform/providers/*/{PROVIDER}/*/*/terraform-provider-aws*")
    with subprocess.Popen(
        [program.resolve(), "-debug"],
        # As Terraform itself would: relative paths of the configuration begin there.
        cwd=directory,
        env=_make_environment(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            lines = (re.search(f"{REATTACH}='(.*)'", line) for line in process.stdout or ())
            yield {REATTACH: next(filter(None, lines))[1]}
        finally:
            process.terminate()


def copy_code(folder: Path, copy: Path, *without: str) -> None:
    """Copy Terraform code without the user's providers, state and settings.

    Args:
        folder: The code.
        copy: Created if it does not exist; files of an earlier copy are replaced.
        without: Patterns of other files to leave out.

    """
    left_out = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars*", *without)
    shutil.copytree(folder, copy, ignore=left_out, dirs_exist_ok=True)


def _find_program() -> str:
    name = next((name for name in PROGRAMS if shutil.which(name)), "terraform")
    product, oldest = PROGRAMS[name]
    install = f"install {product} {oldest} or newer"
    program = shutil.which(name)
    if program is None:
        raise ToolError(f"No terraform or tofu on PATH: {install}, developer.hashicorp.com/terraform")
    try:
        answer = subprocess.run(
            [program, "version", "-json"], capture_output=True, text=True, check=True, env=_make_environment({})
        ).stdout
        # OpenTofu has this name, too.
        version: str = json.loads(answer)["terraform_version"]
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError):
        raise ToolError(f"{program} does not run: {install}") from None
    if _parse_version(version) < _parse_version(oldest):
        raise ToolError(f"{product} {version} is too old: {install}")
    return program


def _parse_version(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


def _make_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return this process's variables with ``own``, and without those that lead to another AWS."""
    inherited = dict(os.environ)
    if any(name.startswith("AWS_") for name in own):
        # A profile, a session token or a service's endpoint would override ``own``.
        inherited = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    return inherited | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"} | dict(own)


def _condense(text: str) -> str:
    """Return Terraform's errors on one line, without the code that they quote."""
    reports = re.split(r"^(?=Error: |Warning: )", text, flags=re.MULTILINE)
    errors = [_condense_error(report) for report in reports if report.startswith("Error: ")]
    return "; ".join(dict.fromkeys(errors)) or _join_lines(text)


def _condense_error(report: str) -> str:
    """Return an error's headline and explanation; indented paragraphs are code."""
    paragraphs = [
        _join_lines(part) for part in report.removeprefix("Error: ").split("\n\n") if not part.startswith(" ")
    ]
    headline, *details = [part for part in paragraphs if part and not part.startswith("This was checked by")]
    return f"{headline}: {' '.join(details)}" if details else headline


def _join_lines(text: str) -> str:
    return " ".join(text.split())
