"""A deployed pipeline, described by its function's configuration."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from aws.settings import Settings
from errors import SettingsError
from tools.common import aws
from tools.common.errors import ToolError
from tools.common.local_stack import Stack

DEFAULT_FUNCTION = "Lambda-image"
"""The Terraform module's default name."""

VARIABLES = {"SOURCE_BUCKET", "DESTINATION_BUCKET", "FAILURE_QUEUE_URL", "RENDITIONS"}
"""Environment variables of every pipeline's function."""

ALIAS = "ALIAS"
"""Environment variable that names the alias that triggers invoke. Without an alias, it is not set."""

UNDELIVERED_SUFFIX = "-undelivered"
"""End of the name of the queue of events that EventBridge could not deliver."""

MAX_LISTED = 1000
"""Functions among which to look for pipelines."""

MakeClient = Callable[[str, Config | None], Any]
"""Makes a boto3 client of a service, with an optional configuration."""


@dataclass(frozen=True)
class Deployment:
    """A deployed pipeline.

    Attributes:
        client: Makes clients for the pipeline's account and region.
        function_arn: The function's ARN, which also names the account and the region.
        qualifier: The alias or the version to invoke, whose settings these are; empty for neither.
        memory_mib: The function's memory.
        architecture: The function's architecture, ``arm64`` or ``x86_64``.
        settings: The function's settings.
        log_group: The function's log group.

    """

    client: MakeClient
    function_arn: str
    memory_mib: int
    architecture: str
    settings: Settings
    log_group: str
    qualifier: str = ""

    @property
    def function_name(self) -> str:
        return self.function_arn.rpartition(":")[2]

    @property
    def target_arn(self) -> str:
        """ARN to invoke: that of the alias or version, if there is one."""
        return f"{self.function_arn}:{self.qualifier}" if self.qualifier else self.function_arn

    @property
    def partition(self) -> str:
        return self.function_arn.split(":")[1]

    @property
    def region(self) -> str:
        return self.function_arn.split(":")[3]

    @property
    def account_id(self) -> str:
        return self.function_arn.split(":")[4]

    @property
    def failure_queue_arn(self) -> str:
        name = self.settings.failure_queue_url.rpartition("/")[2]
        return f"arn:{self.partition}:sqs:{self.region}:{self.account_id}:{name}"

    @property
    def log_group_arn(self) -> str:
        return f"arn:{self.partition}:logs:{self.region}:{self.account_id}:log-group:{self.log_group}"

    @property
    def reserved_prefix(self) -> str:
        """Prefix of S3 Batch Operations' manifests and reports in the destination bucket."""
        return f"batch-operations/{self.function_name}/"

    @property
    def discard_command(self) -> str:
        """The command that shows unusable messages of the failure queue in use."""
        return "invoke discard --undelivered" if self.is_for_undelivered else "invoke discard"

    @property
    def is_for_undelivered(self) -> bool:
        """Whether the failure queue in use is the queue of events that EventBridge could not deliver."""
        return self.settings.failure_queue_url.endswith(UNDELIVERED_SUFFIX)

    def with_undelivered(self) -> "Deployment":
        """Return a copy whose failure queue is the queue of events that EventBridge could not deliver."""
        url = self.settings.failure_queue_url.removesuffix("-failures") + UNDELIVERED_SUFFIX
        return replace(self, settings=replace(self.settings, failure_queue_url=url))


@dataclass(frozen=True)
class Target:
    """Which deployment a command is for.

    Attributes:
        function: The function's name, or NAME:ALIAS; if empty, the module's default or the local stack's.
        local: Whether it is on the local AWS of ``invoke up``.
        undelivered: Whether to use the queue of events that EventBridge could not deliver as the failure queue.

    """

    function: str = ""
    local: bool = False
    undelivered: bool = False


def find(target: Target, client: MakeClient | None = None) -> Deployment:
    """Read the configuration of a pipeline's function.

    Args:
        target: Which deployment.
        client: Makes clients; by default, of the target's AWS with the user's default credentials.

    Raises:
        ToolError: There is no such function, its configuration can't be read, or it is not this project's.

    """
    client = client or (Stack.running().aws.client if target.local else aws.client)
    name = target.function or (Stack.running().function_name if target.local else DEFAULT_FUNCTION)
    described = _describe(client, name, local=target.local)
    alias = described.get("Environment", {}).get("Variables", {}).get(ALIAS, "")
    qualifier = name.rpartition("function:")[2].partition(":")[2]
    if alias and not qualifier:
        # Triggers invoke the version that the alias names, which may have other settings.
        name, qualifier = f"{name}:{alias}", alias
        described = _describe(client, name, local=target.local)
    variables = described.get("Environment", {})
    if "Error" in variables:
        reason = variables["Error"].get("Message", "no reason given")
        raise ToolError(f"Cannot read the environment of {name}: {reason}")
    # Somebody may have changed them without Terraform.
    memory, timeout = str(described["MemorySize"]), str(described["Timeout"])
    limits = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory, "TIMEOUT_SECONDS": timeout}
    try:
        settings = Settings.from_environment(variables.get("Variables", {}) | limits)
    except SettingsError as error:
        raise ToolError(f"{name} is not an image resizer of this version: {error}") from error
    deployment = Deployment(
        client,
        described["FunctionArn"].removesuffix(f":{qualifier}"),
        described["MemorySize"],
        described["Architectures"][0],
        settings,
        described["LoggingConfig"]["LogGroup"],
        qualifier,
    )
    return deployment.with_undelivered() if target.undelivered else deployment


def _describe(client: MakeClient, name: str, *, local: bool) -> dict[str, Any]:
    """Return the configuration of a function, or of a version of it."""
    try:
        described: dict[str, Any] = client("lambda", None).get_function_configuration(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ResourceNotFoundException", "404"}:
            if local:
                default = Stack.running().function_name
                raise ToolError(f"No function {name} on the local AWS: leave out --function for {default}") from error
            raise ToolError(_describe_absence(client("lambda", None), name)) from error
        # The account is not known yet.
        resource = f"arn:aws:lambda:*:*:function:{name}"
        statement = {"Effect": "Allow", "Action": "lambda:GetFunctionConfiguration", "Resource": resource}
        raise aws.refusal(error, f"read the configuration of {name}", [statement]) from error
    return described


def _describe_absence(functions: Any, name: str) -> str:
    """Say that there is no such function, and name the pipelines that there are."""
    absence = f"No function {name} in {functions.meta.region_name}"
    try:
        pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"MaxItems": MAX_LISTED})
        listed = [function for page in pages for function in page["Functions"]]
    except ClientError:
        # Only this suggestion needs the permission to list.
        return f"{absence}: name it with --function, and its region with AWS_REGION"
    pipelines = [
        one["FunctionName"] for one in listed if one.get("Environment", {}).get("Variables", {}).keys() >= VARIABLES
    ]
    if not pipelines:
        return f"{absence}, nor another pipeline: set AWS_REGION and AWS_PROFILE to those of the pipeline"
    return f"{absence}: use --function with {' or '.join(sorted(pipelines))}, or set AWS_REGION"
