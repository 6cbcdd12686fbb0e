"""The recipes of terraform/README.md for several regions and for buckets that exist, applied in one configuration."""

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from tests.images import encode, picture
from tests.terraform.blocks import blocks
from tools.accept.pipeline import delete_versions, wait_for
from tools.build import Target, build
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, copy_code
from tools.local.aws import local_aws
from tools.local.stack import PROVIDER

REGIONS = {"ireland": "eu-west-1", "virginia": "us-east-1"}
ADOPTED = ("my-images-in", "my-images-out")


def find_recipe(part: str) -> str:
    """Return the README's block that contains a text, with this repository's module."""
    (found,) = [block.text for block in blocks(TERRAFORM / "README.md") if part in block.text]
    return re.sub(r'"git::[^"]+//terraform\?[^"]+"', '"./terraform"', found)


def find_key(s3: Any, bucket: str) -> str | None:
    """Return the key of the first object in a bucket."""
    return next((one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])), None)


def test_regions_share_an_account_and_adopted_buckets_keep_their_objects(module_copy: Path, tmp_path: Path) -> None:
    del module_copy  # The fixture skips the test if Terraform is missing.
    package = build(Target.of_this_machine(), tmp_path / "package", for_aws=False)
    root = tmp_path / "root"
    copy_code(TERRAFORM, root / "terraform", "tests", "examples")
    shutil.copy(TERRAFORM / ".terraform.lock.hcl", root)
    provider = PROVIDER.read_text().partition("{")[2]
    (root / "main.tf").write_text(find_recipe('alias  = "ireland"') + find_recipe("import {"))
    (root / "provider.tf").write_text(PROVIDER.read_text())
    (root / "providers_override.tf").write_text(
        "".join(f'provider "aws" {{\n  alias = "{alias}"\n{provider}' for alias in REGIONS)
    )
    settings = {"package": {"path": str(package.path)}, "monitoring": {"enabled": False}}
    calls = dict.fromkeys(("image_resize", *REGIONS), settings)
    (root / "override.tf.json").write_text(json.dumps({"module": calls}))
    with local_aws() as aws:
        s3 = aws.client("s3")
        for bucket in ADOPTED:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
            s3.put_object(Bucket=bucket, Key="kept.jpg", Body=b"kept")
        terraform = Terraform(root, environment=aws.environment())
        terraform.init()
        # The import itself updates force_destroy, which only Terraform knows.
        applied = terraform.run("apply", "-auto-approve", "-input=false")
        assert re.search(r"Resources: 2 imported, \d+ added, [0-2] changed, 0 destroyed\.", applied)
        assert [s3.get_object(Bucket=bucket, Key="kept.jpg")["Body"].read() for bucket in ADOPTED] == [b"kept"] * 2
        assert "No changes" in terraform.run("plan", "-input=false")
        for region in REGIONS.values():
            s3.put_object(Bucket=f"my-images-in-{region}", Key="cake.jpg", Body=encode(picture()))
        for region in REGIONS.values():
            poll = partial(find_key, s3, f"my-images-out-{region}")
            assert wait_for(poll, f"output in {region}") == "resized-cake.jpg"
        for bucket in s3.list_buckets()["Buckets"]:
            delete_versions(s3, bucket["Name"])
        terraform.destroy()
        assert s3.list_buckets()["Buckets"] == []
