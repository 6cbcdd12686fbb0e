"""What one image may cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one image may cost.

    Attributes:
        memory_bytes: The memory of the whole execution environment.
        max_pixels: The most pixels that a source may have, all frames together; None leaves it to the memory.

    """

    memory_bytes: int
    max_pixels: int | None = None
