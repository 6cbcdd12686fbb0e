"""S3 Batch Operations: requests of S3's control API to create and describe jobs. moto has none."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.parsers import create_parser
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.s3.models import FakeDeleteMarker, s3_backends

from tools.common.local_stack import local_client
from tools.local.aws.batch_run import JobRun, JobServices
from tools.local.aws.iam import AccessControl

SERVICE = "batchoperations.s3.amazonaws.com"
PATH = "/v20180820/jobs"

# Any, because moto derives its own type from botocore's.
MODEL: Any = get_service_model("s3control")

ECHOED = ("ConfirmationRequired", "Description", "Manifest", "ManifestGenerator", "Operation", "Priority", "Report")
"""Fields of a request that ``describe_job`` returns unchanged."""

Endpoint = Callable[[], str]


class RequestError(Exception):
    """S3 rejects a request.

    Attributes:
        code: The name of the error.
        message: The reason.

    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class JobRole:
    """The role of a job."""

    control: AccessControl
    region: str
    endpoint: Endpoint
    arn: str

    def s3(self) -> Any:
        """Make a client with the role's permissions.

        Raises:
            PermissionError: S3 may not assume the role.

        """
        return local_client("s3", self.endpoint(), self.region, *self.control.role_keys(self.arn, SERVICE))

    def may(self, action: str, resource: str) -> bool:
        return self.control.role_may(self.arn, action, resource)


class BatchOperations:
    """Answers requests about jobs, and passes on all others.

    Args:
        application: Answers the others.
        control: Authorizes; only the administrator may make jobs.
        region: The jobs' region.
        endpoint: Returns the endpoint of the local AWS.
        services: The services that jobs use.

    """

    def __init__(
        self,
        application: WSGIApplication,
        control: AccessControl,
        region: str,
        endpoint: Endpoint,
        services: JobServices,
    ) -> None:
        self._application = application
        self._control = control
        self._region = region
        self._endpoint = endpoint
        self._services = services
        self._jobs: dict[str, JobRun] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Start no further task of any job."""
        for job in self._jobs.values():
            job.cancel()

    def join(self) -> None:
        """Wait for the tasks in flight."""
        for job in self._jobs.values():
            job.join()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path != PATH and not path.startswith(f"{PATH}/"):
            return self._application(environ, start_response)
        operation, answer = self._operation(environ, path.removeprefix(PATH).strip("/"))
        result: Any
        try:
            if not self._control.is_administrator(environ.get("HTTP_AUTHORIZATION", "")):
                raise RequestError("AccessDenied", f"You may not {operation}")  # noqa: TRY301 - answered below, like all others
            result = answer()
        except RequestError as error:
            result = error
        response = get_serializer_class("s3control", "rest-xml")(MODEL.operation_model(operation)).serialize(result)
        status, body = HTTPStatus(response["status_code"]), str(response["body"]).encode()
        headers = {**response["headers"], "Content-Length": str(len(body))}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def _operation(self, environ: WSGIEnvironment, rest: str) -> tuple[str, Callable[[], dict[str, Any]]]:
        """Return the operation's name, and the function that answers it."""
        if environ["REQUEST_METHOD"] == "POST":
            return "CreateJob", lambda: self._create(_content("CreateJob", environ))
        return "DescribeJob", lambda: {"Job": self._describe(self._job(rest))}

    def _create(self, request: dict[str, Any]) -> dict[str, str]:
        if "LambdaInvoke" not in request["Operation"] or request.get("ConfirmationRequired"):
            raise RequestError("BadRequestException", "Only jobs that invoke a function, unconfirmed, are supported")
        if request["Operation"]["LambdaInvoke"].get("InvocationSchemaVersion") != "2.0":
            raise RequestError("BadRequestException", "Only InvocationSchemaVersion 2.0 is supported")
        if ("Manifest" in request) == ("ManifestGenerator" in request):
            raise RequestError("BadRequestException", "Give either a Manifest or a ManifestGenerator")
        token = request["ClientRequestToken"]
        with self._lock:
            job = next((job for job in self._jobs.values() if job.request["ClientRequestToken"] == token), None)
            if job is None:
                role = JobRole(self._control, self._region, self._endpoint, request["RoleArn"])
                job = JobRun(request, role, self._services)
                self._jobs[job.job_id] = job
        if job.request != request:
            raise RequestError("IdempotencyException", "Another job was made with this ClientRequestToken")
        return {"JobId": job.job_id}

    def _job(self, job_id: str) -> JobRun:
        if job_id not in self._jobs:
            raise RequestError("NotFoundException", f"The specified job does not exist: {job_id}")
        return self._jobs[job_id]

    def _describe(self, job: JobRun) -> dict[str, Any]:
        described = {
            **{name: job.request.get(name) for name in (*ECHOED, "RoleArn")},
            "JobId": job.job_id,
            "JobArn": f"arn:aws:s3:{self._region}:{DEFAULT_ACCOUNT_ID}:job/{job.job_id}",
            # Read first: once the job has ended, the fields below are final.
            "Status": job.state,
            "ProgressSummary": job.progress(),
            "FailureReasons": [{"FailureCode": one.code, "FailureReason": str(one)} for one in job.reasons],
            "GeneratedManifestDescriptor": job.generated,
            "CreationTime": job.created,
            "TerminationDate": job.ended,
        }
        return {name: value for name, value in described.items() if value is not None}


def keys_of(bucket: str) -> list[str]:
    """Return the keys of all objects in a bucket; none if the bucket does not exist."""
    found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    if found is None:
        return []
    return [key for key in list(found.keys) if not isinstance(found.keys.get(key), FakeDeleteMarker | None)]


def _content(operation: str, environ: WSGIEnvironment) -> dict[str, Any]:
    """Parse a request as botocore parses an answer: both have the same kinds of elements."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    response = {"status_code": 200, "headers": {}, "body": body}
    parsed: dict[str, Any] = create_parser("rest-xml").parse(response, MODEL.operation_model(operation).input_shape)
    del parsed["ResponseMetadata"]
    return parsed
