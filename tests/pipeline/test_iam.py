"""Least privilege, by running: without any of its permissions something fails, and with them nothing else works."""

import contextlib
import io
import json
import stat
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from string import Template
from typing import Any

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline, awaited
from tools.common import local_stack
from tools.local import stack as stacks
from tools.local.invocation import log_events

IMAGE, NO_IMAGE, MISSING = "iam/image.jpg", "iam/no-image.jpg", "iam/missing.jpg"

DENIED = {"AccessDenied", "AccessDeniedException", "403"}
"""How services say it; of some moto gives only the status."""

PROBE = '''
import functools
import boto3
from botocore.exceptions import ClientError

client = functools.cache(boto3.client)

def handler(event, context):
    """Call what the event names and tell how it went."""
    print("PROBED")
    try:
        getattr(client(event["service"]), event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
'''


class Probe:
    """A function with the resizer's own role that makes one call at a time and tells how it went."""

    def __init__(self, pipeline: Pipeline, name: str, log_group: str) -> None:
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
            LoggingConfig={"LogGroup": log_group},
        )

    def __call__(self, service: str, call: str, **arguments: object) -> str:
        event = {"service": service, "call": call, "arguments": arguments}
        response = self._lambda.invoke(FunctionName=self._name, Payload=json.dumps(event))
        answer: str = json.loads(response["Payload"].read())
        return answer

    def remove(self) -> None:
        self._lambda.delete_function(FunctionName=self._name)


@dataclass(frozen=True)
class Policy:
    """The policy of a role, as it is deployed."""

    iam: Any
    arn: str
    version: str
    document: dict[str, Any]

    @classmethod
    def of(cls, pipeline: Pipeline, role_arn: str) -> "Policy":
        """Read it; the role has no other."""
        iam, role = pipeline.client("iam"), role_arn.rpartition("/")[2]
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
        (attached,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        return cls(iam, arn, version, found["Document"])

    @property
    def actions(self) -> list[str]:
        """Every action of every statement."""
        return [action for statement in self.document["Statement"] for action in _actions(statement)]

    @contextlib.contextmanager
    def without(self, action: str) -> Iterator[None]:
        """Take one action away for a while."""
        rest = (
            {**one, "Action": [name for name in _actions(one) if name != action]} for one in self.document["Statement"]
        )
        document = {**self.document, "Statement": [one for one in rest if one["Action"]]}
        made = self.iam.create_policy_version(
            PolicyArn=self.arn, PolicyDocument=json.dumps(document), SetAsDefault=True
        )["PolicyVersion"]
        try:
            yield
        finally:
            self.iam.set_default_policy_version(PolicyArn=self.arn, VersionId=self.version)
            self.iam.delete_policy_version(PolicyArn=self.arn, VersionId=made["VersionId"])


def _actions(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


SYMPTOMS = {
    "s3:GetObject": (IMAGE, "(AccessDenied) when calling the GetObject operation"),
    # Whether an object is gone is not told to whoever may not list.
    "s3:ListBucket": (MISSING, "(AccessDenied) when calling the GetObject operation"),
    "s3:PutObject": (IMAGE, "(AccessDenied) when calling the PutObject operation"),
    "sqs:SendMessage": (NO_IMAGE, "(403) when calling the SendMessage operation"),
}
"""Without each of these actions, which upload's event fails, and how."""

LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
"""Actions without which all goes well, unseen."""

SOURCE, DESTINATION, QUEUE = {"Bucket": "$source"}, {"Bucket": "$destination"}, {"QueueUrl": "$queue"}
ITS_IMAGE, ITS_OUTPUT = {**SOURCE, "Key": IMAGE}, {**DESTINATION, "Key": "iam/resized-image.jpg"}
A_FOLDER = "iam/nothing/"

NEIGHBOURS: list[tuple[str, str, dict[str, Any]]] = [
    # Of the source: all but reading and listing what is there now.
    ("s3", "put_object", {**SOURCE, "Key": A_FOLDER}),
    ("s3", "delete_object", {**SOURCE, "Key": A_FOLDER}),
    ("s3", "delete_objects", {**SOURCE, "Delete": {"Objects": [{"Key": A_FOLDER}]}}),
    ("s3", "get_object", {**ITS_IMAGE, "VersionId": "null"}),
    ("s3", "list_object_versions", SOURCE),
    ("s3", "restore_object", ITS_IMAGE),
    ("s3", "get_object_acl", ITS_IMAGE),
    ("s3", "get_object_tagging", ITS_IMAGE),
    ("s3", "put_object_tagging", {**ITS_IMAGE, "Tagging": {"TagSet": []}}),
    ("s3", "get_bucket_policy", SOURCE),
    ("s3", "get_bucket_notification_configuration", SOURCE),
    ("s3", "delete_bucket", SOURCE),
    # Of the destination: all but writing.
    ("s3", "get_object", ITS_OUTPUT),
    ("s3", "head_object", ITS_OUTPUT),
    ("s3", "get_object_tagging", ITS_OUTPUT),
    ("s3", "put_object_acl", {**ITS_OUTPUT, "ACL": "private"}),
    ("s3", "delete_object", {**DESTINATION, "Key": A_FOLDER}),
    ("s3", "delete_objects", {**DESTINATION, "Delete": {"Objects": [{"Key": A_FOLDER}]}}),
    ("s3", "list_objects_v2", DESTINATION),
    ("s3", "list_object_versions", DESTINATION),
    ("s3", "get_bucket_policy", DESTINATION),
    # Other buckets, whose names begin alike.
    ("s3", "get_object", {"Bucket": "$source-2", "Key": IMAGE}),
    ("s3", "head_object", {"Bucket": "$source-2", "Key": IMAGE}),
    ("s3", "list_objects_v2", {"Bucket": "$source-2"}),
    ("s3", "put_object", {"Bucket": "$destination-2", "Key": IMAGE}),
    ("s3", "list_buckets", {}),
    ("s3", "create_bucket", {**SOURCE, "CreateBucketConfiguration": {"LocationConstraint": "$region"}}),
    # Of its queue: all but sending; and another.
    ("sqs", "receive_message", {**QUEUE, "VisibilityTimeout": 0}),
    ("sqs", "delete_message", {**QUEUE, "ReceiptHandle": "x"}),
    ("sqs", "get_queue_attributes", QUEUE),
    ("sqs", "send_message", {"QueueUrl": "$queue-2", "MessageBody": "x"}),
    ("sqs", "list_queues", {}),
    # Of its log: all but writing.
    ("logs", "filter_log_events", {"logGroupName": "$log"}),
    ("logs", "delete_log_stream", {"logGroupName": "$log", "logStreamName": "x"}),
    ("logs", "create_log_group", {"logGroupName": "$log"}),
    ("logs", "describe_log_groups", {}),
    # Itself.
    ("lambda", "invoke", {"FunctionName": "$function"}),
    ("lambda", "get_function", {"FunctionName": "$function"}),
    ("lambda", "list_functions", {}),
    # Roles.
    ("iam", "list_roles", {}),
    ("iam", "get_role", {"RoleName": "$role"}),
    ("iam", "attach_role_policy", {"RoleName": "$role", "PolicyArn": "arn:aws:iam::123456789012:policy/missing"}),
    ("sts", "assume_role", {"RoleArn": "$role_arn", "RoleSessionName": "probe"}),
    ("sts", "assume_role", {"RoleArn": "$role_arn-2", "RoleSessionName": "probe"}),
    # Other services.
    ("sns", "list_topics", {}),
    ("kms", "list_keys", {}),
    ("dynamodb", "list_tables", {}),
    ("secretsmanager", "list_secrets", {}),
    ("events", "list_rules", {}),
]
"""What is near to what it may do: service, call and arguments, in which ``$`` stands before what is deployed.

None does harm where it is allowed: it is about what is not there, or changes nothing.
"""


def is_logged(pipeline: Pipeline, log_group: str) -> bool:
    """Whether what a new environment of the role writes arrives in a log."""

    def count() -> int:
        return sum(event["message"].startswith("PROBED") for event in log_events(log))

    log = replace(pipeline.stack, log_group=log_group)
    # By another name, for under the same an environment might serve on, and its stream be there.
    before, probe = count(), Probe(pipeline, f"probe-{uuid.uuid4()}", log_group)
    assert probe("sts", "get_caller_identity") == "allowed"
    probe.remove()
    return count() > before


@pytest.fixture(scope="module")
def ready(pipeline: Pipeline) -> Pipeline:
    """The pipeline, with an image and what is none."""
    pipeline.upload(IMAGE, encode(picture()))
    pipeline.upload(NO_IMAGE, b"a text file")
    pipeline.output(IMAGE)
    pipeline.failure(NO_IMAGE)
    return pipeline


@pytest.fixture(scope="module")
def policy(pipeline: Pipeline) -> Policy:
    return Policy.of(pipeline, pipeline.role_arn)


@pytest.fixture(scope="module")
def probe(ready: Pipeline) -> Iterator[Probe]:
    made = Probe(ready, "probe", ready.stack.log_group)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def names(pipeline: Pipeline) -> dict[str, str]:
    """What is deployed."""
    stack, role = pipeline.stack, pipeline.role_arn
    return {
        "source": stack.source_bucket,
        "destination": stack.destination_bucket,
        "queue": stack.failure_queue_url,
        "log": stack.log_group,
        "function": stack.function_name,
        "role": role.rpartition("/")[2],
        "role_arn": role,
        "region": stack.aws.region,
    }


@pytest.fixture(scope="module")
def neighbours(pipeline: Pipeline, names: dict[str, str]) -> Iterator[None]:
    """Others beside what is deployed, whose names begin alike."""
    s3, sqs, logs, iam = (pipeline.client(service) for service in ("s3", "sqs", "logs", "iam"))
    buckets = [f"{names['source']}-2", f"{names['destination']}-2"]
    for bucket in buckets:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": names["region"]})
        s3.put_object(Bucket=bucket, Key=IMAGE, Body=encode(picture()))
    url = sqs.create_queue(QueueName=f"{names['queue'].rpartition('/')[2]}-2")["QueueUrl"]
    logs.create_log_group(logGroupName=f"{names['log']}-2")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    trusts_all = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=f"{names['role']}-2", AssumeRolePolicyDocument=trusts_all)
    yield
    for bucket in buckets:
        s3.delete_object(Bucket=bucket, Key=IMAGE)
        s3.delete_bucket(Bucket=bucket)
    sqs.delete_queue(QueueUrl=url)
    logs.delete_log_group(logGroupName=f"{names['log']}-2")
    iam.delete_role(RoleName=f"{names['role']}-2")


def test_only_its_owner_may_read_the_administrators_key(pipeline: Pipeline) -> None:
    assert pipeline.stack.aws.secret_access_key in local_stack.STACK_FILE.read_text()
    assert stat.S_IMODE(local_stack.STACK_FILE.stat().st_mode) == 0o600


def test_it_is_known_what_every_permission_is_for(policy: Policy) -> None:
    assert sorted(policy.actions) == sorted([*SYMPTOMS, *LOGGING]), "a new action: tell above what fails without it"


@pytest.mark.parametrize("action", SYMPTOMS)
def test_without_an_action_what_needs_it_fails(ready: Pipeline, policy: Policy, action: str) -> None:
    key, symptom = SYMPTOMS[action]
    with policy.without(action):
        assert symptom in ready.send(ready.notification(key))["errorMessage"]
    assert "outcomes" in ready.send(ready.notification(key))
    if key == NO_IMAGE:
        ready.failure(key)


def test_what_may_not_be_read_is_in_the_failure_queue_after_all_attempts(ready: Pipeline, policy: Policy) -> None:
    with policy.without("s3:GetObject"):
        ready.send_asynchronously(ready.notification(IMAGE))
        record = ready.failure(IMAGE)
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert "AccessDenied" in record["responsePayload"]["errorMessage"]


def test_what_may_not_be_sent_is_not_in_the_failure_queue(ready: Pipeline, policy: Policy) -> None:
    def refused() -> int:
        # Lambda's own record, which the same role sends.
        return stacks.SERVER_LOG.read_text().count(" cannot send the record of a failed event to ")

    before = refused()
    with policy.without("sqs:SendMessage"):
        ready.send_asynchronously(ready.notification(NO_IMAGE))
        awaited(lambda: refused() > before or None, "line about a record that could not be sent")
    assert NO_IMAGE not in [json.loads(record["Body"]).get("key") for record in ready.failures()]


@pytest.mark.parametrize("action", LOGGING)
def test_without_an_action_nothing_is_logged(ready: Pipeline, policy: Policy, action: str) -> None:
    assert is_logged(ready, ready.stack.log_group)
    with policy.without(action):
        assert not is_logged(ready, ready.stack.log_group)


def test_what_it_may_do_it_may(ready: Pipeline, probe: Probe) -> None:
    source, destination = ready.stack.source_bucket, ready.stack.destination_bucket
    assert probe("s3", "get_object", Bucket=source, Key=IMAGE) == "allowed"
    assert probe("s3", "get_object", Bucket=source, Key=MISSING) == "NoSuchKey"
    assert probe("s3", "list_objects_v2", Bucket=source) == "allowed"
    assert probe("s3", "put_object", Bucket=destination, Key="written-by-probe.jpg") == "allowed"
    sent = {"QueueUrl": ready.stack.failure_queue_url, "MessageBody": '{"key": "from-probe"}'}
    assert probe("sqs", "send_message", **sent) == "allowed"
    ready.failure("from-probe")


@pytest.mark.usefixtures("neighbours")
@pytest.mark.parametrize(("service", "call", "arguments"), NEIGHBOURS)
def test_what_is_near_to_that_it_may_not(
    probe: Probe, names: dict[str, str], service: str, call: str, arguments: dict[str, Any]
) -> None:
    filled = json.loads(Template(json.dumps(arguments)).substitute(names))
    assert probe(service, call, **filled) in DENIED


@pytest.mark.usefixtures("neighbours")
def test_the_log_of_another_it_may_not_write(ready: Pipeline) -> None:
    assert not is_logged(ready, f"{ready.stack.log_group}-2")


@pytest.mark.usefixtures("neighbours")
def test_an_image_of_another_bucket_is_not_taken_for_its_own(ready: Pipeline) -> None:
    ready.remove_outputs(IMAGE)
    reply = ready.send(ready.notification(IMAGE, bucket=f"{ready.stack.source_bucket}-2"))
    # S3 is not even asked.
    assert f"about the bucket '{ready.stack.source_bucket}-2', but" in reply["errorMessage"]
    assert "iam/resized-image.jpg" not in ready.keys(ready.stack.destination_bucket)
