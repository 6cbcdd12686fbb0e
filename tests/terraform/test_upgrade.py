"""Plans the module over the state of an earlier release: no resource with contents is lost."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.common.errors import ToolError
from tools.common.terraform import Terraform, start_provider
from tools.dev.snapshot import STATES, save_state
from tools.local.aws import local_aws
from tools.local.stack import PROVIDER

PRECIOUS = {"aws_s3_bucket", "aws_sqs_queue", "aws_kms_key", "aws_cloudwatch_log_group"}
"""Resources whose contents would be lost with them."""

SETTINGS = {
    "source_bucket": "src-bucket-image-in",
    "destination_bucket": "dest-bucket-image-out",
    "force_destroy": True,
    "package": {"path": "tests/package/function.zip"},
}


@pytest.fixture(scope="module")
def environment(module_copy: Path) -> Iterator[dict[str, str]]:
    """Run a provider, and a local AWS that answers its question for the account. Nothing is deployed."""
    with local_aws() as aws, start_provider(module_copy, aws.environment()) as provider:
        yield aws.environment() | provider


def plan_changes(module_copy: Path, directory: Path, state: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    """Return the actions of a plan over a state, by address."""
    shutil.copytree(module_copy, directory, symlinks=True)
    shutil.copy(PROVIDER, directory)
    shutil.copy(state, directory / "terraform.tfstate")
    (directory / "settings.auto.tfvars.json").write_text(json.dumps(SETTINGS))
    terraform = Terraform(directory, environment=environment)
    terraform.init()
    # No refresh: there is only the state.
    terraform.run("plan", "-input=false", "-refresh=false", "-out=plan")
    plan = json.loads(terraform.run("show", "-json", "plan"))
    return {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}


@pytest.mark.parametrize("state", sorted(STATES.iterdir()), ids=lambda path: path.stem)
def test_no_resource_with_contents_is_destroyed_or_replaced(
    module_copy: Path, tmp_path: Path, state: Path, environment: dict[str, str]
) -> None:
    planned = plan_changes(module_copy, tmp_path / "terraform", state, environment)
    precious = {address: actions for address, actions in planned.items() if PRECIOUS & set(re.split(r"[.]", address))}
    assert len(precious) >= 4
    assert {address: actions for address, actions in precious.items() if "delete" in actions} == {}
    # A new resource beside an existing one would mean that the address changed.
    assert {address: actions for address, actions in precious.items() if actions == ["create"]} == {}


def test_a_bucket_at_another_address_is_noticed(module_copy: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    (state,) = STATES.glob("0.1.0.json")
    moved = tmp_path / "moved.tfstate"
    moved.write_text(state.read_text().replace('"module": "module.source_bucket"', '"module": "module.uploads"'))
    planned = plan_changes(module_copy, tmp_path / "terraform", moved, environment)
    assert planned["module.uploads.aws_s3_bucket.this"] == ["delete"]


def test_a_state_is_saved_only_under_a_version() -> None:
    with pytest.raises(ToolError, match="'latest' is not a version"):
        save_state("latest")
