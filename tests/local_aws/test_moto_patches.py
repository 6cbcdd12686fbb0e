"""The patches of moto, except those of S3."""

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError
from moto.sqs.models import Message, Queue, sqs_backends

from tests.local_aws.conftest import Account, make_zip
from tools.local.aws import moto_patches


def test_a_functions_logging_configuration_is_kept(account: Account) -> None:
    name = account.function("", LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere"})
    client = account.client("lambda")
    want = {"LogFormat": "JSON", "LogGroup": "/elsewhere"}
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"] == want
    client.update_function_configuration(FunctionName=name, MemorySize=512)
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"] == want
    client.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "Text"})
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogFormat"] == "Text"


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("EphemeralStorage", [{"Size": 1024}, {"Size": 512}]),
        ("KMSKeyArn", ["arn:aws:kms:eu-west-2:123456789012:key/1", ""]),
        ("TracingConfig", [{"Mode": "Active"}, {"Mode": "PassThrough"}]),
    ],
)
def test_a_changed_setting_survives_other_changes(account: Account, setting: str, values: list[Any]) -> None:
    name = account.function("")
    client = account.client("lambda")
    for value in values:
        client.update_function_configuration(FunctionName=name, **{setting: value})
        client.update_function_configuration(FunctionName=name, MemorySize=512)
        assert client.get_function_configuration(FunctionName=name)[setting] == value


def test_code_can_be_a_version_of_an_object(account: Account) -> None:
    bucket = account.bucket()
    packages = [make_zip(f"def handler(event, context):\n    return {number}\n") for number in range(2)]
    put = account.client("s3").put_object
    versions = [put(Bucket=bucket, Key="x", Body=package)["VersionId"] for package in packages]
    older = {"S3Bucket": bucket, "S3Key": "x", "S3ObjectVersion": versions[0]}
    newer = {"S3Bucket": bucket, "S3Key": "x"}
    name = account.function(older)
    client = account.client("lambda")
    for number, code in ((0, older), (1, newer), (0, older), (1, newer)):
        client.update_function_code(FunctionName=name, **code)
        assert account.invoke(name)["Reply"] == number
        digest = base64.b64encode(hashlib.sha256(packages[number]).digest()).decode()
        assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == digest


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ({"S3Bucket": "missing"}, "NoSuchBucket"),
        ({"S3Key": "missing"}, "NoSuchKey"),
        ({"S3ObjectVersion": "missing"}, "NoSuchVersion"),
    ],
)
def test_missing_code_is_rejected(account: Account, missing: dict[str, str], reason: str) -> None:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="x", Body=make_zip(""))
    code = {"S3Bucket": bucket, "S3Key": "x", **missing}
    with pytest.raises(ClientError, match=rf"\(InvalidParameterValueException\).* {reason}"):
        account.function(code)
    name = account.function("def handler(event, context):\n    return 'as before'\n")
    with pytest.raises(ClientError, match=rf"\(InvalidParameterValueException\).* {reason}"):
        account.client("lambda").update_function_code(FunctionName=name, **code)
    assert account.invoke(name)["Reply"] == "as before"


def test_a_functions_processor_may_change_with_its_code(account: Account) -> None:
    name = account.function("")
    client = account.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=make_zip(""), Architectures=["arm64"])
    client.update_function_code(FunctionName=name, ZipFile=make_zip(""))
    assert client.get_function_configuration(FunctionName=name)["Architectures"] == ["arm64"]


def test_a_log_groups_key_may_change(account: Account) -> None:
    logs = account.client("logs")
    name = account.unique("group")
    logs.create_log_group(logGroupName=name, kmsKeyId="arn:aws:kms:eu-west-2:123456789012:key/1")

    def key() -> str | None:
        (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        found: str | None = group.get("kmsKeyId")
        return found

    logs.associate_kms_key(logGroupName=name, kmsKeyId="arn:aws:kms:eu-west-2:123456789012:key/2")
    assert key() == "arn:aws:kms:eu-west-2:123456789012:key/2"
    logs.disassociate_kms_key(logGroupName=name)
    assert key() is None
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.disassociate_kms_key(logGroupName="missing")


def test_a_log_group_keeps_its_class(account: Account) -> None:
    logs, prefix = account.client("logs"), account.unique("group")
    logs.create_log_group(logGroupName=f"{prefix}-1")
    logs.create_log_group(logGroupName=f"{prefix}-2", logGroupClass="INFREQUENT_ACCESS")
    groups = logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    assert [group["logGroupClass"] for group in groups] == ["STANDARD", "INFREQUENT_ACCESS"]


def test_a_functions_event_configuration_is_replaced(account: Account) -> None:
    name = account.function("")
    client = account.client("lambda")
    for retries in (2, 0):
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=retries)
    assert client.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"] == 0


def test_a_function_logs_as_json_into_the_group_that_is_configured(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="/elsewhere")
    name = account.function(
        "import logging\ndef handler(event, context):\n    logging.info('seen', extra={'colour': 'blue'})\n",
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere"},
    )
    account.invoke(name)
    # Lines below the level are not logged.
    account.client("lambda").update_function_configuration(
        FunctionName=name, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere", "ApplicationLogLevel": "WARN"}
    )
    account.invoke(name)
    (event,) = logs.filter_log_events(logGroupName="/elsewhere", filterPattern="colour")["events"]
    assert '"colour": "blue"' in event["message"]
    assert account.log(name) == []


def test_a_presigned_url_has_the_permissions_of_its_signer(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="x", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
    assert urllib3.request("GET", url).data == b"content"


def test_a_queue_keeps_its_policy_when_another_attribute_is_set(account: Account) -> None:
    url, arn = account.queue()
    deny = {"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "sqs:DeleteQueue", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    sqs = account.client("sqs")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (json.loads(found["Policy"]), found["VisibilityTimeout"]) == (policy, "60")


def test_concurrent_deletions_delete_both_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "delete_message", Queue.delete_message)
    moto_patches.serialize_message_deletions()
    queue: Any = sqs_backends["123456789012"]["eu-west-2"].create_queue("busy")
    messages: list[Any] = [Message(name, name) for name in ("first", "second")]
    for message in messages:
        queue.add_message(message)
        message.mark_received()
    first, second = (message.receipt_handle for message in messages)

    class Deleted(set[str]):
        """A set in which the second deletion starts while the first handle is added."""

        def update(self, *handles: Any) -> None:
            is_first = not self
            super().update(*handles)
            if is_first:
                # Unpatched, it ends at once; patched, it waits for the first.
                wait([pool.submit(queue.delete_message, second)], timeout=0.2)

    queue.deleted_messages = Deleted()
    with ThreadPoolExecutor() as pool:
        queue.delete_message(first)
    assert queue.messages == []


def test_a_distribution_keeps_its_access_control_and_gets_no_other_settings(account: Account) -> None:
    origin = {"Id": "images", "DomainName": "images.s3.eu-west-2.amazonaws.com", "OriginAccessControlId": "ABC"}
    behaviour = {"TargetOriginId": "images", "ViewerProtocolPolicy": "https-only", "CachePolicyId": "658327ea"}
    config = {
        "CallerReference": "one",
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
        "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
        "Comment": "",
        "Enabled": False,
    }
    client = account.client("cloudfront")
    made = client.create_distribution(DistributionConfig=config)
    kept = made["Distribution"]["DistributionConfig"]
    assert {name: kept[name] for name in config} == config
    client.delete_distribution(Id=made["Distribution"]["Id"], IfMatch=made["ETag"])


def test_an_alarm_that_is_set_off_sends_one_message_to_its_topic(account: Account) -> None:
    cloudwatch, sns = account.client("cloudwatch"), account.client("sns")
    url, arn = account.queue("sns.amazonaws.com")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    for name, enabled in (("muted", False), ("loud", True)):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            ActionsEnabled=enabled,
            AlarmActions=[topic],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="Errors",
            Namespace="AWS/Lambda",
            Period=60,
            Statistic="Sum",
            Threshold=1,
        )
        # The second request changes nothing; OK has no topic.
        for state in ("ALARM", "ALARM", "OK"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
    sent = json.loads(account.message(url)["Message"])
    assert (sent["AlarmName"], sent["NewStateValue"]) == ("loud", "ALARM")
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=url)
    assert cloudwatch.describe_alarms(AlarmNames=["loud"])["MetricAlarms"][0]["StateValue"] == "OK"
