"""The server of the local AWS: moto's APIs on a loopback port, and the functions that they invoke."""

import base64
import contextlib
import io
import json
import logging
import secrets
import string
import tempfile
import threading
import uuid
import zipfile
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sqs.models import sqs_backends
from werkzeug.serving import make_server

from tools.common.local_stack import local_client
from tools.local.aws import eventbridge, moto_patches, s3_patches, versions
from tools.local.aws.asynchronous import THROTTLE_SECONDS, AsynchronousQueue, EventInvokeConfig
from tools.local.aws.batch_operations import BatchOperations, keys_of
from tools.local.aws.batch_run import JobServices
from tools.local.aws.environment import FunctionSpec, LogLine, Reply
from tools.local.aws.iam import AccessControl
from tools.local.aws.notifications import Notifications
from tools.local.aws.policy import Service, permits
from tools.local.aws.pool import Pool, TooManyInvocationsError
from tools.local.aws.runtime import Runtime
from tools.local.aws.watchdog import Watchdog

REGION = "eu-west-2"
LOG_TAIL_BYTES = 4096

REPLY_BYTES = 1 << 16
"""Replies up to this size are one segment on loopback."""

EVENT_BYTES = {"RequestResponse": 6 << 20, "Event": 1 << 20}
"""The most bytes of an event, by type of invocation:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

TURN_SECONDS = 1
"""How long a task of a job waits for a slot before it checks whether the job was cancelled."""

logger = logging.getLogger(__name__)


class RequestHandler(MotoRequestHandler):
    """moto's request handler without Nagle's algorithm: a PUT takes 11 ms instead of 54.

    It sends the header and the body of a reply together. smithy-go 1.22.3, which Terraform's provider uses, closes the
    request's body when it gets the header. If net/http has sent that body, but not yet looked for its end, it takes
    this for a failed write, and closes the connection. A reply's body that arrives later is lost, so the SDK repeats a
    request that was served, and a create answers 409. A busy machine makes both gaps long enough.
    """

    disable_nagle_algorithm = True
    wbufsize = REPLY_BYTES

    def handle_expect_100(self) -> bool:
        """Send the interim reply at once: the client waits for it."""
        has_replied = super().handle_expect_100()
        self.wfile.flush()
        return has_replied

    def log_request(self, *_: Any) -> None:
        """Log no requests."""


class TooManyRequestsError(JsonRESTError):
    """Lambda's answer when the concurrency is in use."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class RequestTooLargeError(JsonRESTError):
    """Lambda's answer to an event that is too large."""

    code = 413

    def __init__(self, size: int, kind: str) -> None:
        message = f"{size} byte payload is too large for the {kind} invocation type (limit {EVENT_BYTES[kind]} bytes)"
        super().__init__("RequestEntityTooLargeException", message)


class InvalidRequestContentError(JsonRESTError):
    """Lambda's answer to an event that is not JSON."""

    code = 400

    def __init__(self, error: ValueError) -> None:
        super().__init__("InvalidRequestContentException", f"Could not parse request body into json: {error}")


class Server:
    """The local AWS.

    Args:
        port: The port to listen on; 0 for any that is free.
        concurrency: How many functions may run at a time.
        retry_delays: Seconds before the retries of an asynchronous invocation.
        runtime: How to run a function.

    """

    def __init__(self, port: int, concurrency: int, retry_delays: tuple[float, ...], runtime: Runtime) -> None:
        self.access_key_id = "AKIA" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(16))
        self.secret_access_key = secrets.token_urlsafe(30)
        self._control = AccessControl(self.access_key_id, DEFAULT_ACCOUNT_ID, REGION)
        notifying = Notifications(
            DomainDispatcherApplication(create_backend_app), self._notify, self._publish, _bucket_may_notify
        )
        services = JobServices(self._run_task, keys_of, concurrency)
        self._batch = BatchOperations(notifying, self._control, REGION, lambda: self.endpoint, services)
        application = self.wrap(self._batch)
        # Before anything that needs a clean-up: the port may be in use.
        self._http = make_server("127.0.0.1", port, application, threaded=True, request_handler=RequestHandler)
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"
        # `poll_interval` is the time between two checks whether the server should end.
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._scratch = Path(tempfile.mkdtemp(prefix="local-aws-"))
        self._watchdog = Watchdog(self._scratch)
        self._pool = Pool(concurrency, runtime, self._watchdog, self._variables, self._write_log)
        self._queue = AsynchronousQueue(self._pool, concurrency, retry_delays, self._lookup, self._send_record)
        self._install()

    def wrap(self, application: WSGIApplication) -> WSGIApplication:
        """Return the application that answers requests; tests add faults."""
        return application

    def start(self) -> None:
        """Start answering requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop everything. The API stops last, because running functions may need it."""
        self._queue.close()
        self._batch.close()
        self._pool.close()
        self._queue.join()
        self._batch.join()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._watchdog.close()

    def _install(self) -> None:
        self._control.install()
        moto_patches.free_deleted_objects()
        moto_patches.run_functions(self._invoke)
        moto_patches.keep_function_settings()
        moto_patches.limit_environments()
        moto_patches.load_code_from_s3()
        versions.separate_qualifiers()
        moto_patches.update_log_group_keys()
        moto_patches.keep_log_group_classes()
        moto_patches.keep_queue_policies()
        moto_patches.serialize_message_deletions()
        moto_patches.keep_distribution_settings()
        moto_patches.deliver_events(
            lambda rule, event: eventbridge.apply_rule(rule, event, REGION, self._invoke_for_rule)
        )
        moto_patches.sign_digests()
        moto_patches.notify_of_alarms()
        s3_patches.list_versions_without_bodies()
        s3_patches.list_versions_encoded()
        s3_patches.route_keys_with_line_feeds()
        s3_patches.report_payer()
        s3_patches.dispose_of_delete_markers()
        s3_patches.report_delete_markers()
        s3_patches.accept_if_match_any()
        s3_patches.complete_restores()
        s3_patches.require_customer_keys()
        s3_patches.drop_composite_checksums()
        s3_patches.limit_metadata()
        s3_patches.limit_keys()
        s3_patches.verify_digests()
        s3_patches.mark_missing_objects()
        s3_patches.check_log_delivery()

    def _notify(self, arn: str, event: bytes) -> None:
        bucket_arn = json.loads(event)["Records"][0]["s3"]["bucket"]["arn"]
        # The permission may have been removed since the bucket was configured.
        if _bucket_may_notify(bucket_arn, arn):
            self._queue.accept(arn, event)
        else:
            logger.warning("%s may not invoke %s: the notification is dropped, as S3 would", bucket_arn, arn)

    def _publish(self, event: dict[str, Any]) -> None:
        eventbridge.publish(event, REGION, self._invoke_for_rule)

    def _invoke_for_rule(self, rule_arn: str, arn: str, payload: bytes) -> bool:
        may = _may_invoke(arn, eventbridge.SERVICE, rule_arn)
        if may:
            self._queue.accept(arn, payload)
        return may

    def _invoke(self, function: LambdaFunction, payload: bytes, kind: str, headers: dict[str, str]) -> bytes:
        if kind == "DryRun":
            return b""
        if len(payload) > EVENT_BYTES[kind]:
            raise RequestTooLargeError(len(payload), kind)
        try:
            json.loads(payload)
        except ValueError as error:
            raise InvalidRequestContentError(error) from None
        if kind == "Event":
            self._queue.accept(function.function_arn, payload)
            return b""
        try:
            reply = self._pool.invoke(self._spec(function), payload, str(uuid.uuid4()))
        except TooManyInvocationsError:
            raise TooManyRequestsError from None
        if reply.failed:
            headers["x-amz-function-error"] = "Unhandled"
        tail = "".join(f"{line.text}\n" for line in reply.log).encode()[-LOG_TAIL_BYTES:]
        headers["x-amz-log-result"] = base64.b64encode(tail).decode()
        return reply.payload

    def _run_task(self, arn: str, payload: bytes, stop: threading.Event) -> Reply | None:
        """Invoke a function for a job; waits for a slot until the job is cancelled, and then returns None."""
        while not stop.is_set():
            function = _function(arn)
            if function is None:
                return Reply.of_platform("ResourceNotFoundException", f"Function not found: {arn}")
            try:
                return self._pool.invoke(self._spec(function), payload, str(uuid.uuid4()), patience=TURN_SECONDS)
            except TooManyInvocationsError:
                stop.wait(THROTTLE_SECONDS)
        return None

    def _lookup(self, arn: str) -> tuple[FunctionSpec, EventInvokeConfig] | None:
        function = _function(arn)
        return (self._spec(function), _event_invoke_config(function)) if function else None

    def _spec(self, invoked: LambdaFunction) -> FunctionSpec:
        function = versions.choose_version(invoked)
        logging_config = function.get_configuration()["LoggingConfig"]
        variables = dict(function.environment_vars) | {"AWS_LAMBDA_LOG_FORMAT": logging_config["LogFormat"]}
        if logging_config["LogFormat"] == "JSON":
            variables["AWS_LAMBDA_LOG_LEVEL"] = logging_config.get("ApplicationLogLevel", "INFO")
        arn = versions.unqualify(invoked.function_arn)
        # Versions share the function's concurrency.
        reserved = lambda_backends[function.account_id][function.region].get_function(arn).reserved_concurrency
        return FunctionSpec(
            arn=arn,
            version=str(function.version),
            invoked_arn=invoked.function_arn,
            name=function.function_name,
            code=self._unpack(function),
            handler=str(function.handler),
            memory_size=int(function.memory_size),
            timeout=int(function.timeout),
            role=function.role,
            log_group=logging_config["LogGroup"],
            variables=tuple(sorted(variables.items())),
            reserved=None if reserved is None else int(reserved),
        )

    def _unpack(self, function: LambdaFunction) -> Path:
        folder = self._scratch / function.code_digest
        if not folder.exists():
            scratch = Path(tempfile.mkdtemp(dir=self._scratch))
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(scratch)
            # Another thread may have created it.
            with contextlib.suppress(OSError):
                scratch.rename(folder)
        return folder

    def _variables(self, spec: FunctionSpec) -> dict[str, str]:
        access_key_id, secret_access_key, session_token = self._control.role_keys(spec.role)
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # Files that functions leave there are removed with the rest.
            "TMPDIR": str(self._scratch),
            "AWS_ACCESS_KEY_ID": access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret_access_key,
            "AWS_SESSION_TOKEN": session_token,
        }

    def _write_log(self, spec: FunctionSpec, stream: str, lines: tuple[LogLine, ...]) -> None:
        """Write lines if the function's role allows it; a deleted log group is not created again."""
        backend = logs_backends[DEFAULT_ACCOUNT_ID][REGION]
        arn = f"arn:aws:logs:{REGION}:{DEFAULT_ACCOUNT_ID}:log-group:{spec.log_group}:log-stream:{stream}"
        may = all(self._control.role_may(spec.role, f"logs:{one}", arn) for one in ("CreateLogStream", "PutLogEvents"))
        if spec.log_group not in backend.groups or not lines or not may:
            return
        group = backend.groups[spec.log_group]
        if stream not in group.streams:
            group.create_log_stream(stream)
        group.put_log_events(stream, [{"timestamp": line.at, "message": line.text} for line in lines])

    def _send_record(self, spec: FunctionSpec, queue_arn: str, record: str) -> None:
        """Send a record with the credentials of the function's role, whose policy must allow it, as on AWS."""
        try:
            sqs = local_client("sqs", self.endpoint, REGION, *self._control.role_keys(spec.role))
            name = queue_arn.rpartition(":")[2]
            sqs.send_message(QueueUrl=f"{self.endpoint}/{DEFAULT_ACCOUNT_ID}/{name}", MessageBody=record)
        except (BotoCoreError, ClientError, PermissionError) as error:
            logger.warning("%s cannot send the record of a failed event to %s: %s", spec.name, queue_arn, error)


def _function(arn: str) -> LambdaFunction | None:
    try:
        return lambda_backends[DEFAULT_ACCOUNT_ID][arn.split(":")[3]].get_function(arn)
    except UnknownFunctionException:
        return None


def _bucket_may_notify(bucket_arn: str, arn: str) -> bool:
    service = "s3.amazonaws.com"
    if ":sqs:" not in arn:
        return _may_invoke(arn, service, bucket_arn)
    queue = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues.get(arn.rpartition(":")[2])
    statements = json.loads(queue.policy or "{}").get("Statement", []) if queue else []
    return permits(statements, Service(service, bucket_arn, DEFAULT_ACCOUNT_ID), "sqs:SendMessage", arn)


def _may_invoke(arn: str, service: str, source_arn: str) -> bool:
    """Whether a function exists and its policy allows a service to invoke it; moto checks neither."""
    function = _function(arn)
    caller = Service(service, source_arn, DEFAULT_ACCOUNT_ID)
    return function is not None and permits(
        function.policy.statements, caller, "lambda:InvokeFunction", function.function_arn
    )


def _event_invoke_config(function: LambdaFunction) -> EventInvokeConfig:
    if not function.event_invoke_config:
        return EventInvokeConfig()
    config = function.event_invoke_config[-1].config
    return EventInvokeConfig(
        retries=config.get("MaximumRetryAttempts", EventInvokeConfig.retries),
        max_age=config.get("MaximumEventAgeInSeconds", EventInvokeConfig.max_age),
        on_failure=config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
    )
