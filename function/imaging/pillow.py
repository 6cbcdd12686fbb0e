"""Calls into Pillow: which of its exceptions are about a file, and which are ignored.

Hostile bytes can make Pillow raise nearly any exception, ``SystemError`` and ``RecursionError`` included. Whatever it
raises therefore means "this file", so each manager here surrounds calls into Pillow alone. Our own code stays outside:
what that raises is a bug, to be logged with its traceback and retried, and never recorded as a broken image.
``KeyboardInterrupt`` and other exceptions that are no ``Exception`` always pass.
"""

import contextlib
from collections.abc import Iterator

from errors import Reason, RejectedError
from imaging import memory


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Reject a source that Pillow cannot open, read or convert.

    Raises:
        RejectedError: CORRUPT, or TOO_LARGE where memory ran out.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise RejectedError(Reason.TOO_LARGE, "decoding ran out of memory: raise memory_size") from None
        raise RejectedError(Reason.CORRUPT, f"the image cannot be decoded: {_described(error)}") from error


@contextlib.contextmanager
def encoding(image_format: str) -> Iterator[None]:
    """Reject an output that Pillow cannot write.

    Raises:
        RejectedError: UNFAITHFUL.
        MemoryError: Memory ran out, whatever Pillow raised: all of the image's work has.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise RejectedError(
            Reason.UNFAITHFUL, f"the {image_format} output cannot be encoded: {_described(error)}"
        ) from error


@contextlib.contextmanager
def proving(image_format: str) -> Iterator[None]:
    """Reject an output that Pillow wrote and cannot read.

    Raises:
        RejectedError: UNFAITHFUL.
        MemoryError: Memory ran out, whatever Pillow raised: all of the image's work has.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise RejectedError(
            Reason.UNFAITHFUL, f"the {image_format} output does not decode: {_described(error)}"
        ) from error


@contextlib.contextmanager
def tolerating() -> Iterator[None]:
    """Skip what Pillow cannot read of metadata: a good image with broken metadata is still a good image.

    Raises:
        MemoryError: Memory ran out, whatever Pillow raised.

    """
    memory.clear_errno()
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryError from error


@contextlib.contextmanager
def quantizing() -> Iterator[None]:
    """Let a wrong call stay an error of ours: all else that fails is an allocation.

    Raises:
        MemoryError: Memory ran out, for which Pillow has a ``ValueError``.

    """
    memory.clear_errno()
    try:
        yield
    except ValueError as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        raise


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether an allocation failed: native code says so in words of its own, as of a damaged file."""
    return isinstance(error, MemoryError) or memory.has_run_out()


def _described(error: Exception) -> str:
    return str(error) or type(error).__name__
