"""An execution environment as on macOS: with the runtime client in Python, and without ``/proc``."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.local.aws import environment
from tools.local.aws.environment import Environment, FunctionSpec, Reply
from tools.local.aws.runtime import HERE, Runtime, prepare
from tools.local.aws.watchdog import Watchdog

Run = Callable[..., Reply]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a module's ``handler`` once, with 128 MiB."""
    monkeypatch.setattr(environment, "PROC", tmp_path / "none")
    folder = tmp_path / "scratch"
    runtime = Runtime(prepare().python, (str(HERE / "runtime_client.py"),))
    watchdog = Watchdog(folder)
    opened: list[Environment] = []

    def run(code: str, timeout: int = 20) -> Reply:
        (tmp_path / "function.py").write_text(code)
        spec = FunctionSpec("arn:f", "$LATEST", "f", tmp_path, "function.handler", 128, timeout, "role", "group", ())
        opened.append(Environment(spec, runtime, {}, watchdog))
        return opened[-1].invoke(b'{"x": "\xc3\xa9"}', "request", "arn:f")

    yield run
    for one in opened:
        one.close()
    watchdog.close()


def test_a_reply_and_its_log(run: Run) -> None:
    body = "print(event, context.aws_request_id, end=''); return context.get_remaining_time_in_millis() > 1000"
    reply = run(f"def handler(event, context): {body}")
    assert (reply.payload, reply.failed, reply.broken) == (b"true", False, False)
    start, seen, end, report = (line.text for line in reply.log)
    assert start == "START RequestId: request Version: $LATEST"
    assert seen == "{'x': 'é'} request"
    assert end == "END RequestId: request"
    assert report.startswith("REPORT RequestId: request\tDuration: ")
    assert report.endswith(" ms\tMemory Size: 128 MB\tMemory Limit: not enforced\t")


@pytest.mark.parametrize(
    ("body", "error", "broken"),
    [
        ("    raise ValueError('é')", "ValueError", False),
        ("    return {1}", "Runtime.MarshalError", False),
        ("    import os; os._exit(0)", "Runtime exited without providing a reason", True),
        ("    import os; os._exit(3)", "exit status 3", True),
        ("    import os; os.abort()", f"signal: {signal.strsignal(signal.SIGABRT)}".lower(), True),
        ("    pass\nimport missing", "Runtime.ImportModuleError", True),
        ("    pass\nimport os; os._exit(3)", "exit status 3", True),
    ],
)
def test_a_failure_has_its_reason(run: Run, body: str, error: str, broken: bool) -> None:
    reply = run(f"def handler(event, context):\n{body}\n")
    assert (reply.failed, reply.broken) == (True, broken)
    assert error in reply.payload.decode()
    assert reply.log[-1].text.startswith("REPORT RequestId: request\t")


def test_a_function_that_only_prints_times_out(run: Run) -> None:
    reply = run("def handler(event, context):\n    while True: print(event)\n", timeout=1)
    assert (reply.failed, reply.broken) == (True, True)
    assert "Task timed out after 1.00 seconds" in reply.payload.decode()
    assert "Task timed out after 1.00 seconds" in reply.log[-3].text


def test_without_proc_memory_is_not_limited(run: Run) -> None:
    assert run("def handler(event, context):\n    return len(bytearray(200 << 20))").payload == b"209715200"
