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
WITHOUT = {
    "invoke backfill --status JOB": "tests/pipeline/other_settings/test_mending.py",
    "invoke backfill --prefix photos/ --job --yes": "tests/pipeline/other_settings/test_mending.py",
    "invoke failures --undelivered": "tests/pipeline/test_drill.py",
    "invoke redrive --undelivered --yes": "tests/pipeline/test_drill.py",
}
"""Commands that need something that is not deployed here, and the test that runs them."""


@pytest.fixture(scope="module")
def operated(pipeline: Pipeline) -> Iterator[Pipeline]:
    """Yield the pipeline, and afterwards discard the records that its commands made about other tests' uploads."""
    yield pipeline
    pipeline.forget_failures()


@pytest.mark.parametrize("alarm", sorted(ANCHORS))
def test_every_alarm_has_a_section(alarm: str) -> None:
    assert alarm in SECTIONS


def test_every_link_to_a_section_leads_to_one() -> None:
    linked = re.findall(r"\(#([\w-]+)\)", RUNBOOK)
    assert set(linked) <= SECTIONS
    assert len(linked) >= 3


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - WITHOUT.keys()))
def test_a_command_of_the_runbook_works(operated: Pipeline, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert operated.stack.function_name == "Lambda-image"
    code: object = 0
    try:
        TaskProgram(namespace=Collection.from_module(tasks)).run([*shlex.split(command), "--local"])
    except SystemExit as ended:
        code = ended.code
    # Other tests leave uploads without an output, so an audit may well find something.
    assert code == 0 or (code == 1 and command.startswith("invoke audit"))
    assert capsys.readouterr().err.strip() == ""


def test_commands_that_are_run_elsewhere_are_in_the_runbook() -> None:
    assert set(COMMANDS) >= WITHOUT.keys()
    for path in WITHOUT.values():
        assert (ROOT / path).is_file()
