"""`invoke accept` on a local AWS: it checks everything, names what is wrong, and leaves nothing, also after Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from tools.accept import run as running
from tools.accept.account import Account
from tools.accept.pipeline import CheckError, Pipeline, wait_for
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws
from tools.common.paths import FUNCTION, ROOT
from tools.local.aws import local_aws
from tools.operations import backfill

MODULE = """
variable "name" {}
variable "hangs" { default = false }

resource "aws_sqs_queue" "failures" {
  name = "${var.name}-failures"
}

resource "terraform_data" "this" {
  count      = var.hangs ? 1 : 0
  depends_on = [aws_sqs_queue.failures]
  # A limit, so that a failed test leaves no process.
  provisioner "local-exec" { command = "sleep 600" }
}
"""
"""In place of the module: something to leave behind, and an apply that ends only when it is interrupted."""

SCRIPT = f"""
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from invoke.exceptions import Exit
# A shell ignores SIGINT for a background task, such as a test run in CI.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {[str(ROOT), str(FUNCTION)]!r}
from tools.accept import run, stack
from tools.accept.account import Account
from tools.build import Package
from tools.common import cli, local_stack

endpoint, region, key, secret, module = sys.argv[1:]
stack.TERRAFORM = Path(module)
stack.TOPIC = ""
stack.TemporaryStack.deploy = lambda made: made.terraform.apply()
build = lambda folder: Package(folder, "python3.13", "arm64", "", "", "", 0, {{}})

def wait(_):
    print("Checking", flush=True)
    signal.pause()

account = Account.of_local(local_stack.LocalAws(endpoint, region, key, secret, os.getppid()))
try:
    with cli.readable_errors("accept"):
        run.run(replace(account, build=build), cli.say, confirmed=True, checks={{"waiting": wait}})
except Exit as ended:
    sys.exit(ended.code)
"""


@pytest.fixture
def account(module_copy: Path) -> Iterator[tuple[LocalAws, Account]]:
    """A local AWS and its account, if there is Terraform."""
    del module_copy  # It skips the test if Terraform is missing.
    with local_aws() as aws:
        yield aws, Account.of_local(aws)


def test_every_check_passes_except_one_that_fails_and_is_named(
    module_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del module_copy
    monkeypatch.setattr(backfill, "POLL_SECONDS", 0.1)

    def fail(pipeline: Pipeline) -> None:
        raise CheckError(f"No {pipeline.source_bucket} | no cake")

    checks = running.list_checks()
    monkeypatch.setattr(running, "list_checks", lambda: {**checks, "a cake": fail})
    with pytest.raises(Exit) as ended:
        tasks.accept(Context(), local=True, output=str(tmp_path))
    assert ended.value.code == 1
    suite = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own file
    cases = {case.attrib["name"]: case.find("failure") for case in suite}
    assert list(cases) == [*checks, "a cake", "a second plan is empty", "destroy", "nothing is left"]
    assert [name for name, failure in cases.items() if failure is not None] == ["a cake"]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == (str(len(cases)), "1")
    markdown = (tmp_path / "report.md").read_text()
    assert f"1 of {len(cases)} checks failed" in markdown
    assert r"-in \| no cake |" in markdown
    assert "terraform 1." in markdown
    assert markdown.endswith("it cost nothing.\n")
    assert markdown in capsys.readouterr().out


def test_nothing_is_made_without_yes(account: tuple[LocalAws, Account]) -> None:
    aws, where = account
    said: list[str] = []
    with pytest.raises(ToolError, match=r"^Nothing was made: run again with --yes to make it$"):
        running.run(where, said.append, confirmed=False)
    assert "US$ 0.26: 0.25 for the job" in said[0]
    assert where.find_resources("accept-") == []
    assert aws.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(("number", "hangs"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_an_interrupt_of_the_apply_or_of_a_check_leaves_nothing(
    account: tuple[LocalAws, Account], tmp_path: Path, number: signal.Signals, hangs: bool
) -> None:
    aws, where = account
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.tf").write_text(MODULE.replace("default = false", f"default = {str(hangs).lower()}"))
    command = [sys.executable, "-c", SCRIPT, aws.endpoint, aws.region, aws.access_key_id, aws.secret_access_key]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [*command, str(module)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as task:
        assert task.stdout
        if hangs:
            wait_for(lambda: where.find_resources("accept-") or None, "queue")
        else:
            assert "Checking\n" in task.stdout
        assert where.find_resources("accept-") != []
        task.send_signal(number)
        printed, errors = task.communicate()
    assert (task.returncode, errors.splitlines()) == (130, ["Stopping"])
    assert "nothing is left: passed" in printed
    assert where.find_resources("accept-") == []
    assert list(temporary.iterdir()) == []
