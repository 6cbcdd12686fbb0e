"""Predicts what an image will cost, so that what does not fit is refused before it is begun."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import avif
import gif
import jpeg
import png
import tiff
import webp
from decode import JPEGS, RESIZABLE, Picture
from errors import Reason, RejectedError
from renditions import Rendition
from settings import Limits

MIB = 1 << 20

RUNTIME_BYTES = 120 * MIB
"""What Python, botocore and Pillow occupy before the first image; measured 95 MB, the rest is margin."""

SOURCE_COPIES = 2
"""The source itself, and what its decoder makes of it or reads."""

STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""How Pillow stores a pixel; four bytes in every other mode."""

ROW_BYTES = 8
"""What Pillow takes for a row beside its pixels; more than them, where an image is one pixel wide."""

SIDE_BYTES = 64
"""What resizing takes for the filter's weights, a pixel of either side: bicubic 40, Lanczos 56, rounded up."""

DECODER_BYTES = {
    "JPEG": 0,
    "MPO": 0,
    "PNG": 0,
    "GIF": 1,
    "WEBP": 13,
    "TIFF": 3,
    "BMP": 0,
    "DIB": 0,
    "AVIF": 8,
    "HEIF": 12,
}
"""What a decoder holds beside its image, a source pixel: measured, and rounded up."""

ANIMATION_DECODER_BYTES = {"PNG": 8, "GIF": 8, "WEBP": 4, "AVIF": 24}
"""The same, in addition, of an animation's decoder, a pixel of one frame; AVIF's works on several at once."""

ANIMATED_AVIF_BYTES = 12 * MIB
"""What the coders of an animated AVIF hold at least, for frames of any size."""

LOSSLESS = "lossless WebP"
"""Its encoder takes more than twice as much."""

JPEG_VALUE_BYTES = 2.2
"""What encoding and proving a JPEG hold beside its image, for each of its values: measured, and rounded up."""

JPEG_VALUES = {0: 3.0, 1: 2.0, 2: 1.5}
"""Values a pixel of a JPEG in colour, by its chroma subsampling as Pillow numbers it."""

ENCODER_BYTES = {"PNG": 16, "GIF": 17, "WEBP": 14, LOSSLESS: 34, "TIFF": 9, "BMP": 14, "AVIF": 30}
"""What encoding and proving an output hold beside its image, a pixel of one frame: measured, and rounded up."""

ANIMATION_ENCODER_BYTES = {"PNG": 7, "GIF": 6, "WEBP": 3, LOSSLESS: 3, "TIFF": 0, "AVIF": 12}
"""The same, in addition, a pixel of all frames."""

FRAME_BYTES = 2_000
"""What each frame after the first takes beside its pixels, resized: measured, and rounded up."""

ENCODER_FRAME_BYTES = 11_000
"""The same, in addition, of encoding and proving it; a GIF's, whose encoder keeps a palette for each."""

MARGIN = 1.1
"""By which every prediction is raised, for what was not measured."""

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
        frames = picture.frame_count
        decoded = _decoded_sizes(picture)
        pixels = sum(count * math.prod(decoded[kind]) for kind, count in picture.kinds.items())
        decoding = max(_decoding_bytes(picture, mode, size) for (mode, _), size in decoded.items())
        # Of several scans a JPEG's decoder holds two bytes of each coefficient, however far it shrinks the image.
        scans = jpeg.structure(picture.source) if picture.source_format in JPEGS else None
        coefficients = 2 * scans.coefficients if scans and scans.keeps_coefficients else 0
        shrunk = math.prod(picture.size) / math.prod(picture.full_size)
        encoding, held = 0.0, 0
        for rendition, image_format in zip(renditions, formats, strict=True):
            kinds = picture.kinds.items()
            outputs = {size: _output_pixels(rendition, image_format, size) for (_, size), _ in kinds}
            total = sum(count * outputs[size] for (_, size), count in kinds)
            encoding = max(encoding, _encoder_bytes(picture, image_format, max(outputs.values()), total))
            # All frames are resized before the first is encoded; outputs have a byte a pixel.
            made = sum(count * _output_bytes(rendition, image_format, size) for (_, size), count in kinds)
            held += made + total + FRAME_BYTES * (frames - 1)
        if picture.size != picture.full_size and any(
            picture.size in _outputs(rendition, image_format, picture.full_size)
            for rendition, image_format in zip(renditions, formats, strict=True)
        ):
            # What the decoder shrank is that output itself.
            held -= _image_bytes(picture.size, 4)
        encoding += ENCODER_FRAME_BYTES * (frames - 1)
        peak_bytes = SOURCE_COPIES * len(picture.source) + shrunk * decoding + max(coefficients, encoding) + held
        return cls(pixels, frames, _decoding_nanoseconds(picture, pixels, scans), round(MARGIN * peak_bytes))


def _decoding_nanoseconds(picture: Picture, pixels: int, scans: jpeg.Structure | None) -> float:
    """What decoding and resizing all frames takes."""
    if picture.is_run_length:
        return RUN_NANOSECONDS * (pixels + len(picture.source))
    nanoseconds = pixels * DECODE_NANOSECONDS[picture.source_format]
    if picture.source_format == "AVIF":
        # Beside an image there may be its alpha, a thumbnail and a gain map.
        nanoseconds = max(nanoseconds, DECODE_NANOSECONDS["AVIF"] * avif.coded(picture.source).item_pixels // 4)
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


def _output_bytes(rendition: Rendition, image_format: str, size: tuple[int, int]) -> int:
    """What Pillow takes for such a frame, whichever way it is turned."""
    return max(_image_bytes(output, 4) for output in _outputs(rendition, image_format, size))


def _outputs(rendition: Rendition, image_format: str, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """What a frame of this stored size becomes: as it is stored, and turned, which may then be turned back."""
    return tuple(rendition.place(way, image_format).size for way in (size, size[::-1]))


def _image_bytes(size: tuple[int, int], pixel_bytes: int) -> int:
    """What Pillow takes for an image: each row has a pointer, and is rounded up to four bytes."""
    width, height = size
    return height * (ROW_BYTES + -(-width * pixel_bytes // 4) * 4) if pixel_bytes else 0


def _decoded_sizes(picture: Picture) -> dict[tuple[str, tuple[int, int]], tuple[int, int]]:
    """What a frame of each kind is decoded as, which may be more than the file says that it shows."""
    least = 0, 0
    if picture.source_format == "AVIF":
        least = avif.coded(picture.source).size
    elif picture.source_format == "TIFF":
        # A tile is decoded whole, however small its page is.
        pages = list(tiff.pages(picture.source))
        least = max(page.tile_width for page in pages), max(page.tile_height for page in pages)
    return {kind: (max(kind[1][0], least[0]), max(kind[1][1], least[1])) for kind in picture.kinds}


def _decoding_bytes(picture: Picture, mode: str, size: tuple[int, int]) -> int:
    """What a frame takes at most until it is resized."""
    stored = STORED_BYTES.get(mode, 4)
    converted = premultiplied = 0
    if picture.has_colour_key or mode not in RESIZABLE:
        converted = stored if mode == "1" else 4
    if picture.has_colour_key or mode in {"LA", "RGBA", "PA"}:
        premultiplied = 4
    decoder = DECODER_BYTES[picture.source_format]
    if picture.is_animated:
        decoder += ANIMATION_DECODER_BYTES[picture.source_format]
    images = sum(_image_bytes(size, pixel_bytes) for pixel_bytes in (stored, converted, premultiplied))
    return images + decoder * math.prod(size) + SIDE_BYTES * sum(size)


def _encoder_bytes(picture: Picture, image_format: str, pixels: int, total: int) -> float:
    """What encoding takes at most, beside the frames: of so many pixels in the largest, and in all of them."""
    if image_format == "JPEG":
        return JPEG_VALUE_BYTES * pixels * max(_jpeg_values(picture, mode) for mode, _ in picture.kinds)
    encoder = LOSSLESS if image_format == "WEBP" and picture.is_lossless_webp else image_format
    if total == pixels:
        return ENCODER_BYTES[encoder] * pixels
    least = ANIMATED_AVIF_BYTES if encoder == "AVIF" else 0
    return least + ENCODER_BYTES[encoder] * pixels + ANIMATION_ENCODER_BYTES.get(encoder, 0) * total


def _jpeg_values(picture: Picture, mode: str) -> float:
    """How many values a pixel has in a JPEG of such a picture."""
    if mode in {"1", "L", "LA", "I;16", "I", "F"}:
        return 1
    return 4 if mode == "CMYK" else JPEG_VALUES.get(picture.subsampling, 1.5)


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
    first = 4 * math.prod(gif.blocks(source).canvas) if source.startswith(gif.SIGNATURES) else 0
    _check_memory(SOURCE_COPIES * len(source) + first, limits)
    clock.check_opening(_opening_nanoseconds(source))


def _opening_nanoseconds(source: bytes) -> float:
    """What opening a file takes, and reading what it says beside its pixels.

    Raises:
        RejectedError: TOO_LARGE: it has so many parts that only to count them would take long.

    """
    if source.startswith(tiff.SIGNATURES):
        return _tag_nanoseconds(source)
    if source.startswith(jpeg.SIGNATURE):
        structure = jpeg.structure(source)
        return (
            SEGMENT_NANOSECONDS * structure.segments
            + STRAY_NANOSECONDS * structure.stray_bytes
            + VALUE_NANOSECONDS * structure.value_bytes
            + COPY_NANOSECONDS * structure.copied_bytes
            + _tag_nanoseconds(structure.exif)
        )
    if source.startswith(png.SIGNATURE):
        chunks = list(png.chunks(source))
        exif = (source[chunk.start + 8 : chunk.end - 4] for chunk in chunks if chunk.kind == b"eXIf")
        return CHUNK_NANOSECONDS * len(chunks) + sum(map(_tag_nanoseconds, exif))
    if source.startswith(webp.SIGNATURE):
        return sum(
            _tag_nanoseconds(source[chunk.start : chunk.end].removeprefix(jpeg.EXIF))
            for chunk in webp.chunks(source)
            if chunk.kind == b"EXIF"
        )
    if source.startswith(b"ftyp", 4):
        return sum(map(_tag_nanoseconds, avif.coded(source).exif))
    return 0


def _tag_nanoseconds(source: bytes) -> float:
    """What reading the tags of all pages of a TIFF takes, or of EXIF, which is one; 0 of anything else."""
    tags = 0
    nanoseconds = 0.0
    for count, page in enumerate(tiff.pages(source) if source.startswith(tiff.SIGNATURES) else (), 1):
        tags += page.tags
        if count > tiff.MAX_PAGES or tags > tiff.MAX_TAGS:
            raise RejectedError(
                Reason.TOO_LARGE, f"the TIFF has more than {tiff.MAX_PAGES} pages or {tiff.MAX_TAGS} tags: divide it"
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
