"""A limit of the process's memory, below what Lambda kills it for, whether it was reached, and what exceptions hold."""

import contextlib
import ctypes
import errno
import resource
import traceback
from collections.abc import Iterator

CODE_BYTES = 40 << 20
"""Memory of the process that ``RLIMIT_DATA`` does not count, but Lambda does: pages of programs and libraries, 20 MiB,
and 16 MiB for the daemon that runs beside the function where tracing is on."""

_c = ctypes.CDLL(None)
_errno_location, _malloc, _free = _c.__errno_location, _c.malloc, _c.free
_errno_location.restype = ctypes.POINTER(ctypes.c_int)
_malloc.restype, _malloc.argtypes, _free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]


def cap(memory_bytes: int) -> None:
    """Let allocations fail from now on that would take the process beyond a function's memory.

    Without it the kernel kills the process, and with it every other object of the event. With it Python raises
    ``MemoryError``, and native code fails in its own words: see ``ran_out``.

    Args:
        memory_bytes: The memory of the whole execution environment.

    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (max(0, memory_bytes - CODE_BYTES), hard))


def require(byte_count: int) -> None:
    """Allocate so much, and give it back untouched.

    Raises:
        MemoryError: There is not so much: native code that would crash for it is not to be called.

    """
    block = _malloc(byte_count)
    if not block:
        raise MemoryError
    _free(block)


def forget() -> None:
    """Prepare ``ran_out``: let it look only at what happens from here on."""
    _errno_location()[0] = 0


def ran_out() -> bool:
    """Tell whether an allocation of this thread has failed since ``forget``, and no other system call after it.

    Decoders report a failed allocation in the words that they have for a damaged file ("broken data stream", "Decoding
    of color planes failed"). ``malloc`` leaves ``ENOMEM`` in ``errno`` (malloc(3)), and nothing between it and an
    exception makes another system call: sources and outputs are in memory.
    """
    return bool(_errno_location()[0] == errno.ENOMEM)


@contextlib.contextmanager
def releasing() -> Iterator[None]:
    """Let an exception pass without the memory that it holds.

    Its traceback, and those of the exceptions before it, hold every local variable of the calls that it ended: the
    source, its pixels and the outputs. The traceback itself stays, to be logged.
    """
    try:
        yield
    except Exception as error:
        held: BaseException | None = error
        while held:
            traceback.clear_frames(held.__traceback__)
            held = held.__context__
        raise
