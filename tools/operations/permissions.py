"""The permissions that the operator's tasks need, and the error that names the one that is missing."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from tools.common.aws import DENIED, SIGN_IN, SIGN_IN_AGAIN, reached
from tools.common.errors import ToolError
from tools.operations.deployment import Deployment

Resource = Callable[[Deployment], str | list[str]]
"""Gives the ARNs that a permission is about."""


@dataclass(frozen=True)
class Permission:
    """What a request to AWS needs.

    Attributes:
        action: IAM's name of it.
        resource: What it is needed for.

    """

    action: str
    resource: Resource

    def statement(self, deployment: Deployment) -> dict[str, object]:
        """The statement of a policy that gives it."""
        return {"Effect": "Allow", "Action": self.action, "Resource": self.resource(deployment)}


def _bucket(name: str, deployment: Deployment) -> str:
    return f"arn:{deployment.partition}:s3:::{name}"


def _function(deployment: Deployment) -> str:
    return deployment.function_arn


def _queue(deployment: Deployment) -> str:
    return deployment.failure_queue_arn


def _buckets(deployment: Deployment) -> list[str]:
    names = {deployment.settings.source_bucket, deployment.settings.destination_bucket}
    return [_bucket(name, deployment) for name in sorted(names)]


def _outputs(deployment: Deployment) -> str:
    return _bucket(deployment.settings.destination_bucket, deployment) + "/*"


def _manifests(deployment: Deployment) -> str:
    return _bucket(deployment.settings.destination_bucket, deployment) + f"/{deployment.reserved_prefix}*"


def _jobs(deployment: Deployment) -> str:
    return f"arn:{deployment.partition}:s3:{deployment.region}:{deployment.account_id}:job/*"


def _role(deployment: Deployment) -> str:
    # Its path is anybody's.
    return f"arn:{deployment.partition}:iam::{deployment.account_id}:role/*{deployment.function_name}-jobs"


PERMISSIONS = {
    "GetFunctionConfiguration": [Permission("lambda:GetFunctionConfiguration", _function)],
    "Invoke": [Permission("lambda:InvokeFunction", _function)],
    "ListObjectsV2": [Permission("s3:ListBucket", _buckets)],
    "HeadObject": [Permission("s3:GetObject", _outputs)],
    "GetQueueAttributes": [Permission("sqs:GetQueueAttributes", _queue)],
    "ReceiveMessage": [Permission("sqs:ReceiveMessage", _queue)],
    "ChangeMessageVisibilityBatch": [Permission("sqs:ChangeMessageVisibility", _queue)],
    "DeleteMessage": [Permission("sqs:DeleteMessage", _queue)],
    "GetRole": [Permission("iam:GetRole", _role)],
    "PutObject": [Permission("s3:PutObject", _manifests)],
    # A manifest of many keys is uploaded in parts.
    "CreateMultipartUpload": [Permission("s3:PutObject", _manifests)],
    "CreateJob": [Permission("s3:CreateJob", lambda _: "*"), Permission("iam:PassRole", _role)],
    "DescribeJob": [Permission("s3:DescribeJob", _jobs)],
    "GetObject": [Permission("s3:GetObject", _manifests)],
}
"""By the request that needs them, as boto3 names it."""


@contextlib.contextmanager
def explained(deployment: Deployment, doing: str) -> Iterator[None]:
    """Turn what AWS answers into one line that says what to do.

    Args:
        deployment: Which is asked.
        doing: What is being done, as the rest of a sentence that begins with "Cannot".

    Raises:
        ToolError: AWS refused something, or could not be asked.

    """
    try:
        with reached("AWS", doing):
            yield
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        advice = said
        if code in SIGN_IN_AGAIN:
            advice = SIGN_IN
        elif code in DENIED and error.operation_name in PERMISSIONS:
            statements = [json.dumps(one.statement(deployment)) for one in PERMISSIONS[error.operation_name]]
            advice = f"{said}: your policy needs {' and '.join(statements)}"
        raise ToolError(f"Cannot {doing}: {error.operation_name}: {code}: {advice}") from error
