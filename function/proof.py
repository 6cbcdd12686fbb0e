"""Proves an output before it is put: it decodes, and shows what was encoded."""

import io
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageStat

from decode import ANIMATED, eight_bit
from errors import Reason, RejectedError

MOST_CELLS = 8
"""Across and down, in which an output is compared to what was encoded."""

CELL_SIDE = 8
"""The least, in pixels: what a coder does to single pixels, or to the colours of a few, averages out."""

DECODED = (64, 64)
"""The least size at which that is still exact."""

MAX_DIFFERENCE = 32
"""Mean difference of those cells, of 255: a JPEG of quality 1 reaches 25, noise in place of a picture is over 60."""


def check(body: bytes, image_format: str, image: Image.Image, sizes: Sequence[tuple[int, int]]) -> None:
    """Decode an output and compare it to what went in.

    Args:
        body: The encoded output.
        image_format: Pillow's name of what it should be.
        image: The first frame as it was encoded.
        sizes: Of all frames that the output should have; an animation may show equal neighbours as one.

    Raises:
        RejectedError: UNFAITHFUL: encoding went wrong without saying so.

    """
    try:
        with Image.open(io.BytesIO(body), formats=(image_format,)) as output:
            _compare(output, image, sizes)
    except RejectedError:
        raise
    except Exception as error:
        raise RejectedError(Reason.UNFAITHFUL, f"the {image_format} output does not decode: {error}") from error


def _compare(output: Image.Image, image: Image.Image, sizes: Sequence[tuple[int, int]]) -> None:
    if output.size != sizes[0]:
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {output.size} pixels in place of {sizes[0]}")
    frame_count = getattr(output, "n_frames", 1)
    merges = output.format in ANIMATED
    if frame_count > len(sizes) or (frame_count < len(sizes) and not merges):
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {frame_count} frames in place of {len(sizes)}")
    # A JPEG's decoder reads all of the data for a smaller image too.
    output.draft(None, DECODED)
    for index in range(frame_count):
        output.seek(index)
        output.load()
        if (
            index == 0
            and not (output.format == "GIF" and image.mode in {"LA", "RGBA"})
            and min(image.size) >= CELL_SIDE
        ):
            difference = _difference(output, image)
            if difference > MAX_DIFFERENCE:
                raise RejectedError(Reason.UNFAITHFUL, f"the output differs from its image by {difference:.0f} of 255")


def _difference(output: Image.Image, image: Image.Image) -> float:
    width, height = image.size
    cells = min(MOST_CELLS, width // CELL_SIDE), min(MOST_CELLS, height // CELL_SIDE)
    stat = ImageStat.Stat(ImageChops.difference(_coarse(output, cells), _coarse(image, cells)))
    return sum(stat.mean) / len(stat.mean)


def _coarse(image: Image.Image, cells: tuple[int, int]) -> Image.Image:
    """A few cells of the image, over grey where it is transparent."""
    if image.mode.startswith("I;16"):
        image = eight_bit(image)
    if image.mode in {"LA", "RGBA", "P", "PA"}:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "grey"), image.convert("RGBA"))
    return image.convert("RGB").resize(cells, Image.Resampling.BOX)
