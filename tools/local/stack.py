"""The pipeline deployed by Terraform on the local AWS: brought up, described in one file, taken down."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from renditions import Rendition
from tools.build import Target, build
from tools.common import local_stack
from tools.common.cli import Say, require
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws, Stack
from tools.common.paths import DIST, LOCAL, TERRAFORM
from tools.common.terraform import Terraform, copy_code
from tools.local import aws as local_aws

DEPLOYMENT = LOCAL / "deployment"
"""Working directory of the stack that ``invoke up`` keeps running."""
SERVER_LOG = LOCAL / "server.log"

PROVIDER = Path(local_aws.__file__).parent / "terraform" / "provider.tf"

VARIABLES = {
    "source_bucket": "src-bucket-image-in",
    "destination_bucket": "dest-bucket-image-out",
    "force_destroy": True,
}
"""What the local deployment chooses: bucket names need not be unique in the world here, and nothing is precious."""

RENDITION = Rendition("resized", scale=0.5)
"""The one that the module makes by default."""


@contextlib.contextmanager
def temporary_stack(say: Say, *, var_file: Path | None = None, heic: bool = False, **options: Any) -> Iterator[Stack]:
    """Deploy the pipeline on a local AWS of its own, and take everything down again, whatever happens.

    Args:
        say: Shows progress.
        var_file: A ``.tfvars`` file with other settings of the module.
        heic: Whether the function reads HEIC.
        options: Those of :func:`tools.local.aws.local_aws`.

    Raises:
        ToolError: Something is missing on this machine; nothing is left running.

    """
    _check_machine()
    with tempfile.TemporaryDirectory(dir=LOCAL, prefix="stack-") as name:
        directory = Path(name)
        _prepare(directory, say, heic=heic)
        say("Starting the local AWS")
        with local_aws.local_aws(**options) as aws:
            try:
                yield _apply(aws, directory, var_file, say)
            finally:
                _destroy(aws, directory, say)


def up(say: Say, *, port: int = 0, var_file: Path | None = None, heic: bool = False) -> Stack:
    """Deploy the pipeline on a local AWS in the background; where one is up already, deploy on that one again.

    Args:
        say: Shows progress.
        port: To listen on; 0 for any that is free.
        var_file: A ``.tfvars`` file with other settings of the module.
        heic: Whether the function reads HEIC.

    Raises:
        ToolError: Something is missing on this machine, or the settings are wrong; nothing new is left running.

    """
    if var_file is not None and not var_file.is_file():
        raise ToolError(f"No settings file at {var_file}: give the path of a .tfvars file")
    _check_machine()
    _prepare(DEPLOYMENT, say, heic=heic)
    try:
        aws = Stack.running().aws
    except ToolError:
        say("Starting the local AWS")
        aws = local_aws.start(port=port, log_file=SERVER_LOG)
        with _stopped_on_error(aws):
            stack = _apply(aws, DEPLOYMENT, var_file, say)
    else:
        stack = _apply(aws, DEPLOYMENT, var_file, say)
    stack.save()
    return stack


def down(say: Say) -> None:
    """Destroy what :func:`up` deployed and stop its local AWS.

    Raises:
        ToolError: Nothing is up.

    """
    stack = Stack.running()
    try:
        _destroy(stack.aws, DEPLOYMENT, say)
    finally:
        local_aws.stop(stack.aws.pid)
        local_stack.STACK_FILE.unlink()
        SERVER_LOG.unlink()
        shutil.rmtree(DEPLOYMENT)


def clean() -> None:
    """Remove everything that was built or cached here.

    Raises:
        ToolError: The local AWS is up and still needs it.

    """
    try:
        Stack.running()
    except ToolError:
        pass
    else:
        raise ToolError("The local AWS is up: run `invoke down` first")
    for directory in (LOCAL, DIST):
        shutil.rmtree(directory, ignore_errors=True)


def how_to_try(stack: Stack) -> str:
    """Tell how to use a stack that is up, to be pasted into a shell."""
    keys = f"AWS_ACCESS_KEY_ID={stack.aws.access_key_id} AWS_SECRET_ACCESS_KEY={stack.aws.secret_access_key}"
    aws = f"aws --endpoint-url {stack.aws.endpoint} s3"
    return f"""
export {keys} AWS_REGION={stack.aws.region}
{aws} cp photo.jpg s3://{stack.source_bucket}/
{aws} ls --recursive s3://{stack.destination_bucket}/"""


@contextlib.contextmanager
def _stopped_on_error(aws: LocalAws) -> Iterator[None]:
    try:
        yield
    except BaseException:
        local_aws.stop(aws.pid)
        shutil.rmtree(DEPLOYMENT)
        raise


def _check_machine() -> None:
    """Ask for all that may be missing before anything is begun."""
    require("moto")
    Terraform(TERRAFORM)
    local_aws.prepare()


def _prepare(directory: Path, say: Say, *, heic: bool) -> None:
    """Build the function for this machine and lay out the Terraform root that deploys it from ``directory``.

    The root is a copy of the module itself with a provider beside it, so that a user's own ``terraform/`` keeps its
    state and its back end, and any variable of the module can be set by a file.
    """
    say("Building the function for this machine")
    package = build(Target.of_this_machine(), directory / "package", for_aws=False, heic=heic)
    copy_code(TERRAFORM, directory / "root", "tests", "*.md")
    shutil.copy(PROVIDER, directory / "root")
    variables = VARIABLES | {"package": {"path": str(package.path)}}
    (directory / "root" / "local.auto.tfvars.json").write_text(json.dumps(variables))
    say("Preparing Terraform")
    Terraform(directory / "root").init()


def _apply(aws: LocalAws, directory: Path, var_file: Path | None, say: Say) -> Stack:
    say("Deploying with Terraform")
    terraform = Terraform(directory / "root", environment=aws.environment())
    var_files = [var_file.resolve()] if var_file else []
    terraform.apply(*var_files, show=lambda line: say(f"  {line}"))
    output = terraform.output()
    names = (field.name for field in fields(Stack) if field.name != "aws")
    return Stack(aws=aws, **{name: str(output[name]) for name in names})


def _destroy(aws: LocalAws, directory: Path, say: Say) -> None:
    say("Destroying with Terraform")
    Terraform(directory / "root", environment=aws.environment()).destroy(show=lambda line: say(f"  {line}"))
