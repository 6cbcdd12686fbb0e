"""Functions behave as on AWS: replies, errors, limits, retries and logs."""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.faults import Fault, await_held, inject, release
from tests.local_aws.conftest import LOGS, PATIENCE, TRUST, Account, await_answer
from tools.local.aws import asynchronous, local_aws
from tools.local.aws.asynchronous import AsynchronousQueue, EventInvokeConfig
from tools.local.aws.environment import FunctionSpec
from tools.local.aws.pool import Pool

ECHO = """
def handler(event, context):
    print("seen", event)
    return {"event": event, "memory": context.memory_limit_in_mb}
"""

FAIL = "def handler(event, context):\n    raise ValueError(event)\n"


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
        ("return 7_000_000 * 'x'", {}, {"errorType": "Function.ResponseSizeTooLarge"}),
    ],
    ids=["raises", "takes too long", "takes too much memory", "aborts", "exits", "says too much"],
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


def test_an_event_that_is_not_json_is_rejected(account: Account) -> None:
    name = account.function(ECHO)
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        account.client("lambda").invoke(FunctionName=name, Payload=b"{no", InvocationType="Event")


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 << 20), ("Event", 1 << 20)])
def test_an_event_that_is_too_large_is_rejected(account: Account, kind: str, limit: int) -> None:
    name = account.function("def handler(event, context):\n    return len(event)\n")
    # JSON adds quotation marks.
    account.invoke(name, "x" * (limit - 2), InvocationType=kind)
    with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
        account.invoke(name, "x" * (limit - 1), InvocationType=kind)


def test_a_functions_environment_has_4_kb(account: Account) -> None:
    def variables(size: int) -> dict[str, Any]:
        return {"Variables": {"key": "é" * (size // 2 - 5)}}

    name = account.function(ECHO, Environment=variables(4096))
    with pytest.raises(ClientError, match="exceeded the 4KB limit"):
        account.function(ECHO, Environment=variables(4098))
    with pytest.raises(ClientError, match="exceeded the 4KB limit"):
        account.client("lambda").update_function_configuration(FunctionName=name, Environment=variables(4098))


def test_the_last_lines_of_a_dying_function_are_logged(account: Account) -> None:
    words = "'line\\n' * 20_000 + 'last (rapid) words'"
    name = account.function(f"import os\ndef handler(event, context):\n    print({words})\n    os.abort()\n")
    account.invoke(name)
    log = account.log(name)
    assert log[0].startswith("START RequestId: ")
    assert log[-3] == "last (rapid) words"
    assert log[-2].startswith("END RequestId: ")
    assert log[-1].startswith("REPORT RequestId: ")


def test_log_lines_have_their_own_times(account: Account) -> None:
    name = account.function(
        "import time\ndef handler(event, context):\n    print('one')\n    time.sleep(0.2)\n    print('two')\n"
    )
    account.invoke(name)
    events = account.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    at = {event["message"]: event["timestamp"] for event in events}
    # The first line may be read late. Read together, both would have the same time.
    assert at["two"] - at["one"] >= 100


def test_killing_one_function_leaves_others_running(account: Account) -> None:
    bucket = account.bucket()
    greedy = account.function("def handler(event, context):\n    return len(bytearray(400 << 20))\n")
    neighbour = account.function(
        "import boto3, os\n"
        "def handler(event, context):\n"
        f"    boto3.client('s3').list_objects_v2(Bucket='{bucket}')\n"
        "    return os.getpid()\n",
        allow=[{"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}],
    )
    before = account.invoke(neighbour)["Reply"]
    hold = inject(account.aws, Fault("GET", bucket, hold=True))
    replies: list[int] = []
    thread = threading.Thread(target=lambda: replies.append(account.invoke(neighbour)["Reply"]))
    thread.start()
    await_held(account.aws, hold)
    assert "signal: killed" in account.invoke(greedy)["Reply"]["errorMessage"]
    release(account.aws, hold)
    thread.join()
    assert replies == [before]


def test_a_timeout_says_how_long(account: Account) -> None:
    name = account.function("import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1)
    assert account.invoke(name)["Reply"]["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_a_function_has_only_its_own_environment_variables(account: Account) -> None:
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    name = account.function(code, Environment={"Variables": {"COLOUR": "blue"}})
    seen = account.invoke(name)["Reply"]
    assert seen["COLOUR"] == "blue"
    assert (seen["AWS_LAMBDA_FUNCTION_NAME"], seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == (name, "256")
    assert seen["AWS_ACCESS_KEY_ID"] != account.aws.access_key_id
    assert not {"HOME", "VIRTUAL_ENV", "PYTHONPATH"} & seen.keys()


def test_the_next_invocation_has_changed_code_and_settings(account: Account) -> None:
    name = account.function("import os\ndef handler(event, context):\n    return os.environ.get('COLOUR')\n")
    assert account.invoke(name)["Reply"] is None
    account.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "red"}}
    )
    assert account.invoke(name)["Reply"] == "red"


def test_pillow_must_be_in_the_zip(account: Account) -> None:
    answer = account.invoke(account.function("import PIL\ndef handler(event, context):\n    pass\n"))
    assert "No module named 'PIL'" in answer["Reply"]["errorMessage"]


@pytest.fixture
def both_busy(account: Account) -> Iterator[Callable[[], None]]:
    """Fills the concurrency with two invocations, which end when the returned function is called."""
    bucket = account.bucket()
    name = account.function(
        f"import boto3\ndef handler(event, context):\n    boto3.client('s3').list_objects_v2(Bucket='{bucket}')\n",
        allow=[{"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}],
    )
    holds = [inject(account.aws, Fault("GET", bucket, hold=True)) for _ in range(2)]
    threads = [threading.Thread(target=account.invoke, args=(name,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for hold in holds:
        await_held(account.aws, hold)

    def end() -> None:
        for hold in holds:
            release(account.aws, hold)
        for thread in threads:
            thread.join()

    yield end
    end()


def test_invocations_above_the_concurrency_are_throttled(account: Account, both_busy: Callable[[], None]) -> None:
    name = account.function(ECHO)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(name)
    both_busy()
    account.invoke(name)


def test_events_wait_for_a_slot(account: Account, both_busy: Callable[[], None]) -> None:
    name = account.function(ECHO)
    for number in range(5):
        account.invoke(name, number, InvocationType="Event")
    assert account.log(name) == []
    both_busy()
    await_answer(lambda: True if {f"seen {number}" for number in range(5)} <= set(account.log(name)) else None)


def reserve(account: Account, name: str, number: int) -> None:
    account.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=number)


def test_a_reserved_concurrency_of_0_stops_a_function(account: Account) -> None:
    url, arn = account.queue()
    name = account.function(ECHO, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
    account.on_failure(name, arn)
    reserve(account, name, 0)
    found = account.client("lambda").get_function(FunctionName=name)
    assert found["Concurrency"]["ReservedConcurrentExecutions"] == 0
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(name)
    account.invoke(name, "stopped", InvocationType="Event")
    record = account.message(url)
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("ZeroReservedConcurrency", "stopped")
    assert (record["requestContext"]["approximateInvokeCount"], "responsePayload" in record) == (0, False)
    account.client("lambda").delete_function_concurrency(FunctionName=name)
    account.invoke(name, "again", InvocationType="Event")
    await_answer(lambda: True if "seen again" in account.log(name) else None)
    assert "seen stopped" not in account.log(name)


@pytest.fixture
def held(account: Account) -> Iterator[tuple[str, Callable[[], None]]]:
    """A function with its reserved concurrency of 1 in use, and a callable that frees it."""
    bucket = account.bucket()
    call = f"    boto3.client('s3').list_objects_v2(Bucket='{bucket}')"
    queue = {"Action": "sqs:SendMessage", "Resource": "*"}
    name = account.function(
        f"import boto3\ndef handler(event, context):\n{call}\n    print('seen', event)\n",
        allow=[{"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}, queue],
    )
    reserve(account, name, 1)
    hold = inject(account.aws, Fault("GET", bucket, hold=True))
    account.invoke(name, InvocationType="Event")
    await_held(account.aws, hold)
    yield name, lambda: release(account.aws, hold)
    release(account.aws, hold)


def test_events_above_the_reserved_concurrency_wait_without_delaying_others(
    account: Account, held: tuple[str, Callable[[], None]]
) -> None:
    name, go_on = held
    other = account.function(ECHO)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(name)
    # More events than there are workers.
    for number in range(5):
        account.invoke(name, number, InvocationType="Event")
    account.invoke(other, "free", InvocationType="Event")
    await_answer(lambda: True if "seen free" in account.log(other) else None)
    assert "seen 0" not in account.log(name)
    go_on()
    await_answer(lambda: True if {f"seen {number}" for number in range(5)} <= set(account.log(name)) else None)


def test_a_throttled_event_that_gets_too_old_has_a_record(
    account: Account, held: tuple[str, Callable[[], None]]
) -> None:
    url, arn = account.queue()
    account.on_failure(held[0], arn, MaximumEventAgeInSeconds=1)
    account.invoke(held[0], "old", InvocationType="Event")
    record = account.message(url)
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("EventAgeExceeded", "old")
    assert "responsePayload" not in record


def test_an_event_can_be_throttled_until_it_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asynchronous, "LONGEST_THROTTLE_SECONDS", 1e-6)
    busy = FunctionSpec("arn", "$LATEST", "name", Path(), "handler", 128, 3, "role", "group", (), reserved=1)
    # Half an hour of throttling, and then the event is too old.
    usual, over = EventInvokeConfig(on_failure="queue"), EventInvokeConfig(max_age=0, on_failure="queue")
    configs = itertools.chain(itertools.repeat(usual, 2000), [over])
    unused: Any = None
    records: SimpleQueue[str] = SimpleQueue()
    pool = Pool(1, unused, unused, unused, unused)
    pool._running["arn"] = 1
    queue = AsynchronousQueue(
        pool, 1, (), lambda _: (busy, next(configs)), lambda *arguments: records.put(arguments[2])
    )
    queue.accept("arn", b"{}")
    try:
        assert "EventAgeExceeded" in records.get(timeout=PATIENCE)
    finally:
        queue.close()
        queue.join()


def test_an_asynchronous_event_has_three_attempts_and_then_a_record(account: Account) -> None:
    url, arn = account.queue()
    name = account.function(FAIL, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
    account.on_failure(name, arn)
    assert account.invoke(name, "lost", InvocationType="Event")["StatusCode"] == 202
    record = account.message(url)
    assert record["version"] == "1.0"
    assert record["requestPayload"] == "lost"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert len([line for line in account.log(name) if line.startswith("START")]) == 3


def test_retries_can_be_turned_off(account: Account) -> None:
    url, arn = account.queue()
    name = account.function(FAIL, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
    account.on_failure(name, arn, MaximumRetryAttempts=2)
    account.on_failure(name, arn, MaximumRetryAttempts=0)
    account.invoke(name, "once", InvocationType="Event")
    assert account.message(url)["requestContext"]["approximateInvokeCount"] == 1


def test_an_event_that_would_be_too_old_is_not_retried() -> None:
    with local_aws(retry_delays=(100,)) as aws:
        account = Account(aws)
        url, arn = account.queue()
        name = account.function(FAIL, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
        account.on_failure(name, arn, MaximumEventAgeInSeconds=60)
        account.invoke(name, "old", InvocationType="Event")
        record = account.message(url)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_an_event_that_waits_too_long_is_never_tried(account: Account, both_busy: Callable[[], None]) -> None:
    url, arn = account.queue()
    name = account.function(ECHO, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
    # Lambda's own minimum is a minute.
    account.on_failure(name, arn, MaximumEventAgeInSeconds=1)
    account.invoke(name, "late", InvocationType="Event")
    record = account.message(url)
    both_busy()
    assert record["requestPayload"] == "late"
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in record
    assert account.log(name) == []


def test_a_record_needs_a_permission_of_the_role_and_a_queue(account: Account) -> None:
    url, arn = account.queue()
    forbidden = account.function(FAIL)
    nowhere = account.function(FAIL, allow=[{"Action": "sqs:SendMessage", "Resource": "*"}])
    permitted = account.function(FAIL, allow=[{"Action": "sqs:SendMessage", "Resource": arn}])
    account.on_failure(forbidden, arn, MaximumRetryAttempts=0)
    account.on_failure(nowhere, f"{arn}-that-is-gone", MaximumRetryAttempts=0)
    account.on_failure(permitted, arn, MaximumRetryAttempts=0)
    for name in (forbidden, nowhere, forbidden, nowhere, permitted):
        account.invoke(name, name, InvocationType="Event")
    assert account.message(url)["requestPayload"] == permitted


@pytest.mark.parametrize(
    ("statements", "kept"),
    [
        ([{}], True),
        ([{"Resource": "{group}:log-stream:*"}], True),
        ([{"Resource": "{group}"}], False),
        ([{"Resource": "{group}-other:*"}], False),
        ([{"Action": "logs:PutLogEvents"}], False),
        ([{"Action": "logs:CreateLogStream"}], False),
        ([{}, {"Effect": "Deny", "Action": "logs:PutLogEvents"}], False),
        ([], False),
    ],
)
def test_a_log_needs_permissions_that_the_function_does_not(
    account: Account, statements: list[dict[str, str]], kept: bool
) -> None:
    name = account.function(ECHO, logs=False)
    group = f"arn:aws:logs:eu-west-2:123456789012:log-group:/aws/lambda/{name}"
    usual = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "{group}:*"}
    policy = [usual | statement for statement in statements]
    if policy:
        account.allow(name, *[{**one, "Resource": str(one["Resource"]).format(group=group)} for one in policy])
    answer = account.invoke(name, "x", LogType="Tail")
    assert answer["Reply"]["event"] == "x"
    assert "seen x" in base64.b64decode(answer["LogResult"]).decode()
    assert ("seen x" in account.log(name)) is kept


def test_a_log_ends_with_the_role_and_its_policy(account: Account) -> None:
    name = account.function(ECHO, logs=False)
    iam = account.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **LOGS}]})
    arn = iam.create_policy(PolicyName=account.unique("policy"), PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    account.invoke(name, "attached")
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    account.invoke(name, "detached")
    iam.delete_role(RoleName=name)
    # A running environment keeps its credentials.
    assert account.invoke(name, "deleted")["Reply"]["event"] == "deleted"
    assert [line for line in account.log(name) if line.startswith("seen")] == ["seen attached"]


def test_a_log_needs_to_be_within_the_permissions_boundary(account: Account) -> None:
    name = account.function(ECHO)
    iam = account.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    made = iam.create_policy(PolicyName=account.unique("bound"), PolicyDocument=json.dumps(document))
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=made["Policy"]["Arn"])
    account.invoke(name)
    assert account.log(name) == []
    iam.delete_role_permissions_boundary(RoleName=name)
    account.invoke(name)
    assert account.log(name)


def test_a_deleted_log_group_is_not_created_again(account: Account) -> None:
    name = account.function(ECHO)
    account.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")
    account.invoke(name)
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")
    assert groups["logGroups"] == []


@pytest.mark.parametrize(
    "statement",
    [{"Principal": {"Service": "ec2.amazonaws.com"}}, {"Effect": "Deny"}, {"Action": "sts:TagSession"}],
    ids=["another service", "denied", "another action"],
)
def test_a_role_must_trust_lambda(account: Account, statement: dict[str, Any]) -> None:
    name = account.function(ECHO)
    account.client("iam").update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{**TRUST, **statement}]})
    )
    answer = account.invoke(name)
    assert answer["Reply"]["errorType"] == "AccessDeniedException"
    assert "may not assume" in answer["Reply"]["errorMessage"]
