"""A client of a local AWS, whatever profile, configuration or proxy its user has."""

import os
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

NOT_THE_USERS: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""botocore's own table of these settings, without the variables and files that they come from."""


def local_client(service: str, endpoint: str, region: str, *keys: str, config: Config | None = None) -> Any:
    """Make a boto3 client.

    Args:
        service: Its name in boto3.
        endpoint: Of the local AWS.
        region: Of the local AWS.
        keys: Access key id, secret access key and, for a role, session token.
        config: What else is to be set.

    """
    session = boto3.Session(botocore_session=botocore.session.Session(session_vars=NOT_THE_USERS))
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
        client.meta.events.register("before-sign", _without_account)
    return client


def _without_account(request: Any, **_: Any) -> None:
    """Send to the address itself what is for a host named after the account, which no address on loopback can have."""
    parts = urlsplit(request.url)
    request.url = parts._replace(netloc=parts.netloc.partition(".")[2]).geturl()
