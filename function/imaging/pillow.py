"""Calls into Pillow: which of its exceptions reject a file, and which are ignored.

Hostile bytes can make Pillow raise nearly any exception, even ``SystemError`` and ``RecursionError``. So all exceptions
from Pillow are blamed on the file, and each context manager here surrounds calls into Pillow alone. The function's own
code stays outside: its exceptions are bugs, to be logged with their traceback and retried, and must never be recorded
as a broken image. ``KeyboardInterrupt`` and others that are no ``Exception`` always propagate.
"""

import contextlib
from collections.abc import Iterator

from errors import Reason, RejectedError
from imaging import memory


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Reject a source that Pillow can't open, read or convert.

    Raises:
        RejectedError: CORRUPT, or TOO_LARGE if memory ran out.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise RejectedError(Reason.TOO_LARGE, "decoding ran out of memory: raise memory_size") from None
        raise RejectedError(Reason.CORRUPT, f"the image cannot be decoded: {_describe(error)}") from error


@contextlib.contextmanager
def encoding(image_format: str) -> Iterator[None]:
    """Reject an output that Pillow can't write.

    Raises:
        RejectedError: UNFAITHFUL.
        MemoryError: Memory ran out.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise RejectedError(
            Reason.UNFAITHFUL, f"the {image_format} output cannot be encoded: {_describe(error)}"
        ) from error


@contextlib.contextmanager
def proving(image_format: str) -> Iterator[None]:
    """Reject an output that Pillow wrote and can't read.

    Raises:
        RejectedError: UNFAITHFUL.
        MemoryError: Memory ran out.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise RejectedError(
            Reason.UNFAITHFUL, f"the {image_format} output does not decode: {_describe(error)}"
        ) from error


@contextlib.contextmanager
def tolerating() -> Iterator[None]:
    """Skip metadata that Pillow can't read: an image with broken metadata is still a good image.

    Raises:
        MemoryError: Memory ran out.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error


@contextlib.contextmanager
def quantizing() -> Iterator[None]:
    """Raise ``MemoryError`` for a failed allocation; let exceptions from wrong calls propagate, as bugs.

    Raises:
        MemoryError: Memory ran out, which Pillow reports as ``ValueError``.

    """
    memory.clear_errno()
    try:
        yield
    except ValueError as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether an allocation failed: native code reports that as if the file were damaged."""
    return isinstance(error, MemoryError) or memory.has_run_out()


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
