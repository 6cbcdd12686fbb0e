"""Fixtures for the tests of the deployed pipeline. Terraform deploys it once per session, on a separate local AWS."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import faults
from tests.conftest import skip_or_fail
from tests.pipeline.console import Console
from tests.uploads import drain_failure_queue
from tools.accept import pipeline as checks
from tools.common import local_stack
from tools.common.cli import say
from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.terraform import Terraform
from tools.local import stack as stacks
from tools.local.aws import service
from tools.operations.deployment import Target, find

service.MODULE = faults.MODULE


@dataclass(frozen=True)
class Pipeline(checks.Pipeline):
    """The deployed pipeline, and the local AWS and the Terraform that deployed it."""

    stack: Stack = field(kw_only=True)

    def empty_failure_queue(self) -> None:
        drain_failure_queue(self.stack)

    @property
    def terraform(self) -> Terraform:
        """Terraform, in the folder from which it deployed the pipeline."""
        return Terraform(stacks.DEPLOYMENT / "root", environment=self.stack.aws.environment())


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Deploy the pipeline as ``invoke up`` does, but beside the developer's own; remove it as ``invoke down`` does."""
    try:
        Terraform(Path())
    except ToolError as error:
        skip_or_fail(str(error))
    directory = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_stack, "STACK_FILE", directory / "stack.json")
        patch.setattr(stacks, "DEPLOYMENT", directory / "deployment")
        patch.setattr(stacks, "SERVER_LOG", directory / "server.log")
        stacks.up(say)
        running = Stack.running()
        pipeline = Pipeline(find(Target(local=True)), stack=running)
        try:
            yield pipeline
            # Each test takes the records of its own failures, so any other record means an unexpected failure.
            assert pipeline.peek_records() == []
            pipeline.terraform.destroy()
        finally:
            stacks.down(say)
    assert [path.name for path in directory.iterdir()] == ["stack.lock"]
    with pytest.raises(ProcessLookupError):
        os.kill(running.aws.pid, 0)


@pytest.fixture
def console(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> Console:
    """A console to run tasks, with an empty failure queue, because tasks would count and send other tests' records."""
    pipeline.empty_failure_queue()
    return Console(capsys)
