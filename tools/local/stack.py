"""Deploys the pipeline on a local AWS with Terraform: for `invoke up`, and for the length of a block."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from renditions import Rendition
from tools.build import LOCAL_RUNTIME, Package, Target, build
from tools.build.package import MANIFEST
from tools.common import local_stack, tfvars
from tools.common.cli import Say, require
from tools.common.errors import ToolError, make_write_error
from tools.common.local_stack import LocalAws, Stack
from tools.common.paths import DIST, LOCAL, TERRAFORM
from tools.common.terraform import STOP_SECONDS, Terraform, copy_code
from tools.local import aws as local_aws

DEPLOYMENT = LOCAL / "deployment"
"""Working directory of the stack that ``invoke up`` keeps running."""
SERVER_LOG = LOCAL / "server.log"

STATE_LOCK = ".terraform.tfstate.lock.info"
"""A file that Terraform removes when it ends. If it is left, resources may be missing from the state."""

PROVIDER = Path(local_aws.__file__).parent / "terraform" / "provider.tf"

VARIABLES = {
    "source_bucket": "src-bucket-image-in",
    "destination_bucket": "dest-bucket-image-out",
    "force_destroy": True,
}
"""The module's variables: on a local AWS, bucket names need not be unique in the world."""

RENDITION = Rendition("resized", scale=0.5)
"""The module's default rendition."""

RESIZING = "module.notification"
"""The part of the module that resizes. For the rest, such as lifecycle rules, the provider would wait 30 s longer."""


@contextlib.contextmanager
def temporary_stack(
    say: Say, *, var_file: Path | None = None, extras: Sequence[str] = (), target: str = "", **options: Any
) -> Iterator[Stack]:
    """Deploy the pipeline on a local AWS that ends with the block.

    Terraform destroys nothing: all resources end with their AWS.

    Args:
        say: Shows progress.
        var_file: A ``.tfvars`` file with other settings of the module.
        extras: The optional parts of the function's zip, of ``tools.build.EXTRAS``.
        target: The address of the part to deploy, with its dependencies; empty for everything.
        options: Those of :func:`tools.local.aws.local_aws`.

    Raises:
        ToolError: A program is missing, or a setting is wrong. Nothing is left running.

    """
    directory = LOCAL / f"stack-{os.getpid()}"
    try:
        _prepare(directory, say, extras=extras)
        say("Starting the local AWS")
        with local_aws.local_aws(**options) as aws:
            yield _apply(aws, _terraform(aws, directory, stop_seconds=0), var_file, say, target)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def up(say: Say, *, port: int = 0, var_file: Path | None = None, extras: Sequence[str] = ()) -> Stack:
    """Start a local AWS in the background and deploy the pipeline; deploy again if one is up.

    Args:
        say: Shows progress.
        port: The port to listen on; 0 for any free port.
        var_file: A ``.tfvars`` file with other settings of the module.
        extras: The optional parts of the function's zip, of ``tools.build.EXTRAS``.

    Raises:
        ToolError: A program is missing, a setting is wrong, the local AWS is up on another port, or another task is
            changing it. Nothing new is left running.

    """
    if var_file is not None:
        # Terraform would only warn about a misspelt variable, and drop a misspelt option silently.
        tfvars.read_variables(var_file)
    with _only_task("up"):
        running = _find_running()
        if running and (DEPLOYMENT / "root" / STATE_LOCK).exists():
            say("Terraform was killed before it wrote its state: starting a new local AWS")
            local_aws.stop(running.aws.pid)
            running = None
        if running is None:
            return _deploy_anew(say, port=port, var_file=var_file, extras=extras)
        if port not in {0, running.aws.port}:
            raise ToolError(
                f"The local AWS is up on port {running.aws.port}, not {port}: "
                "leave --port out, or run `invoke down` first"
            )
        _prepare(DEPLOYMENT, say, extras=extras)
        stack = _apply(running.aws, _terraform(running.aws, DEPLOYMENT), var_file, say)
        stack.save()
        return stack


def down(say: Say) -> None:
    """Stop the local AWS of :func:`up`, if it is up; all resources end with it.

    Raises:
        ToolError: Another task is changing it.

    """
    with _only_task("down"):
        stack = _find_running()
        if stack is None:
            say("The local AWS is not up")
            return
        say("Stopping the local AWS")
        local_aws.stop(stack.aws.pid)
        _remove_files()


def clean() -> None:
    """Remove everything that tasks built or cached.

    Raises:
        ToolError: The local AWS is up and needs those files, or another task is changing it.

    """
    with _only_task("clean"):
        if _find_running():
            raise ToolError("The local AWS is up: run `invoke down` first")
        for directory in (LOCAL, DIST):
            shutil.rmtree(directory, ignore_errors=True)


def how_to_try(stack: Stack) -> str:
    """Return shell commands that upload to a stack and list its outputs."""
    keys = f"AWS_ACCESS_KEY_ID={stack.aws.access_key_id} AWS_SECRET_ACCESS_KEY={stack.aws.secret_access_key}"
    aws = f"aws --endpoint-url {stack.aws.endpoint} s3"
    return f"""
export {keys} AWS_REGION={stack.aws.region} AWS_DEFAULT_REGION={stack.aws.region}
{aws} cp photo.jpg s3://{stack.source_bucket}/
{aws} ls --recursive s3://{stack.destination_bucket}/"""


def _find_running() -> Stack | None:
    try:
        return Stack.running()
    except ToolError:
        return None


def _deploy_anew(say: Say, *, port: int, var_file: Path | None, extras: Sequence[str]) -> Stack:
    """Start a local AWS and deploy to it; an error or an interrupt leaves nothing."""
    # An `up` that was killed may have left a state, which would be of another AWS.
    _remove_files()
    try:
        _prepare(DEPLOYMENT, say, extras=extras)
        say("Starting the local AWS")
        with local_aws.local_aws(port=port, keep=SERVER_LOG) as aws:
            stack = _apply(aws, _terraform(aws, DEPLOYMENT, stop_seconds=0), var_file, say)
            stack.save()
    except BaseException:
        _remove_files()
        raise
    return stack


def _remove_files() -> None:
    for file in (local_stack.STACK_FILE, SERVER_LOG):
        file.unlink(missing_ok=True)
    shutil.rmtree(DEPLOYMENT, ignore_errors=True)


@contextlib.contextmanager
def _only_task(name: str) -> Iterator[None]:
    """Let one task at a time change the local AWS of this clone. The lock ends with its process, even a killed one.

    Raises:
        ToolError: Another task is at work.

    """
    path = local_stack.STACK_FILE.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        raise make_write_error(path, error, "make its folder one that you may write to") from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ToolError(f"The local AWS is in use by {file.read()}: wait until it has ended") from None
        file.truncate(0)
        print(f"`invoke {name}` (process {os.getpid()})", end="", file=file, flush=True)
        yield


def build_package(directory: Path, *, extras: Sequence[str] = ()) -> Package:
    """Build the function for this machine, with the runtime's name on the local AWS.

    Raises:
        ToolError: It can't be built.

    """
    built = build(Target.of_this_machine(), directory, for_aws=False, extras=extras)
    package = replace(built, runtime=LOCAL_RUNTIME)
    package.path.with_name(MANIFEST).write_text(package.manifest())
    return package


def _prepare(directory: Path, say: Say, *, extras: Sequence[str]) -> None:
    """Build the function for this machine and make the Terraform root that deploys it in ``directory``.

    The root is a copy of the module and a provider configuration. The user's own ``terraform/`` keeps its state and
    backend, and a file can set any variable of the module.
    """
    require("moto")
    Terraform(TERRAFORM)
    with ThreadPoolExecutor() as pool:
        say("Building the function and fetching Lambda's runtime for it")
        runtime = pool.submit(local_aws.prepare)
        package = build_package(directory / "package", extras=extras)
        copy_code(TERRAFORM, directory / "root", "tests", "*.md")
        shutil.copy(PROVIDER, directory / "root")
        variables = VARIABLES | {"package": {"path": str(package.path)}}
        (directory / "root" / "local.auto.tfvars.json").write_text(json.dumps(variables))
        say("Preparing Terraform")
        Terraform(directory / "root").init()
        runtime.result()


def _terraform(aws: LocalAws, directory: Path, *, stop_seconds: float = STOP_SECONDS) -> Terraform:
    """Return Terraform for the local AWS; ``stop_seconds`` is 0 if an interrupt ends the AWS, too."""
    return Terraform(directory / "root", environment=aws.environment(), stop_seconds=stop_seconds)


def _apply(aws: LocalAws, terraform: Terraform, var_file: Path | None, say: Say, target: str = "") -> Stack:
    say("Deploying with Terraform, which takes about a minute")
    with _terraform_log() as log:
        terraform.apply(*([var_file.resolve()] if var_file else []), target=target, show=log)
    # With a target, Terraform leaves out outputs that depend on other parts too.
    output: dict[str, Any] = {f"{name}_name": value for name, value in VARIABLES.items()} | terraform.output()
    return Stack(
        aws=aws,
        source_bucket=output["source_bucket_name"],
        destination_bucket=output["destination_bucket_name"],
        function_name=output["function_name"],
        failure_queue_url=output["failure_queue_url"],
        log_group=output["log_group_name"],
    )


@contextlib.contextmanager
def _terraform_log() -> Iterator[Callable[[str], None]]:
    """Yield a function that writes a line to a file. An error names the file; otherwise it is removed."""
    with tempfile.NamedTemporaryFile("w", dir=LOCAL, prefix="terraform-", suffix=".log", delete=False) as file:
        log = Path(file.name)
        try:
            yield lambda line: print(line, file=file)
        except ToolError as error:
            raise ToolError(f"{error} (Terraform's whole output: {log})") from error
        except KeyboardInterrupt:
            log.unlink()
            raise
    log.unlink()
