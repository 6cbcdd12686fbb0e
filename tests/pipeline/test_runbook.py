"""docs/runbook.md: every alarm has a section, and every command runs on the pipeline as printed."""

import re
import shlex
from collections.abc import Iterator

import pytest
from invoke.collection import Collection

import tasks
from errors import Reason
from tests.pipeline.conftest import Pipeline
from tests.terraform.test_monitoring import ANCHORS
from tools.common.paths import ROOT
from tools.common.program import TaskProgram

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
COMMANDS = sorted(
    {line.replace("REASON", reason) for block in BLOCKS for line in block.splitlines() for reason in Reason}
)
HEADINGS = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
SECTIONS = {heading.lower().replace(" ", "-").replace("?", "") for heading in HEADINGS}
RUN_ELSEWHERE = {
    "invoke backfill --status JOB": "tests/pipeline/other_settings/test_recovery.py",
    "invoke backfill --prefix photos/ --job --yes": "tests/pipeline/other_settings/test_recovery.py",
    "invoke failures --undelivered": "tests/pipeline/test_drill.py",
    "invoke redrive --undelivered --yes": "tests/pipeline/test_drill.py",
}
"""Commands that need resources that this deployment lacks, and the test that runs them."""


@pytest.fixture(scope="module")
def clean_pipeline(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline; on teardown, delete the records that the commands caused for other tests' uploads."""
    yield pipeline
    pipeline.empty_failure_queue()


@pytest.mark.parametrize("alarm", sorted(ANCHORS))
def test_every_alarm_has_a_section(alarm: str) -> None:
    assert alarm in SECTIONS


def test_every_link_leads_to_an_existing_section() -> None:
    linked = re.findall(r"\(#([\w-]+)\)", RUNBOOK)
    assert set(linked) <= SECTIONS
    assert len(linked) >= 3


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - RUN_ELSEWHERE.keys()))
def test_every_command_works(clean_pipeline: Pipeline, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert clean_pipeline.stack.function_name == "Lambda-image"
    code: object = 0
    try:
        TaskProgram(namespace=Collection.from_module(tasks)).run([*shlex.split(command), "--local"])
    except SystemExit as exit_:
        code = exit_.code
    # An audit exits with 1 if it finds missing outputs, and other tests leave uploads without outputs.
    assert code == 0 or (code == 1 and command.startswith("invoke audit"))
    assert capsys.readouterr().err.strip() == ""


def test_commands_run_elsewhere_are_in_the_runbook() -> None:
    assert set(COMMANDS) >= RUN_ELSEWHERE.keys()
    for path in RUN_ELSEWHERE.values():
        assert (ROOT / path).is_file()
