"""Predicts what an image will cost, so that what does not fit is refused before it is begun."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from errors import Reason, RejectedError
from imaging.decode import JPEGS, RESIZABLE, Picture
from imaging.formats import avif, gif, jpeg, png, tiff, webp
from imaging.limits import Limits
from renditions import Rendition

MIB = 1 << 20

RUNTIME_BYTES = 120 * MIB
"""What Python, botocore and Pillow occupy before the first image; measured 95 MB, the rest is margin."""

SOURCE_COPIES = 2
"""The source itself, and what its decoder makes of it or reads."""

PIXEL_BYTES, STORED_BYTES = 4, {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""How Pillow stores a pixel; the first in every mode that is not in the second."""

DECODER_BYTES = {
    "JPEG": 0,
    "MPO": 0,
    "PNG": 0,
    "GIF": 1,
    "WEBP": 10,
    "TIFF": 0,
    "BMP": 0,
    "DIB": 0,
    "AVIF": 8,
    "HEIF": 12,
}
"""What a decoder holds beside its image, per source pixel; measured with photos."""

LAYERED_BYTES = 12
"""What the frame before, its copy and what is laid over that hold, per pixel of the canvas."""

ENCODER_BYTES = {"JPEG": 5, "PNG": 6, "GIF": 14, "WEBP": 14, "TIFF": 3, "BMP": 3, "AVIF": 30}
"""What encoding and proving an output hold beside its image, per pixel of a frame; measured with photos.

AVIF's is the most that was measured: its encoder crashes where an allocation fails.
"""

ENCODED_AT_ONCE = {"AVIF": 35}
"""The most frames of an animation that an encoder holds at once; one where nothing is said."""

ONE_PROCESSOR_BYTES = 1769 * MIB
"""The memory at which Lambda gives one whole processor; with less, that much less of it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

DECODE_NANOSECONDS = {
    "JPEG": 8,
    "MPO": 8,
    "PNG": 20,
    "GIF": 20,
    "WEBP": 20,
    "TIFF": 20,
    "BMP": 3,
    "DIB": 3,
    "AVIF": 15,
    "HEIF": 40,
}
"""To decode and resize a source pixel, measured on one core; the slower of a format's variants."""

SIDE_NANOSECONDS = 300
"""What each row and each column takes beside its pixels: more than they, where an image is one pixel wide."""

SEGMENT_NANOSECONDS, STRAY_NANOSECONDS, VALUE_NANOSECONDS, COPY_NANOSECONDS = 4_000, 600, 300, 0.4
"""To open a JPEG: for each segment, for each byte between segments, for each that is taken apart, for each copied."""

CHUNK_NANOSECONDS = 15_000
"""To open a PNG, for each chunk."""

ENTRY_NANOSECONDS, TAG_NANOSECONDS, NUMBER_NANOSECONDS = 15_000, 2, 400
"""To read a TIFF's tags, for each of them, and for each byte of strings and of numbers."""

COEFFICIENT_NANOSECONDS, SCAN_BYTE_NANOSECONDS = 0.5, 30
"""To decode a coefficient in each of the scans of a JPEG, and for each byte of them."""

ENDLESS_TIMES = 4
"""How often a JPEG without an end marker is decoded, to see whether only that is missing."""

RUN_NANOSECONDS = 200
"""For each pixel and each byte of a run-length bitmap, which Pillow decodes in Python."""

ENCODE_NANOSECONDS = {"JPEG": 4, "PNG": 160, "GIF": 300, "WEBP": 270, "TIFF": 40, "BMP": 3, "AVIF": 130}
"""To encode and prove an output pixel, likewise."""

DECODE_FRAME_NANOSECONDS = defaultdict(lambda: 150_000, TIFF=600_000)
"""What a frame takes beside its pixels, to decode and resize; a page of a TIFF brings a directory of its own."""

ENCODE_FRAME_NANOSECONDS = defaultdict(lambda: 500_000, GIF=2_500_000, AVIF=1_000_000, TIFF=3_000_000)
"""The same, to encode and prove it; the more pages a TIFF has, the longer each takes: this is of 3000."""

SLOWNESS = 2.5
"""How much slower a processor of Lambda's may be than the one that was measured on."""


@dataclass(frozen=True)
class Demand:
    """What decoding and resizing will take.

    Attributes:
        pixels: Of the source as stored, all frames together.
        frames: How many they are.
        nanoseconds: Of one whole processor, to decode and resize them.
        peak_bytes: The most memory in use at once, without what the runtime occupies.

    """

    pixels: int
    frames: int
    nanoseconds: float
    peak_bytes: int

    @classmethod
    def of(cls, picture: Picture, renditions: Sequence[Rendition], formats: Sequence[str]) -> "Demand":
        """Predict what ``picture`` will take, after its decoder was told how far to shrink it.

        Args:
            picture: As opened.
            renditions: What it is made into.
            formats: What each of them writes, in Pillow's names.

        """
        kinds = picture.kinds
        decoded = _decoded_sizes(picture)
        pixels = sum(count * math.prod(decoded[kind]) for kind, count in kinds.items())
        decoding = max(_decoding_bytes(picture, mode, math.prod(size)) for (mode, _), size in decoded.items())
        # Of several scans a JPEG's decoder holds two bytes of each coefficient, however far it shrinks the image.
        scans = jpeg.structure(picture.source) if picture.source_format in JPEGS else None
        coefficients = 2 * scans.coefficients if scans and scans.keeps_coefficients else 0
        shrunk = math.prod(picture.size) / math.prod(picture.full_size)
        encoding = held = 0
        for rendition, image_format in zip(renditions, formats, strict=True):
            outputs = {size: _output_pixels(rendition, image_format, size) for _, size in kinds}
            encoding = max(encoding, encoder_bytes(image_format, max(outputs.values()), picture.frame_count))
            # All frames are resized before the first is encoded.
            held += PIXEL_BYTES * sum(count * outputs[size] for (_, size), count in kinds.items())
        if picture.size != picture.full_size and any(
            picture.size in _outputs(rendition, image_format, picture.full_size)
            for rendition, image_format in zip(renditions, formats, strict=True)
        ):
            # What the decoder shrank is that output itself.
            decoding = 0
        peak_bytes = SOURCE_COPIES * len(picture.source) + shrunk * decoding + max(coefficients, encoding) + held
        return cls(pixels, picture.frame_count, _decoding_nanoseconds(picture, pixels, scans), round(peak_bytes))


def encoder_bytes(image_format: str, pixels: int, frame_count: int) -> int:
    """What encoding and proving an output of so many pixels a frame holds beside its frames."""
    return ENCODER_BYTES[image_format] * min(frame_count, ENCODED_AT_ONCE.get(image_format, 1)) * pixels


def _decoding_nanoseconds(picture: Picture, pixels: int, scans: jpeg.Structure | None) -> float:
    """What decoding and resizing all frames takes."""
    if picture.is_run_length:
        return RUN_NANOSECONDS * (pixels + len(picture.source))
    nanoseconds = pixels * DECODE_NANOSECONDS[picture.source_format]
    if picture.source_format == "AVIF":
        # Beside an image there may be its alpha, a thumbnail and a gain map.
        nanoseconds = max(nanoseconds, DECODE_NANOSECONDS["AVIF"] * avif.read_streams(picture.source).item_pixels // 4)
    nanoseconds += picture.frame_count * DECODE_FRAME_NANOSECONDS[picture.source_format]
    nanoseconds += SIDE_NANOSECONDS * sum(count * sum(size) for (_, size), count in picture.kinds.items())
    if scans is None:
        return nanoseconds
    if scans.keeps_coefficients:
        in_scans = COEFFICIENT_NANOSECONDS * scans.scans * scans.coefficients
        nanoseconds += round(in_scans) + SCAN_BYTE_NANOSECONDS * len(picture.source)
    return ENDLESS_TIMES * nanoseconds if jpeg.lacks_end(picture.source) else nanoseconds


def _output_pixels(rendition: Rendition, image_format: str, size: tuple[int, int]) -> int:
    """How many pixels a frame of this stored size becomes, whichever way it is turned."""
    return max(math.prod(output) for output in _outputs(rendition, image_format, size))


def _outputs(rendition: Rendition, image_format: str, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """What a frame of this stored size becomes: as it is stored, and turned, which may then be turned back."""
    return tuple(rendition.place(way, image_format).size for way in (size, size[::-1]))


def _decoded_sizes(picture: Picture) -> dict[tuple[str, tuple[int, int]], tuple[int, int]]:
    """What a frame of each kind is decoded as, which may be more than the file says that it shows."""
    least = 0, 0
    if picture.source_format == "AVIF":
        least = avif.read_streams(picture.source).size
    elif picture.source_format == "GIF":
        least = gif.read_blocks(picture.source).largest
    elif picture.source_format == "TIFF":
        # A tile is decoded whole, however small its page is.
        pages = list(tiff.pages(picture.source))
        least = max(page.tile_width for page in pages), max(page.tile_height for page in pages)
    return {kind: (max(kind[1][0], least[0]), max(kind[1][1], least[1])) for kind in picture.kinds}


def _decoding_bytes(picture: Picture, mode: str, pixels: int) -> int:
    """What a frame takes until it is resized."""
    stored = STORED_BYTES.get(mode, PIXEL_BYTES)
    converted = premultiplied = 0
    if picture.has_colour_key or mode not in RESIZABLE:
        converted = stored if mode == "1" else PIXEL_BYTES
    if picture.has_colour_key or mode in {"LA", "RGBA", "PA"}:
        premultiplied = PIXEL_BYTES
    layered = LAYERED_BYTES if picture.is_animated and picture.format in {"GIF", "PNG"} else 0
    return (stored + converted + premultiplied + layered + DECODER_BYTES[picture.source_format]) * pixels


def check_size(demand: Demand, limits: Limits) -> None:
    """Refuse what would not fit.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    if limits.max_pixels is not None and demand.pixels > limits.max_pixels:
        raise RejectedError(
            Reason.TOO_LARGE, f"the image has {demand.pixels} pixels, max_pixels allows {limits.max_pixels}"
        )
    _check_memory(demand.peak_bytes, limits)


def check_opening(source: bytes, limits: Limits, clock: "Clock") -> None:
    """Refuse what would not even fit, or take too long, when it is opened.

    A GIF's decoder makes room for its first frame then, the pages of a TIFF are counted, and Pillow reads in Python
    what a file says beside its pixels.

    Raises:
        RejectedError: TOO_LARGE or TOO_SLOW, with what is needed and what there is.

    """
    first = 4 * math.prod(gif.read_blocks(source).canvas) if source.startswith(gif.SIGNATURES) else 0
    _check_memory(SOURCE_COPIES * len(source) + first, limits)
    clock.check_opening(_opening_nanoseconds(source))


def _opening_nanoseconds(source: bytes) -> float:
    """What opening a file takes, and reading what it says beside its pixels.

    Raises:
        RejectedError: TOO_LARGE: it has so many parts that only to count them would take long.

    """
    if source.startswith(tiff.SIGNATURES):
        return _tag_nanoseconds([source])
    if source.startswith(jpeg.SIGNATURE):
        structure = jpeg.structure(source)
        return (
            SEGMENT_NANOSECONDS * structure.segments
            + STRAY_NANOSECONDS * structure.stray_bytes
            + VALUE_NANOSECONDS * structure.value_bytes
            + COPY_NANOSECONDS * structure.copied_bytes
            + _tag_nanoseconds([structure.exif])
        )
    if source.startswith(png.SIGNATURE):
        chunks = list(png.chunks(source))
        exif = (source[chunk.start + 8 : chunk.end - 4] for chunk in chunks if chunk.kind == b"eXIf")
        return CHUNK_NANOSECONDS * len(chunks) + _tag_nanoseconds(exif)
    if source.startswith(webp.SIGNATURE):
        exif = (source[chunk.start : chunk.end] for chunk in webp.chunks(source) if chunk.kind == b"EXIF")
        return _tag_nanoseconds(tags.removeprefix(jpeg.EXIF) for tags in exif)
    if source.startswith(b"ftyp", 4):
        return _tag_nanoseconds(avif.read_streams(source).exif)
    return 0


def _tag_nanoseconds(sources: Iterable[bytes]) -> float:
    """What reading the tags of all pages of a TIFF takes, or of EXIF, which is one; 0 of anything else.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``tiff.MAX_PAGES`` or ``tiff.MAX_TAGS`` in all of them.

    """
    tags = 0
    nanoseconds = 0.0
    pages = itertools.chain.from_iterable(tiff.pages(one) for one in sources if one.startswith(tiff.SIGNATURES))
    for count, page in enumerate(pages, 1):
        tags += page.tags
        if count > tiff.MAX_PAGES or tags > tiff.MAX_TAGS:
            raise RejectedError(
                Reason.TOO_LARGE, f"the file has more than {tiff.MAX_PAGES} pages or {tiff.MAX_TAGS} tags: divide it"
            )
        nanoseconds += ENTRY_NANOSECONDS * page.tags
        nanoseconds += TAG_NANOSECONDS * page.plain_bytes + NUMBER_NANOSECONDS * page.number_bytes
    return nanoseconds


def check_download(size: int, limits: Limits) -> None:
    """Refuse an object that would not fit when it is read, by its size in bytes.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    _check_memory(SOURCE_COPIES * size, limits)


def _check_memory(peak_bytes: float, limits: Limits) -> None:
    available = max(0, limits.memory_bytes - RUNTIME_BYTES)
    if peak_bytes > available:
        raise RejectedError(
            Reason.TOO_LARGE,
            f"decoding needs about {int(peak_bytes) // MIB} MiB, this function has {available // MIB} MiB for it: "
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

    def check_opening(self, nanoseconds: float) -> None:
        """Refuse to open what would not be open in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        self._check("opening the file", nanoseconds)

    def check_decoding(self, image_format: str, nanoseconds: float) -> None:
        """Refuse to decode what would not be done in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        self._check(f"decoding this {image_format}", nanoseconds)

    def check_encoding(self, image_format: str, pixels: int, frames: int) -> None:
        """Refuse to encode what would not be done in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        nanoseconds = pixels * ENCODE_NANOSECONDS[image_format] + frames * ENCODE_FRAME_NANOSECONDS[image_format]
        self._check(f"encoding as {image_format}", nanoseconds)

    def _check(self, step: str, nanoseconds: float) -> None:
        share = min(1.0, self.memory_bytes / ONE_PROCESSOR_BYTES)
        needed, left = SLOWNESS * nanoseconds / share / 1e9, self.seconds_left()
        if needed > left:
            raise RejectedError(
                Reason.TOO_SLOW,
                f"{step} needs about {needed:.1f} s, this invocation has {left:.1f} s left: "
                "raise timeout or memory_size",
            )
