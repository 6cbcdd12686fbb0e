"""Least privilege: the function needs each of its role's permissions, and the role has no others."""

import contextlib
import json
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tools.accept.access import (
    DENIED_REQUESTS,
    IMAGE,
    Probe,
    create_similar_resources,
    find_names,
    is_denied,
    open_probe,
)
from tools.accept.pipeline import wait_for
from tools.common import local_stack
from tools.local import stack as stacks

NO_IMAGE, MISSING = "iam/no-image.jpg", "iam/missing.jpg"


@dataclass(frozen=True)
class Policy:
    """The deployed policy of a role."""

    iam: Any
    arn: str
    version: str
    document: dict[str, Any]

    @classmethod
    def read(cls, pipeline: Pipeline, role_arn: str) -> "Policy":
        """Return the role's only policy."""
        iam, role = pipeline.client("iam"), role_arn.rpartition("/")[2]
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
        (attached,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        return cls(iam, arn, version, document)

    @property
    def actions(self) -> list[str]:
        """The actions of all statements."""
        return [action for statement in self.document["Statement"] for action in _get_actions(statement)]

    @contextlib.contextmanager
    def without(self, action: str) -> Iterator[None]:
        """Remove an action from the policy, and put it back at the end."""
        reduced = (
            {**statement, "Action": [name for name in _get_actions(statement) if name != action]}
            for statement in self.document["Statement"]
        )
        document = {**self.document, "Statement": [statement for statement in reduced if statement["Action"]]}
        temporary = self.iam.create_policy_version(
            PolicyArn=self.arn, PolicyDocument=json.dumps(document), SetAsDefault=True
        )["PolicyVersion"]
        try:
            yield
        finally:
            self.iam.set_default_policy_version(PolicyArn=self.arn, VersionId=self.version)
            self.iam.delete_policy_version(PolicyArn=self.arn, VersionId=temporary["VersionId"])


def _get_actions(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


SYMPTOMS = {
    "s3:GetObject": (IMAGE, "(AccessDenied) when calling the GetObject operation"),
    # Without s3:ListBucket, S3 answers 403 for a missing key.
    "s3:ListBucket": (MISSING, "(AccessDenied) when calling the GetObject operation"),
    "s3:PutObject": (IMAGE, "(AccessDenied) when calling the PutObject operation"),
    "sqs:SendMessage": (NO_IMAGE, "(403) when calling the SendMessage operation"),
}
"""For each action, the upload whose event fails without it, and the error."""

LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
"""Actions without which events succeed, but nothing is logged."""


def can_log(pipeline: Pipeline, log_group: str) -> bool:
    """Return whether a new function with the role can write to a log group."""

    def count_lines() -> int:
        return sum(event["message"].startswith("PROBED") for event in log.log_events())

    log = replace(pipeline.stack, log_group=log_group)
    # A function of the same name could reuse an environment whose log stream already exists.
    before, probe = count_lines(), Probe(pipeline, f"probe-{uuid.uuid4()}", log_group)
    assert probe.request("sts", "get_caller_identity") == "allowed"
    probe.delete()
    return count_lines() > before


@pytest.fixture(scope="module")
def uploaded(pipeline: Pipeline) -> Pipeline:
    """The pipeline, after an image and a text file were uploaded and processed."""
    pipeline.upload(IMAGE, encode(picture()))
    pipeline.upload(NO_IMAGE, b"a text file")
    pipeline.wait_for_output(IMAGE)
    pipeline.take_record(NO_IMAGE)
    return pipeline


@pytest.fixture(scope="module")
def policy(pipeline: Pipeline) -> Policy:
    return Policy.read(pipeline, pipeline.role_arn)


@pytest.fixture(scope="module")
def probe(uploaded: Pipeline) -> Iterator[Probe]:
    with open_probe(uploaded, uploaded.stack.log_group) as probe:
        yield probe


@pytest.fixture(scope="module")
def similar(pipeline: Pipeline) -> Iterator[None]:
    with create_similar_resources(pipeline):
        yield


def test_only_the_owner_can_read_the_file_with_the_administrators_key(pipeline: Pipeline) -> None:
    assert pipeline.stack.aws.secret_access_key in local_stack.STACK_FILE.read_text()
    assert stat.S_IMODE(local_stack.STACK_FILE.stat().st_mode) == 0o600


def test_every_permission_has_a_test_without_it(policy: Policy) -> None:
    assert sorted(policy.actions) == sorted([*SYMPTOMS, *LOGGING]), "Add each new action to SYMPTOMS or LOGGING"


@pytest.mark.parametrize("action", SYMPTOMS)
def test_an_event_fails_without_a_permission(uploaded: Pipeline, policy: Policy, action: str) -> None:
    key, symptom = SYMPTOMS[action]
    with policy.without(action):
        assert symptom in uploaded.send(uploaded.make_notification(key))["errorMessage"]
    assert "outcomes" in uploaded.send(uploaded.make_notification(key))
    if key == NO_IMAGE:
        uploaded.take_record(key)


def test_an_upload_that_the_function_may_not_read_is_recorded_after_three_attempts(
    uploaded: Pipeline, policy: Policy
) -> None:
    with policy.without("s3:GetObject"):
        uploaded.send_asynchronously(uploaded.make_notification(IMAGE))
        record = uploaded.take_record(IMAGE)
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert "AccessDenied" in record["responsePayload"]["errorMessage"]


def test_nothing_is_recorded_without_permission_to_send(uploaded: Pipeline, policy: Policy) -> None:
    def count_refused() -> int:
        # Lambda also uses the role to send its own record of the failed event.
        return stacks.SERVER_LOG.read_text().count(" cannot send the record of a failed event to ")

    before = count_refused()
    with policy.without("sqs:SendMessage"):
        uploaded.send_asynchronously(uploaded.make_notification(NO_IMAGE))
        wait_for(lambda: count_refused() > before or None, "log line about a record that Lambda cannot send")
    assert NO_IMAGE not in [json.loads(record["Body"]).get("key") for record in uploaded.peek_records()]


@pytest.mark.parametrize("action", LOGGING)
def test_nothing_is_logged_without_a_permission(uploaded: Pipeline, policy: Policy, action: str) -> None:
    assert can_log(uploaded, uploaded.stack.log_group)
    with policy.without(action):
        assert not can_log(uploaded, uploaded.stack.log_group)


def test_the_role_may_do_what_the_function_needs(uploaded: Pipeline, probe: Probe) -> None:
    source, destination = uploaded.stack.source_bucket, uploaded.stack.destination_bucket
    assert probe.request("s3", "get_object", Bucket=source, Key=IMAGE) == "allowed"
    assert probe.request("s3", "get_object", Bucket=source, Key=MISSING) == "NoSuchKey"
    assert probe.request("s3", "list_objects_v2", Bucket=source) == "allowed"
    assert probe.request("s3", "put_object", Bucket=destination, Key="written-by-probe.jpg") == "allowed"
    message = {"QueueUrl": uploaded.stack.failure_queue_url, "MessageBody": '{"key": "from-probe"}'}
    assert probe.request("sqs", "send_message", **message) == "allowed"
    uploaded.take_record("from-probe")


@pytest.mark.usefixtures("similar")
@pytest.mark.parametrize(("service", "call", "arguments"), DENIED_REQUESTS)
def test_the_role_may_not_make_similar_requests(
    uploaded: Pipeline, probe: Probe, service: str, call: str, arguments: dict[str, Any]
) -> None:
    assert is_denied(probe, find_names(uploaded), service, call, arguments)


@pytest.mark.usefixtures("similar")
def test_the_role_may_not_write_to_another_log(uploaded: Pipeline) -> None:
    assert not can_log(uploaded, f"{uploaded.stack.log_group}-2")


@pytest.mark.usefixtures("similar")
def test_an_event_about_another_bucket_fails_before_a_request_to_s3(uploaded: Pipeline) -> None:
    uploaded.remove_outputs(IMAGE)
    reply = uploaded.send(uploaded.make_notification(IMAGE, bucket=f"{uploaded.stack.source_bucket}-2"))
    # The function's own error, not S3's.
    assert f"about the bucket '{uploaded.stack.source_bucket}-2', but" in reply["errorMessage"]
    assert "iam/resized-image.jpg" not in uploaded.list_keys(uploaded.stack.destination_bucket)
