"""A deployed pipeline as its function describes it, and the clients that reach all of its parts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from aws.settings import Settings
from errors import SettingsError
from tools.common import aws
from tools.common.aws import DENIED, SIGN_IN, SIGN_IN_AGAIN
from tools.common.errors import ToolError
from tools.common.local_stack import Stack

DEFAULT_FUNCTION = "Lambda-image"
"""The module's default name."""

MakeClient = Callable[[str, Config | None], Any]
"""Makes a boto3 client of a service; its configuration is boto3's own where there is none."""


@dataclass(frozen=True)
class Deployment:
    """A pipeline that is deployed.

    Attributes:
        client: Makes the clients that reach it.
        function_arn: Also says in which account and region all of it is.
        memory_mib: Of the function.
        architecture: Of the function: ``arm64`` or ``x86_64``.
        settings: The function's own.

    """

    client: MakeClient
    function_arn: str
    memory_mib: int
    architecture: str
    settings: Settings

    @property
    def function_name(self) -> str:
        return self.function_arn.rpartition(":")[2]

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

    def with_undelivered(self) -> "Deployment":
        """The same, with the queue of what EventBridge could not deliver in the place of the failure queue."""
        url = self.settings.failure_queue_url.removesuffix("-failures") + "-undelivered"
        return replace(self, settings=replace(self.settings, failure_queue_url=url))

    @property
    def reserved_prefix(self) -> str:
        """What the keys of S3 Batch Operations' manifests and reports begin with, in the destination bucket."""
        return f"batch-operations/{self.function_name}/"


@dataclass(frozen=True)
class Target:
    """Which deployment is meant.

    Attributes:
        function: The name of its function; without it the module's default, or that of ``invoke up``.
        local: Whether it is on the local AWS of ``invoke up``.
        undelivered: Whether the queue of what EventBridge could not deliver takes the place of the failure queue.

    """

    function: str = ""
    local: bool = False
    undelivered: bool = False


def find(target: Target) -> Deployment:
    """Ask a function what pipeline it is of.

    Raises:
        ToolError: There is no such function, it may not be asked, or it is none of this project's.
        botocore.exceptions.BotoCoreError: AWS cannot be asked at all.

    """
    client = Stack.running().aws.client if target.local else aws.client
    name = target.function or (Stack.running().function_name if target.local else DEFAULT_FUNCTION)
    try:
        described = client("lambda", None).get_function_configuration(FunctionName=name)
    except ClientError as error:
        raise _not_found(name, error) from error
    variables = described.get("Environment", {})
    if "Error" in variables:
        raise ToolError(
            f"The settings of {name} cannot be read: {variables['Error'].get('Message', 'no reason given')}"
        )
    memory = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(described["MemorySize"])}
    try:
        settings = Settings.from_environment(variables.get("Variables", {}) | memory)
    except SettingsError as error:
        raise ToolError(f"{name} is no image resizer of this version: {error}") from error
    found = Deployment(
        client, described["FunctionArn"], described["MemorySize"], described["Architectures"][0], settings
    )
    return found.with_undelivered() if target.undelivered else found


def _not_found(name: str, error: ClientError) -> ToolError:
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in {"ResourceNotFoundException", "404"}:
        return ToolError(f"No function {name} here: give its name with --function, and AWS_REGION the region it is in")
    if code in SIGN_IN_AGAIN:
        return ToolError(f"AWS does not take these credentials: {code}: {SIGN_IN}")
    if code in DENIED:
        # Of which account it would be is not known.
        resource = f"arn:aws:lambda:*:*:function:{name}"
        statement = {"Effect": "Allow", "Action": "lambda:GetFunctionConfiguration", "Resource": resource}
        return ToolError(f"Cannot ask {name} what it is: {code}: {said}: your policy needs {json.dumps(statement)}")
    return ToolError(f"Cannot ask {name} what it is: {code}: {said}")
