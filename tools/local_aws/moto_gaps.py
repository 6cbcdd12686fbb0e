"""What moto 5.2.5 does otherwise than AWS, bridged in process; each with what would go wrong without it."""

import itertools
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote_plus

import moto.awslambda.models
import moto.s3.models
import moto.s3.notifications
import moto.s3.responses

from tools.local_aws.faults import Application, Environ, StartResponse
from tools.local_aws.policy import matches

# Any, for they are patched.
LambdaBackend: Any = moto.awslambda.models.LambdaBackend
LambdaFunction: Any = moto.awslambda.models.LambdaFunction
FakeDeleteMarker: Any = moto.s3.models.FakeDeleteMarker
S3Response: Any = moto.s3.responses.S3Response
notifications: Any = moto.s3.notifications

ENCODED = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}
"""What S3 encodes in a listing."""

Notify = Callable[[str, bytes], None]
"""Takes a function's ARN and an event for it."""

Invoke = Callable[[Any, bytes, str, dict[str, str]], bytes]
"""Takes a function, an event, the type of invocation and the response's headers; returns the reply."""


def run_functions(invoke: Invoke) -> None:
    """Let ``invoke`` run functions: moto's own way wants Docker."""

    def invoke_function(function: Any, body: Any, headers: Any, response_headers: dict[str, str]) -> bytes:
        payload = body.encode() if isinstance(body, str) else body
        return invoke(
            function, payload or b"{}", headers.get("X-Amz-Invocation-Type", "RequestResponse"), response_headers
        )

    LambdaFunction.invoke = invoke_function


class Notifications:
    """Collects the S3 notifications of a request, and dispatches them when it is answered.

    moto sends them in the middle of a PUT: the uploader would wait for the function, which would not yet find the
    object's metadata.

    Args:
        application: moto's.
        notify: Gets each function's ARN and its event.

    """

    def __init__(self, application: Application, notify: Notify) -> None:
        self._application = application
        self._notify = notify
        self._collected = threading.local()
        self._sequence = itertools.count(0x0055AED6DCD90281E5)
        self._install()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._collected.events = []
        answer = list(self._application(environ, start_response))
        for arn, event in self._collected.events:
            self._notify(arn, event)
        return answer

    def _install(self) -> None:
        send, describe = notifications.send_event, notifications._get_s3_event

        def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
            # moto sends a Put too for a multipart upload that is complete, so each would be resized twice.
            if key.multipart is None or event_name != notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT:
                send(account_id, event_name, bucket, key)

        def get_s3_event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
            event = describe(event_name, bucket, key, notification_id)
            self._complete(event["Records"][0], bucket, key)
            return event

        def invoke_awslambda(_account_id: str, event_body: Any, fn_arn: str, _region_name: str) -> None:
            self._collected.events.append((fn_arn, json.dumps(event_body).encode()))

        notifications.send_event = send_event
        notifications._get_s3_event = get_s3_event
        notifications._invoke_awslambda = invoke_awslambda

    def _complete(self, record: dict[str, Any], bucket: Any, key: Any) -> None:
        """Add what S3 says and moto does not."""
        record["userIdentity"] = {"principalId": "AWS:LOCAL"}
        record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
        record["responseElements"] = {"x-amz-request-id": "LOCAL", "x-amz-id-2": "LOCAL"}
        described = record["s3"]["object"]
        # S3 leaves slashes as they are.
        described["key"] = quote_plus(key.name, safe="/")
        described["sequencer"] = f"{next(self._sequence):018X}"
        if bucket.is_versioned:
            described["versionId"] = key.version_id


def may_invoke(function: Any, bucket_arn: str, account_id: str) -> bool:
    """Whether a function's policy lets S3 invoke it for a bucket; moto does not ask, and a missing permission hides."""
    for statement in function.policy.statements:
        condition = statement.get("Condition", {})
        source = condition.get("ArnLike", {}).get("AWS:SourceArn", "*")
        account = condition.get("StringEquals", {}).get("AWS:SourceAccount", account_id)
        if (
            statement["Effect"] == "Allow"
            and statement["Principal"] == {"Service": "s3.amazonaws.com"}
            and matches(statement["Action"], "lambda:InvokeFunction")
            and matches(source, bucket_arn)
            and account == account_id
        ):
            return True
    return False


def keep_function_settings() -> None:
    """Keep a function's logging configuration, and one event configuration: or a second plan would not be empty."""
    configure, describe = LambdaFunction.update_configuration, LambdaFunction.get_configuration
    create = LambdaFunction.__init__

    def init(function: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        create(function, account_id, spec, *args, **kwargs)
        function.logging_config = spec.get("LoggingConfig", {})

    def update_configuration(function: Any, updates: dict[str, Any]) -> Any:
        function.logging_config = updates.get("LoggingConfig", function.logging_config)
        return configure(function, updates)

    def get_configuration(function: Any, on_create: bool = False) -> Any:
        defaults = {"LogFormat": "Text", "LogGroup": function.logs_group_name}
        return {**describe(function, on_create), "LoggingConfig": {**defaults, **function.logging_config}}

    put = LambdaBackend.put_function_event_invoke_config

    def put_function_event_invoke_config(backend: Any, function_name: str, config: dict[str, Any]) -> Any:
        backend.get_function(function_name).event_invoke_config.clear()
        return put(backend, function_name, config)

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.get_configuration = get_configuration
    LambdaBackend.put_function_event_invoke_config = put_function_event_invoke_config


def list_versions_encoded() -> None:
    """Encode keys where the caller asks for it: Terraform would decode plain ones, and never empty a bucket."""
    list_versions = S3Response.list_object_versions

    def list_object_versions(response: Any) -> Any:
        if response.querystring.get("encoding-type", [None])[0] != "url":
            return list_versions(response)
        serialize = response.serialized

        def encoded(result: Any) -> Any:
            content = result.result
            content["EncodingType"] = "url"
            entries = (*content["Versions"], *content["DeleteMarkers"], *(content.get("CommonPrefixes") or []), content)
            for entry in entries:
                for name in ENCODED & entry.keys():
                    entry[name] = quote_plus(entry[name] or "", safe="/")
            return serialize(result)

        response.serialized = encoded
        return list_versions(response)

    S3Response.list_object_versions = list_object_versions


def dispose_of_delete_markers() -> None:
    """Let a bucket with delete markers be emptied; moto disposes of every version alike, and markers can't be."""
    FakeDeleteMarker.dispose = lambda _marker: None
