"""Each example is applied, resizes an upload, has an empty second plan, and can be destroyed."""

import base64
import contextlib
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import faults
from tests.faults import Fault
from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pipeline import deployer
from tests.site import Site, sum_layout_shifts
from tools.accept.pipeline import delete_versions, wait_for
from tools.build import Package, Target, build
from tools.common import aws
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, copy_code, start_provider
from tools.local.aws import local_aws
from tools.local.stack import PROVIDER
from tools.operations import deployment as deployments
from tools.operations.function import Function

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLES = sorted(path.name for path in (TERRAFORM / "examples").iterdir())

DEPENDENT = """
variable "bucket_prefix" { type = string }

variable "upstream" { default = 1 }

resource "terraform_data" "upstream" { input = var.upstream }

resource "aws_s3_bucket" "this" {
  for_each = toset(["uploads", "images"])
  bucket   = "${var.bucket_prefix}-${each.key}"
}

module "image_resize" {
  source             = "../../modules/function"
  name               = "dependent-${substr(sha1(terraform_data.upstream.id), 0, 6)}"
  package            = { path = "function.zip" }
  trigger            = "both"
  alias              = { name = "live" }
  source_bucket      = { name = aws_s3_bucket.this["uploads"].bucket }
  destination_bucket = { name = aws_s3_bucket.this["images"].bucket }
  depends_on         = [terraform_data.upstream]
}

module "notification" {
  source              = "../../modules/notification"
  bucket              = aws_s3_bucket.this["uploads"].bucket
  eventbridge         = true
  lambda_notification = module.image_resize.lambda_notification
}

module "monitoring" {
  source                 = "../../modules/monitoring"
  function_name          = module.image_resize.function_name
  log_group_name         = module.image_resize.log_group_name
  failure_queue_name     = module.image_resize.failure_queue_name
  undelivered_queue_name = module.image_resize.undelivered_queue_name
  architecture           = module.image_resize.architecture
  memory_size            = module.image_resize.memory_size
  timeout                = module.image_resize.timeout
  depends_on             = [terraform_data.upstream]
}

output "pipeline" { value = module.image_resize }
"""
"""A root whose pipeline has a name that is known only after the apply, an alias, and waits for another resource."""

ROOTS = [*EXAMPLES, "dependent"]

ARTIFACTS = "artifacts"
"""The bucket with the package of one example."""

DEPLOYED_BY_POLICY = {
    "complete": {
        "role/NAME": "role/images/NAME",
        "policy/NAME": "policy/images/NAME",
        "policy/BOUNDARY": "policy/resize-complete-boundary",
        "key/KEY": "key/*",
        "log-group:/aws/lambda/NAME": "log-group:/images/NAME",
    },
    "many-renditions": {"ARTIFACTS": ARTIFACTS},
}
"""Replacements in the deployer's policy, by example: one with a permissions boundary, and one without."""

VARIABLES = {"complete": {"availability_zone": "eu-west-2a"}}
"""Variables of examples, beside the prefix of their buckets."""

MONITORING = {"monitoring": {"alarms": True, "dashboard": True}}

REMOVED_LATER = MONITORING | {
    "tags": {"stage": "test"},
    "function": {"reserved_concurrent_executions": 5},
    "trigger": "both",
    "alias": {"name": "live"},
}
"""Settings that :data:`CHANGE` removes again, because removing them needs other permissions than setting them."""

CHANGE = MONITORING | {
    "tags": {"owner": "images"},
    "function": {"memory_size": 2048},
    "log_retention_days": 0,
    "mirror_deletes": True,
}


@dataclass(frozen=True)
class Example:
    """An applied example."""

    aws: LocalAws
    terraform: Terraform
    outputs: dict[str, Any]

    def __getitem__(self, output: str) -> Any:
        return self.outputs["pipeline"][output]

    def upload(self, bucket: str, key: str, body: bytes) -> None:
        self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def wait_for_object(self, bucket: str, key: str) -> dict[str, Any]:
        """Wait for an object; return S3's response, with the decoded image under ``Image``."""
        s3 = self.aws.client("s3")

        def poll() -> dict[str, Any] | None:
            try:
                response = s3.get_object(Bucket=bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                return None
            return {**response, "Image": load(response["Body"].read())}

        return wait_for(poll, f"object {key} in {bucket}")

    def take_message(self, queue_url: str) -> dict[str, Any]:
        """Wait for a message; delete it from the queue, and return its body."""
        sqs = self.aws.client("sqs")

        def poll() -> dict[str, Any] | None:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                body: dict[str, Any] = json.loads(message["Body"])
                return body
            return None

        return wait_for(poll, f"message in {queue_url}")

    def list_keys(self, bucket: str) -> set[str]:
        return {item["Key"] for item in self.aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}


@dataclass(frozen=True)
class Examples:
    """All examples, applied in parallel on one local AWS, because the provider spends most of its time waiting."""

    applied: dict[str, "Future[Example]"]

    def __getitem__(self, name: str) -> Example:
        return self.applied[name].result()


def put_package(aws: LocalAws, package: Package) -> dict[str, Any]:
    """Put a zip into S3, and return the value of ``package``. The local AWS runs any runtime in its own Python."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=ARTIFACTS, Key="function.zip", Body=package.path.read_bytes())
    return {
        "s3": {"bucket": ARTIFACTS, "key": "function.zip"},
        "sha256": package.sha256,
        "runtime": "python3.13",
        "architecture": package.architecture,
    }


def copy_example(name: str, folder: Path, settings: dict[str, Any]) -> Path:
    """Copy an example with the module, set its variables and the module's ``settings``, and return its folder."""
    copy = folder / "terraform"
    copy_code(TERRAFORM, copy, "tests")
    root = copy / "examples" / name
    if name not in EXAMPLES:
        root.mkdir()
        (root / "main.tf").write_text(DEPENDENT)
    shutil.copy(TERRAFORM / ".terraform.lock.hcl", root)
    shutil.copy(PROVIDER, root)
    (root / "terraform.tfvars.json").write_text(json.dumps({"bucket_prefix": name, **VARIABLES.get(name, {})}))
    write_settings(root, settings)
    if (consumer := TERRAFORM / "examples" / name / "consumer.py").exists():
        (folder / "dist").mkdir()
        with zipfile.ZipFile(folder / "dist" / "consumer.zip", "w") as archive:
            archive.write(consumer, consumer.name)
    return root


@contextlib.contextmanager
def initialise(root: Path, aws: LocalAws) -> Iterator[Terraform]:
    """Yield Terraform in the folder of an example, with a provider for all its commands."""
    environment = aws.environment() | {"TF_APPEND_USER_AGENT": f"root/{root.name}"}
    Terraform(root, environment=environment).init()
    with start_provider(root, environment) as provider:
        yield Terraform(root, environment=environment | provider)


def write_settings(root: Path, settings: dict[str, Any]) -> None:
    """Override settings of an example's module."""
    (root / "override.tf.json").write_text(json.dumps({"module": {"image_resize": settings}}))


def read_settings(root: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((root / "override.tf.json").read_text())["module"]["image_resize"]
    return settings


@pytest.fixture(scope="module")
def examples(module_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    del module_copy  # The fixture skips the test if Terraform is missing.
    package = build(Target.of_this_machine(), tmp_path_factory.mktemp("package"), for_aws=False)
    with (
        local_aws(retry_delays=(0.1, 0.1)) as aws,
        contextlib.ExitStack() as providers,
        ThreadPoolExecutor(len(ROOTS)) as pool,
    ):
        settings: dict[str, dict[str, Any]] = {name: {"package": {"path": str(package.path)}} for name in ROOTS}
        settings["many-renditions"] = REMOVED_LATER | {"package": put_package(aws, package)}
        for name in DEPLOYED_BY_POLICY:
            faults.record(aws, f"root/{name}")

        def apply(name: str) -> Example:
            root = copy_example(name, tmp_path_factory.mktemp(name), settings[name])
            terraform = providers.enter_context(initialise(root, aws))
            terraform.run("apply", "-auto-approve", "-input=false")
            return Example(aws, terraform, terraform.output())

        applied = Examples({name: pool.submit(apply, name) for name in ROOTS})
        yield applied
        for bucket in aws.client("s3").list_buckets()["Buckets"]:
            delete_versions(aws.client("s3"), bucket["Name"])
        for output in pool.map(lambda name: applied[name].terraform.run("destroy", "-auto-approve"), ROOTS):
            assert "Destroy complete!" in output
        assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] == [ARTIFACTS]
        assert aws.client("lambda").list_functions()["Functions"] == []
        assert aws.client("sqs").list_queues().get("QueueUrls", []) == []


def test_the_complete_example_resizes_only_matching_uploads(examples: Examples) -> None:
    example = examples["complete"]
    example.upload("complete-in", "photos/a cake.jpg", encode(picture()))
    half = example.wait_for_object("complete-out", "half/photos/a cake.jpg")
    assert (half["CacheControl"], half["StorageClass"], half["ServerSideEncryption"]) == (
        "max-age=86400",
        "STANDARD_IA",
        "aws:kms",
    )
    assert corners(half["Image"]) == UPRIGHT_CORNERS
    assert example.wait_for_object("complete-out", "tile/photos/a cake.jpg.jpg")["Image"].size == (64, 64)
    # S3 sends EventBridge events about these uploads too, but they match no rule.
    example.upload("complete-in", "photos/a cake.png", encode(picture(), "PNG"))
    example.upload("complete-in", "other/cake.jpg", encode(picture()))
    example.upload("complete-in", "logos/logo.png", encode(picture(), "PNG"))
    # The manifest is written after the outputs.
    wait_for(lambda: "logos/logo.png.renditions.json" in example.list_keys("complete-out") or None, "the manifest")
    assert {key.partition("/")[2] for key in example.list_keys("complete-out")} == {
        "a cake.jpg.renditions.json",
        "logo.png.renditions.json",
        "photos/a cake.jpg",
        "photos/a cake.jpg.jpg",
        "logos/logo.png",
        "logos/logo.png.jpg",
    }


def test_the_complete_example_adds_to_what_a_bucket_has_once(examples: Examples) -> None:
    s3 = examples["complete"].aws.client("s3")
    found = {}
    for bucket in ("complete-in", "complete-out"):
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        (cors,) = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
        log = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
        assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
        found[bucket] = (
            [one["Sid"] for one in policy["Statement"]],
            [one["ID"] for one in rules],
            cors["AllowedMethods"],
            (log["TargetBucket"], log["TargetPrefix"]),
        )
    assert found == {
        "complete-in": (["OnlyOverTls", "TheAccountMayList"], ["tidy", "archive"], ["PUT"], ("complete-logs", "in/")),
        "complete-out": (
            ["OnlyOverTls", "TheAccountMayRead"],
            ["tidy", "expire"],
            ["GET", "HEAD"],
            ("complete-logs", "out/"),
        ),
    }


def test_the_complete_example_has_every_alarm_on_its_dashboard_and_notifies_its_topic(examples: Examples) -> None:
    example = examples["complete"]
    client = example.aws.client("cloudwatch")
    alarms = client.describe_alarms(AlarmNamePrefix="resize-complete-")["MetricAlarms"]
    dashboard = json.loads(client.get_dashboard(DashboardName="resize-complete")["DashboardBody"])
    (shown,) = [widget["properties"]["alarms"] for widget in dashboard["widgets"] if widget["type"] == "alarm"]
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms) == sorted(example["alarm_arns"].values())
    assert {topic.rpartition(":")[2] for alarm in alarms for topic in alarm["AlarmActions"]} == {
        "resize-complete-alarms"
    }


def test_the_distribution_may_read_and_its_statement_is_beside_the_modules_own(examples: Examples) -> None:
    example = examples["cloudfront"]
    example.upload("cloudfront-in", "cake.jpg", encode(picture(1000, 500)))
    output = example.wait_for_object("cloudfront-out", "thumb-cake.jpg.webp")
    assert output["CacheControl"] == "max-age=300, s-maxage=3600"
    # CloudFront's statement is beside the module's own, for this distribution and the bucket's objects alone.
    policy = json.loads(example.aws.client("s3").get_bucket_policy(Bucket="cloudfront-out")["Policy"])
    tls, cloudfront = policy["Statement"]
    assert tls["Sid"] == "OnlyOverTls"
    assert cloudfront == {
        "Sid": "CloudFrontMayRead",
        "Effect": "Allow",
        "Principal": {"Service": ["cloudfront.amazonaws.com"]},
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::cloudfront-out/*"],
        "Condition": {"StringEquals": {"aws:SourceArn": [example.outputs["distribution_arn"]]}},
    }
    distributions = example.aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    (distribution,) = (one for one in distributions if one["ARN"] == example.outputs["distribution_arn"])
    (origin,) = distribution["Origins"]["Items"]
    assert origin["DomainName"] == "cloudfront-out.s3.eu-west-2.amazonaws.com"
    assert origin["OriginAccessControlId"]


def test_existing_buckets_keep_their_earlier_notification(examples: Examples) -> None:
    example = examples["existing-buckets"]
    for key in ("photos/a.png", "elsewhere/a.jpg", "photos/party/a.JPG"):
        example.upload("existing-buckets-uploads", key, encode(picture()))
    example.wait_for_object("existing-buckets-assets", "images/photos/party/resized-a.JPG")
    assert len(example.list_keys("existing-buckets-assets")) == 1
    # The bucket's earlier notification still works.
    example.aws.client("s3").delete_object(Bucket="existing-buckets-uploads", Key="elsewhere/a.jpg")
    deletions = example.outputs["deletions_queue_url"]
    while "Records" not in (message := example.take_message(deletions)):
        assert message["Event"] == "s3:TestEvent"
    assert message["Records"][0]["s3"]["object"]["key"] == "elsewhere/a.jpg"


def test_bring_your_own_uses_the_existing_role_and_log_group(examples: Examples) -> None:
    example = examples["bring-your-own"]
    example.upload("bring-your-own-uploads", "cake.jpg", encode(picture()))
    example.wait_for_object("bring-your-own-assets", "resized-cake.jpg")
    example.upload("bring-your-own-uploads", "broken.jpg", b"no image")
    assert example.take_message(example["failure_queue_url"])["key"] == "broken.jpg"
    function = example.aws.client("lambda").get_function_configuration(FunctionName=example["function_name"])
    assert function["Role"].endswith(":role/platform-resize-bring-your-own")
    assert function["Environment"]["Variables"]["OTEL_SERVICE_NAME"] == "resize"

    def read_messages() -> set[str] | None:
        pages = example.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/platform/resize")
        texts = (event["message"] for page in pages for event in page["events"])
        lines = [json.loads(text) for text in texts if text.startswith("{")]
        return {line["message"] for line in lines if "message" in line} or None

    # The level WARN keeps the line of the rejected image, and not the earlier one of the written image.
    assert wait_for(read_messages, "line of the function") == {"rejected"}


def test_eventbridge_keeps_undelivered_events(examples: Examples) -> None:
    example = examples["eventbridge"]
    for key in ("photos/cake.png", "photos/cake.jpg"):
        example.upload("eventbridge-uploads", key, encode(picture()))
    assert example.wait_for_object("eventbridge-assets", "photos/resized-cake.jpg")["Image"].size == (160, 120)
    assert "photos/resized-cake.png" not in example.list_keys("eventbridge-assets")
    # An event that EventBridge may not deliver goes to the queue of undelivered events.
    function = example["function_name"]
    example.aws.client("lambda").remove_permission(FunctionName=function, StatementId="EventBridgeMayInvoke")
    example.upload("eventbridge-uploads", "logos/lost.png", encode(picture(), "PNG"))
    undelivered = example.take_message(example["undelivered_queue_url"])
    example.terraform.run("apply", "-auto-approve", "-input=false")
    example.aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(undelivered))
    example.wait_for_object("eventbridge-assets", "logos/resized-lost.png")


def test_a_consumer_keeps_the_latest_state_of_each_upload(examples: Examples) -> None:
    example = examples["completion"]
    table = example.aws.client("dynamodb")

    def wait_for_item(status: str) -> dict[str, Any]:
        def poll() -> dict[str, Any] | None:
            found = table.get_item(TableName="resize-completion", Key={"key": {"S": "cake.jpg"}}).get("Item", {})
            item = {name: value.get("S") for name, value in found.items()}
            return item if item.get("status") == status else None

        return wait_for(poll, f"an item with the status {status}")

    body = encode(picture())
    example.upload("completion-in", "cake.jpg", body)
    written = wait_for_item("written")
    (rendition,) = json.loads(written["renditions"])
    output = example.wait_for_object("completion-out", rendition["key"])
    assert output["Image"].size == (rendition["width"], rendition["height"]) == (160, 120)
    assert (output["ContentLength"], output["ContentType"]) == (rendition["bytes"], rendition["media_type"])
    assert written["etag"] == hashlib.md5(body, usedforsecurity=False).hexdigest()
    example.upload("completion-in", "cake.jpg", b"text")
    rejected = wait_for_item("rejected")
    assert rejected["reason"] == example.take_message(example["failure_queue_url"])["reason"] == "not_an_image"
    example.aws.client("s3").delete_object(Bucket="completion-in", Key="cake.jpg")
    removed = wait_for_item("removed")
    # An event that comes again, or too late, changes nothing.
    for item in (written, removed):
        detail: dict[str, Any] = {"source": {"key": "cake.jpg", "etag": item["etag"]}, "renditions": [], "reason": None}
        event = {"detail": {**detail, "confirmed_at": item["confirmed_at"], "status": "written"}}
        client = example.aws.client("lambda")
        client.invoke(FunctionName="resize-completion-consumer", Payload=json.dumps(event))
        assert wait_for_item("removed") == removed


def test_a_single_bucket_does_not_resize_outputs(examples: Examples) -> None:
    example = examples["single-bucket"]
    example.upload("single-bucket", "uploads/a/cake.jpg", encode(picture()))
    example.wait_for_object("single-bucket", "resized/uploads/a/resized-cake.jpg")
    # The first output is an upload, too. If the function resized it, its output would exist before the second one.
    example.upload("single-bucket", "uploads/b.jpg", encode(picture()))
    example.wait_for_object("single-bucket", "resized/uploads/resized-b.jpg")
    assert len(example.list_keys("single-bucket")) == 4


def test_many_renditions_are_written_in_their_sizes(examples: Examples) -> None:
    example = examples["many-renditions"]
    example.upload("many-renditions-in", "cake.jpg", encode(picture(1000, 500)))
    sizes = {
        key: example.wait_for_object("many-renditions-out", key)["Image"].size
        for key in ("large/cake.jpg.avif", "medium/cake.jpg.webp", "tile/cake.jpg.webp", "print/cake.jpg")
    }
    assert list(sizes.values()) == [(1000, 500), (800, 400), (320, 320), (1000, 500)]


def test_a_page_shows_a_responsive_picture_from_the_manifest_and_nothing_moves(
    examples: Examples, browser: "Browser"
) -> None:
    example = examples["responsive"]
    example.upload("responsive-in", "cake.jpg", encode(picture(1000, 750)))
    s3 = example.aws.client("s3")
    # The manifest is written after the outputs.
    wait_for(lambda: "cake.jpg.renditions.json" in example.list_keys("responsive-out") or None, "the manifest")
    keys = example.list_keys("responsive-out")
    files = {key: s3.get_object(Bucket="responsive-out", Key=key)["Body"].read() for key in keys}
    assert len(files) == 13
    folder = TERRAFORM / "examples" / "responsive"
    site = Site(files | {name: (folder / name).read_bytes() for name in ("index.html", "picture.mjs")})
    page = site.open(browser, 1200)
    # The photo is narrower than 1280 and 1920, so these are equal.
    assert files["photo-1280-avif-cake.jpg.avif"] == files["photo-1920-avif-cake.jpg.avif"]
    assert [key for key in site.asked if key.startswith("photo-")] == ["photo-1920-avif-cake.jpg.avif"]
    size = "() => { const one = document.querySelector('img'); return [one.naturalWidth, one.naturalHeight]; }"
    assert page.evaluate(size) == [960, 720]
    assert sum_layout_shifts(page) == 0


def test_an_apply_deploys_a_package_in_s3_only_if_its_digest_matches(examples: Examples) -> None:
    terraform, s3 = examples["many-renditions"].terraform, examples["many-renditions"].aws.client("s3")
    settings = read_settings(terraform.directory)
    package = settings["package"]
    zip_file = io.BytesIO(s3.get_object(Bucket=ARTIFACTS, Key=package["s3"]["key"])["Body"].read())
    with zipfile.ZipFile(zip_file, "a") as archive:
        archive.writestr("NEWS", "another version")
    s3.put_object(Bucket=ARTIFACTS, Key="newer.zip", Body=zip_file.getvalue())
    newer = package | {"s3": {"bucket": ARTIFACTS, "key": "newer.zip"}}
    write_settings(terraform.directory, settings | {"package": newer})
    with pytest.raises(ToolError, match=r"The deployed zip is not the one that package\.sha256 names"):
        terraform.run("apply", "-auto-approve", "-input=false")
    # No event reaches the wrong code.
    functions = examples["many-renditions"].aws.client("lambda")
    assert functions.get_alias(FunctionName="resize-many-renditions", Name="live")["FunctionVersion"] == "1"
    sha256 = base64.b64encode(hashlib.sha256(zip_file.getvalue()).digest()).decode()
    write_settings(terraform.directory, settings | {"package": newer | {"sha256": sha256}})
    assert "2 changed" in terraform.run("apply", "-auto-approve", "-input=false")


def test_kms_keys_encrypt_outputs_and_records(examples: Examples) -> None:
    example = examples["kms"]
    example.upload("kms-in", "cake.jpg", encode(picture()))
    output = example.wait_for_object("kms-out", "resized-cake.jpg")
    source = example.aws.client("s3").head_object(Bucket="kms-in", Key="cake.jpg")
    assert output["ServerSideEncryption"] == source["ServerSideEncryption"] == "aws:kms"
    assert output["SSEKMSKeyId"] != source["SSEKMSKeyId"]
    # The failure queue has its own key.
    example.upload("kms-in", "broken.jpg", b"no image")
    assert example.take_message(example["failure_queue_url"])["key"] == "broken.jpg"


def test_a_second_pipeline_with_the_same_name_fails_and_does_not_damage_the_first(
    examples: Examples, tmp_path: Path
) -> None:
    first = examples["eventbridge"]
    root = copy_example("eventbridge", tmp_path, read_settings(first.terraform.directory))
    (root / "terraform.tfvars.json").write_text(json.dumps({"bucket_prefix": "second"}))
    with initialise(root, first.aws) as second:
        with pytest.raises(ToolError, match="Role with name resize-eventbridge-role already exists"):
            second.run("apply", "-auto-approve", "-input=false")
        assert "Destroy complete!" in second.run("destroy", "-auto-approve")
    # The second pipeline's destroy didn't delete the first one's queues and rule.
    first.upload("eventbridge-uploads", "photos/still.jpg", encode(picture()))
    first.wait_for_object("eventbridge-assets", "photos/resized-still.jpg")


def test_a_change_upstream_of_depends_on_changes_nothing_in_the_module(examples: Examples) -> None:
    plan = examples["dependent"].terraform.run("plan", "-input=false", "-var=upstream=2")
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in plan


def test_a_replaced_function_keeps_its_triggers_and_its_failure_queue(examples: Examples) -> None:
    example = examples["dependent"]
    replaced = "-replace=module.image_resize.aws_lambda_function.this"
    example.terraform.run("apply", "-auto-approve", "-input=false", replaced)
    client, function = example.aws.client("lambda"), example["function_name"]
    for named in ({"FunctionName": function}, {"FunctionName": function, "Qualifier": "live"}):
        policy = json.loads(client.get_policy(**named)["Policy"])
        assert {one["Sid"] for one in policy["Statement"]} == {"SourceBucketMayInvoke", "EventBridgeMayInvoke"}
        destination = client.get_function_event_invoke_config(**named)["DestinationConfig"]
        assert destination["OnFailure"]["Destination"] == example["failure_queue_arn"]
    (target,) = example.aws.client("events").list_targets_by_rule(Rule=function)["Targets"]
    assert target["Arn"] == example["target_arn"] == example["alias_arn"]
    example.upload("dependent-uploads", "cake.jpg", encode(picture()))
    example.wait_for_object("dependent-images", "resized-cake.jpg")


def apply_settings(example: Example, **settings: Any) -> None:
    """Change settings of an example's module, and upload images until that is applied; wait for the output of each."""
    root, keys = example.terraform.directory, list[str]()
    write_settings(root, read_settings(root) | settings)
    with ThreadPoolExecutor(1) as pool:
        applying = pool.submit(example.terraform.run, "apply", "-auto-approve", "-input=false")
        while not applying.done():
            keys.append(f"{len(example.list_keys('alias-in'))}.jpg")
            example.upload("alias-in", keys[-1], encode(picture()))
            futures.wait([applying], timeout=0.2)
        applying.result()
    for key in keys:
        example.wait_for_object("alias-out", f"resized-{key}")


def resize(example: Example, key: str) -> tuple[int, int]:
    """Upload an image of 400 x 200 pixels, and return the size of its output."""
    example.upload("alias-in", key, encode(picture(400, 200)))
    size: tuple[int, int] = example.wait_for_object("alias-out", f"resized-{key}")["Image"].size
    return size


def fail(example: Example, key: str) -> tuple[str, str]:
    """Upload an image that can't be read; return the alias and the version of the record of its event."""
    faults.inject(example.aws, Fault("GET", "alias-in", key, status=403, code="AccessDenied", times=3))
    example.upload("alias-in", key, encode(picture()))
    record = example.take_message(example["failure_queue_url"])
    qualifier = record["requestContext"]["functionArn"].rpartition(":")[2]
    return qualifier, record["responseContext"]["executedVersion"]


def test_an_alias_rolls_back_and_a_stack_that_gains_or_leaves_it_loses_no_event(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = examples["alias"]
    assert resize(example, "first.jpg") == (200, 100)
    assert fail(example, "first-failed.jpg") == ("live", "1")
    apply_settings(example, renditions={"resized": {"scale": 0.25}})
    assert resize(example, "second.jpg") == (100, 50)
    apply_settings(example, alias={"name": "live", "version": "1"})
    assert resize(example, "rolled-back.jpg") == (200, 100)
    # Operators invoke the version that the alias names, and audit with its settings.
    monkeypatch.setattr(aws, "client", example.aws.client)
    deployment = deployments.find(deployments.Target(example["function_name"]))
    assert deployment.settings.renditions[0].scale == 0.5
    assert Function(deployment).process("second.jpg").statuses == ("written",)
    assert example.wait_for_object("alias-out", "resized-second.jpg")["Image"].size == (200, 100)
    apply_settings(example, alias={"name": "live", "receives_events": False})
    apply_settings(example, alias=None)
    assert (resize(example, "left.jpg"), fail(example, "left-failed.jpg")) == ((100, 50), ("$LATEST", "$LATEST"))
    apply_settings(example, alias={"name": "live"})
    assert resize(example, "gained.jpg") == (100, 50)
    assert fail(example, "gained-failed.jpg")[0] == "live"


@pytest.mark.parametrize("name", ROOTS)
def test_a_second_plan_is_empty_and_no_event_failed(examples: Examples, name: str) -> None:
    example = examples[name]
    assert "No changes" in example.terraform.run("plan", "-input=false")
    for queue in filter(None, (example["failure_queue_url"], example["undelivered_queue_url"])):
        attributes = example.aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_the_deployers_policy_has_the_permissions_that_terraform_needs_and_no_others(examples: Examples) -> None:
    """The last test, because it destroys two examples."""
    aws, changed = examples["complete"].aws, examples["many-renditions"].terraform
    before = len(faults.record(aws, "root/complete"))
    examples["complete"].terraform.run("plan", "-input=false")
    needs = deployer.find_needs(faults.record(aws, "root/complete")[before:])
    assert {need.action for need in needs if not deployer.READING.search(need.action)} == set()
    settings = read_settings(changed.directory)
    package = settings["package"]
    aws.client("s3").copy_object(
        CopySource={"Bucket": ARTIFACTS, "Key": package["s3"]["key"]}, Bucket=ARTIFACTS, Key="moved.zip"
    )
    moved = package | {"s3": {"bucket": ARTIFACTS, "key": "moved.zip"}}
    write_settings(changed.directory, settings | CHANGE | {"package": moved})
    changed.run("apply", "-auto-approve", "-input=false")
    for bucket in ("many-renditions-in", "many-renditions-out"):
        delete_versions(aws.client("s3"), bucket)
    examples["complete"].upload("complete-out", "kept.jpg", b"for force_destroy")
    with ThreadPoolExecutor(len(DEPLOYED_BY_POLICY)) as pool:
        list(pool.map(lambda name: examples[name].terraform.destroy(), DEPLOYED_BY_POLICY))

    denied, used = list[deployer.Need](), set[tuple[str, str]]()
    for name, words in DEPLOYED_BY_POLICY.items():
        statements = deployer.read_policy(
            words | {"NAME": f"resize-{name}", "SOURCE": f"{name}-in", "DESTINATION": f"{name}-out"}
        )
        if "policy/BOUNDARY" not in words:
            del statements[0]["Condition"]
        for need in deployer.find_needs(faults.record(aws, f"root/{name}")):
            granted = deployer.find_grants(need, statements)
            used |= granted
            denied += [] if granted else [need]
    assert denied == []
    assert used == deployer.list_actions(statements)
