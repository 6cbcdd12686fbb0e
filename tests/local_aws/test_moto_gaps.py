"""What Terraform asks for, and moto by itself does not do."""

from urllib.parse import unquote_plus

import urllib3

from tests.local_aws.conftest import Account

KEYS = ["plain", "a b+c%d", "é/ü"]


def test_a_functions_logging_configuration_is_kept(account: Account) -> None:
    name = account.function("", LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere"})
    client = account.client("lambda")
    want = {"LogFormat": "JSON", "LogGroup": "/elsewhere"}
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"] == want
    client.update_function_configuration(FunctionName=name, MemorySize=512)
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"] == want
    client.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "Text"})
    assert client.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogFormat"] == "Text"


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
    # Of what is below the level there is no line.
    account.client("lambda").update_function_configuration(
        FunctionName=name, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere", "ApplicationLogLevel": "WARN"}
    )
    account.invoke(name)
    (event,) = logs.filter_log_events(logGroupName="/elsewhere", filterPattern="colour")["events"]
    assert '"colour": "blue"' in event["message"]
    assert account.log(name) == []


def test_versions_are_listed_with_encoded_keys_where_asked(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=KEYS[1])
    encoded = s3.list_object_versions(Bucket=bucket, EncodingType="url")
    assert sorted(unquote_plus(version["Key"]) for version in encoded["Versions"]) == sorted(KEYS)
    assert [marker["Key"] for marker in encoded["DeleteMarkers"]] == ["a+b%2Bc%25d"]
    assert s3.list_object_versions(Bucket=bucket, EncodingType="url", Prefix="a b+")["Prefix"] == "a+b%2B"
    # boto3 asks for it too, and decodes.
    assert sorted(version["Key"] for version in s3.list_object_versions(Bucket=bucket)["Versions"]) == sorted(KEYS)


def test_a_bucket_with_delete_markers_can_be_emptied(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key)
        s3.delete_object(Bucket=bucket, Key=key)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    listed = s3.list_object_versions(Bucket=bucket)
    for version in (*listed["Versions"], *listed["DeleteMarkers"]):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_what_the_administrator_signs_in_advance_is_his(account: Account) -> None:
    bucket = account.bucket()
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key="x", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
    assert urllib3.request("GET", url).data == b"content"
