"""One execution environment: a process with AWS's runtime client, which gets one invocation at a time."""

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tools.local.aws.runtime import Runtime
from tools.local.aws.runtime_api import RuntimeApi
from tools.local.aws.watchdog import Watchdog, end_group

TIMED_OUT = "Sandbox.Timedout"

PIPE_BYTES = 65536
"""The capacity of a pipe: one read takes everything that was written before it."""

SAMPLE_SECONDS = 0.02
"""How often the function's memory is measured."""

PROC = Path("/proc")
"""Where Linux shows the memory of processes. Without this folder, memory is not limited."""


@dataclass(frozen=True)
class FunctionSpec:
    """Everything that decides how a function runs. Other code, settings or another role need another environment.

    Attributes:
        arn: Its ARN, without a version or an alias.
        version: Its version, or ``$LATEST``.
        invoked_arn: The ARN by which this invocation names it. An environment serves all of them.
        code: The folder of its unpacked zip.
        memory_size: In MiB. A function with more resident memory is killed.
        timeout: In seconds.
        variables: Its environment variables, without the credentials of its role.
        reserved: Its reserved concurrency; None without one. An environment stays in use when it changes.

    """

    arn: str
    version: str
    name: str
    code: Path
    handler: str
    memory_size: int
    timeout: int
    role: str
    log_group: str
    variables: tuple[tuple[str, str], ...]
    reserved: int | None = field(default=None, compare=False)
    invoked_arn: str = field(default="", compare=False)


class LogLine(NamedTuple):
    """A line of a log, and its time in milliseconds since 1970."""

    at: int
    text: str

    @classmethod
    def now(cls, text: str) -> "LogLine":
        return cls(time.time_ns() // 1_000_000, text)


@dataclass(frozen=True)
class Reply:
    """The result of one invocation.

    Attributes:
        payload: The function's reply, or the description of its error, as JSON.
        failed: Whether the function raised, timed out or died.
        log: The lines of the function and of the platform.
        broken: Whether the environment must be replaced.

    """

    payload: bytes
    failed: bool
    log: tuple[LogLine, ...]
    broken: bool

    @classmethod
    def of_platform(cls, kind: str, message: str) -> "Reply":
        """Describe an error outside the function."""
        error = json.dumps({"errorType": kind, "errorMessage": message}).encode()
        return cls(error, failed=True, log=(LogLine.now(f"{kind}: {message}"),), broken=True)


class Failure(NamedTuple):
    """Why an invocation has no result."""

    kind: str
    message: str


class Environment:
    """A process that runs one function.

    Args:
        spec: The function.
        runtime: How to run it.
        variables: Its credentials, and the endpoint of the local AWS.
        watchdog: Ends it when this process is gone.

    """

    def __init__(self, spec: FunctionSpec, runtime: Runtime, variables: Mapping[str, str], watchdog: Watchdog) -> None:
        self.spec = spec
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[{spec.version}]{uuid.uuid4().hex}"
        self._watchdog = watchdog
        self._api = RuntimeApi()
        self._log: list[LogLine] = []
        self._unfinished_line = b""
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        self._process = subprocess.Popen(
            [str(runtime.python), *runtime.client, spec.handler],
            cwd=spec.code,
            env={**_environment(spec, self.log_stream, variables), "AWS_LAMBDA_RUNTIME_API": self._api.address},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A process group of its own: whatever it starts ends with it.
            start_new_session=True,
        )
        os.close(output)
        watchdog.watch(self._process.pid)

    def invoke(self, payload: bytes, request_id: str, invoked_arn: str) -> Reply:
        """Run the function once; never two at a time."""
        started = time.monotonic()
        self._log = [LogLine.now(f"START RequestId: {request_id} Version: {self.spec.version}")]
        self._api.offer(payload, request_id, invoked_arn, time.time() + self.spec.timeout)
        failure = self._await_result(started + self.spec.timeout)
        self._read_output()
        if self._unfinished_line:
            self._log.append(LogLine.now(self._unfinished_line.decode(errors="replace")))
            self._unfinished_line = b""
        if failure and failure.kind == TIMED_OUT:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._log.append(LogLine.now(f"{at} {request_id} {failure.message}"))
        self._report(request_id, 1000 * (time.monotonic() - started), failed=failure is not None)
        log = tuple(self._log)
        if failure:
            error = {"errorType": failure.kind, "errorMessage": f"RequestId: {request_id} Error: {failure.message}"}
            return Reply(json.dumps(error).encode(), failed=True, log=log, broken=True)
        path, content = self._api.result or ("", b"")
        return Reply(content, failed=path.endswith("/error"), log=log, broken=path.endswith("/init/error"))

    def kill(self) -> None:
        """Kill the function; returns when it is gone, with its connections."""
        if self._process.poll() is None:
            end_group(self._process.pid)
            self._process.wait()

    def close(self) -> None:
        """End the function and all processes of its group."""
        end_group(self._process.pid)
        self._process.wait()
        self._watchdog.forget(self._process.pid)
        self._api.server_close()
        os.close(self._output)

    def _await_result(self, deadline: float) -> Failure | None:
        """Serve the runtime client until it sends a result; returns the reason if it never will."""
        self._peak_bytes = 0
        while True:
            ready, _, _ = select.select([self._api.fileno(), self._output], [], [], SAMPLE_SECONDS)
            if self._api.fileno() in ready:
                self._api.handle_request()
            if self._output in ready:
                self._read_output()
            self._peak_bytes = max(self._peak_bytes, _resident_bytes(self._process.pid))
            if self._peak_bytes > self.spec.memory_size << 20:
                self.kill()
            if self._api.result is not None:
                return None
            if (exit_code := self._process.poll()) is not None:
                return Failure("Runtime.ExitError", _describe_exit(exit_code))
            if time.monotonic() > deadline:
                self.kill()
                return Failure(TIMED_OUT, f"Task timed out after {self.spec.timeout:.2f} seconds")

    def _read_output(self) -> None:
        """Read the lines that the function has written."""
        with contextlib.suppress(BlockingIOError):
            *lines, self._unfinished_line = (self._unfinished_line + os.read(self._output, PIPE_BYTES)).split(b"\n")
            self._log += [LogLine.now(line.decode(errors="replace")) for line in lines]

    def _report(self, request_id: str, milliseconds: float, *, failed: bool) -> None:
        fields = (
            f"REPORT RequestId: {request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {math.ceil(milliseconds)} ms",
            f"Memory Size: {self.spec.memory_size} MB",
            f"Max Memory Used: {self._peak_bytes >> 20} MB" if self._peak_bytes else "Memory Limit: not enforced",
            "Status: error" if failed else "",
        )
        self._log += [LogLine.now(f"END RequestId: {request_id}"), LogLine.now("\t".join(fields))]


def _describe_exit(code: int) -> str:
    """Return Lambda's message for an exit code of the runtime client."""
    if code == 0:
        return "Runtime exited without providing a reason"
    how = f"signal: {signal.strsignal(-code)}".lower() if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {how}"


def _environment(spec: FunctionSpec, log_stream: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the function's environment variables. Only ``PATH`` and ``LANG`` come from this process."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **inherited,
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(spec.code),
        "_HANDLER": spec.handler,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_size),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(spec.timeout),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        # On AWS the code is read-only, so Python can't write byte code there.
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict(spec.variables),
        **variables,
    }


def _resident_bytes(pid: int) -> int:
    """Measure the memory of a process; 0 where it has ended or this is not Linux."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
