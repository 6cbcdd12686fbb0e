"""Functions behave as on AWS: replies, errors, limits, retries, and what is logged."""

import base64
import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.conftest import TRUST, Account
from tools.local_aws.faults import Fault, await_held, inject, release

ECHO = """
def handler(event, context):
    print("seen", event)
    return {"event": event, "memory": context.memory_limit_in_mb}
"""


def test_a_reply_and_its_log(account: Account) -> None:
    name = account.function(ECHO)
    answer = account.invoke(name, {"x": 1}, LogType="Tail")
    assert answer["Reply"] == {"event": {"x": 1}, "memory": "256"}
    assert "FunctionError" not in answer
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert tail.startswith("START RequestId: ")
    assert "\nseen {'x': 1}\n" in tail
    assert "\nREPORT RequestId: " in tail
    assert "seen {'x': 1}" in account.log(name)


@pytest.mark.parametrize(
    ("code", "options", "error"),
    [
        ("raise ValueError('no')", {}, {"errorType": "ValueError", "errorMessage": "no"}),
        ("import time; time.sleep(60)", {"Timeout": 1}, {"errorType": "Sandbox.Timedout"}),
        ("return len(bytearray(400 << 20))", {}, {"errorType": "Runtime.ExitError"}),
        ("import os; os.abort()", {}, {"errorType": "Runtime.ExitError"}),
        ("import os; os._exit(3)", {}, {"errorType": "Runtime.ExitError"}),
    ],
    ids=["raises", "takes too long", "takes too much memory", "aborts", "exits"],
)
def test_a_function_that_fails_is_reported_and_replaced(
    account: Account, code: str, options: dict[str, Any], error: dict[str, str]
) -> None:
    name = account.function(
        f"def handler(event, context):\n    if event:\n        {code}\n    return 'well'\n", **options
    )
    assert account.invoke(name)["Reply"] == "well"
    answer = account.invoke(name, "fail")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Reply"].items() >= error.items()
    assert account.invoke(name)["Reply"] == "well"


def test_a_timeout_says_how_long(account: Account) -> None:
    name = account.function("import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1)
    assert account.invoke(name)["Reply"]["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_it_sees_its_own_environment_and_nothing_of_ours(account: Account) -> None:
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    name = account.function(code, Environment={"Variables": {"COLOUR": "blue"}})
    seen = account.invoke(name)["Reply"]
    assert seen["COLOUR"] == "blue"
    assert (seen["AWS_LAMBDA_FUNCTION_NAME"], seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == (name, "256")
    assert seen["AWS_ACCESS_KEY_ID"] != account.aws.access_key_id
    assert not {"HOME", "VIRTUAL_ENV", "PYTHONPATH"} & seen.keys()


def test_changed_code_and_settings_are_what_runs_next(account: Account) -> None:
    name = account.function("import os\ndef handler(event, context):\n    return os.environ.get('COLOUR')\n")
    assert account.invoke(name)["Reply"] is None
    account.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "red"}}
    )
    assert account.invoke(name)["Reply"] == "red"


def test_pillow_is_not_there_unless_the_zip_brings_it(account: Account) -> None:
    answer = account.invoke(account.function("import PIL\ndef handler(event, context):\n    pass\n"))
    assert "No module named 'PIL'" in answer["Reply"]["errorMessage"]


def test_more_than_run_at_a_time_are_turned_away(account: Account) -> None:
    bucket = account.bucket()
    allow = [{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]
    name = account.function(
        f"import boto3\ndef handler(event, context):\n    boto3.client('s3').get_object(Bucket='{bucket}', Key='x')\n",
        allow=allow,
    )
    account.client("s3").put_object(Bucket=bucket, Key="x")
    holds = [inject(account.aws, Fault("GET", bucket, hold=True)) for _ in range(2)]
    threads = [threading.Thread(target=account.invoke, args=(name,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for hold in holds:
        await_held(account.aws, hold)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(name)
    for hold in holds:
        release(account.aws, hold)
    for thread in threads:
        thread.join()
    account.invoke(name)


def test_an_asynchronous_event_is_tried_three_times_then_recorded(account: Account) -> None:
    name = account.function("def handler(event, context):\n    raise ValueError(event)\n")
    url, arn = account.queue()
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    assert account.invoke(name, "lost", InvocationType="Event")["StatusCode"] == 202
    record = account.message(url)
    assert record["version"] == "1.0"
    assert record["requestPayload"] == "lost"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert len([line for line in account.log(name) if line.startswith("START")]) == 3


def test_no_retries_where_none_are_wanted(account: Account) -> None:
    name = account.function("def handler(event, context):\n    raise ValueError(event)\n")
    url, arn = account.queue()
    config = {"FunctionName": name, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    account.client("lambda").put_function_event_invoke_config(**config, MaximumRetryAttempts=2)
    account.client("lambda").put_function_event_invoke_config(**config, MaximumRetryAttempts=0)
    account.invoke(name, "once", InvocationType="Event")
    assert account.message(url)["requestContext"]["approximateInvokeCount"] == 1


def test_a_log_group_that_is_gone_is_not_made_again(account: Account) -> None:
    name = account.function(ECHO)
    account.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")
    account.invoke(name)
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")
    assert groups["logGroups"] == []


def test_a_role_that_lambda_may_not_assume_does_not_run(account: Account) -> None:
    name = account.function(ECHO)
    trust = {**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}
    account.client("iam").update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    answer = account.invoke(name)
    assert answer["Reply"]["errorType"] == "AccessDeniedException"
    assert "may not assume" in answer["Reply"]["errorMessage"]
