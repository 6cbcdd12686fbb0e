"""Finding a deployment by its function, and errors for requests that AWS refuses."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, NoRegionError
from botocore.stub import Stubber

from aws.settings import Filter
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tools.common import aws
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.operations.deployment import Deployment, Target, find
from tools.operations.failure_queue import FailureQueue
from tools.operations.permissions import PERMISSIONS, explain_errors, statements
from tools.operations.session import open_session

ARN = "arn:aws:lambda:eu-west-2:123456789012:function:images"
VARIABLES = {
    "SOURCE_BUCKET": "uploads",
    "DESTINATION_BUCKET": "resized",
    "FAILURE_QUEUE_URL": "https://sqs.eu-west-2.amazonaws.com/123456789012/images-failures",
    "RENDITIONS": '{"thumb": {"width": 160}}',
    "FILTERS": '[["photos/", ".jpg"]]',
    "TIMEOUT_SECONDS": "60",
}
LOG_GROUP = "/aws/lambda/images"


@pytest.fixture
def described(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Stubs AWS's description of the function."""
    client = deployment.client("lambda", None)
    monkeypatch.setattr(aws, "client", lambda *_: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def configuration(**environment: Any) -> dict[str, Any]:
    return {
        "FunctionArn": ARN,
        "MemorySize": 512,
        "Timeout": 90,
        "Architectures": ["x86_64"],
        "Environment": environment,
        "LoggingConfig": {"LogGroup": LOG_GROUP},
    }


def test_a_deployment_is_read_from_its_function(described: Stubber) -> None:
    described.add_response(
        "get_function_configuration", configuration(Variables=VARIABLES), {"FunctionName": "Lambda-image"}
    )
    found = find(Target())
    assert (found.function_name, found.region, found.account_id) == ("images", "eu-west-2", "123456789012")
    assert (found.partition, found.architecture, found.memory_mib) == ("aws", "x86_64", 512)
    assert found.failure_queue_arn == "arn:aws:sqs:eu-west-2:123456789012:images-failures"
    assert found.reserved_prefix == "batch-operations/images/"
    assert found.settings.renditions == (Rendition("thumb", width=160),)
    assert found.settings.filters == (Filter("photos/", ".jpg"),)
    assert (found.settings.limits, found.settings.metadata) == (Limits(512 << 20), MetadataPolicy.COPYRIGHT)
    # Lambda's own: the variable is only what Terraform set.
    assert found.settings.timeout_seconds == 90
    assert found.log_group == LOG_GROUP


@pytest.mark.parametrize(("name", "asked"), [("", ["Lambda-image", "Lambda-image:live"]), ("mine:live", ["mine:live"])])
def test_an_alias_is_found_and_its_version_decides(described: Stubber, name: str, asked: list[str]) -> None:
    latest, live = VARIABLES | {"ALIAS": "live", "SOURCE_BUCKET": "newer"}, VARIABLES | {"ALIAS": "older"}
    for function in asked:
        qualified = function.endswith(":live")
        answer = configuration(Variables=live if qualified else latest)
        answer["FunctionArn"] += ":live" if qualified else ""
        described.add_response("get_function_configuration", answer, {"FunctionName": function})
    found = find(Target(name))
    assert (found.function_name, found.function_arn, found.target_arn) == ("images", ARN, f"{ARN}:live")
    assert (found.reserved_prefix, found.settings.source_bucket) == ("batch-operations/images/", "uploads")


def test_an_alias_is_what_a_denied_request_is_about(deployment: Deployment) -> None:
    other = replace(deployment, function_arn=ARN, qualifier="live")
    resources = {name: [one["Resource"] for one in statements(other, name)] for name in PERMISSIONS}
    assert resources["Invoke"] == [f"{ARN}:live"]
    assert resources["GetFunctionConfiguration"] == [[ARN, f"{ARN}:live"]]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, r"^mine is not an image resizer of this version: SOURCE_BUCKET is not set: "),
        (
            {"Variables": VARIABLES | {"RENDITIONS": "[]"}},
            r"^mine is not an image resizer of this version: REND",
        ),
        ({"Error": {"ErrorCode": "x", "Message": "no key"}}, r"^Cannot read the environment of mine: no key$"),
        ({"Error": {}}, r"^Cannot read the environment of mine: no reason given$"),
    ],
)
def test_another_project_s_function_is_refused(described: Stubber, environment: dict[str, Any], said: str) -> None:
    described.add_response("get_function_configuration", configuration(**environment), {"FunctionName": "mine"})
    with pytest.raises(ToolError, match=said):
        find(Target("mine"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredTokenException", "Cannot read the configuration of mine: ExpiredTokenException: sign in with "),
        ("UnrecognizedClientException", "Cannot read the configuration of mine: UnrecognizedClientException: sign in"),
        (
            "AccessDeniedException",
            'Cannot read the configuration of mine: AccessDeniedException: so: your policy needs {"Effect": "Allow"',
        ),
        ("ServiceException", "Cannot read the configuration of mine: ServiceException: so"),
    ],
)
def test_a_function_that_cannot_be_read_is_one_line(described: Stubber, code: str, said: str) -> None:
    described.add_client_error("get_function_configuration", code, "so")
    with pytest.raises(ToolError, match=f"^{said}"):
        find(Target("mine"))


def function(name: str, **variables: str) -> dict[str, Any]:
    return {"FunctionName": name, "Environment": {"Variables": variables}}


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        (
            [function("photos", **VARIABLES), function("other", SOURCE_BUCKET="a"), {"FunctionName": "bare"}],
            ": use --function with photos, or set AWS_REGION",
        ),
        (
            [function("b", **VARIABLES), function("a", **VARIABLES)],
            ": use --function with a or b, or set AWS_REGION",
        ),
        ([function("other")], ", nor another pipeline: set AWS_REGION and AWS_PROFILE to those of the pipeline"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(
    described: Stubber, functions: list[dict[str, Any]], said: str
) -> None:
    described.add_client_error("get_function_configuration", "ResourceNotFoundException", "so")
    described.add_response("list_functions", {"Functions": functions})
    with pytest.raises(ToolError, match=f"^No function mine in eu-west-2{said}$"):
        find(Target("mine"))


@pytest.fixture
def local_stack(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A local AWS without a function."""
    stack = Mock(function_name="Lambda-image")
    stack.aws.client = deployment.client
    monkeypatch.setattr(Stack, "running", lambda: stack)
    return stack


@pytest.mark.usefixtures("local_stack")
def test_a_wrong_name_on_the_local_aws_is_answered_without_advice_about_regions() -> None:
    with pytest.raises(ToolError, match=r"^No function nope on the local AWS: leave out --function for Lambda-image$"):
        find(Target("nope", local=True))


def test_a_wrong_name_is_one_line_without_the_permission_to_list(described: Stubber) -> None:
    described.add_client_error("get_function_configuration", "ResourceNotFoundException", "so")
    described.add_client_error("list_functions", "AccessDeniedException", "not you")
    said = "No function mine in eu-west-2: name it with --function, and its region with AWS_REGION"
    with pytest.raises(ToolError, match=f"^{said}$"):
        find(Target("mine"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"AWS_PROFILE": "nobody"},
            r"No credentials for AWS: The config profile \(nobody\) could not be found: sign in with ",
        ),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "No credentials for AWS: .*: sign in with `aws sso login`"),
        (
            {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
            "No region: set AWS_REGION to the pipeline's",
        ),
    ],
)
def test_missing_credentials_or_region_are_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    away = {"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in (away | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ToolError, match=said), open_session("audit", Target()):
        pytest.fail("was found")


@pytest.mark.usefixtures("local_stack")
@pytest.mark.parametrize(("function", "offers_local"), [("", True), ("images", False)])
def test_a_missing_region_names_the_local_aws_if_it_is_up(
    monkeypatch: pytest.MonkeyPatch, function: str, offers_local: bool
) -> None:
    monkeypatch.setattr(aws, "client", Mock(side_effect=NoRegionError))
    with (
        pytest.raises(ToolError, match=r"^No region: set AWS_REGION") as caught,
        open_session("audit", Target(function)),
    ):
        pytest.fail("was found")
    assert ("or use --local" in str(caught.value)) == offers_local


def test_a_pipeline_without_a_queue_of_undelivered_events_says_so(deployment: Deployment) -> None:
    other = deployment.with_undelivered()
    said = 'This pipeline has no queue of undelivered events: only trigger = "eventbridge" or "both" has one'
    with pytest.raises(ToolError, match=said), explain_errors(other, "audit"):
        FailureQueue(other).depth()


BUCKETS = ["arn:aws:s3:::resized", "arn:aws:s3:::uploads"]
QUEUE = "arn:aws:sqs:eu-west-2:123456789012:images-failures"
STATEMENTS: dict[str, tuple[str, str | list[str]]] = {
    "GetFunctionConfiguration": ("lambda:GetFunctionConfiguration", ARN),
    "Invoke": ("lambda:InvokeFunction", ARN),
    "FilterLogEvents": ("logs:FilterLogEvents", f"arn:aws:logs:eu-west-2:123456789012:log-group:{LOG_GROUP}:*"),
    "ListObjectsV2": ("s3:ListBucket", BUCKETS),
    "HeadObject": ("s3:GetObject", "arn:aws:s3:::resized/*"),
    "GetObject": ("s3:GetObject", "arn:aws:s3:::resized/batch-operations/images/*"),
    "PutObject": ("s3:PutObject", "arn:aws:s3:::resized/batch-operations/images/*"),
    "CreateMultipartUpload": ("s3:PutObject", "arn:aws:s3:::resized/batch-operations/images/*"),
    "GetQueueAttributes": ("sqs:GetQueueAttributes", QUEUE),
    "ReceiveMessage": ("sqs:ReceiveMessage", QUEUE),
    "ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility", QUEUE),
    "DeleteMessage": ("sqs:DeleteMessage", QUEUE),
    "CreateJob": ("s3:CreateJob", "*"),
    "DescribeJob": ("s3:DescribeJob", "arn:aws:s3:eu-west-2:123456789012:job/*"),
    "GetRole": ("iam:GetRole", "arn:aws:iam::123456789012:role/*images-jobs"),
}
"""Action and resources, by request."""


@pytest.mark.parametrize("operation", STATEMENTS)
def test_a_denied_request_names_the_statement_that_allows_it(deployment: Deployment, operation: str) -> None:
    action, resource = STATEMENTS[operation]
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, operation)
    with pytest.raises(ToolError) as caught, explain_errors(deployment, "audit"):
        raise error
    said, _, statement = str(caught.value).partition(": your policy needs ")
    assert said == f"Cannot audit: {operation}: AccessDenied: not you"
    # Creating a job takes permission to pass its role, too.
    first, _, second = statement.partition(" and ")
    assert json.loads(first) == {"Effect": "Allow", "Action": action, "Resource": resource}
    role = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": STATEMENTS["GetRole"][1]}
    assert json.loads(second or "null") == (role if operation == "CreateJob" else None)


def test_every_permission_is_for_a_request_of_aws_s_model(deployment: Deployment) -> None:
    services = ("lambda", "logs", "s3", "s3control", "sqs", "iam")
    operations = (deployment.client(name, None).meta.service_model.operation_names for name in services)
    assert PERMISSIONS.keys() == STATEMENTS.keys() <= set(itertools.chain(*operations))


def test_statements_have_the_partition_and_no_bucket_twice(deployment: Deployment) -> None:
    settings = replace(deployment.settings, destination_bucket="uploads")
    other = replace(deployment, function_arn=ARN.replace("arn:aws:", "arn:aws-cn:"), settings=settings)
    resources = {name: [one["Resource"] for one in statements(other, name)] for name in PERMISSIONS}
    assert resources["ListObjectsV2"] == ["arn:aws-cn:s3:::uploads"]
    assert "arn:aws:" not in json.dumps(resources)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (("403", "Forbidden", "HeadObject"), "Cannot audit: HeadObject: 403: Forbidden: your policy needs {"),
        (("ExpiredToken", "old", "ListObjectsV2"), "Cannot audit: ListObjectsV2: ExpiredToken: sign in with `aws"),
        (("AccessDenied", "not you", "PutBucketAcl"), "Cannot audit: PutBucketAcl: AccessDenied: not you"),
        (("SlowDown", "later", "ListObjectsV2"), "Cannot audit: ListObjectsV2: SlowDown: later"),
        (("502", "<html>\n<b>proxy", "ListObjectsV2"), "Cannot audit: ListObjectsV2: 502: <html> <b>proxy"),
        (
            ("NoSuchBucket", "The specified bucket does not exist", "ListObjectsV2"),
            "Cannot audit: ListObjectsV2: NoSuchBucket: The specified bucket does not exist: `terraform apply` creates",
        ),
        (
            ("AWS.SimpleQueueService.NonExistentQueue", "Does not exist.", "ReceiveMessage"),
            "Cannot audit: ReceiveMessage: AWS.SimpleQueueService.NonExistentQueue: Does not exist: `terraform",
        ),
    ],
)
def test_every_refusal_is_one_line(deployment: Deployment, error: tuple[str, str, str], said: str) -> None:
    code, message, operation = error
    with pytest.raises(ToolError) as caught, explain_errors(deployment, "audit"):
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
    assert str(caught.value).startswith(said)
    assert ("your policy" in said) == ("your policy" in str(caught.value))
