"""`invoke up` and `down`: one at a time, and an interrupt leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import faults
from tests.local_aws.conftest import await_answer
from tests.processes import is_running
from tools.common import local_stack
from tools.common.cli import say
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws, Stack
from tools.common.paths import FUNCTION, ROOT
from tools.local import stack as stacks
from tools.local.aws import local_aws, stop

IN_FOLDER = f"""
import signal
import sys
from pathlib import Path
# A shell ignores SIGINT for a background task, such as a test run in CI.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [{str(ROOT)!r}, {str(FUNCTION)!r}]
from tools.common import cli, local_stack
from tools.local import stack
from tools.local.aws import service
service.MODULE = {faults.MODULE!r}
folder = Path(sys.argv[1])
local_stack.STACK_FILE = folder / "stack.json"
stack.DEPLOYMENT, stack.SERVER_LOG, stack.LOCAL = folder / "deployment", folder / "server.log", folder
"""
"""Imports of a script, whose local AWS keeps its files in a folder."""

HOLD = """
with stack._only_task("up"):
    print(flush=True)
    sys.stdin.read()
"""

UP = """
# Building the function would need the network.
stack._prepare = lambda directory, *_, **__: (directory / "root").mkdir(parents=True, exist_ok=True)
with cli.readable_errors("up"):
    stack.up(cli.say)
"""

STUCK_TERRAFORM = """#!{python}
import os, signal, sys
if sys.argv[1] == "version":
    print('{{"terraform_version": "1.11.4"}}')
    sys.exit()
signal.signal(signal.SIGINT, signal.SIG_IGN)
# A limit, so that a failed test leaves no process.
signal.alarm(60)
with open("{pids}", "w") as pids:
    print(os.getpid(), os.environ["AWS_ENDPOINT_URL"], file=pids)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a local AWS, in place of the clone's."""
    folder = tmp_path / "local"
    folder.mkdir()
    monkeypatch.setattr(local_stack, "STACK_FILE", folder / "stack.json")
    return folder


@pytest.mark.parametrize("task", [lambda: stacks.up(say), lambda: stacks.down(say), stacks.clean])
def test_one_task_at_a_time_changes_the_local_aws(folder: Path, task: Callable[[], object]) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", IN_FOLDER + HOLD, str(folder)], stdin=pipe, stdout=pipe) as other:
        assert other.stdout
        other.stdout.readline()
        busy = rf"^The local AWS is in use by `invoke up` \(process {other.pid}\): wait until it has ended$"
        with pytest.raises(ToolError, match=busy):
            task()
        other.kill()
    # The lock of a killed process is free.
    lines: list[str] = []
    stacks.down(lines.append)
    assert lines == ["The local AWS is not up"]


@pytest.mark.usefixtures("folder")
def test_up_does_not_move_a_local_aws_to_another_port() -> None:
    running = LocalAws("http://127.0.0.1:4566", "eu-west-2", "key", "secret", os.getpid())
    Stack(running, "in", "out", "images", "queue", "log").save()
    said = "^The local AWS is up on port 4566, not 4567: leave --port out, or run `invoke down` first$"
    with pytest.raises(ToolError, match=said):
        stacks.up(say, port=4567)


@pytest.mark.usefixtures("folder")
def test_up_refuses_a_misspelt_setting(tmp_path: Path) -> None:
    settings = tmp_path / "x.tfvars"
    settings.write_text("renditions = { small = { scal = 0.1 } }\n")
    with pytest.raises(
        ToolError, match=r"renditions\.small\.scal is not a setting of the module: did you mean scale\?$"
    ):
        stacks.up(say, var_file=settings)


@pytest.fixture
def earlier(folder: Path) -> Iterator[LocalAws]:
    """The local AWS of an earlier `up`, whose Terraform was killed while it deployed again."""
    with local_aws(keep=folder / "server.log") as aws:
        Stack(aws, "in", "out", "images", "queue", "log").save()
    (folder / "deployment" / "root").mkdir(parents=True)
    (folder / "deployment" / "root" / stacks.STATE_LOCK).touch()
    yield aws
    stop(aws.pid)


@pytest.mark.parametrize("was_killed", [False, True])
def test_interrupts_end_up_at_once_and_leave_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, was_killed: bool
) -> None:
    earlier: LocalAws | None = request.getfixturevalue("earlier") if was_killed else None
    programs, pids = folder.with_name("bin"), folder.with_name("pids")
    programs.mkdir()
    (programs / "terraform").write_text(STUCK_TERRAFORM.format(python=sys.executable, pids=pids))
    (programs / "terraform").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    command = [sys.executable, "-c", IN_FOLDER + UP, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as task:
        terraform, endpoint = await_answer(lambda: (pids.exists() and pids.read_text().split()) or None)
        task.send_signal(signal.SIGINT)
        assert task.stderr
        assert task.stderr.readline() == "Stopping\n"
        task.send_signal(signal.SIGINT)
        task.wait()
    assert earlier is None or not is_running(earlier.pid)
    assert not is_running(int(terraform))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(endpoint).port or 0))
    assert [path.name for path in folder.iterdir()] == ["stack.lock"]
