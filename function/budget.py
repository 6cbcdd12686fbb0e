"""Predicts how much memory an image will take, so that what does not fit is refused before it is decoded."""

from dataclasses import dataclass

from errors import Reason, RejectedError

RUNTIME_BYTES = 120 * 1024 * 1024
"""What Python, boto3 and Pillow occupy before the first image; measured 95 MB, the rest is margin."""

BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""How Pillow stores a pixel; four bytes in every other mode."""


@dataclass(frozen=True)
class Demand:
    """What decoding and resizing will hold in memory at once.

    Attributes:
        source_bytes: Size of the encoded source.
        decoded_pixels: Pixels of one decoded frame, after the decoder's own scaling.
        mode: Pillow's mode of the decoded frame.
        coefficient_bytes: What a progressive JPEG's decoder keeps of the whole image.
        output_pixels: Pixels of all frames of all renditions, which are kept until they are encoded.

    """

    source_bytes: int
    decoded_pixels: int
    mode: str
    coefficient_bytes: int
    output_pixels: int

    @property
    def peak_bytes(self) -> int:
        """The predicted peak, in bytes, without what the runtime occupies."""
        # A frame is held twice while it is premultiplied, converted or composed; so is an output while it is encoded.
        frame = 2 * self.decoded_pixels * max(BYTES_PER_PIXEL.get(self.mode, 4), 4 if self.mode == "P" else 0)
        return 2 * self.source_bytes + frame + self.coefficient_bytes + 2 * 4 * self.output_pixels


def check(demand: Demand, memory_bytes: int) -> None:
    """Refuse what would not fit.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    available = memory_bytes - RUNTIME_BYTES
    if demand.peak_bytes > available:
        raise RejectedError(
            Reason.TOO_LARGE,
            f"decoding needs about {demand.peak_bytes >> 20} MiB, this function has {max(0, available) >> 20} MiB "
            "for it: raise memory_size",
        )
