"""S3 Batch Operations: the requests of S3's control API that make jobs, tell of them and cancel them; moto has none."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.parsers import create_parser
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.s3.models import FakeDeleteMarker, s3_backends

from tools.common.local_stack import local_client
from tools.local.aws.batch_run import JobRun, Means
from tools.local.aws.iam import AccessControl

SERVICE = "batchoperations.s3.amazonaws.com"
PATH = "/v20180820/jobs"

# Any, for moto makes its own of botocore's.
MODEL: Any = get_service_model("s3control")

ECHOED = ("ConfirmationRequired", "Description", "Manifest", "ManifestGenerator", "Operation", "Priority", "Report")
"""What is told of a job as it was asked for, with the role."""

LISTED = ("JobId", "Description", "Priority", "Status", "CreationTime", "TerminationDate", "ProgressSummary")
"""What a list of jobs tells of each."""

Endpoint = Callable[[], str]


class RequestError(Exception):
    """What S3 answers to a request that it does not take.

    Attributes:
        code: The name of the error.
        message: What is wrong.

    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class JobRole:
    """The role that a job has, as the local AWS knows it."""

    control: AccessControl
    region: str
    endpoint: Endpoint
    arn: str

    def s3(self) -> Any:
        """Make a client that may do what the role may.

        Raises:
            PermissionError: S3 may not assume the role.

        """
        return local_client("s3", self.endpoint(), self.region, *self.control.role_keys(self.arn, SERVICE))

    def may(self, action: str, resource: str) -> bool:
        return self.control.role_may(self.arn, action, resource)


class BatchOperations:
    """Stands before an application and answers these requests itself.

    Args:
        application: What answers all others.
        control: Decides who may; of those who ask, only the administrator.
        region: Where jobs are.
        endpoint: Gives where the local AWS listens.
        means: What jobs run by.

    """

    def __init__(
        self, application: WSGIApplication, control: AccessControl, region: str, endpoint: Endpoint, means: Means
    ) -> None:
        self._application = application
        self._control = control
        self._region = region
        self._endpoint = endpoint
        self._means = means
        self._jobs: dict[str, JobRun] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Begin no further task of any job."""
        for job in self._jobs.values():
            job.cancel()

    def join(self) -> None:
        """Wait for what is under way."""
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
                raise RequestError("AccessDenied", f"You may not {operation}")  # noqa: TRY301 - answered like all others
            result = answer()
        except RequestError as error:
            result = error
        response = get_serializer_class("s3control", "rest-xml")(MODEL.operation_model(operation)).serialize(result)
        status, body = HTTPStatus(response["status_code"]), str(response["body"]).encode()
        headers = {**response["headers"], "Content-Length": str(len(body))}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def _operation(self, environ: WSGIEnvironment, rest: str) -> tuple[str, Callable[[], dict[str, Any]]]:
        """Name what is asked for, and what answers it."""
        query = parse_qs(environ["QUERY_STRING"])
        match environ["REQUEST_METHOD"], rest.split("/"):
            case "POST", [""]:
                return "CreateJob", lambda: self._create(_content("CreateJob", environ))
            case "GET", [""]:
                return "ListJobs", lambda: self._list(query.get("jobStatuses", []))
            case "POST", [job_id, "status"]:
                return "UpdateJobStatus", lambda: self._update(job_id, query)
            case _:
                return "DescribeJob", lambda: {"Job": self._described(self._job(rest))}

    def _create(self, request: dict[str, Any]) -> dict[str, str]:
        if "LambdaInvoke" not in request["Operation"] or request.get("ConfirmationRequired"):
            raise RequestError("BadRequestException", "Here are only jobs that call a function and wait for nobody")
        if request["Operation"]["LambdaInvoke"].get("InvocationSchemaVersion") != "2.0":
            raise RequestError("BadRequestException", "Here is only InvocationSchemaVersion 2.0")
        if ("Manifest" in request) == ("ManifestGenerator" in request):
            raise RequestError("BadRequestException", "A job has either a Manifest or a ManifestGenerator")
        token = request["ClientRequestToken"]
        with self._lock:
            job = next((job for job in self._jobs.values() if job.request["ClientRequestToken"] == token), None)
            if job is None:
                role = JobRole(self._control, self._region, self._endpoint, request["RoleArn"])
                job = JobRun(request, role, self._means)
                self._jobs[job.job_id] = job
        if job.request != request:
            raise RequestError("IdempotencyException", "Another job was made with this ClientRequestToken")
        return {"JobId": job.job_id}

    def _list(self, states: list[str]) -> dict[str, Any]:
        described = [self._described(job) for job in list(self._jobs.values())]
        jobs = [
            {"Operation": "LambdaInvoke", **{name: one[name] for name in LISTED if name in one}}
            for one in described
            if not states or one["Status"] in states
        ]
        return {"Jobs": jobs}

    def _job(self, job_id: str) -> JobRun:
        if job_id not in self._jobs:
            raise RequestError("NotFoundException", f"The specified job does not exist: {job_id}")
        return self._jobs[job_id]

    def _described(self, job: JobRun) -> dict[str, Any]:
        described = {
            **{name: job.request.get(name) for name in (*ECHOED, "RoleArn")},
            "JobId": job.job_id,
            "JobArn": f"arn:aws:s3:{self._region}:{DEFAULT_ACCOUNT_ID}:job/{job.job_id}",
            # Before what it has led to: of a job that has ended, all must be told.
            "Status": job.state,
            "ProgressSummary": job.progress(),
            "FailureReasons": [{"FailureCode": one.code, "FailureReason": str(one)} for one in job.reasons],
            "GeneratedManifestDescriptor": job.generated,
            "CreationTime": job.created,
            "TerminationDate": job.ended,
        }
        return {name: value for name, value in described.items() if value is not None}

    def _update(self, job_id: str, query: dict[str, list[str]]) -> dict[str, str]:
        job, (wanted,) = self._job(job_id), query["requestedJobStatus"]
        # None waits to be made Ready.
        if wanted != "Cancelled" or not job.cancel():
            raise RequestError("JobStatusException", f"A job that is {job.state} cannot become {wanted}")
        reason = query.get("statusUpdateReason")
        return {"JobId": job_id, "Status": job.state, **({"StatusUpdateReason": reason[0]} if reason else {})}


def keys_of(bucket: str) -> list[str]:
    """The keys of all objects that a bucket has now; none of one that there is not."""
    found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    if found is None:
        return []
    return [key for key in list(found.keys) if not isinstance(found.keys.get(key), FakeDeleteMarker | None)]


def _content(operation: str, environ: WSGIEnvironment) -> dict[str, Any]:
    """Read a request as botocore reads an answer: what it is made of is the same."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    response = {"status_code": 200, "headers": {}, "body": body}
    parsed: dict[str, Any] = create_parser("rest-xml").parse(response, MODEL.operation_model(operation).input_shape)
    del parsed["ResponseMetadata"]
    return parsed
