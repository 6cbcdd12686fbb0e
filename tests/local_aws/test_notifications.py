"""S3's notifications: their content, order and permissions."""

import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.conftest import ECHO, Account, await_answer
from tools.local.aws import local_aws, stop


def events(account: Account, function: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait for a number of events in the function's log."""
    return [event["Records"][0] for event in account.events(function, count)]


def test_an_upload_has_the_event_of_s3(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    put = account.client("s3").put_object(Bucket=bucket, Key="a/b c+d%é.jpg", Body=b"12345")
    (record,) = events(account, function)
    assert record["eventVersion"] == "2.1"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    described = record["s3"]["object"]
    assert described["key"] == "a/b+c%2Bd%25%C3%A9.jpg"
    assert (described["size"], described["versionId"]) == (5, put["VersionId"])
    assert int(described["sequencer"], 16)
    assert {"userIdentity", "requestParameters", "responseElements"} <= record.keys()


def test_a_multipart_upload_has_one_event(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    account.client("s3").upload_fileobj(io.BytesIO(bytes(20 << 20)), bucket, "large")
    account.client("s3").put_object(Bucket=bucket, Key="after")
    names = [(one["s3"]["object"]["key"], one["eventName"]) for one in events(account, function, 2)]
    assert sorted(names) == [("after", "ObjectCreated:Put"), ("large", "ObjectCreated:CompleteMultipartUpload")]


def test_without_permission_an_event_is_dropped_and_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with local_aws(keep=log) as aws:
        account = Account(aws)
        function = account.function(ECHO)
        unpermitted = [account.bucket(function), account.bucket(function)]
        for bucket in unpermitted:
            account.client("lambda").remove_permission(FunctionName=function, StatementId=bucket)
            account.client("s3").put_object(Bucket=bucket, Key="refused")
        permitted = [account.bucket(function), account.bucket(function, SourceArn="arn:aws:s3:::buck*")]
        for bucket in permitted:
            account.client("s3").put_object(Bucket=bucket, Key="told")
        assert {record["s3"]["bucket"]["name"] for record in events(account, function, 2)} == set(permitted)
    stop(aws.pid)
    for bucket in unpermitted:
        assert f"arn:aws:s3:::{bucket} may not invoke" in log.read_text()


@pytest.mark.parametrize(
    "permission",
    [
        {"permit": False},
        {"SourceArn": "arn:aws:s3:::another"},
        {"SourceAccount": "210987654321"},
        {"Principal": "sns.amazonaws.com"},
        {"Action": "lambda:GetFunction"},
    ],
)
def test_a_notification_needs_permission_when_it_is_configured(account: Account, permission: dict[str, Any]) -> None:
    function = account.function(ECHO)
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations") as refused:
        account.bucket(function, **permission)
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def configure(account: Account, bucket: str, *configurations: dict[str, Any], **others: list[dict[str, Any]]) -> None:
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": list(configurations), **others}
    )


def make_configuration(
    account: Account, function: str, *, events: str = "s3:ObjectCreated:*", **ends: str
) -> dict[str, Any]:
    arn = account.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
    rules = [{"Name": name, "Value": value} for name, value in ends.items()]
    return {"LambdaFunctionArn": arn, "Events": [events]} | (
        {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    )


def test_filters_are_form_encoded_literal_and_case_sensitive(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    one = make_configuration(account, function, prefix="a+b/%C3%A9%3D", suffix=".jpg")
    other = make_configuration(account, function, prefix="c/")
    configure(account, bucket, one, other)
    for key in ("a b/é=1.jpg", "a+b/%C3%A9%3D1.jpg", "a b/é=1.JPG", "a b/1.jpg", "c/any", "C/any"):
        account.client("s3").put_object(Bucket=bucket, Key=key)
    notified = {unquote_plus(record["s3"]["object"]["key"]) for record in events(account, function, 2)}
    assert notified == {"a b/é=1.jpg", "c/any"}


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        ({"prefix": "a/"}, {"prefix": "a/b/", "suffix": ".jpg"}, True),
        ({"suffix": ".jpg"}, {"prefix": "a/", "suffix": "x.jpg"}, True),
        ({"prefix": "a/", "suffix": ".jpg"}, {"prefix": "a/", "suffix": ".png"}, False),
        ({"prefix": "a/"}, {"prefix": "b/"}, False),
        ({"events": "s3:ObjectCreated:Put"}, {"prefix": "a/"}, True),
        ({"events": "s3:ObjectRemoved:*"}, {"prefix": "a/"}, False),
    ],
)
def test_overlapping_configurations_are_rejected(
    account: Account, one: dict[str, str], other: dict[str, str], refused: bool
) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    both = (make_configuration(account, function, **one), make_configuration(account, function, **other))
    if refused:
        with pytest.raises(ClientError, match="cannot share a common event type"):
            configure(account, bucket, *both)
    else:
        configure(account, bucket, *both)
    found = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    assert len(found["LambdaFunctionConfigurations"]) == (1 if refused else 2)


DELETIONS = ["s3:ObjectCreated:Copy", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]


def describe_events(account: Account, function: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Wait for a number of events; return their names and objects, without the sequencer."""
    found = []
    for record in events(account, function, count):
        about = record["s3"]["object"]
        assert int(about.pop("sequencer"), 16)
        found.append((record["eventName"], about))
    return sorted(found, key=str)


@pytest.mark.parametrize("in_batch", [False, True])
def test_deletions_have_events(account: Account, in_batch: bool) -> None:
    function = account.function(ECHO)
    buckets = account.bucket(function), account.bucket(function, versioned=False)
    s3 = account.client("s3")
    markers = []
    for bucket in buckets:
        configure(account, bucket, {**make_configuration(account, function, prefix="a/"), "Events": DELETIONS})
        for key in ("a/1", "a/2", "b/1"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
        if in_batch:
            batch = [{"Key": key} for key in ("a/1", "a/2", "b/1")]
            deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch})["Deleted"]
            markers += [one.get("DeleteMarkerVersionId") for one in deleted]
        else:
            markers += [s3.delete_object(Bucket=bucket, Key=key).get("VersionId") for key in ("a/1", "a/2", "b/1")]
    of_nothing = {"eTag": "d41d8cd98f00b204e9800998ecf8427e"}
    assert describe_events(account, function, 4) == [
        ("ObjectRemoved:Delete", {"key": "a/1"}),
        ("ObjectRemoved:Delete", {"key": "a/2"}),
        ("ObjectRemoved:DeleteMarkerCreated", {"key": "a/1", "versionId": markers[0], **of_nothing}),
        ("ObjectRemoved:DeleteMarkerCreated", {"key": "a/2", "versionId": markers[1], **of_nothing}),
    ]


def test_permanent_deletions_of_versions_and_markers_have_events(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    configure(account, bucket, make_configuration(account, function, events="s3:ObjectRemoved:Delete"))
    s3 = account.client("s3")
    versions = [s3.put_object(Bucket=bucket, Key="a")["VersionId"] for _ in range(2)]
    versions.append(s3.delete_object(Bucket=bucket, Key="a")["VersionId"])
    # The marker is deleted last, as when Terraform empties a bucket.
    batch = [{"Key": "a", "VersionId": version} for version in (*versions, "missing")]
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": batch})
    found = describe_events(account, function, 3)
    assert [name for name, _ in found] == ["ObjectRemoved:Delete"] * 3
    assert {about["versionId"] for _, about in found} == set(versions)
    s3.delete_bucket(Bucket=bucket)


def test_a_configuration_keeps_its_order(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    # Terraform compares the order.
    made = {**make_configuration(account, function, prefix="a/", suffix=".jpg"), "Id": "x", "Events": DELETIONS}
    configure(account, bucket, made)
    found = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    assert found["LambdaFunctionConfigurations"] == [made]


def test_a_configuration_may_have_queues_and_functions(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    url, arn = account.queue("s3.amazonaws.com")
    both = (make_configuration(account, function, prefix="a/"), make_configuration(account, function, prefix="b/"))
    queue = {**make_configuration(account, function, prefix="c+d/"), "QueueArn": arn}
    del queue["LambdaFunctionArn"]
    configure(account, bucket, *both, QueueConfigurations=[queue])
    for key in ("a/1", "b/1", "c d/1", "c+d/1"):
        account.client("s3").put_object(Bucket=bucket, Key=key)
    assert account.message(url)["Event"] == "s3:TestEvent"
    assert account.message(url)["Records"][0]["s3"]["object"]["key"] == "c+d/1"
    assert {record["s3"]["object"]["key"] for record in events(account, function, 2)} == {"a/1", "b/1"}
    found = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    assert (len(found["LambdaFunctionConfigurations"]), len(found["QueueConfigurations"])) == (2, 1)


def test_a_rejected_configuration_sends_no_test_event(account: Account) -> None:
    function = account.function(ECHO)
    bucket = account.bucket(function)
    url, arn = account.queue("s3.amazonaws.com")
    queue = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    with pytest.raises(ClientError, match="cannot share a common event type"):
        configure(account, bucket, make_configuration(account, function), QueueConfigurations=[queue])
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=url)


METADATA = """
import boto3, json
from urllib.parse import unquote_plus
def handler(event, context):
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", []):
            key = unquote_plus(record["s3"]["object"]["key"])
            print("FOUND", boto3.client("s3").head_object(Bucket=record["s3"]["bucket"]["name"], Key=key)["Metadata"])
"""


def test_a_queue_gets_its_event_after_the_upload(account: Account) -> None:
    bucket = account.bucket()
    arn = account.queue("s3.amazonaws.com")[1]
    read = {"Action": ["s3:GetObject", "sqs:*"], "Resource": "*"}
    function = account.function(METADATA, allow=[read])
    account.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn, BatchSize=1)
    configure(account, bucket, QueueConfigurations=[{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}])
    account.client("s3").put_object(Bucket=bucket, Key="a", Metadata={"said": "before"})
    found = await_answer(lambda: [line for line in account.log(function) if line.startswith("FOUND")] or None)
    assert found == ["FOUND {'said': 'before'}"]


def test_a_queue_must_allow_s3_when_it_is_configured(account: Account) -> None:
    bucket = account.bucket()
    closed, open_to_others = account.queue()[1], account.queue("sns.amazonaws.com")[1]
    for arn in (closed, open_to_others, f"{closed}-that-is-not-there"):
        queue = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
            account.client("s3").put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]}
            )
