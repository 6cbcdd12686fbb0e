"""Scale a source to an output's size, and convert both to images that browsers show."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from imaging import focus
from imaging.colour import to_common_mode, to_supported_mode
from imaging.decode import Picture as Decoded
from imaging.encode import keeps_numbers, replace_numbers, writable_frames, written_format
from imaging.formats import ENCODERS, inspect
from imaging.records import Frame
from renditions import Point, Rendition

BROWSERS_SHOW = frozenset({"JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"})

LONGEST_SIDE = 2000
"""Pixels of a scaled source on the page; a larger one is shrunk, to limit the page's size."""

EXACT_PIXELS = 500_000
"""Pixels of all frames up to which a scaled source is stored losslessly."""

NEARLY_EXACT: dict[str, Any] = {"quality": 95, "subsampling": 0}


SMALLEST_SIDE = 128
"""CSS pixels up to which a page enlarges the longer side of an image, so that an icon's pixels are visible."""


@dataclass(frozen=True)
class Picture:
    """An image as a page holds it.

    Attributes:
        body: In a format that browsers show.
        media_type: Such as ``image/webp``.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        note: How it differs from the image that it shows; empty if the bytes are the image's own.
        original: The file that ``body`` stands in for; empty if browsers show that file.

    """

    body: bytes
    media_type: str
    width: int
    height: int
    note: str = ""
    original: bytes = b""

    @property
    def enlargement(self) -> int:
        """The factor by which a page enlarges a small image; 1 for others."""
        return max(1, SMALLEST_SIDE // max(self.width, self.height))


def scale_source(
    source: bytes, renditions: Sequence[Rendition], point: Point | None = None
) -> tuple[Decoded, tuple[int, int], list[list[Frame]]]:
    """Decode a source in full, and scale it in one step per rendition.

    Args:
        source: The file.
        renditions: Where to crop it, and to what size.
        point: What every rendition keeps; None lets each find it.

    Returns:
        The source, the displayed size of its first frame in pixels, and for each rendition all frames at its size.

    Raises:
        RejectedError: The source does not decode.

    """
    sizes: list[tuple[int, int]] = []
    points: list[Point] = []
    found: list[list[Frame]] = [[] for _ in renditions]
    picture = Decoded(inspect(source))
    for frame in picture.frames():
        image = frame.image if frame.transpose is None else frame.image.transpose(frame.transpose)
        sizes.append(image.size)
        if not points:
            points = [point or one for one in focus.find_all(picture.metadata, frame, renditions, None)]
        for frames, rendition, kept in zip(found, renditions, points, strict=True):
            place = rendition.place(image.size, ENCODERS[written_format(picture, rendition)].largest_side, kept)
            resized = image.resize(place.size, Image.Resampling.BICUBIC, box=place.box)
            frames.append(replace(frame, image=resized, full_size=place.size, extent=place.size, transpose=None))
    return picture, sizes[0], found


def to_displayable(picture: Decoded, frames: Sequence[Frame], image_format: str, rendition: Rendition) -> list[Frame]:
    """Convert frames of ``picture`` as ``image_format`` would hold them, in colours that browsers show unchanged."""
    shown = writable_frames(picture, frames, image_format, rendition, [])
    if keeps_numbers(picture, rendition):
        shown = replace_numbers(picture, shown)
    return [to_supported_mode(frame, ENCODERS["WEBP"].modes, rendition.background) for frame in shown]


def decode_output(body: bytes) -> tuple[Decoded, list[Frame]]:
    """Decode an output; return it with its frames."""
    picture = Decoded(inspect(body))
    # Copy, because the decoder reuses the image for the next frame.
    return picture, [replace(frame, image=frame.image.copy()) for frame in picture.frames()]


def encode_source(frames: Sequence[Frame]) -> Picture:
    """Encode a scaled source for the page.

    Args:
        frames: Displayable: all frames of an animation, which loops forever, otherwise one.

    """
    width, height = frames[0].image.size
    share = min(1.0, LONGEST_SIDE / max(width, height))
    size = max(1, round(width * share)), max(1, round(height * share))
    images = to_common_mode([frame.image for frame in frames])
    if share < 1:
        images = [image.resize(size, Image.Resampling.BICUBIC) for image in images]
    image_format, options = _choose_encoding(images)
    if len(images) > 1:
        durations = [max(1, round(frame.duration)) for frame in frames]
        options |= {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    target = io.BytesIO()
    images[0].save(target, image_format, icc_profile=frames[0].icc or b"", **options)
    notes = [
        *([f"shown at {size[0]} x {size[1]} pixels"] if share < 1 else []),
        *([] if options.get("lossless") else [f"stored as {image_format} at quality {options['quality']}"]),
    ]
    return Picture(target.getvalue(), f"image/{image_format.lower()}", *size, note=", ".join(notes))


def encode_stand_in(output: bytes, frames: Sequence[Frame], image_format: str) -> Picture:
    """Encode the first page of an output whose format browsers do not show as a PNG.

    Args:
        output: The file.
        frames: Its pages, decoded.
        image_format: Its format.

    """
    target = io.BytesIO()
    image = frames[0].image
    image.save(target, "PNG", icc_profile=frames[0].icc)
    note = f"browsers do not show {image_format}: this is its {'first page' if len(frames) > 1 else 'image'} as a PNG"
    return Picture(target.getvalue(), "image/png", *image.size, note=note, original=output)


def _choose_encoding(images: Sequence[Image.Image]) -> tuple[str, dict[str, Any]]:
    if sum(math.prod(image.size) for image in images) <= EXACT_PIXELS:
        return "WEBP", {"lossless": True, "exact": True, "quality": 50, "method": 2}
    if len(images) > 1 or images[0].mode == "RGBA":
        return "WEBP", {**NEARLY_EXACT, "method": 2}
    return "JPEG", {**NEARLY_EXACT}
