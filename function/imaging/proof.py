"""Proves an output before it is put: it decodes, and every frame shows what was encoded."""

import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageChops

from errors import MalformedError, Reason, RejectedError
from imaging.decode import ANIMATED, eight_bit
from imaging.formats import avif, gif, jpeg, png, tiff, webp
from imaging.palette import stack, to_visible
from imaging.pillow import proving

MOST_CELLS = 8
"""Across and down, in which a frame is compared to what was encoded."""

CELL_SIDE = 8
"""The least, in pixels, where there are as many: what a coder does to single ones averages out."""

FIRST_ROWS = 64
"""Of a PNG or TIFF that is at least twice as high only about so many rows of pixels are decoded, from the top, where
alone a PNG's stream can be begun. The checksums of all of a PNG are computed, and a TIFF's strips are all there."""

SAMPLED_ROWS = 8
"""Of a JPEG with at least twice as many rows of blocks about so many are decoded, from top to bottom; the others are
only known to be there. It is a tenth of the work."""

EXACT = frozenset({"I", "F"})
"""Modes whose numbers have no white to compare them by; what is written of them has no loss."""

REDUCING_GAP = 3.0
"""How many times as many cells as are compared a frame is first shrunk to, by a whole number: half the work."""

MAX_DIFFERENCE = 64
"""Mean difference of the worst cell, of 255: quality 1 reaches 42, half a picture in grey is over 100."""

MAX_ROUGH_DIFFERENCE = 96
"""The same where less averages out, measured 68 in ribbons two pixels wide, or a GIF's frames share their colours."""

MEAN = (1 / 3, 1 / 3, 1 / 3, 0)
"""Of red, green and blue, as a conversion."""


def check(body: bytes, image_format: str, images: Sequence[Image.Image]) -> None:
    """Decode an output and compare it to what went in.

    Args:
        body: The encoded output.
        image_format: Pillow's name of what it should be.
        images: All frames as they were encoded; an animation may show equal neighbours as one.

    Raises:
        RejectedError: UNFAITHFUL: encoding went wrong without saying so.

    """
    try:
        CHECKS[image_format](body)
        part, shown = _part(body, image_format, images)
    except MalformedError as error:
        raise RejectedError(Reason.UNFAITHFUL, f"the {image_format} output does not decode: {error}") from error
    with proving(image_format):
        output = Image.open(io.BytesIO(part), formats=(image_format,))
        frame_count = getattr(output, "n_frames", 1)
    _compare(output, frame_count, shown)


def _check_bitmap(body: bytes) -> None:
    """Refuse a bitmap that is not as long as it says.

    Raises:
        MalformedError: It is not.

    """
    if body[:6] != b"BM" + len(body).to_bytes(4, "little"):
        raise MalformedError("it is not as long as it says")


CHECKS: dict[str, Callable[[bytes], object]] = {
    "JPEG": jpeg.Rows.of,
    "PNG": png.check_whole,
    "GIF": gif.check_whole,
    "WEBP": webp.check_whole,
    "TIFF": tiff.check_whole,
    "AVIF": avif.check_whole,
    "BMP": _check_bitmap,
}
"""What refuses an output that is not one whole file of its format: browsers stop where Pillow goes on."""


def _part(body: bytes, image_format: str, images: Sequence[Image.Image]) -> tuple[bytes, Sequence[Image.Image]]:
    """What of a large still is decoded, and what should be in it; of the rest only that it is there."""
    if len(images) > 1:
        return body, images
    (image,) = images
    if image_format == "JPEG":
        structure = jpeg.Rows.of(body)
        _check_size(structure.size, image.size)
        step = len(structure.rows) // SAMPLED_ROWS
        if step > 1:
            height = structure.row_height
            numbers = list(range(0, image.height // height, step))
            return structure.only(numbers), [_rows(image, [number * height for number in numbers], height)]
    elif image_format == "PNG" and image.height >= 2 * FIRST_ROWS:
        _check_size(png.size(body), image.size)
        return png.first_rows(body, FIRST_ROWS), [_rows(image, [0], FIRST_ROWS)]
    elif image_format == "TIFF" and image.height >= 2 * FIRST_ROWS:
        _check_size(tiff.size(body), image.size)
        part, height = tiff.first_rows(body, FIRST_ROWS)
        return part, [_rows(image, [0], height)]
    return body, images


def _rows(image: Image.Image, tops: list[int], height: int) -> Image.Image:
    """Parts of the image, all of its width and equally high, one below the other."""
    return stack([image.crop((0, top, image.width, top + height)) for top in tops])


def _compare(output: Image.Image, frame_count: int, images: Sequence[Image.Image]) -> None:
    merges = output.format in ANIMATED
    if frame_count > len(images) or (frame_count < len(images) and not merges):
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {frame_count} frames in place of {len(images)}")
    image_format = str(output.format)
    shown = [_shown(output, image_format, index, image) for index, image in enumerate(images[:frame_count])]
    is_gif = image_format == "GIF"
    wanted = [_coarse(to_visible(image) if is_gif else image) for image in images]
    is_rough = is_gif or min(images[0].size) < CELL_SIDE
    _check_order(shown, wanted, MAX_ROUGH_DIFFERENCE if is_rough else MAX_DIFFERENCE)


def _check_order(shown: Sequence[Image.Image], wanted: Sequence[Image.Image], most: int) -> None:
    """Refuse what does not show every frame wanted, in order; neighbours may be shown as one that is like both."""
    merged = len(wanted) - len(shown)
    # Which of the frames shown may be the one wanted: both ends only ever move forwards, so it takes linear time.
    earliest, latest = 0, -1
    for index, frame in enumerate(wanted):
        earliest, latest = max(earliest, index - merged), min(latest + 1, len(shown) - 1)
        while (difference := _difference(shown[earliest], frame)) > most:
            if earliest == latest:
                raise RejectedError(Reason.UNFAITHFUL, f"the output differs from its image by {difference} of 255")
            earliest += 1
        while latest > earliest and _difference(shown[latest], frame) > most:
            latest -= 1


def _difference(one: Image.Image, other: Image.Image) -> int:
    """Of the cell that differs most."""
    return max(ImageChops.difference(one, other).convert("L", MEAN).tobytes())


def _shown(output: Image.Image, image_format: str, index: int, wanted: Image.Image) -> Image.Image:
    with proving(image_format):
        output.seek(index)
    _check_size(output.size, wanted.size)
    with proving(image_format):
        output.load()
    if wanted.mode in EXACT:
        _check_equal(output, wanted)
    return _coarse(output)


def _check_equal(output: Image.Image, wanted: Image.Image) -> None:
    for top in range(0, wanted.height, FIRST_ROWS):
        box = 0, top, wanted.width, min(top + FIRST_ROWS, wanted.height)
        if output.mode != wanted.mode or output.crop(box).tobytes() != wanted.crop(box).tobytes():
            raise RejectedError(Reason.UNFAITHFUL, "the output differs from its image, whose numbers are of 32 bits")


def _check_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    if size != wanted:
        raise RejectedError(Reason.UNFAITHFUL, f"the output has {size} pixels in place of {wanted}")


def _coarse(image: Image.Image) -> Image.Image:
    """A few cells of the image, over grey where it is transparent."""
    if image.mode.startswith("I;16"):
        image = eight_bit(image)
    elif image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    elif image.mode not in {"L", "LA", "RGB", "RGBA"}:
        image = image.convert("RGB")
    if image.mode not in {"LA", "RGBA"}:
        return _few(image).convert("RGB")
    few = Image.merge(image.mode, [_few(band) for band in image.split()])
    if few.getchannel("A").getextrema() != (255, 255):
        # Colours count as much as they are seen, which takes most of the time.
        few = _few(image)
    return Image.alpha_composite(Image.new("RGBA", few.size, "grey"), few.convert("RGBA")).convert("RGB")


def _few(image: Image.Image) -> Image.Image:
    width, height = (max(1, min(MOST_CELLS, side // CELL_SIDE)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
