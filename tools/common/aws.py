"""AWS as its user's environment leads to it, and what every task says when it cannot be asked at all."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ConnectionError,  # noqa: A004 - botocore's name of it
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from tools.common.errors import ToolError

NOT_SIGNED_IN = (
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
NOT_REACHED = (ConnectionError, HTTPClientError)

SIGN_IN = "sign in with `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

NOT_VALID = ("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken")
BADLY_SIGNED = ("SignatureDoesNotMatch", "InvalidSignatureException", "UnrecognizedClientException")
SIGN_IN_AGAIN = frozenset(NOT_VALID + BADLY_SIGNED)
"""What services answer to credentials that they do not take."""

DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden", "UnauthorizedOperation"}
"""How services say that something is not allowed; in answer to a HEAD there is only the status."""


def client(service: str, config: Config | None = None) -> Any:
    """Make a boto3 client by the usual chain, which knows ``AWS_DEFAULT_REGION`` and lacks ``AWS_REGION``."""
    session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return session.client(service, config=config)


@contextlib.contextmanager
def reached(service: str, doing: str) -> Iterator[None]:
    """Turn what keeps a request from being answered at all into one line.

    Args:
        service: Which was to be asked, such as ``S3``.
        doing: What for, as the rest of a sentence that begins with "Cannot".

    Raises:
        ToolError: Nobody is signed in, there is no network, no region, or the request could not be made.

    """
    try:
        yield
    except NOT_SIGNED_IN as error:
        raise ToolError(f"No credentials for AWS: {one_line(error)}: {SIGN_IN}") from error
    except NOT_REACHED as error:
        raise ToolError(f"Cannot reach {service}: {one_line(error)}: check the network") from error
    except NoRegionError as error:
        raise ToolError("No region: set AWS_REGION to that of the pipeline") from error
    except BotoCoreError as error:
        raise ToolError(f"Cannot {doing}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """The words of an error, whose lines may be many."""
    return " ".join(str(error).split())
