"""Invoking the function: its replies are parsed, and keys are read only when they can be sent."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto.core.botocore_stubber import MockRawResponse

from tools.common.errors import ToolError
from tools.operations import send as sending
from tools.operations.deployment import Deployment
from tools.operations.function import Function, Reply, Sent, invocation_client

ARN = "arn:aws:lambda:eu-west-2:123456789012:function:images"
OTHERWISE = Reply(error="an event of a queue or a job, whose reply has no statuses")


@pytest.fixture
def invoked(deployment: Deployment) -> Iterator[tuple[Function, Stubber]]:
    """The function, and a stubber for Lambda's responses."""
    client = deployment.client("lambda", None)
    with Stubber(client) as stubber:
        yield Function(replace(deployment, client=lambda *_: client)), stubber
        stubber.assert_no_pending_responses()


def payload(reply: object) -> dict[str, Any]:
    body = json.dumps(reply).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body))}


def test_a_key_is_sent_without_an_encoding(invoked: tuple[Function, Stubber]) -> None:
    function, stubber = invoked
    key = 'a/b+c%20 "é".jpg'
    event = {"source": "aws.s3", "detail": {"bucket": {"name": "uploads"}, "object": {"key": key}}}
    reply = payload({"outcomes": [{"status": "written", "key": key}]})
    stubber.add_response("invoke", reply, {"FunctionName": ARN, "Payload": json.dumps(event)})
    assert function.process(key) == Reply(("written",))


@pytest.mark.parametrize(
    ("response", "reply"),
    [
        (payload({"outcomes": [{"status": "written"}, {"status": "rejected"}]}), Reply(("written", "rejected"))),
        (payload({"outcomes": []}), Reply()),
        (payload({"errorMessage": "1 of 1 failed"}) | {"FunctionError": "Unhandled"}, Reply(error="1 of 1 failed")),
        (payload({"errorType": "Killed"}) | {"FunctionError": "Unhandled"}, Reply(error="{'errorType': 'Killed'}")),
        (payload({"batchItemFailures": []}), OTHERWISE),
        (payload({"results": [{"resultCode": "Succeeded"}]}), OTHERWISE),
    ],
)
def test_a_reply_has_statuses_or_an_error(
    invoked: tuple[Function, Stubber], response: dict[str, Any], reply: Reply
) -> None:
    function, stubber = invoked
    stubber.add_response("invoke", response)
    assert function.invoke({}) == reply


def test_throttling_is_a_reply_and_other_errors_are_raised(invoked: tuple[Function, Stubber]) -> None:
    function, stubber = invoked
    stubber.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    assert function.invoke({}) == Reply(error="throttled: the function's concurrency limit is reached")
    stubber.add_client_error("invoke", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        function.invoke({})


def test_a_throttled_invocation_is_tried_eight_times(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    headers: Any = {"x-amzn-errortype": "TooManyRequestsException"}
    throttle = Mock(return_value=AWSResponse("", 429, headers, MockRawResponse(b"")))

    def client(service: str, config: Config | None) -> Any:
        made = deployment.client(service, config)
        made.meta.events.register_first("before-send.lambda.Invoke", throttle)
        return made

    reply = Function(replace(deployment, client=client)).invoke({})
    assert (reply.error, throttle.call_count) == ("throttled: the function's concurrency limit is reached", 8)


@pytest.mark.parametrize(
    ("lost", "error"),
    [
        (ReadTimeoutError(endpoint_url="https://lambda"), "no reply within the function's timeout"),
        (
            ConnectionClosedError(endpoint_url="https://lambda"),
            'no reply: Connection was closed before we received a valid response from endpoint URL: "https://lambda".',
        ),
    ],
)
def test_an_event_whose_reply_is_lost_is_not_sent_again(
    deployment: Deployment, lost: HTTPClientError, error: str
) -> None:
    send = Mock(side_effect=lost)

    def client(service: str, config: Config | None) -> Any:
        made = deployment.client(service, config)
        made.meta.events.register_first("before-send.lambda.Invoke", send)
        return made

    elsewhere = replace(deployment, client=client)
    assert Function(elsewhere).invoke({}) == Reply(error=error)
    assert send.call_count == 1
    with pytest.raises((ToolError, ConnectionClosedError)):
        sending.send(elsewhere, b"{}")
    assert send.call_count == 2


def test_an_answer_has_the_reply_and_the_end_of_the_log(invoked: tuple[Function, Stubber]) -> None:
    function, stubber = invoked
    event = sending.read_event(sending.find_event("put"), function.deployment.settings)
    log = base64.b64encode("START\nfête\n".encode()).decode()
    response = payload({"errorMessage": "é"}) | {"FunctionError": "Unhandled", "LogResult": log}
    stubber.add_response("invoke", response, {"FunctionName": ARN, "Payload": event, "LogType": "Tail"})
    answer = sending.send(function.deployment, event)
    assert (answer.failed, answer.log, answer.reply) == (True, "START\nfête\n", '{\n  "errorMessage": "é"\n}')


def test_a_client_waits_as_long_as_the_function_may_run(deployment: Deployment) -> None:
    slow = replace(deployment, settings=replace(deployment.settings, timeout_seconds=900))
    assert invocation_client(slow).meta.config.read_timeout > 900


def test_keys_are_read_only_when_they_can_be_sent(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    answered: list[str] = []
    together = threading.Barrier(2, timeout=60)

    def keys() -> Iterator[str]:
        for number in range(20):
            read.append(str(number))
            yield read[-1]

    def process(_: Function, key: str) -> Reply:
        together.wait()
        # One more key is read ahead.
        assert len(read) <= len(answered) + 3
        together.wait()
        answered.append(key)
        return Reply(error="no") if key == "7" else Reply(("written",))

    monkeypatch.setattr(Function, "process", process)
    told: list[None] = []
    sent = Sent()
    Function(deployment, 2).process_all(keys(), sent, lambda: told.append(None))
    assert (sent.statuses, sent.failed, len(told)) == ({"written": 19}, {"7": "no"}, 20)


def test_a_refused_invocation_ends_the_batch(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def deny(_: Function, key: str) -> Reply:
        looked.append(key)
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "Invoke")

    monkeypatch.setattr(Function, "process", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        Function(deployment, 2).process_all(map(str, range(1000)), Sent(), lambda: None)
    assert len(looked) <= 3
