"""The limits of one image's memory and time, checked before each step."""

from collections.abc import Callable
from typing import NamedTuple

from errors import Reason, RejectedError

MIB = 1 << 20

RUNTIME_BYTES = 120 * MIB
"""Memory that Python, botocore and Pillow occupy before the first image; 95 MB was measured."""

SOURCE_COPIES = 2
"""How often the source is in memory: once itself, and once as the copy that its decoder makes or reads."""

ONE_PROCESSOR_BYTES = 1769 * MIB
"""The memory at which Lambda gives one full vCPU; less memory gives proportionally less.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

SLOWNESS = 2.5
"""How much slower a vCPU of Lambda's may be than the core that costs were measured on."""


class Limits(NamedTuple):
    """The memory and pixels that one image may take.

    Attributes:
        memory_bytes: The memory of the whole execution environment.
        max_pixels: The most pixels that a source may have, all frames together; None leaves it to the memory.

    """

    memory_bytes: int
    max_pixels: int | None = None

    def check_pixels(self, pixels: int) -> None:
        """Refuse a source with more pixels than ``max_pixels``.

        Raises:
            RejectedError: TOO_LARGE, with both numbers.

        """
        if self.max_pixels is not None and pixels > self.max_pixels:
            raise RejectedError(Reason.TOO_LARGE, f"the image has {pixels} pixels, max_pixels allows {self.max_pixels}")

    def check_source(self, size: int, opening_bytes: int = 0) -> None:
        """Refuse a source of this many bytes if it would not fit when it is read, or opened.

        Raises:
            RejectedError: TOO_LARGE, with the bytes needed and available.

        """
        self.check_memory(SOURCE_COPIES * size + opening_bytes)

    def check_memory(self, needed: float) -> None:
        """Refuse a step that needs more bytes than the runtime leaves.

        Raises:
            RejectedError: TOO_LARGE, with the bytes needed and available.

        """
        available = max(0, self.memory_bytes - RUNTIME_BYTES)
        if needed > available:
            raise RejectedError(
                Reason.TOO_LARGE,
                f"resizing needs about {int(needed) // MIB} MiB, this function has {available // MIB} MiB for it: "
                "raise memory_size",
            )


class Clock(NamedTuple):
    """The time that an invocation has left.

    Attributes:
        seconds_left: Asked before each step.
        memory_bytes: The function's memory, which decides its share of a vCPU.

    """

    seconds_left: Callable[[], float]
    memory_bytes: int

    def check(self, step: str, nanoseconds: float) -> None:
        """Refuse a step that would not be done in time.

        Args:
            step: Names the step in the message, such as ``opening the file``.
            nanoseconds: The time of the step on the core that costs were measured on.

        Raises:
            RejectedError: TOO_SLOW, with the seconds needed and left.

        """
        share = min(1.0, self.memory_bytes / ONE_PROCESSOR_BYTES)
        needed, left = SLOWNESS * nanoseconds / share / 1e9, self.seconds_left()
        if needed > left:
            raise RejectedError(
                Reason.TOO_SLOW,
                f"{step} needs about {needed:.1f} s, this invocation has {left:.1f} s left: "
                "raise timeout or memory_size",
            )
