"""The execution environments of all functions: reused, replaced when stale or broken, and limited in number."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tools.local.aws.environment import Environment, FunctionSpec, LogLine, Reply
from tools.local.aws.runtime import Runtime
from tools.local.aws.watchdog import Watchdog

Credentials = Callable[[FunctionSpec], Mapping[str, str]]
"""Returns the environment variables that let a function act as its role."""

Log = Callable[[FunctionSpec, str, tuple[LogLine, ...]], None]
"""Writes lines of a function to the log stream of a name."""


class TooManyInvocationsError(Exception):
    """The account's concurrency is in use; a synchronous caller may retry."""


class ReservedError(TooManyInvocationsError):
    """The function's reserved concurrency is in use."""


class StoppingError(Exception):
    """The local AWS is being stopped."""


class Pool:
    """Runs functions, at most ``concurrency`` at a time.

    Args:
        concurrency: The limit over all functions, like that of an AWS account.
        runtime: How to run a function.
        watchdog: Ends environments when this process is gone.
        credentials: Called for each new environment.
        log: Called with the lines of each invocation, when it has ended.

    """

    def __init__(
        self, concurrency: int, runtime: Runtime, watchdog: Watchdog, credentials: Credentials, log: Log
    ) -> None:
        self._slots = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._concurrency = concurrency
        self._runtime = runtime
        self._credentials = credentials
        self._log = log
        self._watchdog = watchdog
        self._running: Counter[str] = Counter()
        self._closing = False

    def invoke(self, spec: FunctionSpec, payload: bytes, request_id: str, *, patience: float = 0) -> Reply:
        """Run a function.

        Args:
            spec: The function as it is now.
            payload: The event, as JSON.
            request_id: Appears in its log.
            patience: Seconds to wait for a free slot, as asynchronous invocations do.

        Raises:
            ReservedError: Its reserved concurrency is in use. Waiting here would hold up other functions.
            TooManyInvocationsError: No slot became free.

        """
        with self._reserve(spec):
            if not self._slots.acquire(timeout=patience):
                raise TooManyInvocationsError
            return self._invoke_in_slot(spec, payload, request_id)

    @contextlib.contextmanager
    def _reserve(self, spec: FunctionSpec) -> Iterator[None]:
        with self._lock:
            if spec.reserved is not None and self._running[spec.arn] >= spec.reserved:
                raise ReservedError
            self._running[spec.arn] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[spec.arn] -= 1

    def _invoke_in_slot(self, spec: FunctionSpec, payload: bytes, request_id: str) -> Reply:
        try:
            environment = self._take(spec)
        except PermissionError as error:
            return Reply.of_platform("AccessDeniedException", str(error))
        except StoppingError:
            return Reply.of_platform("ServiceException", "the local AWS is being stopped")
        else:
            return self._invoke(environment, payload, request_id, spec.invoked_arn)
        finally:
            self._slots.release()

    def kill(self, name: str) -> None:
        """Kill all running invocations of a function; its environments are replaced."""
        with self._lock:
            environments = [one for one in self._busy if one.spec.name == name]
        for environment in environments:
            environment.kill()

    def close(self) -> None:
        """End all environments, busy ones too."""
        with self._lock:
            self._closing = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for environment in idle:
            environment.close()
        for environment in busy:
            # The thread that waits for its reply closes it.
            environment.kill()

    def _invoke(self, environment: Environment, payload: bytes, request_id: str, invoked_arn: str) -> Reply:
        reply = environment.invoke(payload, request_id, invoked_arn)
        self._log(environment.spec, environment.log_stream, reply.log)
        if reply.broken:
            self._drop(environment)
        else:
            self._put_back(environment)
        return reply

    def _take(self, spec: FunctionSpec) -> Environment:
        with self._lock:
            fitting = next((environment for environment in self._idle if environment.spec == spec), None)
            # Earlier settings of this version never run again. Another function may have to make room.
            same = [one for one in self._idle if (one.spec.arn, one.spec.version) == (spec.arn, spec.version)]
            stale = [one for one in same if one.spec != spec]
            if fitting is None and len(self._idle) - len(stale) + len(self._busy) >= self._concurrency:
                stale += [one for one in self._idle if one not in stale][:1]
            taken = [fitting] if fitting else []
            self._idle = [one for one in self._idle if one not in stale + taken]
            self._busy |= set(taken)
        for environment in stale:
            environment.close()
        if fitting:
            return fitting
        variables = self._credentials(spec)
        with self._lock:
            if self._closing:
                raise StoppingError
            environment = Environment(spec, self._runtime, variables, self._watchdog)
            self._busy.add(environment)
            return environment

    def _put_back(self, environment: Environment) -> None:
        with self._lock:
            self._busy.discard(environment)
            self._idle.append(environment)

    def _drop(self, environment: Environment) -> None:
        environment.close()
        with self._lock:
            self._busy.discard(environment)
