"""The permissions that the operator's commands need, and errors that name a missing one."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from botocore.exceptions import ClientError

from tools.common.aws import explain_no_answer, refusal
from tools.common.errors import ToolError
from tools.operations.deployment import Deployment

FUNCTION = ("{0.function_arn}", "{0.target_arn}")
QUEUE = ("{0.failure_queue_arn}",)
LOG = ("{0.log_group_arn}:*",)
SOURCE = "arn:{0.partition}:s3:::{0.settings.source_bucket}"
DESTINATION = "arn:{0.partition}:s3:::{0.settings.destination_bucket}"
OUTPUTS = (f"{DESTINATION}/*",)
JOB_FILES = (f"{DESTINATION}/{{0.reserved_prefix}}*",)
JOBS = ("arn:{0.partition}:s3:{0.region}:{0.account_id}:job/*",)
# The role's path is a setting of the module.
ROLE = ("arn:{0.partition}:iam::{0.account_id}:role/*{0.function_name}-jobs",)

PERMISSIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "GetFunctionConfiguration": {"lambda:GetFunctionConfiguration": FUNCTION},
    "Invoke": {"lambda:InvokeFunction": ("{0.target_arn}",)},
    "FilterLogEvents": {"logs:FilterLogEvents": LOG},
    "ListObjectsV2": {"s3:ListBucket": (SOURCE, DESTINATION)},
    "HeadObject": {"s3:GetObject": OUTPUTS},
    "GetQueueAttributes": {"sqs:GetQueueAttributes": QUEUE},
    "ReceiveMessage": {"sqs:ReceiveMessage": QUEUE},
    "ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility": QUEUE},
    "DeleteMessage": {"sqs:DeleteMessage": QUEUE},
    "GetRole": {"iam:GetRole": ROLE},
    "PutObject": {"s3:PutObject": JOB_FILES},
    # boto3 uploads a large manifest in parts.
    "CreateMultipartUpload": {"s3:PutObject": JOB_FILES},
    "CreateJob": {"s3:CreateJob": ("*",), "iam:PassRole": ROLE},
    "DescribeJob": {"s3:DescribeJob": JOBS},
    "GetObject": {"s3:GetObject": JOB_FILES},
}
"""IAM actions and their resources, formatted with the deployment, by boto3's name of the request."""


NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
"""SQS's error codes for a missing queue."""


def statements(deployment: Deployment, operation: str) -> list[dict[str, object]]:
    """Return the policy statements that allow a request."""
    found: list[dict[str, object]] = []
    for action, templates in PERMISSIONS.get(operation, {}).items():
        resources = sorted({template.format(deployment) for template in templates})
        found.append({"Effect": "Allow", "Action": action, "Resource": resources if resources[1:] else resources[0]})
    return found


@contextlib.contextmanager
def explain_errors(deployment: Deployment, doing: str) -> Iterator[None]:
    """Turn AWS's errors in the block into one-line errors.

    Args:
        deployment: The pipeline that the block asks about.
        doing: The end of an error's sentence that begins with "Cannot".

    Raises:
        ToolError: AWS refused a request, or could not be reached.

    """
    try:
        with explain_no_answer("AWS", doing):
            yield
    except ClientError as error:
        operation, code = error.operation_name, error.response["Error"]["Code"]
        if code in NO_QUEUE and deployment.is_for_undelivered:
            raise ToolError(
                'This pipeline has no queue of undelivered events: only trigger = "eventbridge" or "both" has one. '
                "Leave out --undelivered"
            ) from error
        if code in NO_QUEUE | {"NoSuchBucket"}:
            message = error.response["Error"].get("Message", "").rstrip(".")
            raise ToolError(f"Cannot {doing}: {operation}: {code}: {message}: `terraform apply` creates it") from error
        raise refusal(error, f"{doing}: {operation}", statements(deployment, operation)) from error
