"""Predicts what an image will cost, so that what does not fit is refused before it is begun."""

import math
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import avif
import gif
import jpeg
import png
import tiff
from decode import RESIZABLE, Picture
from errors import Reason, RejectedError
from renditions import Rendition
from settings import Limits

MIB = 1 << 20

RUNTIME_BYTES = 120 * MIB
"""What Python, botocore and Pillow occupy before the first image; measured 95 MB, the rest is margin."""

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
    "GIF": 2,
    "WEBP": 14,
    "TIFF": 6,
    "BMP": 0,
    "DIB": 0,
    "AVIF": 12,
    "HEIF": 12,
}
"""What a decoder holds beside its image, a source pixel: measured, and rounded up."""

ANIMATION_DECODER_BYTES = {"PNG": 8, "GIF": 10, "WEBP": 4, "AVIF": 56}
"""The same, in addition, of an animation's decoder, a pixel of one frame; AVIF's works on several at once."""

ENCODER_BYTES = {"JPEG": 10, "PNG": 36, "GIF": 18, "WEBP": 26, "TIFF": 22, "BMP": 12, "AVIF": 36}
"""What encoding and proving an output hold beside its image, a pixel of one frame: measured, and rounded up."""

ANIMATION_ENCODER_BYTES = {"PNG": 8, "GIF": 10, "WEBP": 3, "TIFF": 0, "AVIF": 12}
"""The same, in addition, a pixel of all frames."""

FRAME_BYTES = 2_000
"""What each frame after the first takes beside its pixels, resized: measured, and rounded up."""

ENCODER_FRAME_BYTES = 11_000
"""The same, in addition, of encoding and proving it; a GIF's, whose encoder keeps a palette for each."""

MAX_SIDES = {"JPEG": 65500, "GIF": 65535, "WEBP": 16383, "AVIF": 32768}
"""The most pixels across or down that can be written in a format, or read again; the others hold more than fits."""

MAX_PAGES = 2000
"""Of a TIFF: Pillow compares each with all before it when it counts, reads and writes them."""

MAX_TAGS = 100 * MAX_PAGES
"""Of all pages of a TIFF, whose directories may overlap: few have more than 40 a page."""

TILE_PIXEL_BYTES = 8
"""What libtiff makes room for, a pixel of one tile, however small the image is: at most four values of 16 bits."""

PIXEL_CHUNKS = frozenset({b"IDAT", b"fdAT", b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"mdat"})
"""The parts of a PNG, a WebP and an AVIF that are pixels: decoders read them piece by piece, or where they are."""

ASIDE_BYTES, FRAME_HEADER_BYTES = 8, 40
"""What any other part of a file takes, a byte: a profile, EXIF, a text; and what the header of a JPEG's frame does."""

PART_BYTES = 120
"""What each part takes, however small: measured with a JPEG's segments, and rounded up."""

TAG_BYTES, NUMBER_TAG_BYTES = 8, 110
"""What reading and copying a TIFF's tags takes, a byte of strings and a byte of numbers: measured, and rounded up."""

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

ENCODE_NANOSECONDS = {"JPEG": 4, "PNG": 160, "GIF": 260, "WEBP": 270, "TIFF": 40, "BMP": 3, "AVIF": 130}
"""To encode and prove an output pixel, likewise."""

DECODE_FRAME_NANOSECONDS = defaultdict(lambda: 150_000, TIFF=600_000)
"""What a frame takes beside its pixels, to decode and resize; a page of a TIFF brings a directory of its own."""

ENCODE_FRAME_NANOSECONDS = defaultdict(lambda: 500_000, TIFF=3_000_000)
"""The same, to encode and prove it; the more pages a TIFF has, the longer each takes: this is of 3000."""

SLOWNESS = 2.5
"""How much slower a processor of Lambda's may be than the one that was measured on."""


@dataclass(frozen=True)
class Demand:
    """What decoding and resizing will take.

    Attributes:
        pixels: Of the source as stored, all frames together.
        frames: How many they are.
        peak_bytes: The most memory in use at once, without what the runtime occupies.

    """

    pixels: int
    frames: int
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
        decoded = {kind: _decoded_size(picture, kind[1]) for kind in picture.kinds}
        pixels = sum(count * math.prod(decoded[kind]) for kind, count in picture.kinds.items())
        decoding = max(_decoding_bytes(picture, mode, size) for (mode, _), size in decoded.items())
        # The decoder of a progressive JPEG keeps two bytes of every coefficient, however far it shrinks the image.
        coefficients = 2 * picture.channels * pixels if picture.is_progressive else 0
        shrunk = math.prod(picture.size) / math.prod(picture.full_size)
        encoding = held = 0
        for rendition, image_format in zip(renditions, formats, strict=True):
            outputs = {size: _output_pixels(rendition, size) for _, size in picture.kinds}
            total = sum(count * outputs[size] for (_, size), count in picture.kinds.items())
            encoding = max(encoding, _encoder_bytes(image_format, max(outputs.values()), total))
            # All frames are resized before the first is encoded, and no output is larger than its pixels.
            made = sum(count * _output_bytes(rendition, size) for (_, size), count in picture.kinds.items())
            held += 2 * made + FRAME_BYTES * (frames - 1)
        encoding += ENCODER_FRAME_BYTES * (frames - 1)
        peak_bytes = _opening_bytes(picture.source) + shrunk * decoding + max(coefficients, encoding) + held
        return cls(pixels, frames, round(MARGIN * peak_bytes))


def _output_pixels(rendition: Rendition, size: tuple[int, int]) -> int:
    """How many pixels a frame of this stored size becomes, whichever way it is turned."""
    return max(math.prod(output) for output in _outputs(rendition, size))


def _output_bytes(rendition: Rendition, size: tuple[int, int]) -> int:
    """What Pillow takes for such a frame, whichever way it is turned."""
    return max(_image_bytes(output, 4) for output in _outputs(rendition, size))


def _outputs(rendition: Rendition, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a frame of this stored size becomes: as it is stored, and turned, which may then be turned back."""
    return rendition.place(size).size, rendition.place(size[::-1]).size


def _image_bytes(size: tuple[int, int], pixel_bytes: int) -> int:
    """What Pillow takes for an image: each row has a pointer, and is rounded up to four bytes."""
    width, height = size
    return height * (ROW_BYTES + -(-width * pixel_bytes // 4) * 4) if pixel_bytes else 0


def _decoded_size(picture: Picture, size: tuple[int, int]) -> tuple[int, int]:
    """What a frame of this size is decoded as: an AVIF's boxes may say less than what is in them."""
    coded = avif.coded_size(picture.source) if picture.source_format == "AVIF" else size
    return max(size[0], coded[0]), max(size[1], coded[1])


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


def _encoder_bytes(image_format: str, pixels: int, total: int) -> int:
    """What encoding takes at most, beside the frames: of so many pixels in the largest, and in all of them."""
    in_all = ANIMATION_ENCODER_BYTES.get(image_format, 0) * total if total > pixels else 0
    return ENCODER_BYTES[image_format] * pixels + in_all


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


def check_opening(source: bytes, limits: Limits) -> None:
    """Refuse what would not even fit when it is opened.

    Decoders keep then what a file says beside its pixels, a GIF's makes room for its first frame, and the pages of a
    TIFF are counted.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    if source.startswith(tiff.SIGNATURES):
        _check_pages(source)
    first = 4 * math.prod(gif.blocks(source).canvas) if source.startswith(gif.SIGNATURES) else 0
    _check_memory(_opening_bytes(source) + first, limits)


def _check_pages(source: bytes) -> None:
    """Refuse a TIFF of so many pages that only to count them would take long; nor are they counted here."""
    tags = 0
    for count, page in enumerate(tiff.pages(source), 1):
        tags += page.tags
        if count > MAX_PAGES or tags > MAX_TAGS:
            raise RejectedError(
                Reason.TOO_LARGE, f"the TIFF has more than {MAX_PAGES} pages or {MAX_TAGS} tags: divide it"
            )


def check_download(size: int, limits: Limits) -> None:
    """Refuse an object that would not fit when it is read, by its size in bytes.

    Raises:
        RejectedError: TOO_LARGE, with what is needed and what there is.

    """
    _check_memory(2 * size, limits)


def _opening_bytes(source: bytes) -> int:
    """What the source takes, and what its decoder holds for what it says beside its pixels."""
    if source.startswith(tiff.SIGNATURES):
        return 2 * len(source) + _tiff_bytes(source)
    if source.startswith(jpeg.SIGNATURE):
        return 2 * len(source) + sum(
            PART_BYTES + (FRAME_HEADER_BYTES if kind in jpeg.FRAMES else ASIDE_BYTES) * size
            for kind, size in jpeg.header(source)
        )
    if source.startswith(png.SIGNATURE):
        return 2 * len(source) + _aside(_png_chunks(source))
    if source.startswith(b"RIFF"):
        return 3 * len(source) + _aside(_riff_chunks(source))
    if source.startswith(b"ftyp", 4):
        return 3 * len(source) + _aside((box.kind, box.end - box.start) for box in avif.boxes(source))
    # A GIF is copied where there is something in it that nobody sees.
    return (4 if source.startswith(gif.SIGNATURES) else 2) * len(source)


def _aside(parts: Iterable[tuple[bytes, int]]) -> int:
    """What parts of a file take, given their kinds and sizes in bytes, except for pixels."""
    return sum(PART_BYTES + ASIDE_BYTES * size for kind, size in parts if kind not in PIXEL_CHUNKS)


def _png_chunks(source: bytes) -> Iterator[tuple[bytes, int]]:
    return ((chunk.kind, min(chunk.end, len(source)) - chunk.start) for chunk in png.chunks(source))


def _riff_chunks(webp: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and size in bytes of each chunk of a WebP (RFC 9649, 2.3)."""
    position = 12
    while position + 8 <= len(webp):
        kind, size = struct.unpack_from("<4sI", webp, position)
        yield kind, min(size, len(webp) - position)
        position += 8 + size + size % 2


def _tiff_bytes(source: bytes) -> int:
    # One page is read at a time.
    return max(
        (
            TILE_PIXEL_BYTES * page.tile_pixels + TAG_BYTES * page.plain_bytes + NUMBER_TAG_BYTES * page.number_bytes
            for page in tiff.pages(source)
        ),
        default=0,
    )


def _check_memory(peak_bytes: int, limits: Limits) -> None:
    available = max(0, limits.memory_bytes - RUNTIME_BYTES)
    if peak_bytes > available:
        raise RejectedError(
            Reason.TOO_LARGE,
            f"decoding needs about {peak_bytes // MIB} MiB, this function has {available // MIB} MiB for it: "
            "raise memory_size",
        )


def check_sides(size: tuple[int, int], image_format: str) -> None:
    """Refuse to encode an image of this size in a format that can't hold it.

    Raises:
        RejectedError: TOO_LARGE, with what it would have and may have.

    """
    most, side = MAX_SIDES.get(image_format), max(size)
    if most is not None and side > most:
        raise RejectedError(
            Reason.TOO_LARGE,
            f"the output would have {side} pixels on a side, {image_format} allows {most}: make the rendition smaller",
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

    def check_decoding(self, image_format: str, pixels: int, frames: int) -> None:
        """Refuse to decode what would not be done in time.

        Raises:
            RejectedError: TOO_SLOW, with what is needed and what there is.

        """
        nanoseconds = pixels * DECODE_NANOSECONDS[image_format] + frames * DECODE_FRAME_NANOSECONDS[image_format]
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
