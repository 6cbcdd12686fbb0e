"""boto3 clients of the user's AWS account, and one-line errors for what AWS or the network refuses."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name of it
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from tools.common.errors import ToolError

NOT_SIGNED_IN = (
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
NOT_REACHED = (ConnectionError, HTTPClientError)

CONNECT_SECONDS = 5
"""Time-out of a connection, in place of a minute: botocore tries five times."""

SIGN_IN = "sign in with `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

NOT_VALID = ("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken")
BADLY_SIGNED = ("SignatureDoesNotMatch", "InvalidSignatureException", "UnrecognizedClientException")
SIGN_IN_AGAIN = frozenset(NOT_VALID + BADLY_SIGNED)
"""Error codes of services that don't accept the credentials."""

DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden", "UnauthorizedOperation"}
"""Error codes of a missing permission; a HEAD request has only the status."""


def client(service: str, config: Config | None = None) -> Any:
    """Make a boto3 client of the user's account; boto3 itself ignores ``AWS_REGION``."""
    session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return session.client(service, config=Config(connect_timeout=CONNECT_SECONDS).merge(config or Config()))


@contextlib.contextmanager
def explain_no_answer(service: str, doing: str) -> Iterator[None]:
    """Turn errors of requests that got no answer into one-line errors.

    Args:
        service: The service's name, such as ``S3``.
        doing: The end of an error's sentence that begins with "Cannot".

    Raises:
        ToolError: There are no credentials, no network or no region, or botocore could not make the request.

    """
    try:
        yield
    except NOT_SIGNED_IN as error:
        raise ToolError(f"No credentials for AWS: {one_line(error)}: {SIGN_IN}") from error
    except NOT_REACHED as error:
        raise ToolError(f"Cannot reach {service}: {one_line(error)}: check the network, and AWS_REGION") from error
    except NoRegionError as error:
        raise ToolError("No region: set AWS_REGION to the pipeline's region") from error
    except BotoCoreError as error:
        raise ToolError(f"Cannot {doing}: {one_line(error)}") from error


def refusal(error: ClientError, doing: str, statements: Sequence[Mapping[str, object]]) -> ToolError:
    """Describe a request that AWS refused, and what to do about it.

    Args:
        error: AWS's answer.
        doing: The end of a sentence that begins with "Cannot".
        statements: The policy statements that would allow the request.

    """
    code, advice = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in SIGN_IN_AGAIN:
        advice = SIGN_IN
    elif code in DENIED and statements:
        advice += f": your policy needs {' and '.join(map(json.dumps, statements))}"
    # A proxy may answer with a page of HTML.
    return ToolError(f"Cannot {doing}: {code}: {' '.join(advice.split())}")


def one_line(error: Exception) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split())
