"""One execution environment: AWS's emulator with AWS's runtime client inside, strictly one invocation at a time."""

import contextlib
import http.client
import ipaddress
import json
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tools.local.aws.guard import Guard, end_session, processes
from tools.local.aws.runtime import Runtime

INVOKE = "/2015-03-31/functions/function/invocations"

READY_SECONDS = 30
"""How long the emulator may take to listen; it takes a few milliseconds."""

GRACE_SECONDS = 30
"""Beyond the function's own timeout, for its start; the emulator itself ends what takes longer than the timeout."""

EMULATOR_LINE = re.compile(r"\d\d \w{3} \d{4} [\d:,]+ \[\w+\] \(rapid\) ")
"""What the emulator says of itself begins so; it is in no log on AWS."""

LOG_SECONDS = 2
"""How long the last lines of an invocation may take to arrive; they follow the reply at once."""

SAMPLE_SECONDS = 0.02
"""How often the memory in use is looked at."""


@dataclass(frozen=True)
class FunctionSpec:
    """All that decides how a function runs; another code, setting or role is another specification.

    Attributes:
        code: Where its zip is unpacked.
        memory_size: In MiB; what is resident beyond it is killed.
        timeout: In seconds.
        variables: Its environment, with the credentials of its role left out.
        reserved: How many of it may run at once; None for as many as there are slots. An environment
            serves on when it changes.

    """

    arn: str
    name: str
    code: Path
    handler: str
    memory_size: int
    timeout: int
    role: str
    log_group: str
    variables: tuple[tuple[str, str], ...]
    reserved: int | None = field(default=None, compare=False)


class LogLine(NamedTuple):
    """A line of a log, and when it was written, in milliseconds since 1970."""

    at: int
    text: str

    @classmethod
    def now(cls, text: str) -> "LogLine":
        return cls(time.time_ns() // 1_000_000, text)


@dataclass(frozen=True)
class Reply:
    """What came of one invocation.

    Attributes:
        payload: The function's reply, or the description of its error, as JSON.
        failed: Whether the function raised, timed out or died.
        log: The lines that it and the platform logged.
        broken: Whether the environment must be replaced.

    """

    payload: bytes
    failed: bool
    log: tuple[LogLine, ...]
    broken: bool

    @classmethod
    def of_platform(cls, kind: str, message: str) -> "Reply":
        """Describe what went wrong outside of the function."""
        error = json.dumps({"errorType": kind, "errorMessage": message}).encode()
        return cls(error, failed=True, log=(LogLine.now(f"{kind}: {message}"),), broken=True)


class Environment:
    """A sandbox that runs one function."""

    def __init__(self, spec: FunctionSpec, runtime: Runtime, variables: Mapping[str, str], guard: Guard) -> None:
        self.spec = spec
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self._guard = guard
        self._address, runtime_address = _own_addresses()
        self._lines: list[LogLine] = []
        self._more_lines = threading.Condition()
        self._process = subprocess.Popen(
            [
                *(str(runtime.emulator), "--log-level", "error"),
                *("--runtime-interface-emulator-address", self._address),
                *("--runtime-api-address", runtime_address),
                *(str(runtime.python), "-m", "awslambdaric", spec.handler),
            ],
            cwd=spec.code,
            env=_environment(spec, self.log_stream, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A session of its own: whatever it starts can be found, and ended.
            start_new_session=True,
        )
        guard.watch(self._process.pid)
        self._closed = False
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def invoke(self, payload: bytes, request_id: str) -> Reply:
        """Run the function once; never two at a time, which the emulator does not survive."""
        done = threading.Event()
        watchdog = threading.Thread(target=self._watch_memory, args=(done,))
        watchdog.start()
        try:
            status, body = self._post(payload, request_id)
        finally:
            done.set()
            watchdog.join()
        return self._reply(status, body, request_id)

    def kill(self) -> None:
        """Kill the function, as the end of its host would; returns when it is gone, with its connections."""
        processes = []
        for pid in self._runtime():
            with contextlib.suppress(ProcessLookupError):
                processes.append(os.pidfd_open(pid))
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            # A process that has ended makes its descriptor readable.
            select.select([process], [], [])
            os.close(process)

    def close(self) -> None:
        """End everything that runs in it; again is no harm, though another process may have its id by then."""
        if self._closed:
            return
        self._closed = True
        end_session(self._process.pid)
        self._process.wait()
        self._guard.forget(self._process.pid)

    def _post(self, payload: bytes, request_id: str) -> tuple[int, bytes]:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            connection = http.client.HTTPConnection(self._address, timeout=self.spec.timeout + GRACE_SECONDS)
            try:
                connection.request("POST", INVOKE, payload, {"X-Amzn-RequestId": request_id})
                response = connection.getresponse()
                return response.status, response.read()
            except ConnectionRefusedError:
                # It has not begun to listen.
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            finally:
                connection.close()

    def _reply(self, status: int, body: bytes, request_id: str) -> Reply:
        text = body.decode(errors="replace").strip()
        if text.startswith("Task timed out after "):
            error = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: {text}"}
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            log = (*self._last_log(), LogLine.now(f"{at} {request_id} {text}"))
            return Reply(json.dumps(error).encode(), failed=True, log=log, broken=True)
        if status != http.client.OK:
            # The emulator forgets these when the runtime dies.
            ending = (f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}\tStatus: error")
            return Reply(body, failed=True, log=(*self._last_log(), *map(LogLine.now, ending)), broken=True)
        return Reply(body, failed=_is_error(body, request_id), log=self._log(request_id), broken=False)

    def _log(self, request_id: str) -> tuple[LogLine, ...]:
        """Take the lines that there are, up to the report on this invocation, which follows the reply."""
        report = f"REPORT RequestId: {request_id}"
        with self._more_lines:
            self._more_lines.wait_for(
                lambda: any(line.text.startswith(report) for line in self._lines), timeout=LOG_SECONDS
            )
            lines = tuple(self._lines)
            self._lines.clear()
            return lines

    def _last_log(self) -> tuple[LogLine, ...]:
        """End the environment, and take all that was still on its way."""
        self.close()
        self._reader.join(LOG_SECONDS)
        return tuple(self._lines)

    def _read_log(self) -> None:
        for line in self._process.stdout or ():
            if EMULATOR_LINE.match(line):
                continue
            with self._more_lines:
                self._lines.append(LogLine.now(line.rstrip("\n")))
                self._more_lines.notify_all()

    def _watch_memory(self, done: threading.Event) -> None:
        """Kill the function when more is resident than it may have; Lambda does not limit its address space."""
        limit = self.spec.memory_size << 20
        while not done.wait(SAMPLE_SECONDS):
            if sum(map(_resident_bytes, self._runtime())) > limit:
                self.kill()

    def _runtime(self) -> list[int]:
        """All processes but the emulator."""
        return [pid for pid in processes(self._process.pid) if pid != self._process.pid]


def _own_addresses() -> tuple[str, str]:
    """Two addresses to listen on: ports that are free, on a loopback address where nobody else looks for one."""
    host = str(ipaddress.IPv4Address("127.1.0.0") + secrets.randbelow(1 << 23))
    with socket.create_server((host, 0)) as one, socket.create_server((host, 0)) as other:
        return f"{host}:{one.getsockname()[1]}", f"{host}:{other.getsockname()[1]}"


def _environment(spec: FunctionSpec, log_stream: str, variables: Mapping[str, str]) -> dict[str, str]:
    """What the function sees: nothing of our own environment but where programs and certificates are."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **inherited,
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(spec.code),
        "_HANDLER": spec.handler,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_size),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(spec.timeout),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        # The code can't be written to on AWS, so bytecode that is not in the zip never comes to be.
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict(spec.variables),
        **variables,
    }


def _is_error(body: bytes, request_id: str) -> bool:
    """Whether a reply is the runtime's description of an exception; the emulator answers 200 to those too."""
    try:
        reply = json.loads(body)
    except ValueError:
        return False
    return isinstance(reply, dict) and "errorType" in reply and reply.get("requestId") == request_id


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
