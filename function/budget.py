"""Predicts what an image will cost, so that what does not fit is refused before it is begun."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decode import Picture
from errors import Reason, RejectedError
from renditions import Placement
from settings import Limits

MIB = 1 << 20

RUNTIME_BYTES = 120 * MIB
"""What Python, boto3 and Pillow occupy before the first image; measured 95 MB, the rest is margin."""

BYTES_PER_PIXEL = {"1": 1, "L": 1, "I;16": 2, "I;16B": 2}
"""How Pillow stores a pixel; four bytes in every other mode, and a palette becomes full colour."""

ONE_PROCESSOR_BYTES = 1769 * MIB
"""The memory at which Lambda gives one whole processor; with less, that much less of it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

DECODE_NANOSECONDS = {"JPEG": 8, "PNG": 20, "GIF": 20, "WEBP": 20, "TIFF": 20, "BMP": 3, "AVIF": 15}
"""To decode and resize a source pixel, measured on one core; the slower of a format's variants."""

ENCODE_NANOSECONDS = {"JPEG": 4, "PNG": 160, "GIF": 260, "WEBP": 270, "TIFF": 40, "BMP": 3, "AVIF": 130}
"""To encode and prove an output pixel, likewise."""

SLOWNESS = 2.5
"""How much slower a processor of Lambda's may be than the one that was measured on."""


@dataclass(frozen=True)
class Demand:
    """What decoding and resizing will take.

    Attributes:
        pixels: Of the source as stored, all frames together.
        peak_bytes: The most memory in use at once, without what the runtime occupies.

    """

    pixels: int
    peak_bytes: int

    @classmethod
    def of(cls, picture: Picture, full_size: tuple[int, int], placements: Sequence[Placement]) -> "Demand":
        """Predict what ``picture`` will take, after its decoder was told how far to shrink it."""
        full_pixels = math.prod(full_size)
        # A frame is held twice while it is premultiplied, converted or composed; so is an output while it is encoded.
        frame = 2 * math.prod(picture.size) * BYTES_PER_PIXEL.get(picture.mode, 4)
        outputs = sum(math.prod(placement.size) for placement in placements) * picture.frame_count
        # The decoder of a progressive JPEG keeps two bytes of each of three coefficients a pixel.
        coefficients = 6 * full_pixels if picture.is_progressive else 0
        peak_bytes = 2 * len(picture.source) + frame + coefficients + 2 * 4 * outputs
        return cls(full_pixels * picture.frame_count, peak_bytes)


def check_size(demand: Demand, limits: Limits) -> None:
    """Refuse what would not fit.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    if limits.max_pixels is not None and demand.pixels > limits.max_pixels:
        raise RejectedError(
            Reason.TOO_LARGE, f"the image has {demand.pixels} pixels, max_pixels allows {limits.max_pixels}"
        )
    available = max(0, limits.memory_bytes - RUNTIME_BYTES)
    if demand.peak_bytes > available:
        raise RejectedError(
            Reason.TOO_LARGE,
            f"decoding needs about {demand.peak_bytes // MIB} MiB, this function has {available // MIB} MiB for it: "
            "raise memory_size",
        )


@dataclass(frozen=True)
class Clock:
    """The time that an invocation has left.

    Attributes:
        seconds_left: Asked before each step.
        memory_bytes: Which decides how much of a processor there is.

    """

    seconds_left: Callable[[], float]
    memory_bytes: int

    def check_decoding(self, image_format: str, pixels: int) -> None:
        """Refuse to decode what would not be done in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        self._check(f"decoding this {image_format}", pixels * DECODE_NANOSECONDS[image_format])

    def check_encoding(self, image_format: str, pixels: int) -> None:
        """Refuse to encode what would not be done in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        self._check(f"encoding as {image_format}", pixels * ENCODE_NANOSECONDS[image_format])

    def _check(self, step: str, nanoseconds: float) -> None:
        share = min(1.0, self.memory_bytes / ONE_PROCESSOR_BYTES)
        needed, left = SLOWNESS * nanoseconds / share / 1e9, self.seconds_left()
        if needed > left:
            raise RejectedError(
                Reason.TOO_SLOW,
                f"{step} needs about {needed:.1f} s, this invocation has {left:.1f} s left: "
                "raise timeout or memory_size",
            )
