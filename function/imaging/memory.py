"""Limits the process's memory, detects failed allocations, and frees the memory that exceptions hold."""

import contextlib
import ctypes
import errno
import resource
import sys
import threading
import traceback
from collections.abc import Iterator

CODE_BYTES = 40 << 20
"""Memory that Lambda counts and ``RLIMIT_DATA`` does not: 20 MiB for pages of programs and libraries, 16 MiB for the
daemon that runs beside the function with tracing, and a reserve."""

SMALL_STACK = 256 << 10
"""The stack of a thread that only sends requests: an eighth of it was enough for a put over TLS."""

_stack_size = threading.Lock()

_c = ctypes.CDLL(None)
# Deployments never run on macOS, but previews and the local AWS do.
_errno_location = _c.__error if sys.platform == "darwin" else _c.__errno_location
_errno_location.restype = ctypes.POINTER(ctypes.c_int)


def limit(memory_bytes: int) -> None:
    """Make allocations fail that would exceed the function's memory.

    Without this limit, the kernel kills the process, and with it every other object of the event. With it, Python
    raises ``MemoryError``, and native code reports an error of its own: see ``has_run_out``.

    Args:
        memory_bytes: The memory of the whole execution environment.

    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (max(0, memory_bytes - CODE_BYTES), hard))


def require(byte_count: int) -> None:
    """Check that this much can be allocated, before a call to native code that crashes if it can't.

    Raises:
        MemoryError: It can't be allocated.

    """
    bytes(byte_count)


def clear_errno() -> None:
    """Make ``has_run_out`` ignore everything before this call."""
    _errno_location()[0] = 0


def has_run_out() -> bool:
    """Tell whether an allocation of this thread has failed since ``clear_errno``.

    Decoders report a failed allocation with the messages of a damaged file, such as "broken data stream". But
    ``malloc`` sets ``errno`` to ``ENOMEM`` (malloc(3)), and it stays: sources and outputs are in memory, so no other
    system call comes between the failure and the exception.
    """
    return bool(_errno_location()[0] == errno.ENOMEM)


@contextlib.contextmanager
def small_stacks() -> Iterator[None]:
    """Give threads that are started meanwhile a small stack: ``RLIMIT_DATA`` counts all 8 MiB of a usual one."""
    # The size applies to the process. Without the lock, two calls could restore each other's.
    with _stack_size:
        usual = threading.stack_size(SMALL_STACK)
        try:
            yield
        finally:
            threading.stack_size(usual)


@contextlib.contextmanager
def releasing() -> Iterator[None]:
    """Free the memory that an exception holds, and let it propagate.

    The tracebacks of an exception and of its causes hold all local variables of the calls that it ended: the source,
    its pixels and the outputs. The lines of the traceback remain for the log.
    """
    try:
        yield
    except Exception as error:
        held: BaseException | None = error
        while held:
            traceback.clear_frames(held.__traceback__)
            held = held.__context__
        raise
