"""EventBridge: its events of S3, matching rules, targets and dead-letter queues."""

import io
import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from tests.local_aws.conftest import ECHO, Account
from tools.local.aws.policy import Service, permits


@dataclass(frozen=True)
class Rule:
    """A bucket, a rule for its objects, and the rule's function and dead-letter queue."""

    account: Account
    bucket: str
    name: str
    function: str
    dead_letters: str

    def put(self, *keys: str) -> None:
        for key in keys:
            self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=b"12345")

    def events(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for a number of events in the function's log."""
        return self.account.events(self.function, count)

    def keys(self, count: int) -> set[str]:
        return {event["detail"]["object"]["key"] for event in self.events(count)}


def rule(
    account: Account,
    *,
    key: list[dict[str, str]] | None = None,
    detail_types: tuple[str, ...] = ("Object Created",),
    principal: str = "events.amazonaws.com",
    sender: str = "events.amazonaws.com",
) -> Rule:
    """Make a rule with its bucket, function and queue."""
    name = account.unique("rule")
    function, bucket = account.function(ECHO), account.bucket()
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern: dict[str, Any] = {
        "source": ["aws.s3"],
        "detail-type": list(detail_types),
        "detail": {"bucket": {"name": [bucket]}} | ({"object": {"key": key}} if key else {}),
    }
    events = account.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    url, queue_arn = account.queue()
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": sender},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    account.client("lambda").add_permission(
        FunctionName=function, StatementId="rule", Action="lambda:InvokeFunction", Principal=principal, SourceArn=arn
    )
    function_arn = account.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
    target = {"Id": "function", "Arn": function_arn, "DeadLetterConfig": {"Arn": queue_arn}}
    events.put_targets(Rule=name, Targets=[target])
    return Rule(account, bucket, name, function, url)


def test_an_upload_has_the_event_of_eventbridge(account: Account) -> None:
    made = rule(account)
    put = account.client("s3").put_object(Bucket=made.bucket, Key="a/b c+d%é.jpg", Body=b"12345")
    (event,) = made.events()
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == [f"arn:aws:s3:::{made.bucket}"]
    detail = event["detail"]
    assert (detail["bucket"]["name"], detail["reason"]) == (made.bucket, "PutObject")
    assert detail["object"] == {
        "key": "a/b c+d%é.jpg",
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
        "sequencer": detail["object"]["sequencer"],
    }


def test_event_ids_are_unique(account: Account) -> None:
    made = rule(account)
    made.put("a", "b")
    assert len({uuid.UUID(event["id"]) for event in made.events(2)}) == 2


def test_a_multipart_upload_and_a_copy_have_one_event_each(account: Account) -> None:
    made = rule(account)
    s3 = account.client("s3")
    s3.upload_fileobj(io.BytesIO(bytes(20 << 20)), made.bucket, "large")
    s3.copy_object(Bucket=made.bucket, Key="copy", CopySource={"Bucket": made.bucket, "Key": "large"})
    reasons = sorted(event["detail"]["reason"] for event in made.events(2))
    assert reasons == ["CompleteMultipartUpload", "CopyObject"]


def test_a_deletion_has_an_event(account: Account) -> None:
    made = rule(account, detail_types=("Object Deleted",))
    made.put("a")
    account.client("s3").delete_object(Bucket=made.bucket, Key="a")
    (event,) = made.events()
    assert event["detail"]["deletion-type"] == "Delete Marker Created"
    assert event["detail"]["object"].keys() == {"key", "etag", "version-id", "sequencer"}


def test_a_restore_has_one_event(account: Account) -> None:
    made = rule(account, detail_types=("Object Restore Completed", "Object Deleted"))
    s3 = account.client("s3")
    put = s3.put_object(Bucket=made.bucket, Key="a", Body=b"12345", StorageClass="GLACIER")
    restore = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    s3.restore_object(Bucket=made.bucket, Key="a", RestoreRequest=restore)
    assert s3.get_object(Bucket=made.bucket, Key="a")["Body"].read() == b"12345"
    # A second event of the restore would come before this one.
    s3.delete_object(Bucket=made.bucket, Key="a")
    found = {event["detail-type"]: event["detail"]["object"] for event in made.events(2)}
    assert found.keys() == {"Object Restore Completed", "Object Deleted"}
    assert found["Object Restore Completed"]["version-id"] == put["VersionId"]


def test_a_rule_may_match_creations_and_deletions(account: Account) -> None:
    made = rule(account, detail_types=("Object Created", "Object Deleted"))
    s3 = account.client("s3")
    made.put("a", "b")
    s3.delete_object(Bucket=made.bucket, Key="a")
    s3.delete_objects(Bucket=made.bucket, Delete={"Objects": [{"Key": "b"}]})
    version = s3.list_object_versions(Bucket=made.bucket, Prefix="a")["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=made.bucket, Key="a", VersionId=version)
    found = [(event["detail-type"], event["detail"]) for event in made.events(5)]
    assert sorted((kind, about["object"]["key"], about.get("deletion-type", "")) for kind, about in found) == [
        ("Object Created", "a", ""),
        ("Object Created", "b", ""),
        ("Object Deleted", "a", "Delete Marker Created"),
        ("Object Deleted", "a", "Permanently Deleted"),
        ("Object Deleted", "b", "Delete Marker Created"),
    ]
    (gone,) = [about["object"] for _, about in found if about.get("deletion-type") == "Permanently Deleted"]
    assert gone.keys() == {"key", "version-id", "sequencer"}


def test_patterns_match_both_ends_with_escapes(account: Account) -> None:
    made = rule(account, key=[{"prefix": "a/"}, {"suffix": ".png"}, {"wildcard": "b\\\\*c/*.jpg"}])
    made.put("no.jpg", "b/1.jpg", "b\\xc/1.jpg", "b\\xc/1.JPG", "a/1", "1.png")
    assert made.keys(3) == {"b\\xc/1.jpg", "a/1", "1.png"}


def test_disabled_rules_and_buckets_send_nothing(account: Account) -> None:
    made = rule(account)
    events, s3 = account.client("events"), account.client("s3")
    events.disable_rule(Name=made.name)
    made.put("disabled")
    events.enable_rule(Name=made.name)
    s3.put_bucket_notification_configuration(Bucket=made.bucket, NotificationConfiguration={})
    made.put("silent")
    s3.put_bucket_notification_configuration(
        Bucket=made.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=made.bucket)
    made.put("told")
    assert made.keys(1) == {"told"}


@pytest.mark.parametrize("how", ["another principal", "no function"])
def test_undeliverable_events_go_to_the_dead_letter_queue(account: Account, how: str) -> None:
    made = rule(account, principal="sns.amazonaws.com" if how == "another principal" else "events.amazonaws.com")
    if how == "no function":
        account.client("lambda").delete_function(FunctionName=made.function)
    made.put("lost")
    received = account.client("sqs").receive_message(QueueUrl=made.dead_letters, MessageAttributeNames=["All"])
    (message,) = received["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "lost"
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert message["MessageAttributes"]["RULE_ARN"]["StringValue"].endswith(f"rule/{made.name}")


def test_a_dead_letter_queue_must_allow_eventbridge(account: Account) -> None:
    made = rule(account, principal="sns.amazonaws.com", sender="sns.amazonaws.com")
    made.put("lost")
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=made.dead_letters)


@pytest.mark.parametrize("let_in", [True, False])
def test_a_target_may_be_a_queue_that_allows_the_rule(account: Account, let_in: bool) -> None:
    made = rule(account)
    url, arn = account.queue()
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "SQS:*", "Resource": arn}
    if let_in:
        policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
        account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    dead_letters = account.client("sqs").get_queue_attributes(QueueUrl=made.dead_letters, AttributeNames=["QueueArn"])
    target = {"Id": "queue", "Arn": arn, "DeadLetterConfig": {"Arn": dead_letters["Attributes"]["QueueArn"]}}
    account.client("events").put_targets(Rule=made.name, Targets=[target])
    made.put("a")
    assert account.message(url if let_in else made.dead_letters)["detail"]["object"]["key"] == "a"


def test_an_unsupported_target_does_not_stop_others(account: Account) -> None:
    made = rule(account)
    topic = account.client("sns").create_topic(Name=account.unique("topic"))["TopicArn"]
    account.client("events").remove_targets(Rule=made.name, Ids=["function"])
    function = account.client("lambda").get_function_configuration(FunctionName=made.function)["FunctionArn"]
    targets = [{"Id": "topic", "Arn": topic}, {"Id": "function", "Arn": function}]
    account.client("events").put_targets(Rule=made.name, Targets=targets)
    made.put("a")
    assert made.keys(1) == {"a"}


def test_a_target_keeps_its_settings(account: Account) -> None:
    made = rule(account)
    events = account.client("events")
    (target,) = events.list_targets_by_rule(Rule=made.name)["Targets"]
    target["RetryPolicy"] = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 120}
    events.put_targets(Rule=made.name, Targets=[target])
    assert events.list_targets_by_rule(Rule=made.name)["Targets"] == [target]
    assert target["DeadLetterConfig"]["Arn"].endswith(made.dead_letters.rpartition("/")[2])


@pytest.mark.parametrize(
    ("statements", "result"),
    [
        ([{"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}], True),
        ([{"Principal": "*"}], True),
        ([{"Principal": {"AWS": "*"}}], True),
        ([{"Principal": {"AWS": "123456789012"}}], False),
        ([{"Principal": "*", "Action": "SQS:sendmessage"}], True),
        ([{"Principal": "*", "Action": "sqs:ReceiveMessage"}], False),
        ([{"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:rule/*"}}}], True),
        ([{"Principal": "*", "Condition": {"StringEquals": {"aws:SourceArn": "arn:rule/*"}}}], False),
        ([{"Principal": "*", "Condition": {"StringEquals": {"aws:SourceAccount": ["1", "2"]}}}], True),
        ([{"Principal": "*"}, {"Principal": "*", "Effect": "Deny"}], False),
        ([{"Principal": "*", "Resource": "arn:queue/*"}], True),
        ([{"Principal": "*", "Resource": "arn:queue/other"}], False),
        (
            [
                {"Principal": "*"},
                {"Principal": "*", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            ],
            True,
        ),
        ([], False),
    ],
)
def test_a_resource_policy_is_evaluated_as_aws_does(statements: list[dict[str, Any]], result: bool) -> None:
    usual = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:queue/q"}
    policy = [usual | statement for statement in statements]
    rule = Service("events.amazonaws.com", "arn:rule/x", "1")
    assert permits(policy, rule, "sqs:SendMessage", "arn:queue/q") is result


def test_a_rule_with_a_schedule_and_no_pattern_matches_no_event(account: Account) -> None:
    made = rule(account)
    url, arn = account.queue("events.amazonaws.com")
    scheduled = account.unique("scheduled")
    account.client("events").put_rule(Name=scheduled, ScheduleExpression="rate(1 hour)")
    account.client("events").put_targets(Rule=scheduled, Targets=[{"Id": "queue", "Arn": arn}])
    made.put("told")
    assert made.keys(1) == {"told"}
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=url)
