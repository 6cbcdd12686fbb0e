"""The clients of S3 and SQS, made with botocore alone: boto3 is a layer above it, slow to import and of no use here."""

import threading
from typing import TYPE_CHECKING, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class KnowingLoader(Loader):
    """Botocore's own loader, without its search of the folders of some 400 services for the names of ours."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore passes it
        """What there is, whichever kind of file is asked for: botocore loads no other's."""
        return ["s3", "sqs"]


making = threading.Lock()
"""Held while a client is made after the start: a session is not to be used by two threads at once."""

session = botocore.session.get_session()
session.register_component("data_loader", KnowingLoader())


def s3(config: Config) -> "S3Client":
    """Make a client of S3."""
    return cast("S3Client", session.create_client("s3", config=config))


def sqs(config: Config) -> "SQSClient":
    """Make a client of SQS; threads that want one at the same time make theirs one after the other."""
    with making:
        return cast("SQSClient", session.create_client("sqs", config=config))
