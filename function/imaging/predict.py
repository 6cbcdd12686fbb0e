"""Predicts from headers the memory and time that rendering a source will take, before a pixel is decoded."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from imaging import lower_bytes
from imaging.colour_space import SRGB_CURVE
from imaging.decode import RESIZABLE, Picture
from imaging.limits import SOURCE_COPIES
from imaging.records import Encoder
from renditions import Placement, Rendition

PIXEL_BYTES, STORED_BYTES = 4, {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""Bytes in which Pillow stores a pixel: the first number, except in the modes of the mapping."""

LAYERED_BYTES = 12
"""Memory for composing frames, per pixel of the canvas: the previous frame, its copy, and the layer over it."""

GAIN_MAP_COPIES = 3
"""A gain map is held as decoded, as converted, and between the two passes of a filter."""

PADDING_COPIES = 3
"""Beside the padded frames of an output, one is held unpadded, with alpha and without, and one is encoded."""

SIDE_NANOSECONDS = 300
"""The time for each row and each column beside their pixels, which counts in an image that is one pixel wide."""

DEEP_NANOSECONDS, DEEP_ENCODING_BYTES = 60, 24
"""The time for each source pixel whose lower bytes are kept, and the memory for each output pixel to encode: these have
up to 8 bytes, in the output and in two copies."""


class Demand(NamedTuple):
    """The memory and time that rendering a source will take.

    Attributes:
        pixels: Pixels of the source as stored, all frames together.
        nanoseconds: Time to decode and resize all frames, on one core.
        peak_bytes: The most memory in use at once, beside what the runtime occupies.

    """

    pixels: int
    nanoseconds: float
    peak_bytes: int


def predict(picture: Picture, renditions: Sequence[Rendition], encoders: Sequence[Encoder]) -> Demand:
    """Predict the memory and time of ``picture``, after its decoder was told how far to shrink it.

    Args:
        picture: As opened.
        renditions: The renditions to make.
        encoders: The encoder of each rendition.

    """
    header, kinds = picture.header, picture.kinds
    decoded = {kind: (max(kind[1][0], header.least_size[0]), max(kind[1][1], header.least_size[1])) for kind in kinds}
    pixels = sum(count * math.prod(decoded[kind]) for kind, count in kinds.items())
    decoding = max(_predict_frame_bytes(picture, mode, math.prod(size)) for (mode, _), size in decoded.items())
    shrunk = math.prod(picture.size) / math.prod(picture.full_size)
    encoding = resizing = 0
    images: dict[object, int] = {}
    share = math.prod(picture.gain_map.full_size) / math.prod(picture.full_size) if picture.gain_map else 0
    for rendition, encoder in zip(renditions, encoders, strict=True):
        placements = {size: _place(rendition, encoder, size) for _, size in kinds}
        outputs = {size: max(math.prod(placement.size) for placement in ways) for size, ways in placements.items()}
        canvas = rendition.place(picture.size, encoder.largest_side).canvas
        most_pixels = math.prod(canvas) if canvas else max(outputs.values())
        is_deep = picture.keeps_lower_bytes and encoder.holds_lower_bytes
        # Other formats than the source's get the first page only, and each page is encoded by itself.
        needed = encoder.cost.bytes_for(most_pixels, picture.frame_count if picture.is_animated else 1)
        if is_deep:
            needed = DEEP_ENCODING_BYTES * most_pixels
        if header.colour is not None and header.colour.curve != SRGB_CURVE:
            # Frames are held while their copies with sRGB's curve are encoded.
            needed += PIXEL_BYTES * most_pixels * picture.frame_count
        if rendition.ssimulacra2 is not None and encoder.is_lossy:
            # Imported here because few deployments ask for a score.
            from imaging import visual_quality  # noqa: PLC0415

            needed += visual_quality.bytes_for(most_pixels)
        if canvas:
            # Encoders with loss search for a quality with frames that aren't padded.
            padded = (1 + (picture.is_animated and encoder.is_lossy)) * picture.frame_count + PADDING_COPIES
            needed += math.ceil(PIXEL_BYTES * (1 + is_deep + share) * padded * most_pixels)
        encoding = max(encoding, needed)
        resizing = max(resizing, *(_predict_resizing_bytes(picture, encoder, *one) for one in placements.items()))
        # All frames are resized before the first is encoded, equal outputs once.
        frames = sum(count * outputs[size] for (_, size), count in kinds.items())
        images[tuple(placements.values()), encoder.is_lossy, is_deep] = PIXEL_BYTES * (1 + is_deep) * frames
    held = sum(images.values())
    if picture.size != picture.full_size and any(
        picture.size in {placement.size for placement in _place(rendition, encoder, picture.full_size)}
        for rendition, encoder in zip(renditions, encoders, strict=True)
    ):
        # The image that the decoder shrank becomes the output without another copy.
        decoding = 0
    if header.format.name == "JPEG" and len(renditions) > 1:
        # Quarters of the image, quarters of these and so on, each for renditions that need no more pixels.
        resizing += PIXEL_BYTES * math.ceil(shrunk * pixels / 3)
    # The decoder's image is freed before the first output is encoded, and coefficients before the first is resized.
    reading = shrunk * decoding + max(header.coefficient_bytes, resizing)
    nanoseconds = _predict_time(picture, pixels)
    if picture.gain_map is not None:
        gain_map = picture.gain_map
        # It is decoded, converted and resized while the decoded image is held.
        reading += GAIN_MAP_COPIES * PIXEL_BYTES * math.prod(gain_map.size) + gain_map.header.coefficient_bytes
        held += math.ceil(share * held) + SOURCE_COPIES * len(gain_map.header.source)
        nanoseconds += gain_map.header.opening_nanoseconds + _predict_time(gain_map, math.prod(gain_map.full_size))
    peak_bytes = SOURCE_COPIES * len(header.source) + held + max(reading, encoding)
    return Demand(pixels, nanoseconds, round(peak_bytes))


def _predict_time(picture: Picture, pixels: int) -> float:
    """Return the time to decode and resize all frames."""
    header, cost = picture.header, picture.header.format.cost
    per_pixel = cost.pixel_nanoseconds if header.pixel_nanoseconds is None else header.pixel_nanoseconds
    if picture.keeps_lower_bytes:
        per_pixel += DEEP_NANOSECONDS
    sides = sum(count * sum(size) for (_, size), count in picture.kinds.items())
    once = (
        per_pixel * max(pixels, header.least_pixels)
        + cost.frame_nanoseconds * picture.frame_count * (1 + picture.keeps_lower_bytes)
        + SIDE_NANOSECONDS * sides
        + header.other_nanoseconds
    )
    return header.decodings * once


def _predict_frame_bytes(picture: Picture, mode: str, pixels: int) -> int:
    """Return the memory of a frame until it is resized."""
    stored = STORED_BYTES.get(mode, PIXEL_BYTES)
    converted = premultiplied = 0
    lower = PIXEL_BYTES if picture.keeps_lower_bytes else 0
    if picture.has_colour_key or mode not in RESIZABLE:
        converted = stored if mode == "1" else PIXEL_BYTES
    if picture.has_colour_key or mode in {"LA", "RGBA", "PA"}:
        premultiplied = PIXEL_BYTES
    layered = LAYERED_BYTES if picture.is_animated and picture.header.format.layers else 0
    return (stored + lower + converted + premultiplied + layered + picture.header.format.cost.pixel_bytes) * pixels


def _predict_resizing_bytes(
    picture: Picture, encoder: Encoder, size: tuple[int, int], placements: tuple[Placement, Placement]
) -> int:
    """Return the memory of what a filter makes between its two passes: as wide as the output, as high as the source."""
    stored = size if picture.size == picture.full_size else picture.size
    upright, turned = (placement.size for placement in placements)
    if picture.keeps_lower_bytes and encoder.holds_lower_bytes:
        return max(lower_bytes.count_bytes(stored, side) for side in (upright[1], turned[0]))
    is_averaged = (2 * upright[0], 2 * upright[1]) == stored and (stored != size or not encoder.is_lossy)
    if upright == stored or is_averaged:
        return 0
    return PIXEL_BYTES * max(upright[0], turned[1]) * stored[1]


def _place(rendition: Rendition, encoder: Encoder, size: tuple[int, int]) -> tuple[Placement, Placement]:
    """Return the placements of a frame of this stored size: as stored, and turned by 90 degrees."""
    return rendition.place(size, encoder.largest_side), rendition.place(size[::-1], encoder.largest_side)
