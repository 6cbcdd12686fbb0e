"""Patches of moto 5.2.5 where it differs from AWS, except in S3; each says what would go wrong without it."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import moto.awslambda.models
import moto.cloudfront.models
import moto.cloudwatch.models
import moto.events.models
import moto.kms.responses
import moto.logs.models
import moto.logs.responses
import moto.s3.models
import moto.sqs.models
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.core.common_models import BaseModel as MotoModel
from moto.logs.exceptions import ResourceNotFoundException
from moto.s3.exceptions import MissingBucket
from moto.sns.models import sns_backends

# Any, because they are patched.
BaseModel: Any = MotoModel
CloudWatchBackend: Any = moto.cloudwatch.models.CloudWatchBackend
DistributionConfig: Any = moto.cloudfront.models.DistributionConfig
KmsResponse: Any = moto.kms.responses.KmsResponse
LambdaBackend: Any = moto.awslambda.models.LambdaBackend
LambdaFunction: Any = moto.awslambda.models.LambdaFunction
LogGroup: Any = moto.logs.models.LogGroup
LogsResponse: Any = moto.logs.responses.LogsResponse
Queue: Any = moto.sqs.models.Queue
Rule: Any = moto.events.models.Rule

ApplyRule = Callable[[Any, dict[str, Any]], None]
"""Takes a rule and an event."""

ENVIRONMENT_BYTES = 4096

Invoke = Callable[[Any, bytes, str, dict[str, str]], bytes]
"""Takes a function, an event, the type of invocation and the headers of the response; returns the reply."""


def free_deleted_objects() -> None:
    """Free deleted objects, messages and log groups. For its dashboard, moto keeps everything it ever made."""

    def new(cls: Any, *_args: Any, **_kwargs: Any) -> Any:
        return super(MotoModel, cls).__new__(cls)

    BaseModel.__new__ = new


def run_functions(invoke: Invoke) -> None:
    """Run functions with ``invoke``; moto would need Docker."""

    def invoke_function(function: Any, body: Any, headers: Any, response_headers: dict[str, str]) -> bytes:
        payload = body.encode() if isinstance(body, str) else body
        return invoke(
            function, payload or b"{}", headers.get("X-Amz-Invocation-Type", "RequestResponse"), response_headers
        )

    LambdaFunction.invoke = invoke_function


def keep_function_settings() -> None:
    """Keep the function settings that moto loses, most of them in updates. A second plan would set them again."""
    configure, describe = LambdaFunction.update_configuration, LambdaFunction.get_configuration
    create = LambdaFunction.__init__

    def init(function: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        create(function, account_id, spec, *args, **kwargs)
        function.logging_config = spec.get("LoggingConfig", {})

    def update_configuration(function: Any, updates: dict[str, Any]) -> Any:
        function.logging_config = updates.get("LoggingConfig", function.logging_config)
        function.kms_key_arn = updates.get("KMSKeyArn", function.kms_key_arn)
        function.tracing_config = updates.get("TracingConfig", function.tracing_config)
        function.ephemeral_storage = updates.get("EphemeralStorage", {}).get("Size", function.ephemeral_storage)
        return configure(function, updates)

    def get_configuration(function: Any, on_create: bool = False) -> Any:
        defaults = {"LogFormat": "Text", "LogGroup": function.logs_group_name}
        return {**describe(function, on_create), "LoggingConfig": {**defaults, **function.logging_config}}

    get_code = LambdaFunction.get_code

    def get_code_and_concurrency(function: Any) -> Any:
        found = get_code(function)
        # moto omits a reserved concurrency of 0, the kill switch.
        if function.reserved_concurrency == 0:
            found["Concurrency"] = {"ReservedConcurrentExecutions": 0}
        return found

    put = LambdaBackend.put_function_event_invoke_config

    def put_function_event_invoke_config(backend: Any, function_name: str, config: dict[str, Any]) -> Any:
        backend.get_function(function_name).event_invoke_config.clear()
        return put(backend, function_name, config)

    LambdaFunction.__init__ = init
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.get_configuration = get_configuration
    LambdaFunction.get_code = get_code_and_concurrency
    LambdaBackend.put_function_event_invoke_config = put_function_event_invoke_config


def limit_environments() -> None:
    """Reject environment variables of more than 4 KB, which moto accepts.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    create, update = LambdaBackend.create_function, LambdaBackend.update_function_configuration

    def check(settings: dict[str, Any]) -> None:
        variables = settings.get("Environment", {}).get("Variables", {})
        measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
        if len(measured.encode()) > ENVIRONMENT_BYTES:
            raise InvalidParameterValueException(
                "Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided exceeded the 4KB limit. String measured: {measured}"
            )

    def create_function(backend: Any, spec: dict[str, Any]) -> Any:
        check(spec)
        return create(backend, spec)

    def update_function_configuration(backend: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
        check(body)
        return update(backend, function_name, qualifier, body)

    LambdaBackend.create_function = create_function
    LambdaBackend.update_function_configuration = update_function_configuration


def load_code_from_s3() -> None:
    """Load a function's code from the requested version of an object, and reject an object that does not exist."""
    set_code = LambdaFunction._set_function_code

    def set_function_code(function: Any, spec: dict[str, Any]) -> None:
        function.architectures = spec.get("Architectures", function.architectures)
        if "S3Bucket" not in spec or spec.get("DryRun"):
            set_code(function, spec)
            return
        content = moto.awslambda.models._s3_content(_code_object(function, spec))
        function.code_bytes, function.code_size, function.code_sha_256, function.code_digest = content
        function.code.update({name: spec[name] for name in ("S3Bucket", "S3Key")})

    LambdaFunction._set_function_code = set_function_code


def _code_object(function: Any, spec: dict[str, Any]) -> Any:
    backend = moto.s3.models.s3_backends[function.account_id][function.partition]
    version = spec.get("S3ObjectVersion")
    try:
        found = backend.get_object(spec["S3Bucket"], spec["S3Key"], version)
        code = "NoSuchVersion" if version else "NoSuchKey"
    except MissingBucket:
        found, code = None, "NoSuchBucket"
    if found is None:
        raise InvalidParameterValueException(f"Error occurred while GetObject. S3 Error Code: {code}.")
    return found


def update_log_group_keys() -> None:
    """Let the key of a log group change; moto knows only the key that the group was created with."""

    def associate_kms_key(response: Any) -> str:
        group = response.logs_backend.groups.get(response._get_param("logGroupName"))
        if group is None:
            raise ResourceNotFoundException
        # A request to disassociate names no key.
        group.kms_key_id = response._get_param("kmsKeyId")
        return ""

    LogsResponse.associate_kms_key = LogsResponse.disassociate_kms_key = associate_kms_key


def keep_log_group_classes() -> None:
    """Keep the class of a log group. moto drops it, so a second plan would replace a group that has one."""
    create, describe = LogsResponse.create_log_group, LogGroup.to_describe_dict

    def create_log_group(response: Any) -> str:
        answer: str = create(response)
        group = response.logs_backend.groups[response._get_param("logGroupName")]
        group.log_group_class = response._get_param("logGroupClass") or group.log_group_class
        return answer

    def to_describe_dict(group: Any) -> dict[str, Any]:
        return {**describe(group), "logGroupClass": group.log_group_class}

    LogsResponse.create_log_group = create_log_group
    LogGroup.log_group_class = "STANDARD"
    LogGroup.to_describe_dict = to_describe_dict


def keep_queue_policies() -> None:
    """Keep a queue's policy when another attribute is set. moto drops it, so a second plan would set it again."""
    set_attributes = Queue._set_attributes

    def set_attributes_but_for_policy(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        kept = {} if "Policy" in attributes else {"Policy": queue.policy}
        set_attributes(queue, attributes | kept, now)

    Queue._set_attributes = set_attributes_but_for_policy


def serialize_message_deletions() -> None:
    """Lock a queue while a message is deleted. moto copies the list, so concurrent deletions undo each other."""
    delete = Queue.delete_message

    def delete_message(queue: Any, receipt_handle: str) -> None:
        with queue._messages_lock:
            delete(queue, receipt_handle)

    Queue.delete_message = delete_message


def deliver_events(apply_rule: ApplyRule) -> None:
    """Deliver the events of PutEvents with ``apply_rule``. moto can't invoke functions, and ignores queue policies."""

    def send_to_targets(rule: Any, event: dict[str, Any]) -> None:
        time = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        apply_rule(rule, {name: value for name, value in event.items() if name != "ingestion-time"} | {"time": time})

    Rule.send_to_targets = send_to_targets


def sign_digests() -> None:
    """Sign a digest as it is. moto would hash it again, and no signature of it would be valid."""
    sign = KmsResponse.sign

    def sign_message(response: Any) -> str:
        if response._get_param("MessageType") != "DIGEST":
            return str(sign(response))
        key = response.kms_backend.describe_key(response._get_param("KeyId"))
        algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        signature = key.private_key.private_key.sign(response._get_param("Message"), algorithm)
        return json.dumps({"KeyId": key.arn, "Signature": base64.b64encode(signature).decode()})

    KmsResponse.sign = sign_message


def keep_distribution_settings() -> None:
    """Keep settings of a distribution as they were sent. moto drops some, so a second plan would set them again."""
    create = DistributionConfig.__init__

    def init(made: Any, config: dict[str, Any]) -> None:
        sent = deepcopy(config)
        create(made, config)
        vars(made).update({name: sent[name] for name in ("DefaultCacheBehavior", "Origins", "ViewerCertificate")})

    DistributionConfig.__init__ = init


def notify_of_alarms() -> None:
    """Publish to an alarm's topics when SetAlarmState changes its state. moto only keeps the state."""
    set_state = CloudWatchBackend.set_alarm_state

    def set_alarm_state(backend: Any, alarm_name: str, *state: Any) -> None:
        alarm = backend.alarms.get(alarm_name)
        before = alarm and alarm.state_value
        set_state(backend, alarm_name, *state)
        if alarm.state_value == before:
            return
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
        message = json.dumps({"AlarmName": alarm_name, "NewStateValue": alarm.state_value, "OldStateValue": before})
        for topic in actions.get(alarm.state_value, []) if alarm.actions_enabled else []:
            sns_backends[backend.account_id][backend.region_name].publish(message, arn=topic)

    CloudWatchBackend.set_alarm_state = set_alarm_state
