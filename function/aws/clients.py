"""Clients of AWS's services, made with botocore: boto3 would only add import time."""

from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class FewServicesLoader(Loader):
    """botocore's loader without its directory search, which reads about 400 directories to find these services."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore passes it
        """Return the services that this module uses."""
        return ["s3", "sqs", "kms", "secretsmanager", "events", "sns"]


session = botocore.session.get_session()
session.register_component("data_loader", FewServicesLoader())


def make_s3(config: Config) -> "S3Client":
    """Make a client of S3. Like every use of the session, this is not thread-safe."""
    return cast("S3Client", session.create_client("s3", config=config))


def make_sqs(config: Config) -> "SQSClient":
    """Make a client of SQS. Like every use of the session, this is not thread-safe."""
    return cast("SQSClient", session.create_client("sqs", config=config))


def make_for(arn: str, config: Config) -> Any:
    """Make a client of the service and in the region of an ARN. Like every use of the session, not thread-safe."""
    _, _, service, region, *_ = arn.split(":")
    return session.create_client(service, region_name=region, config=config)
