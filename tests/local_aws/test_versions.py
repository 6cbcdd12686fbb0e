"""Versions and aliases behave as on AWS: each has its own code, settings, permissions and failure destination."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.conftest import ACCOUNT_ID, Account, await_answer, make_zip

SHOW = """
import os
def handler(event, context):
    print("ran", context.function_version)
    if event == "fail":
        raise ValueError(event)
    return [os.environ["COLOUR"], context.function_version, context.invoked_function_arn.rpartition(":")[2]]
"""

LIVE = {"Qualifier": "live"}

PERMISSION = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceAccount": ACCOUNT_ID}


def make_alias(account: Account, weights: dict[str, float] | None = None, **options: Any) -> str:
    """Make a function with the versions 1, red, and 2, blue, and an alias of version 1; return its name."""
    client = account.client("lambda")
    name = account.function(SHOW, Environment={"Variables": {"COLOUR": "red"}}, Publish=True, **options)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"COLOUR": "blue"}})
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    routing = {"AdditionalVersionWeights": weights} if weights else {}
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=routing)
    return name


def test_an_alias_runs_the_code_and_the_settings_of_its_version(account: Account) -> None:
    client, name = account.client("lambda"), make_alias(account)
    arn = client.get_alias(FunctionName=name, Name="live")["AliasArn"]
    code = make_zip("def handler(event, context):\n    return 'new code'\n")
    client.update_function_code(FunctionName=name, ZipFile=code)
    for options in ({"FunctionName": f"{name}:live"}, {"FunctionName": arn}, {"FunctionName": name} | LIVE):
        assert json.loads(client.invoke(**options)["Payload"].read()) == ["red", "1", "live"]
        assert client.get_function_configuration(**options)["FunctionArn"] == arn
    assert account.invoke(f"{name}:2")["Reply"] == ["blue", "2", "2"]
    assert account.invoke(name)["Reply"] == "new code"
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert account.invoke(f"{name}:live")["Reply"] == ["blue", "2", "live"]
    streams = account.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    versions = {one["logStreamName"].partition("[")[2].partition("]")[0] for one in streams}
    assert versions == {"1", "2", "$LATEST"}


@pytest.mark.parametrize(("weight", "colour"), [(0.0, "red"), (1.0, "blue")])
def test_weights_share_out_the_invocations(account: Account, weight: float, colour: str) -> None:
    name = make_alias(account, {"2": weight})
    assert {account.invoke(f"{name}:live")["Reply"][0] for _ in range(3)} == {colour}
    account.client("lambda").update_alias(FunctionName=name, Name="live", RoutingConfig={})
    assert account.invoke(f"{name}:live")["Reply"] == ["red", "1", "live"]


def notify(account: Account, bucket: str, arn: str) -> None:
    notification = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [notification]}
    )


def test_a_permission_is_for_one_alias_or_for_the_function(account: Account) -> None:
    client, name, bucket = account.client("lambda"), make_alias(account), account.bucket()
    arn = client.get_alias(FunctionName=name, Name="live")["AliasArn"]
    source = {"StatementId": "s3", "SourceArn": f"arn:aws:s3:::{bucket}", **PERMISSION}
    client.add_permission(FunctionName=name, **source)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_policy(FunctionName=name, Qualifier="1")
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        notify(account, bucket, arn)
    client.add_permission(FunctionName=name, Qualifier="live", **source)
    client.remove_permission(FunctionName=name, StatementId="s3")
    (statement,) = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert statement["Resource"] == arn
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_policy(FunctionName=name)
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        notify(account, bucket, arn.removesuffix(":live"))
    notify(account, bucket, arn)
    account.client("s3").put_object(Bucket=bucket, Key="key", Body=b"")
    await_answer(lambda: True if "ran 1" in account.log(name) else None)
    client.remove_permission(FunctionName=name, StatementId="s3", Qualifier="live")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_policy(FunctionName=name, Qualifier="live")


def test_a_failure_destination_is_for_one_alias_or_for_the_function(account: Account) -> None:
    client = account.client("lambda")
    (url, arn), (other_url, other_arn) = account.queue(), account.queue()
    name = make_alias(account, allow=[{"Action": "sqs:SendMessage", "Resource": [arn, other_arn]}])
    for qualifier, queue in (({}, other_arn), (LIVE, arn)):
        client.put_function_event_invoke_config(
            FunctionName=name,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": queue}},
            **qualifier,
        )
    account.invoke(f"{name}:live", "fail", InvocationType="Event")
    record = account.message(url)
    assert record["requestContext"]["functionArn"].endswith(f":{name}:live")
    assert record["responseContext"]["executedVersion"] == "1"
    account.invoke(name, "fail", InvocationType="Event")
    assert account.message(other_url)["requestContext"]["functionArn"].endswith(f":{name}:$LATEST")
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="live")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    found = client.get_function_event_invoke_config(FunctionName=name)
    assert found["DestinationConfig"]["OnFailure"]["Destination"] == other_arn


def test_versions_share_the_reserved_concurrency(account: Account) -> None:
    name = make_alias(account)
    account.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(f"{name}:live")


PROBE = """
import boto3
def handler(event, context):
    try:
        boto3.client("lambda").invoke(**event)
    except Exception as error:
        return type(error).__name__
    return "allowed"
"""


def test_a_role_that_may_invoke_a_function_may_not_invoke_its_alias(account: Account) -> None:
    name = make_alias(account)
    arn = account.client("lambda").get_alias(FunctionName=name, Name="live")["AliasArn"]
    qualified = ({"FunctionName": arn}, {"FunctionName": name} | LIVE, {"FunctionName": arn} | LIVE)
    for resource, function, alias in ((arn.removesuffix(":live"), True, False), (arn, False, True)):
        probe = account.function(PROBE, allow=[{"Action": "lambda:InvokeFunction", "Resource": resource}])
        answers = [account.invoke(probe, request)["Reply"] for request in ({"FunctionName": name}, *qualified)]
        assert [answer == "allowed" for answer in answers] == [function, alias, alias, alias]
