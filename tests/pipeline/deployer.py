"""The IAM permissions that requests of Terraform need, and whether docs/deployer-policy.json has them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.iam.access_control import PermissionResult

from tools.common.paths import ROOT
from tools.local.aws.policy import as_list, decide
from tools.local.aws.versions import qualify

POLICY = ROOT / "docs" / "deployer-policy.json"

ACCOUNT, REGION = "123456789012", "eu-west-2"

S3_ACTIONS = {
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjectsV2": "ListBucket",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""The permissions of operations that have another name:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""

TAGGING = {
    "cloudwatch": "TagResource",
    "events": "TagResource",
    "lambda": "TagResource",
    "logs": "TagResource",
    "sqs": "TagQueue",
}
"""The permission to tag what a request creates. For IAM, it depends on the resource."""

NO_PERMISSION = {"sts:GetCallerIdentity", "iam:GetUser"}
"""Requests that need no permission. The provider makes ``GetUser`` only if it may not check its credentials."""

OTHER_SERVICES = {"ec2", "kms", "sns"}
"""Services to which the module itself makes no requests."""

READING = re.compile(":(Describe|Get|List)")
"""The actions that a plan needs."""


@dataclass(frozen=True)
class Need:
    """A permission that a request needs.

    Attributes:
        context: The request's condition keys, in lower case.

    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


def read_policy(values: dict[str, str]) -> list[dict[str, Any]]:
    """Return the statements of the policy, with values in place of words such as ``NAME``."""
    text = POLICY.read_text()
    for name, value in (values | {"ACCOUNT": ACCOUNT, "REGION": REGION}).items():
        text = text.replace(name, value)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def find_grants(need: Need, statements: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the statements that allow what a request needs, each as its Sid and the action."""
    return {
        (one["Sid"], need.action)
        for one in statements
        if decide(dict(one), need.action, need.resource, frozenset(), need.context) is PermissionResult.PERMITTED
    }


def list_actions(statements: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(one["Sid"], action) for one in statements for action in as_list(one["Action"])}


def find_needs(requests: Iterable[Mapping[str, Any]]) -> Iterator[Need]:
    """Yield the permissions that Terraform's requests for the module need.

    Leave out requests for the example's own key, topic, network, permissions boundary and bucket of access logs.

    Args:
        requests: Each with its service, operation and parameters.

    """
    role_paths = dict[str, str]()
    for request in requests:
        service, operation, parameters = request["service"], request["operation"], request["parameters"]
        if operation == "CreateRole":
            # Later requests have only the name.
            role_paths[parameters["RoleName"]] = parameters["Path"]
        if f"{service}:{operation}" not in NO_PERMISSION and service not in OTHER_SERVICES:
            path = role_paths.get(parameters.get("RoleName", ""), "")
            resource = FIND_RESOURCE[service](operation, parameters, path)
            if not resource.removesuffix("/*").endswith(("-boundary", "-logs")):
                yield from _find_needs(service, operation, parameters, resource)


def _find_needs(service: str, operation: str, parameters: Mapping[str, Any], resource: str) -> Iterator[Need]:
    if service == "s3":
        for action in ("DeleteObject", "DeleteObjectVersion") if operation == "DeleteObjects" else (operation,):
            yield Need(f"s3:{S3_ACTIONS.get(action, action)}", resource)
        return
    context = {
        f"iam:{key.lower()}": parameters[name]
        for key, name in (("PermissionsBoundary", "PermissionsBoundary"), ("PolicyARN", "PolicyArn"))
        if name in parameters
    }
    yield Need(f"{service}:{operation}", resource, context)
    if operation.startswith(("Create", "Put")) and (parameters.get("Tags") or parameters.get("tags")):
        tagging = TAGGING.get(service) or operation.replace("Create", "Tag")
        yield Need(f"{service}:{tagging}", resource)
    if service == "lambda":
        yield from _find_needs_of_lambda(parameters)


def _find_needs_of_lambda(parameters: Mapping[str, Any]) -> Iterator[Need]:
    """Yield the permissions that Lambda checks in other services.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html,
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html and
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    """
    if "Role" in parameters:
        yield Need("iam:PassRole", parameters["Role"], {"iam:passedtoservice": "lambda.amazonaws.com"})
    code = {**parameters, **parameters.get("Code", {})}
    if "S3Bucket" in code:
        yield Need("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")
    if parameters.get("VpcConfig", {}).get("SubnetIds"):
        for kind in ("SecurityGroups", "Subnets", "Vpcs"):
            yield Need(f"ec2:Describe{kind}", "*")
    if parameters.get("KMSKeyArn"):
        for action in ("CreateGrant", "Decrypt", "Encrypt"):
            yield Need(f"kms:{action}", parameters["KMSKeyArn"], {"kms:viaservice": f"lambda.{REGION}.amazonaws.com"})


def _find_iam(operation: str, parameters: Mapping[str, Any], role_path: str) -> str:
    if "RoleName" in parameters:
        return f"arn:aws:iam::{ACCOUNT}:role{role_path}{parameters['RoleName']}"
    if operation == "CreatePolicy":
        return f"arn:aws:iam::{ACCOUNT}:policy{parameters['Path']}{parameters['PolicyName']}"
    return str(parameters["PolicyArn"])


def _find_lambda(_operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    name = parameters.get("Resource") or parameters["FunctionName"]
    qualifiers = [parameters["Qualifier"]] if "Qualifier" in parameters else []
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{qualify(name, qualifiers)}"


def _find_sqs(_operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    name = parameters.get("QueueName") or parameters["QueueUrl"].rpartition("/")[2]
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def _find_logs(operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    if operation == "DescribeLogGroups":
        return "*"
    if "resourceArn" in parameters:
        return str(parameters["resourceArn"])
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{parameters['logGroupName']}:*"


def _find_cloudwatch(_operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    if "ResourceARN" in parameters:
        return str(parameters["ResourceARN"])
    if "DashboardName" in parameters or "DashboardNames" in parameters:
        name = parameters.get("DashboardName") or parameters["DashboardNames"][0]
        return f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"
    name = parameters.get("AlarmName") or parameters["AlarmNames"][0]
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def _find_events(_operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    if "ResourceARN" in parameters:
        return str(parameters["ResourceARN"])
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{parameters.get('Rule') or parameters['Name']}"


def _find_s3(operation: str, parameters: Mapping[str, Any], _role_path: str) -> str:
    return f"arn:aws:s3:::{parameters['Bucket']}{'/*' if operation == 'DeleteObjects' else ''}"


FIND_RESOURCE = {
    "cloudwatch": _find_cloudwatch,
    "events": _find_events,
    "iam": _find_iam,
    "lambda": _find_lambda,
    "logs": _find_logs,
    "s3": _find_s3,
    "sqs": _find_sqs,
}
"""Return the ARN of the resource that a request is about, by service."""
