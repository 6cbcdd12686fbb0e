"""The local AWS starts, stops, and always cleans up."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults import Fault, await_held, inject
from tests.local_aws.conftest import PATIENCE, Account, await_answer
from tests.processes import is_running
from tools.common.errors import ToolError
from tools.common.local_stack import LocalAws, local_client
from tools.common.paths import ROOT
from tools.local.aws import local_aws, stop

ECHO = "def handler(event, context):\n    return event\n"


def find_processes(aws: LocalAws) -> set[int]:
    """Return the server, its watchdog, and the processes of functions."""
    marks = (f"AWS_ENDPOINT_URL={aws.endpoint}".encode(), f"AWS_ACCESS_KEY_ID={aws.access_key_id}".encode())
    found = {aws.pid}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if marks[0] in environment or parent == aws.pid:
                found.add(int(entry.name))
    return found


def await_end(pids: set[int]) -> None:
    await_answer(lambda: True if not any(map(is_running, pids)) else None)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a local AWS's temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, RuntimeError])
def test_the_end_of_the_block_ends_everything(ending: type[BaseException] | None, scratch: Path) -> None:
    started: set[int] = set()
    with contextlib.suppress(KeyboardInterrupt, RuntimeError), local_aws() as aws:
        account = Account(aws)
        account.invoke(account.function(ECHO))
        started = find_processes(aws)
        if ending:
            raise ending
    assert len(started) >= 3
    await_end(started)
    assert not list(scratch.iterdir())


def test_running_functions_end_with_the_block(scratch: Path) -> None:
    with local_aws() as aws:
        account = Account(aws)
        bucket = account.bucket()
        code = (
            f"import boto3\ndef handler(event, context):\n    boto3.client('s3').list_objects_v2(Bucket='{bucket}')\n"
        )
        name = account.function(code, Timeout=60)
        hold = inject(aws, Fault("GET", bucket, hold=True))
        for _ in range(5):
            account.invoke(name, InvocationType="Event")
        await_held(aws, hold)
        started = find_processes(aws)
    await_end(started)
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("keep", [False, True])
def test_a_killed_parent_ends_everything(scratch: Path, keep: bool, tmp_path: Path) -> None:
    log = repr(str(tmp_path / "log")) if keep else None
    script = (
        "from tests.local_aws.conftest import Account; from tools.local.aws import local_aws; import pathlib, sys\n"
        f"with local_aws(keep={log} and pathlib.Path({log})) as aws:\n"
        "    account = Account(aws)\n"
        f"    account.invoke(account.function({ECHO!r}))\n"
        "    print(aws.endpoint, aws.region, aws.access_key_id, aws.secret_access_key, aws.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        endpoint, region, key, secret, pid = parent.stdout.readline().split()
        started = find_processes(LocalAws(endpoint, region, key, secret, int(pid)))
        parent.send_signal(signal.SIGKILL)
    assert len(started) >= 3
    await_end(started)
    assert not list(scratch.iterdir())


def test_a_killed_server_leaves_no_function_running_and_no_files(tmp_path: Path, scratch: Path) -> None:
    with local_aws(keep=tmp_path / "log") as aws:
        account = Account(aws)
        account.invoke(account.function(ECHO))
    started = find_processes(aws)
    assert list(scratch.iterdir())
    os.kill(aws.pid, signal.SIGKILL)
    await_end(started)
    assert not list(scratch.iterdir())
    stop(aws.pid)


def test_a_local_aws_in_the_background_runs_until_it_is_stopped(tmp_path: Path, scratch: Path) -> None:
    with local_aws(keep=tmp_path / "log") as aws:
        pass
    account = Account(aws)
    assert account.invoke(account.function(ECHO), "x")["Reply"] == "x"
    started = find_processes(aws)
    stop(aws.pid)
    with pytest.raises(ProcessLookupError):
        os.kill(aws.pid, 0)
    await_end(started)
    assert not list(scratch.iterdir())
    stop(aws.pid)


def test_another_process_is_never_stopped() -> None:
    echo = [sys.executable, "-c", "print(input())"]
    with subprocess.Popen(echo, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        stop(other.pid)
        assert other.communicate(b"alive\n")[0] == b"alive\n"


def test_a_port_in_use_is_an_error_of_one_line(tmp_path: Path, scratch: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ToolError, match=rf"^Port {port} is in use: choose another, or none$"), local_aws(port=port):
            pass
        with pytest.raises(ToolError, match=rf"^Port {port} is in use"), local_aws(port=port, keep=tmp_path / "log"):
            pass
    assert not list(scratch.iterdir())


def test_a_port_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with local_aws(port=port) as aws:
        assert urlsplit(aws.endpoint).port == port


@pytest.mark.usefixtures("account")  # Otherwise the packages would be fetched for macOS.
def test_functions_run_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    code = "import sys\ndef handler(event, context):\n    return sys.modules['runtime_client'].__file__\n"
    with local_aws() as aws:
        account = Account(aws)
        assert account.invoke(account.function(code))["Reply"].endswith("tools/local/aws/runtime_client.py")


def test_the_users_profile_and_proxy_are_ignored(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    keys = (account.aws.access_key_id, account.aws.secret_access_key)
    client = local_client("sts", account.aws.endpoint, account.aws.region, *keys)
    assert client.get_caller_identity()["Account"] == "123456789012"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts segments")
def test_the_header_and_body_of_a_reply_arrive_in_one_segment(account: Account) -> None:
    """The provider's HTTP client may lose a body that arrives later, and repeats a create that was served."""
    with connect(account.aws) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        # `tcpi_data_segs_in` of struct tcp_info in linux/tcp.h
        (segments,) = struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160), 152)
    header, _, body = reply.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in header
    assert body
    assert segments == 1


def test_a_client_that_asks_whether_to_continue_is_told_before_it_sends_the_body(account: Account) -> None:
    with connect(account.aws) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")


def connect(aws: LocalAws) -> socket.socket:
    address = urlsplit(aws.endpoint)
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
