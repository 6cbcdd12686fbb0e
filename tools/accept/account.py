"""Where a temporary stack is deployed: the user's AWS account, or a local AWS."""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tools.build import Package, Target, build
from tools.common.aws import CONNECT_SECONDS, SIGN_IN, SIGN_IN_AGAIN, explain_no_answer, refusal
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws
from tools.local.stack import PROVIDER, build_package
from tools.operations.deployment import MakeClient

SERVICES = ("cloudwatch", "events", "lambda", "logs", "s3", "s3control", "sns", "sqs")
"""Regional services that the stack and its checks need."""

LISTS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("s3", "list_buckets", "Buckets[].Name", {}),
    ("lambda", "list_functions", "Functions[].FunctionName", {}),
    ("sqs", "list_queues", "QueueUrls[]", {}),
    ("sns", "list_topics", "Topics[].TopicArn", {}),
    ("logs", "describe_log_groups", "logGroups[].logGroupName", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName", {}),
    ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName", {}),
    ("iam", "list_roles", "Roles[].RoleName", {}),
    ("iam", "list_policies", "Policies[].PolicyName", {"Scope": "Local"}),
)
"""Requests that list everything of the kinds that the stack has: service, request, names in the answer, arguments.

The Resource Groups Tagging API would not do: it lists no roles, and goes on listing what was deleted.
"""


@dataclass(frozen=True)
class Account:
    """An AWS account and Region.

    Attributes:
        account_id: Twelve digits.
        partition: The group of Regions, such as ``aws`` or ``aws-cn``.
        client: Makes clients with the caller's credentials.
        region: The stack's Region.
        provider: Files that configure Terraform's provider: name to text.
        environment: Terraform's variables in addition to this process's.
        build: Builds the function's zip in a folder.
        is_local: Whether it is on a local AWS, which costs nothing.

    """

    account_id: str
    partition: str
    client: MakeClient
    region: str
    provider: Mapping[str, str]
    environment: Mapping[str, str]
    build: Callable[[Path], Package]
    is_local: bool = False

    @classmethod
    def of_user(cls, region: str, profile: str) -> "Account":
        """Return the user's account.

        Args:
            region: Empty for the one that the environment or the profile names.
            profile: Empty for the default credentials.

        Raises:
            ToolError: There are no valid credentials or no Region, or the Region lacks a service.

        """
        with explain_no_answer("AWS", "sign in"):
            session: Any = boto3.Session(profile_name=profile or None, region_name=region or None)
        if not session.region_name:
            raise ToolError("No Region: name one with --region, or set AWS_REGION")
        missing = [
            service
            for service in SERVICES
            if not any(
                session.region_name in session.get_available_regions(service, partition)
                for partition in session.get_available_partitions()
            )
        ]
        if missing:
            raise ToolError(
                f"{session.region_name} is no Region, or lacks {', '.join(missing)}: choose another --region"
            )

        @functools.cache
        def client(service: str, config: Config | None) -> Any:
            return session.client(service, config=Config(connect_timeout=CONNECT_SECONDS).merge(config or Config()))

        settings = {"region": session.region_name} | ({"profile": profile} if profile else {})
        provider = {"provider.tf.json": json.dumps({"provider": {"aws": settings}})}
        return cls._identify(client, session.region_name, provider, {}, functools.partial(build, Target()))

    @classmethod
    def of_local(cls, aws: LocalAws) -> "Account":
        """Return a local AWS's account."""

        def client(service: str, config: Config | None) -> Any:
            return aws.client(service, config)

        provider = {PROVIDER.name: PROVIDER.read_text()}
        return cls._identify(client, aws.region, provider, aws.environment(), build_package, True)

    @classmethod
    def _identify(cls, client: MakeClient, *others: Any) -> "Account":
        with explain_refusal("sign in"):
            identity = client("sts", None).get_caller_identity()
        return cls(identity["Account"], identity["Arn"].split(":")[1], client, *others)

    def find_resources(self, name: str) -> list[str]:
        """Return the resources whose names contain ``name``, each as its service and its name."""
        with explain_refusal("list resources"):
            return [
                f"{service} {found}"
                for service, request, names, arguments in LISTS
                # A page without results may lack the list.
                for found in filter(None, self._pages(service, request, arguments).search(names))
                if name in found
            ]

    def _pages(self, service: str, request: str, arguments: Mapping[str, str]) -> Any:
        # Without a page size, SQS lists 1,000 queues and no token for more.
        size = {"PaginationConfig": {"PageSize": 1000}} if service == "sqs" else {}
        return self.client(service, None).get_paginator(request).paginate(**arguments, **size)


@contextlib.contextmanager
def explain_refusal(doing: str) -> Iterator[None]:
    """Turn AWS's errors in the block into one-line errors.

    Args:
        doing: The end of an error's sentence that begins with "Cannot".

    Raises:
        ToolError: AWS refused a request, or gave no answer. The message names a missing permission.

    """
    try:
        with explain_no_answer("AWS", doing):
            yield
    except ClientError as error:
        action = re.search(r"not authorized to perform: (\S+)", str(error))
        missing = {"Effect": "Allow", "Action": action[1] if action else error.operation_name, "Resource": "*"}
        if error.response["Error"]["Code"] in SIGN_IN_AGAIN:
            # AWS answers so in a Region that the account has not enabled, too.
            raise ToolError(f"AWS does not accept the credentials: {SIGN_IN}, or enable the Region") from error
        raise refusal(error, doing, [missing]) from error
