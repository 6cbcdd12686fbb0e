"""Bytes and renditions to images: decodes a source once, resizes every frame for every rendition, encodes them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

import budget
from decode import Frame, Picture
from encode import CONTENT_TYPES, encode
from settings import Rendition

FILTER = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Output:
    """One rendition, encoded.

    Attributes:
        body: The encoded image.
        content_type: Its media type, by content, whatever the key's extension says.
        width: In pixels, as displayed.
        height: In pixels, as displayed.

    """

    body: bytes
    content_type: str
    width: int
    height: int


def render(source: bytes, renditions: Sequence[Rendition], *, memory_bytes: int) -> list[Output]:
    """Make every rendition of an encoded image, in their order.

    Args:
        source: The encoded image: JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF, told by content.
        renditions: At least one.
        memory_bytes: What the whole process may use, in bytes.

    Raises:
        RejectedError: This source can have no renditions, and the reason.

    """
    picture = Picture(source)
    largest = max(rendition.scale for rendition in renditions)
    full_pixels = math.prod(picture.size)
    # Rounded down: asked for more than half of an odd side, the decoder would not halve it. Its result is rounded up.
    picture.shrink_on_load(_each_side(picture.size, lambda side: side * largest))
    budget.check(
        budget.Demand(
            source_bytes=len(source),
            decoded_pixels=math.prod(picture.size),
            mode=picture.mode,
            coefficient_bytes=6 * full_pixels if picture.is_progressive else 0,
            output_pixels=int(sum(full_pixels * one.scale**2 for one in renditions) * picture.frame_count),
        ),
        memory_bytes,
    )
    resized: list[list[Frame]] = [[] for _ in renditions]
    for frame in picture.frames():
        for frames, rendition in zip(resized, renditions, strict=True):
            frames.append(_resized(frame, rendition.scale))
    return [_output(picture, frames) for frames in resized]


def _each_side(size: tuple[int, int], change: Callable[[int], float]) -> tuple[int, int]:
    width, height = (max(1, math.floor(change(side))) for side in size)
    return width, height


def _resized(frame: Frame, scale: float) -> Frame:
    """The frame scaled, then turned upright."""
    # Half up, which is what the decoders' own halving gives.
    size = _each_side(frame.full_size, lambda side: side * scale + 0.5)
    image = frame.image
    if image.size != size:
        image = image.resize(size, FILTER)
    if frame.transpose is not None:
        image = image.transpose(frame.transpose)
    return replace(frame, image=image, full_size=size, transpose=None)


def _output(picture: Picture, frames: list[Frame]) -> Output:
    width, height = frames[0].image.size
    return Output(encode(picture, frames), CONTENT_TYPES[picture.format], width, height)
