"""The `package` of a published zip: Terraform reads it back unchanged. Unusable bucket names and prefixes fail."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tools.build import Package
from tools.build.publish import PREFIX_BYTES, Place, Published
from tools.common.errors import ToolError
from tools.common.terraform import Terraform

DIGEST = "0ce8bHL9xBgXyPcX3XWfm3bvkBc8cGPhGSnVTKRRVZs="
PACKAGE = Package(Path("x.zip"), "python3.13", "x86_64", "handler", DIGEST, "", 1, {})


@pytest.fixture
def reader(tmp_path: Path) -> Terraform:
    """Return a module whose output is its input ``package``."""
    (tmp_path / "main.tf").write_text('variable "package" { type = any }\noutput "package" { value = var.package }\n')
    try:
        return Terraform(tmp_path)
    except ToolError as error:
        skip_or_fail(str(error))


@pytest.mark.parametrize(
    ("bucket", "prefix", "version", "region"),
    [
        ("artifacts", "", "", ""),
        ("my.artifacts_1", "releases/", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", "eu-west-2"),
        ("artifacts", 'a "b" \\n \\', "1", "eu-west-2"),
        ("artifacts", "${x} $${x} %{if} %%{if} $$${ %%%{ $ % {", "1", "eu-west-2"),
        ("artifacts", "é/画像/😀", "1", "eu-west-2"),
    ],
)
def test_terraform_reads_the_package_back_and_keeps_its_format(
    reader: Terraform, tmp_path: Path, bucket: str, prefix: str, version: str, region: str
) -> None:
    key = f"{Place(bucket, prefix).prefix}x.zip"
    published = Published(bucket, key, version, region, replace(PACKAGE, runtime="python3.12"))
    file = tmp_path / "package.tfvars"
    file.write_text(published.hcl())
    reader.run("fmt", "-check", "-diff", str(file))
    reader.apply(file)
    s3 = {"bucket": bucket, "key": key} | ({"version": version} if version else {})
    assert reader.output()["package"] == {
        "s3": s3,
        "sha256": DIGEST,
        "runtime": "python3.12",
        "architecture": "x86_64",
    }


def test_the_longest_prefix_leaves_room_for_the_longest_name() -> None:
    assert len(Place("artifacts", "x" * PREFIX_BYTES).key(PACKAGE)) == 1024


@pytest.mark.parametrize(
    ("bucket", "prefix", "message"),
    [
        (
            "s3://artifacts",
            "",
            r"^'s3://artifacts' is not a bucket name: give the name alone, without s3:// and a ",
        ),
        ("artifacts/releases", "", r"is not a bucket name"),
        ("arn:aws:s3:eu-west-2:123456789012:accesspoint/a", "", r"is not a bucket name"),
        ("", "", r"^'' is not a bucket name"),
        (
            "artifacts",
            "/releases/",
            r"^The prefix '/releases/' begins with a slash: leave the slash out$",
        ),
        (
            "artifacts",
            "a\nb",
            r"^The prefix 'a\\nb' has characters that Terraform changes: use others$",
        ),
        ("artifacts", "\udcff", r"^The prefix '\\udcff' has characters that Terraform changes"),
        ("artifacts", "e\u0301", r"^The prefix 'e\\u0301' has characters that Terraform changes"),
        ("artifacts", "é" * (PREFIX_BYTES // 2 + 1), rf"bytes: use at most {PREFIX_BYTES}$"),
    ],
)
def test_an_unusable_bucket_name_or_prefix_fails(bucket: str, prefix: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        Place(bucket, prefix)
