"""The pipeline that runs on a local AWS, as ``.local/stack.json`` describes it, and clients that reach it."""

import functools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from tools.common.errors import ToolError
from tools.common.paths import LOCAL

STACK_FILE = LOCAL / "stack.json"

WITHOUT_USER_CONFIGURATION: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables in botocore's format that ignore the user's profile and files."""


def local_client(service: str, endpoint: str, region: str, *keys: str, config: Config | None = None) -> Any:
    """Make a boto3 client of a local AWS that ignores the user's profile, configuration and proxy.

    Args:
        service: Its name in boto3.
        endpoint: Of the local AWS.
        region: Of the local AWS.
        keys: Access key id, secret access key and, for a role, session token.
        config: Further settings.

    """
    session = boto3.Session(botocore_session=botocore.session.Session(session_vars=WITHOUT_USER_CONFIGURATION))
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    make: Any = session.client
    client = make(
        service,
        endpoint_url=endpoint,
        region_name=region,
        config=(config or Config()).merge(Config(proxies={})),
        **dict(zip(names, keys, strict=False)),
    )
    if service == "s3control":
        client.meta.events.register("before-sign", _remove_account_from_host)
    return client


def _remove_account_from_host(request: Any, **_: Any) -> None:
    """Remove the account that boto3 puts before the host: an address on loopback can't have one."""
    parts = urlsplit(request.url)
    request.url = parts._replace(netloc=parts.netloc.partition(".")[2]).geturl()


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS; the keys are those of the account's administrator."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str
    pid: int

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def client(self, service: str, config: Config | None = None) -> Any:
        """Make a boto3 client, as administrator."""
        return _client(self, service, config)

    def environment(self) -> dict[str, str]:
        """Return the variables that send Terraform, or any other program, to this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }


@functools.cache
def _client(aws: LocalAws, service: str, config: Config | None) -> Any:
    return local_client(service, aws.endpoint, aws.region, aws.access_key_id, aws.secret_access_key, config=config)


@dataclass(frozen=True)
class Stack:
    """A deployed pipeline and its local AWS."""

    aws: LocalAws
    source_bucket: str
    destination_bucket: str
    function_name: str
    failure_queue_url: str
    log_group: str

    @classmethod
    def running(cls) -> "Stack":
        """Find the stack that ``invoke up`` left running.

        Raises:
            ToolError: None is running.

        """
        try:
            described = json.loads(STACK_FILE.read_text())
            os.kill(described["pid"], 0)
        except (OSError, ValueError, KeyError):
            raise ToolError("The local AWS is not up: run `invoke up` first") from None
        of_aws = {field.name: described.pop(field.name) for field in fields(LocalAws)}
        return cls(aws=LocalAws(**of_aws), **described)

    def save(self) -> None:
        """Write this stack to ``.local/stack.json`` as one flat object, which other programs may read."""
        described = asdict(self)
        flat = described.pop("aws") | described
        STACK_FILE.parent.mkdir(parents=True, exist_ok=True)
        STACK_FILE.touch(mode=0o600)
        STACK_FILE.write_text(json.dumps(flat, indent=2) + "\n")

    def client(self, service: str) -> Any:
        """Make a boto3 client, as administrator."""
        return self.aws.client(service)

    def log_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events of the function's log, oldest first."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.log_group)
        yield from (event for page in pages for event in page["events"])


def is_local_aws_up() -> bool:
    """Return whether ``invoke up`` left a local AWS running."""
    try:
        Stack.running()
    except ToolError:
        return False
    return True
