"""The examples, as their readers use them: applied, used with a real upload, planned again and destroyed."""

import base64
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pipeline.conftest import awaited
from tools.build import Package, Target, build
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, copy_code
from tools.local.aws import local_aws
from tools.local.stack import PROVIDER

EXAMPLES = sorted(path.name for path in (TERRAFORM / "examples").iterdir())

ARTIFACTS = "artifacts"
"""Where the package of one example is."""


@dataclass(frozen=True)
class Example:
    """An applied example and the account that it is in."""

    aws: LocalAws
    terraform: Terraform
    outputs: dict[str, Any]

    def __getitem__(self, output: str) -> Any:
        return self.outputs["pipeline"][output]

    def upload(self, bucket: str, key: str, body: bytes) -> None:
        self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def output(self, bucket: str, key: str) -> dict[str, Any]:
        """Await an object; its image is under ``Image``."""
        s3 = self.aws.client("s3")

        def ask() -> dict[str, Any] | None:
            try:
                found = s3.get_object(Bucket=bucket, Key=key)
            except s3.exceptions.NoSuchKey:
                return None
            return {**found, "Image": load(found["Body"].read())}

        return awaited(ask, f"{key} in {bucket}")

    def message(self, queue_url: str) -> dict[str, Any]:
        """Await a message, and take it off its queue."""
        sqs = self.aws.client("sqs")

        def ask() -> dict[str, Any] | None:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                body: dict[str, Any] = json.loads(message["Body"])
                return body
            return None

        return awaited(ask, f"a message in {queue_url}")

    def keys(self, bucket: str) -> set[str]:
        return {found["Key"] for found in self.aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}


@dataclass(frozen=True)
class Examples:
    """All examples, being applied at once on one server: most of that is the provider's waiting."""

    applied: dict[str, "Future[Example]"]

    def __getitem__(self, name: str) -> Example:
        return self.applied[name].result()


def in_s3(aws: LocalAws, package: Package) -> dict[str, Any]:
    """Put a zip into a bucket, as the module is told of it; the local AWS runs it in its own Python."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=ARTIFACTS, Key="function.zip", Body=package.path.read_bytes())
    return {
        "s3": {"bucket": ARTIFACTS, "key": "function.zip"},
        "sha256": package.sha256,
        "runtime": "python3.13",
        "architecture": package.architecture,
    }


def prepared(name: str, folder: Path, aws: LocalAws, package: dict[str, Any]) -> Terraform:
    """Copy the module and return one of its examples, with a bucket prefix and a package."""
    copy = folder / "terraform"
    copy_code(TERRAFORM, copy, "tests")
    root = copy / "examples" / name
    shutil.copy(TERRAFORM / ".terraform.lock.hcl", root)
    shutil.copy(PROVIDER, root)
    (root / "terraform.tfvars.json").write_text(json.dumps({"bucket_prefix": name}))
    use_package(root, package)
    return Terraform(root, environment=aws.environment())


def use_package(root: Path, package: dict[str, Any]) -> None:
    """Replace the package of an example."""
    (root / "override.tf.json").write_text(json.dumps({"module": {"image_resize": {"package": package}}}))


def used_package(root: Path) -> dict[str, Any]:
    package: dict[str, Any] = json.loads((root / "override.tf.json").read_text())["module"]["image_resize"]["package"]
    return package


@pytest.fixture(scope="module")
def examples(module_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    del module_copy  # Only for its skip where there is no Terraform.
    package = build(Target.of_this_machine(), tmp_path_factory.mktemp("package"), for_aws=False)
    with local_aws(retry_delays=(0.1, 0.1)) as aws, ThreadPoolExecutor(len(EXAMPLES)) as pool:
        packages = {"many-renditions": in_s3(aws, package)}
        a_file = {"path": str(package.path)}
        roots = {
            name: prepared(name, tmp_path_factory.mktemp(name), aws, packages.get(name, a_file)) for name in EXAMPLES
        }

        def apply(terraform: Terraform) -> Example:
            terraform.init()
            terraform.run("apply", "-auto-approve", "-input=false")
            return Example(aws, terraform, terraform.output())

        applied = Examples({name: pool.submit(apply, terraform) for name, terraform in roots.items()})
        yield applied
        for bucket in aws.client("s3").list_buckets()["Buckets"]:
            empty(aws, bucket["Name"])
        for destroyed in pool.map(lambda terraform: terraform.run("destroy", "-auto-approve"), roots.values()):
            assert "Destroy complete!" in destroyed
        assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] == [ARTIFACTS]
        assert aws.client("lambda").list_functions()["Functions"] == []
        assert aws.client("sqs").list_queues().get("QueueUrls", []) == []


def empty(aws: LocalAws, bucket: str) -> None:
    """Delete every version of every object, as whoever destroys a bucket has to."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_complete(examples: Examples) -> None:
    example = examples["complete"]
    example.upload("complete-in", "photos/a cake.jpg", encode(picture()))
    half = example.output("complete-out", "half/photos/a cake.jpg")
    assert (half["CacheControl"], half["StorageClass"], half["ServerSideEncryption"]) == (
        "max-age=86400",
        "STANDARD_IA",
        "aws:kms",
    )
    assert corners(half["Image"]) == UPRIGHT_CORNERS
    assert example.output("complete-out", "tile/photos/a cake.jpg.jpg")["Image"].size == (64, 64)
    # Filtered out: S3 tells EventBridge of them, which has no rule for them.
    example.upload("complete-in", "photos/a cake.png", encode(picture(), "PNG"))
    example.upload("complete-in", "other/cake.jpg", encode(picture()))
    example.upload("complete-in", "logos/logo.png", encode(picture(), "PNG"))
    example.output("complete-out", "half/logos/logo.png")
    assert {key.partition("/")[2] for key in example.keys("complete-out")} == {
        "photos/a cake.jpg",
        "photos/a cake.jpg.jpg",
        "logos/logo.png",
        "logos/logo.png.jpg",
    }


def test_existing_buckets(examples: Examples) -> None:
    example = examples["existing-buckets"]
    for key in ("photos/a.png", "elsewhere/a.jpg", "photos/party/a.JPG"):
        example.upload("existing-buckets-uploads", key, encode(picture()))
    example.output("existing-buckets-assets", "images/photos/party/resized-a.JPG")
    assert len(example.keys("existing-buckets-assets")) == 1
    # The notification that was there before still does what it did.
    example.aws.client("s3").delete_object(Bucket="existing-buckets-uploads", Key="elsewhere/a.jpg")
    deletions = example.outputs["deletions_queue_url"]
    while "Records" not in (message := example.message(deletions)):
        assert message["Event"] == "s3:TestEvent"
    assert message["Records"][0]["s3"]["object"]["key"] == "elsewhere/a.jpg"


def test_eventbridge(examples: Examples) -> None:
    example = examples["eventbridge"]
    for key in ("photos/cake.png", "photos/cake.jpg"):
        example.upload("eventbridge-uploads", key, encode(picture()))
    assert example.output("eventbridge-assets", "photos/resized-cake.jpg")["Image"].size == (160, 120)
    assert "photos/resized-cake.png" not in example.keys("eventbridge-assets")
    # What EventBridge may not deliver is not lost.
    function = example["function_name"]
    example.aws.client("lambda").remove_permission(FunctionName=function, StatementId="EventBridgeMayInvoke")
    example.upload("eventbridge-uploads", "logos/lost.png", encode(picture(), "PNG"))
    undelivered = example.message(example["undelivered_queue_url"])
    example.terraform.run("apply", "-auto-approve", "-input=false")
    example.aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(undelivered))
    example.output("eventbridge-assets", "logos/resized-lost.png")


def test_single_bucket(examples: Examples) -> None:
    example = examples["single-bucket"]
    example.upload("single-bucket", "uploads/a/cake.jpg", encode(picture()))
    example.output("single-bucket", "resized/uploads/a/resized-cake.jpg")
    # That output was an upload too, and this one comes after it: had it been resized, it would be there.
    example.upload("single-bucket", "uploads/b.jpg", encode(picture()))
    example.output("single-bucket", "resized/uploads/resized-b.jpg")
    assert len(example.keys("single-bucket")) == 4


def test_many_renditions(examples: Examples) -> None:
    example = examples["many-renditions"]
    example.upload("many-renditions-in", "cake.jpg", encode(picture(1000, 500)))
    sizes = {
        key: example.output("many-renditions-out", key)["Image"].size
        for key in ("large/cake.jpg.avif", "medium/cake.jpg.webp", "tile/cake.jpg.webp", "print/cake.jpg")
    }
    assert list(sizes.values()) == [(1000, 500), (800, 400), (320, 320), (1000, 500)]


def test_a_package_in_s3_is_updated_and_must_be_the_one_that_was_meant(examples: Examples) -> None:
    terraform, s3 = examples["many-renditions"].terraform, examples["many-renditions"].aws.client("s3")
    package = used_package(terraform.directory)
    zip_file = io.BytesIO(s3.get_object(Bucket=ARTIFACTS, Key=package["s3"]["key"])["Body"].read())
    with zipfile.ZipFile(zip_file, "a") as archive:
        archive.writestr("NEWS", "another version")
    s3.put_object(Bucket=ARTIFACTS, Key="newer.zip", Body=zip_file.getvalue())
    newer = package | {"s3": {"bucket": ARTIFACTS, "key": "newer.zip"}}
    use_package(terraform.directory, newer)
    with pytest.raises(ToolError, match=r"The deployed zip is not the one that package\.sha256 names"):
        terraform.run("apply", "-auto-approve", "-input=false")
    sha256 = base64.b64encode(hashlib.sha256(zip_file.getvalue()).digest()).decode()
    use_package(terraform.directory, newer | {"sha256": sha256})
    assert "1 changed" in terraform.run("apply", "-auto-approve", "-input=false")


def test_kms(examples: Examples) -> None:
    example = examples["kms"]
    example.upload("kms-in", "cake.jpg", encode(picture()))
    output = example.output("kms-out", "resized-cake.jpg")
    source = example.aws.client("s3").head_object(Bucket="kms-in", Key="cake.jpg")
    assert output["ServerSideEncryption"] == source["ServerSideEncryption"] == "aws:kms"
    assert output["SSEKMSKeyId"] != source["SSEKMSKeyId"]
    # Into the queue, too, which has a key of its own.
    example.upload("kms-in", "broken.jpg", b"no image")
    assert example.message(example["failure_queue_url"])["key"] == "broken.jpg"


def test_a_name_that_is_taken_harms_nobody(examples: Examples, tmp_path: Path) -> None:
    first = examples["eventbridge"]
    second = prepared("eventbridge", tmp_path, first.aws, used_package(first.terraform.directory))
    (second.directory / "terraform.tfvars.json").write_text(json.dumps({"bucket_prefix": "second"}))
    second.init()
    with pytest.raises(ToolError, match="Role with name resize-eventbridge-role already exists"):
        second.run("apply", "-auto-approve", "-input=false")
    assert "Destroy complete!" in second.run("destroy", "-auto-approve")
    # Neither its queues nor its rule were handed to the second, to be destroyed with it.
    first.upload("eventbridge-uploads", "photos/still.jpg", encode(picture()))
    first.output("eventbridge-assets", "photos/resized-still.jpg")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_second_plan_is_empty_and_nothing_failed(examples: Examples, name: str) -> None:
    example = examples[name]
    assert "No changes" in example.terraform.run("plan", "-input=false")
    for queue in filter(None, (example["failure_queue_url"], example["undelivered_queue_url"])):
        attributes = example.aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
