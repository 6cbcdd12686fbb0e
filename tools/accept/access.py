"""Checks of what the function's role may not do: each request that it must not make is tried, and must be denied."""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
from string import Template
from typing import Any

from tools.accept.pipeline import CheckError, Pipeline
from tools.common.aws import DENIED

PROBE = '''
import functools
import boto3
from botocore.exceptions import ClientError

client = functools.cache(boto3.client)

def handler(event, context):
    """Call a method of a client; return "allowed" or the error code."""
    print("PROBED")
    try:
        answer = getattr(client(event["service"]), event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    # DeleteObjects answers 200 with the error of each object.
    return next((one["Code"] for one in answer.get("Errors", [])), "allowed")
'''

IMAGE = "iam/image.jpg"

SOURCE, DESTINATION, QUEUE = {"Bucket": "$source"}, {"Bucket": "$destination"}, {"QueueUrl": "$queue"}
UPLOAD, OUTPUT = {**SOURCE, "Key": IMAGE}, {**DESTINATION, "Key": "iam/resized-image.jpg"}
MISSING_FOLDER = "iam/nothing/"

DENIED_REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    # The source, except for reading and listing current objects.
    ("s3", "put_object", {**SOURCE, "Key": MISSING_FOLDER}),
    ("s3", "delete_object", {**SOURCE, "Key": MISSING_FOLDER}),
    ("s3", "delete_objects", {**SOURCE, "Delete": {"Objects": [{"Key": MISSING_FOLDER}]}}),
    ("s3", "get_object", {**UPLOAD, "VersionId": "null"}),
    ("s3", "list_object_versions", SOURCE),
    ("s3", "restore_object", UPLOAD),
    ("s3", "get_object_acl", UPLOAD),
    ("s3", "get_object_tagging", UPLOAD),
    ("s3", "put_object_tagging", {**UPLOAD, "Tagging": {"TagSet": []}}),
    ("s3", "get_bucket_policy", SOURCE),
    ("s3", "get_bucket_notification_configuration", SOURCE),
    ("s3", "delete_bucket", SOURCE),
    # The destination, except for writing.
    ("s3", "get_object", OUTPUT),
    ("s3", "head_object", OUTPUT),
    ("s3", "get_object_tagging", OUTPUT),
    ("s3", "put_object_acl", {**OUTPUT, "ACL": "private"}),
    ("s3", "delete_object", {**DESTINATION, "Key": MISSING_FOLDER}),
    ("s3", "delete_objects", {**DESTINATION, "Delete": {"Objects": [{"Key": MISSING_FOLDER}]}}),
    ("s3", "list_objects_v2", DESTINATION),
    ("s3", "list_object_versions", DESTINATION),
    ("s3", "get_bucket_policy", DESTINATION),
    # Other buckets, whose names have the same beginning.
    ("s3", "get_object", {"Bucket": "$source-2", "Key": IMAGE}),
    ("s3", "head_object", {"Bucket": "$source-2", "Key": IMAGE}),
    ("s3", "list_objects_v2", {"Bucket": "$source-2"}),
    ("s3", "put_object", {"Bucket": "$destination-2", "Key": IMAGE}),
    ("s3", "list_buckets", {}),
    ("s3", "create_bucket", {**SOURCE, "CreateBucketConfiguration": {"LocationConstraint": "$region"}}),
    # The failure queue, except for sending; and another queue.
    ("sqs", "receive_message", {**QUEUE, "VisibilityTimeout": 0}),
    ("sqs", "delete_message", {**QUEUE, "ReceiptHandle": "x"}),
    ("sqs", "get_queue_attributes", QUEUE),
    ("sqs", "send_message", {"QueueUrl": "$queue-2", "MessageBody": "x"}),
    ("sqs", "list_queues", {}),
    # The log, except for writing.
    ("logs", "filter_log_events", {"logGroupName": "$log"}),
    ("logs", "delete_log_stream", {"logGroupName": "$log", "logStreamName": "x"}),
    ("logs", "create_log_group", {"logGroupName": "$log"}),
    ("logs", "describe_log_groups", {}),
    # The function itself.
    ("lambda", "invoke", {"FunctionName": "$function"}),
    ("lambda", "get_function", {"FunctionName": "$function"}),
    ("lambda", "list_functions", {}),
    # Roles.
    ("iam", "list_roles", {}),
    ("iam", "get_role", {"RoleName": "$role"}),
    ("iam", "attach_role_policy", {"RoleName": "$role", "PolicyArn": "$policy_arn-missing"}),
    ("sts", "assume_role", {"RoleArn": "$role_arn", "RoleSessionName": "probe"}),
    ("sts", "assume_role", {"RoleArn": "$role_arn-2", "RoleSessionName": "probe"}),
    # Other services.
    ("sns", "list_topics", {}),
    ("kms", "list_keys", {}),
    ("dynamodb", "list_tables", {}),
    ("secretsmanager", "list_secrets", {}),
    ("events", "list_rules", {}),
]
"""Requests similar to those that the role may make: service, call, and arguments with ``$`` before a name of ``names``.

If a request is allowed by mistake, it does no harm: its object doesn't exist, or it changes nothing.
"""


MIRRORING = frozenset({"get_object", "head_object", "delete_object", "delete_objects"})
"""Requests to the destination that ``mirror_deletes`` needs."""

FIRST_REGION = "us-east-1"
"""S3 accepts every Region's name as a location except this one:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html"""


class Probe:
    """A Lambda function that has the role of the pipeline's function, and makes one request to AWS per invocation.

    Args:
        pipeline: The pipeline.
        name: The function's name.
        log_group: A log group to which the role may write; otherwise, the probe has no log.

    """

    def __init__(self, pipeline: Pipeline, name: str, log_group: str = "") -> None:
        self._lambda = pipeline.client("lambda")
        self._name = name
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("probe.py", PROBE)
        self._lambda.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=pipeline.role_arn,
            Handler="probe.handler",
            Code={"ZipFile": package.getvalue()},
            Timeout=30,
            MemorySize=512,
            **({"LoggingConfig": {"LogGroup": log_group}} if log_group else {}),
        )
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=name)

    def request(self, service: str, call: str, **arguments: object) -> str:
        """Return ``allowed`` or the error code."""
        event = {"service": service, "call": call, "arguments": arguments}
        response = self._lambda.invoke(FunctionName=self._name, Payload=json.dumps(event))
        reply = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise CheckError(f"The probe of {service}:{call} failed: {reply.get('errorMessage')}")
        code: str = reply
        return code

    def delete(self) -> None:
        self._lambda.delete_function(FunctionName=self._name)


@contextlib.contextmanager
def open_probe(pipeline: Pipeline, log_group: str = "") -> Iterator[Probe]:
    """Yield a probe, and delete it at the end."""
    probe = Probe(pipeline, f"{pipeline.deployment.function_name}-probe", log_group)
    try:
        yield probe
    finally:
        probe.delete()


def find_names(pipeline: Pipeline) -> dict[str, str]:
    """Return the names of the deployed resources, as :data:`DENIED_REQUESTS` calls them."""
    deployment, role_arn = pipeline.deployment, pipeline.role_arn
    return {
        "source": pipeline.source_bucket,
        "destination": pipeline.destination_bucket,
        "queue": pipeline.failure_queue_url,
        "log": deployment.log_group,
        "function": deployment.function_name,
        "role": role_arn.rpartition("/")[2],
        "role_arn": role_arn,
        "policy_arn": f"arn:{deployment.partition}:iam::{deployment.account_id}:policy/{deployment.function_name}",
        "region": deployment.region,
    }


@contextlib.contextmanager
def create_similar_resources(pipeline: Pipeline) -> Iterator[None]:
    """Create resources whose names are the deployed ones followed by ``-2``; delete them at the end."""
    names = {name: f"{value}-2" for name, value in find_names(pipeline).items()}
    s3, sqs, logs, iam = (pipeline.client(service) for service in ("s3", "sqs", "logs", "iam"))
    account = f"arn:{pipeline.deployment.partition}:iam::{pipeline.deployment.account_id}:root"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}
    with contextlib.ExitStack() as undo:
        for bucket in (names["source"], names["destination"]):
            create_bucket(s3, bucket, pipeline.deployment.region)
            undo.callback(s3.delete_bucket, Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=IMAGE, Body=b"an object")
            undo.callback(s3.delete_object, Bucket=bucket, Key=IMAGE)
        url = sqs.create_queue(QueueName=names["queue"].rpartition("/")[2])["QueueUrl"]
        undo.callback(sqs.delete_queue, QueueUrl=url)
        logs.create_log_group(logGroupName=names["log"])
        undo.callback(logs.delete_log_group, logGroupName=names["log"])
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=names["role"], AssumeRolePolicyDocument=policy)
        undo.callback(iam.delete_role, RoleName=names["role"])
        yield


def create_bucket(s3: Any, name: str, region: str) -> None:
    """Create a bucket in any Region."""
    location: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **(location if region != FIRST_REGION else {}))


def list_denied_requests(pipeline: Pipeline) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the requests that the role must not make with the pipeline's settings."""
    needed = MIRRORING if pipeline.deployment.settings.mirror_deletes else frozenset()
    return [one for one in DENIED_REQUESTS if one[1] not in needed or one[2].get("Bucket") != "$destination"]


def is_denied(probe: Probe, names: dict[str, str], service: str, call: str, arguments: dict[str, Any]) -> bool:
    """Return whether AWS denies a request of :data:`DENIED_REQUESTS`."""
    substituted = json.loads(Template(json.dumps(arguments)).substitute(names))
    if names["region"] == FIRST_REGION:
        substituted.pop("CreateBucketConfiguration", None)
    return probe.request(service, call, **substituted) in DENIED


def check_denied_requests(pipeline: Pipeline) -> None:
    """Try every request that the role must not make."""
    names = find_names(pipeline)
    with create_similar_resources(pipeline), open_probe(pipeline) as probe:
        allowed = [
            f"{service}:{call} {json.dumps(arguments)}"
            for service, call, arguments in list_denied_requests(pipeline)
            if not is_denied(probe, names, service, call, arguments)
        ]
    if allowed:
        raise CheckError(f"Not denied: {'; '.join(allowed)}")
