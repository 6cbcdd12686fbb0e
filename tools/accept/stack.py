"""A temporary pipeline with a random name: what it is, how Terraform deploys it, and that nothing of it is left."""

import json
import secrets
import shlex
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tools.accept.account import Account, explain_refusal
from tools.accept.alarms import TOPIC
from tools.accept.pipeline import Pipeline, wait_until_empty
from tools.build import Package
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, copy_code
from tools.operations.deployment import Target, find

STOP_SECONDS = 900
"""Time for an interrupted Terraform to end: requests to S3 and IAM take minutes. A killed one would
forget what it was creating."""


@dataclass(frozen=True)
class TemporaryStack:
    """A pipeline that lives for one run.

    Attributes:
        account: The account and Region that it is deployed to.
        name: The function's name, with which all other names begin.

    """

    account: Account
    name: str = field(default_factory=lambda: f"accept-{secrets.token_hex(4)}")

    @cached_property
    def directory(self) -> Path:
        """A new folder, for Terraform's configuration and state, and the package."""
        return Path(tempfile.mkdtemp(prefix=f"{self.name}-"))

    @cached_property
    def terraform(self) -> Terraform:
        root = self.directory / "root"
        return Terraform(root, environment=self.account.environment, stop_seconds=STOP_SECONDS)

    def check_name(self) -> None:
        """Check that nothing has the stack's name.

        Raises:
            ToolError: Something has, or the lists can't be read.

        """
        if found := self.account.find_resources(self.name):
            raise ToolError(f"The name {self.name} is in use by {', '.join(found)}: run again for another name")

    def prepare(self) -> Package:
        """Build the function, and make the Terraform root that deploys it; an error or an interrupt leaves nothing.

        Raises:
            ToolError: Something can't be built or fetched.

        """
        try:
            package = self.account.build(self.directory / "package")
            root = self.directory / "root"
            copy_code(TERRAFORM, root, "tests", "*.md")
            for name, text in {**self.account.provider, "alarms.tf": TOPIC}.items():
                (root / name).write_text(text)
            (root / "accept.auto.tfvars.json").write_text(json.dumps(self._make_variables(package)))
            self.terraform.init()
        except BaseException:
            self.remove_files()
            raise
        return package

    def deploy(self) -> Pipeline:
        """Apply, and return the pipeline.

        Raises:
            ToolError: AWS or Terraform refused something. Parts may exist.

        """
        self.terraform.apply()
        with explain_refusal("read the function's configuration"):
            return Pipeline(find(Target(self.name), self.account.client))

    def check_removed(self) -> None:
        """Check that nothing has the stack's name any more; S3 may list a deleted bucket for a while.

        Raises:
            CheckError: Something is left.
            ToolError: The lists can't be read.

        """
        wait_until_empty(partial(self.account.find_resources, self.name), "resources that are left")

    def remove_files(self) -> None:
        """Remove Terraform's state and the package."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def how_to_remove(self) -> str:
        """Return shell commands that remove the stack."""
        folder = shlex.quote(str(self.directory))
        return f"terraform -chdir={shlex.quote(str(self.directory / 'root'))} destroy && rm -r {folder}"

    def _make_variables(self, package: Package) -> dict[str, Any]:
        """Return the module's variables that differ from their defaults."""
        account = self.account
        topic = f"arn:{account.partition}:sns:{account.region}:{account.account_id}:{self.name}-alarms"
        return {
            "name": self.name,
            "source_bucket": f"{self.name}-in",
            "destination_bucket": f"{self.name}-out",
            "force_destroy": True,
            "package": {"path": str(package.path)},
            "mirror_deletes": True,
            "batch_operations": True,
            "monitoring": {"alarm_topic_arns": [topic], "dashboard": True},
            "tags": {"accept": self.name},
        }
