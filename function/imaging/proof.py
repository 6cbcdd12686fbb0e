"""Proves an output before it is written to S3: it decodes, and every frame shows what was encoded."""

import io
from collections.abc import Sequence

from PIL import Image, ImageChops

from errors import MalformedError, Reason, RejectedError
from imaging import lower_bytes
from imaging.colour import to_eight_bits
from imaging.formats import ENCODERS, FORMATS
from imaging.palette import to_visible
from imaging.pillow import proving

MOST_CELLS = 8
"""The most cells, across and down, in which a frame is compared with what was encoded."""

CELL_SIDE = 8
"""The least side of a cell in pixels, if the image has as many: the errors of single pixels average out."""

EXACT_ROWS = 64
"""How many rows are compared byte by byte at once."""

EXACT = frozenset({"I", "F"})
"""Modes without a defined white. They are written without loss, so equality is required."""

REDUCING_GAP = 3.0
"""A frame is first shrunk, by a whole number, to this many times the cells: half the work."""

MAX_DIFFERENCE = 64
"""The largest mean difference of a cell, of 255. Quality 1 reaches 52; a picture that is half grey exceeds 100."""

MAX_ROUGH_DIFFERENCE = 96
"""The largest difference where errors average out less: in ribbons two pixels wide, which reach 68, and in GIFs."""

MEAN = (1 / 3, 1 / 3, 1 / 3, 0)
"""The mean of red, green and blue, as a matrix of ``Image.convert``."""


def check(
    body: bytes,
    image_format: str,
    images: Sequence[Image.Image],
    lows: Sequence[Image.Image | None] = (),
    gain_map: Image.Image | None = None,
) -> None:
    """Decode an output and compare it with the images that were encoded.

    Args:
        body: The encoded output.
        image_format: Pillow's name of what it should be.
        images: All frames as they were encoded. An animation may show equal neighbours as one.
        lows: The lower bytes of each frame that has 16 bits a channel, whose ``images`` are the upper ones.
        gain_map: The gain map as it was encoded, of an output that has one.

    Raises:
        RejectedError: UNFAITHFUL: the encoder failed without an error.

    """
    encoder = ENCODERS[image_format]
    try:
        if gain_map is not None and encoder.split is not None:
            body, behind = encoder.split(body)
            check(behind, image_format, [gain_map])
        encoder.check(body)
        sample = encoder.sample(body, images[0]) if len(images) == 1 else None
    except MalformedError as error:
        raise RejectedError(Reason.UNFAITHFUL, f"the {image_format} output does not decode: {error}") from error
    if sample is not None:
        _check_size(sample.size, images[0].size)
        cells = _count_cells(sample.expected)
        _check_order([_to_cells(sample.shown, cells)], [_to_cells(sample.expected, cells)], MAX_DIFFERENCE)
        _check_lower_bytes(sample.part, image_format, [low and low.crop((0, 0, *sample.expected.size)) for low in lows])
        return
    with proving(image_format):
        output = Image.open(io.BytesIO(body), formats=(image_format,))
        frame_count = getattr(output, "n_frames", 1)
    _compare(output, frame_count, images)
    _check_lower_bytes(body, image_format, lows)


def _check_lower_bytes(body: bytes, image_format: str, lows: Sequence[Image.Image | None]) -> None:
    """Refuse an output whose lower bytes differ: they are written without loss."""
    if not any(lows):
        return
    with proving(image_format):
        output = Image.open(io.BytesIO(body), formats=(image_format,))
    for index, wanted in enumerate(lows):
        if wanted is not None:
            with proving(image_format):
                output.seek(index)
            if not lower_bytes.has_lower_bytes(output):
                raise RejectedError(Reason.UNFAITHFUL, "the output has 8 bits a channel in place of 16")
            _check_equal(lower_bytes.read(output, proving(image_format)), wanted)


def _compare(output: Image.Image, frame_count: int, images: Sequence[Image.Image]) -> None:
    merges = FORMATS[str(output.format)].holds_animation
    if frame_count > len(images) or (frame_count < len(images) and not merges):
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {frame_count} frames in place of {len(images)}")
    image_format = str(output.format)
    shown = [_read_coarse(output, image_format, index, image) for index, image in enumerate(images[:frame_count])]
    is_gif = image_format == "GIF"
    wanted = [_to_cells(to_visible(image) if is_gif else image, _count_cells(image)) for image in images]
    is_rough = is_gif or min(images[0].size) < CELL_SIDE
    _check_order(shown, wanted, MAX_ROUGH_DIFFERENCE if is_rough else MAX_DIFFERENCE)


def _check_order(shown: Sequence[Image.Image], wanted: Sequence[Image.Image], most: int) -> None:
    """Refuse an output that lacks a wanted frame, or shows them in another order; equal neighbours may be one frame."""
    merged = len(wanted) - len(shown)
    # The range of shown frames that may be the wanted one. Both ends only move forwards, so this takes linear time.
    earliest, latest = 0, -1
    for index, frame in enumerate(wanted):
        earliest, latest = max(earliest, index - merged), min(latest + 1, len(shown) - 1)
        while (difference := _find_difference(shown[earliest], frame)) > most:
            if earliest == latest:
                raise RejectedError(Reason.UNFAITHFUL, f"the output differs from its image by {difference} of 255")
            earliest += 1
        while latest > earliest and _find_difference(shown[latest], frame) > most:
            latest -= 1


def _find_difference(one: Image.Image, other: Image.Image) -> int:
    """Return the difference of the cell that differs most."""
    return max(ImageChops.difference(one, other).convert("L", MEAN).tobytes())


def _read_coarse(output: Image.Image, image_format: str, index: int, wanted: Image.Image) -> Image.Image:
    with proving(image_format):
        output.seek(index)
    _check_size(output.size, wanted.size)
    with proving(image_format):
        output.load()
    if wanted.mode in EXACT:
        _check_equal(output, wanted)
    return _to_cells(output, _count_cells(wanted))


def _check_equal(output: Image.Image, wanted: Image.Image) -> None:
    for top in range(0, wanted.height, EXACT_ROWS):
        box = 0, top, wanted.width, min(top + EXACT_ROWS, wanted.height)
        if output.mode != wanted.mode or output.crop(box).tobytes() != wanted.crop(box).tobytes():
            raise RejectedError(Reason.UNFAITHFUL, "the output differs from its image, whose values have 16 or 32 bits")


def _check_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    if size != wanted:
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {size} pixels in place of {wanted}")


def _count_cells(image: Image.Image) -> tuple[int, int]:
    """Return how many cells an image is compared in, across and down."""
    width, height = (max(1, min(MOST_CELLS, side // CELL_SIDE)) for side in image.size)
    return width, height


def _to_cells(image: Image.Image, cells: tuple[int, int]) -> Image.Image:
    """Shrink an image to its cells; transparent parts become grey."""
    if image.mode.startswith("I;16"):
        image = to_eight_bits(image)
    elif image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    elif image.mode not in {"L", "LA", "RGB", "RGBA"}:
        image = image.convert("RGB")
    if image.mode not in {"LA", "RGBA"}:
        return _shrink(image, cells).convert("RGB")
    few = Image.merge(image.mode, [_shrink(band, cells) for band in image.split()])
    if few.getchannel("A").getextrema() != (255, 255):
        # Weigh colours by their alpha, which takes most of the time.
        few = _shrink(image, cells)
    return Image.alpha_composite(Image.new("RGBA", cells, "grey"), few.convert("RGBA")).convert("RGB")


def _shrink(image: Image.Image, cells: tuple[int, int]) -> Image.Image:
    return image.resize(cells, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
