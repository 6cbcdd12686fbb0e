"""PNG and APNG: their record, how they are inspected, repaired, written and proven."""

import bisect
import io
import math
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PIL import Image, PngImagePlugin

from errors import MalformedError, Reason, RejectedError
from imaging import palette
from imaging.change import Capacity
from imaging.colour import to_common_mode
from imaging.formats import png_chunks, png_writer, tiff_directories
from imaging.formats.png_writer import AVERAGE, NONE, UP, Coding
from imaging.losses import NO_CREDENTIALS, Lost
from imaging.palette import stack
from imaging.pillow import decoding, proving
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Frame, Header, Job, Options, Sample
from imaging.saving import count_plays, save, save_smallest

CHUNK_NANOSECONDS = 15_000
"""Pillow takes this long to open each chunk."""

FIRST_ROWS = 64
"""The top rows that the proof decodes of a PNG at least twice as high: its stream can only be decoded from the start.
The checksums of all chunks are verified."""

RUNS, REPEATS = Coding(None, 4, zlib.Z_RLE), Coding(None, 4, zlib.Z_DEFAULT_STRATEGY)
"""How Pillow codes pixels. For photos and other noise, the first takes a quarter of the time and makes fewer bytes. For
drawings, the second makes fewer bytes in about the same time."""

NOISY = Coding(AVERAGE, 4, zlib.Z_HUFFMAN_ONLY)
"""This takes half the time of ``RUNS``, and makes fewer bytes of a noisy photo, whose differences never repeat."""

PLAIN, DITHERED = Coding(NONE, 6, zlib.Z_DEFAULT_STRATEGY), Coding(NONE, 4, zlib.Z_DEFAULT_STRATEGY)
"""Two thirds of the time of ``REPEATS``. Of most screenshots and drawings they make fewer bytes, because filters change
what repeats. The first takes three times as long if few levels alternate at random."""

DEEP = (NOISY, Coding(UP, 4, zlib.Z_DEFAULT_STRATEGY), PLAIN)
"""How 16 bits a channel may be coded, which Pillow can't. Of gradients, the second makes half the bytes or fewer."""

SPARSE, DENSE = 0.05, 0.35
"""Bytes for each value of a pixel: a PNG with fewer than the first is a drawing, with more than the second a photo."""

SAMPLE_ROWS = 16
"""The least rows of each of four strips that are compressed to choose between options. Of a lower image, all rows are
compressed."""

MOST_MILLISECONDS = 65_535_000
"""The longest time of a frame: 16 bits of seconds."""

TIME_STEPS, MOST_IN_STEPS = (None, 10, 100, 1000), (65_535, 655_350, 6_553_500)
"""The units, in milliseconds, to which times are rounded, and the longest animation for each unit but the last. A time
is a fraction of 16-bit numbers, and Pillow adds up the times of equal frames. Short animations keep parts of
milliseconds."""

# Pillow refuses an image whose colour profile or XMP has more than a megabyte, although the image is good.
PngImagePlugin.MAX_TEXT_CHUNK = png_chunks.MOST_TEXT_BYTES


def inspect(source: bytes) -> Header:
    """Read the chunks.

    Raises:
        RejectedError: CORRUPT, or TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    try:
        contents = png_chunks.read_contents(source)
    except MalformedError as error:
        raise RejectedError(Reason.CORRUPT, f"the PNG header is damaged or not supported: {error}") from error
    depth = source[png_chunks.DEPTH]
    return Header(
        FORMAT,
        source,
        contents.readable,
        (*contents.losses, *(NO_CREDENTIALS if contents.has_content_credentials else ())),
        opening_nanoseconds=CHUNK_NANOSECONDS * contents.chunk_count + tiff_directories.tag_nanoseconds(contents.exif),
        depth=depth,
        colour=contents.colour,
        colour_chunks=contents.colour_chunks,
        is_indexed=source[png_chunks.COLOUR_TYPE] == png_chunks.PALETTE or depth < 8,
    )


def _correct(image: Image.Image, header: Header) -> Image.Image:
    """Return the still if it has as many rows as its header states: Pillow leaves missing rows black.

    Raises:
        RejectedError: CORRUPT: it has fewer.

    """
    check_rows(image, header.readable)
    return image


def check_rows(image: Any, source: bytes) -> None:
    """Refuse a still, read from ``source``, that has fewer rows than its header states.

    Raises:
        RejectedError: CORRUPT.

    """
    with decoding():
        last = image.crop((0, image.height - 1, *image.size))
        is_suspect = source[png_chunks.INTERLACE] or last.getbbox(alpha_only=False) is None
    if is_suspect and png_chunks.lacks_rows(source):
        raise RejectedError(Reason.CORRUPT, "the image cannot be decoded: the PNG lacks rows")


def _repair(source: bytes, _: Callable[[bytes], bytes]) -> tuple[bytes, str] | None:
    repaired = png_chunks.repair_checksum(source)
    return None if repaired is None else (repaired, "the checksum of the pixels (Adler-32) is wrong and was ignored")


def _encode(job: Job) -> bytes:
    # Pillow writes only some of the chunks that define colours.
    return png_chunks.insert(_encode_pixels(job), job.colour_chunks)


def _encode_pixels(job: Job) -> bytes:
    options = job.colour
    chunks = PngImagePlugin.PngInfo()
    if xmp := options.pop("xmp", None):
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode(errors="replace"))
    options["pnginfo"] = chunks
    if len(job.frames) == 1:
        (frame,) = job.frames
        if frame.low is not None:
            # A palette has entries of eight bits.
            return _save_full(job, frame, options, DEEP)
        return save_smallest(job, options, lambda: _save_full(job, frame, options, _list_codings(job)))
    images = to_common_mode(job.images)
    # The first frame may be a picture for viewers that cannot animate.
    has_default = job.picture.has_default_image
    shown = job.frames[1:] if has_default else job.frames
    options |= {"duration": _round_durations(shown), "loop": count_plays(job), "default_image": has_default}
    body = save(job, images, options)
    if job.is_larger_than_source(body):
        return min(body, _encode_indexed(job, images, options) or body, key=len)
    return body


def _round_durations(frames: Sequence[Frame]) -> list[float]:
    durations = [min(frame.duration, MOST_MILLISECONDS) for frame in frames]
    step = TIME_STEPS[bisect.bisect_left(MOST_IN_STEPS, sum(durations))]
    if step is None or len(frames) == 1:
        return durations
    return [step * round(duration / step) for duration in durations]


def _encode_indexed(job: Job, images: Sequence[Image.Image], options: Options) -> bytes | None:
    """Write an animation in one palette; None if the loss is visible, or a palette is impossible."""
    if any(image.mode in {"LA", "RGBA"} and image.getchannel("A").getextrema()[0] != 255 for image in images):
        return None
    painted = [frame.image for frame in palette.to_shared_palette(images, has_transparent=False)]
    pairs = zip(images, painted, strict=True)
    if not all(palette.compare(*pair, job.part).is_at_least(palette.TOLERABLE) for pair in pairs):
        return None
    return save(job, painted, options)


def _save_full(job: Job, frame: Frame, options: Options, codings: Sequence[Coding]) -> bytes:
    """Save a still in full colour, in the best of the codings."""
    image, low = frame.image, frame.low
    coding = min(codings, key=lambda one: _count_sample_bytes(image, one, low))
    if coding.filter is None:
        return save(job, [image], options | _make_options(coding))
    return png_writer.enlarge(save(job, [image.crop((0, 0, 1, 1))], options), image, coding, low)


def _list_codings(job: Job) -> Sequence[Coding]:
    """Return how full colour may be coded. Noise has no repeats, so searching it for them is useless."""
    picture = job.picture
    density = len(picture.header.source) / (picture.channels * math.prod(picture.full_size))
    if picture.format != "PNG":
        density = 1.0 if picture.header.is_lossy else (SPARSE + DENSE) / 2
    if SPARSE < density < DENSE:
        return RUNS, REPEATS, NOISY, DITHERED
    return (RUNS, NOISY) if density >= DENSE else (REPEATS, PLAIN)


def _make_options(coding: Coding) -> Options:
    """Return Pillow's options."""
    return {"compress_level": coding.level, "compress_type": coding.strategy}


def _choose_sample(image: Image.Image) -> list[tuple[int, int]]:
    """Return the first row, and the row below the last, of each of up to four strips of an image."""
    height = max(SAMPLE_ROWS, image.height // 64)
    tops: Iterable[int] = (image.height * (2 * place + 1) // 8 for place in range(4))
    if image.height < 4 * height:
        # Strips that overlap would repeat each other.
        tops = range(0, image.height, height)
    return [(top, min(top + height, image.height)) for top in tops]


def _count_sample_bytes(image: Image.Image, coding: Coding, low: Image.Image | None) -> int:
    """Return the bytes that the pixels of a sample of an image take."""
    strips = _choose_sample(image)
    if coding.filter is not None:
        return sum(map(len, png_writer.deflate(image, strips, coding, low)))
    target = io.BytesIO()
    sample = stack([image.crop((0, top, image.width, bottom)) for top, bottom in strips])
    sample.save(target, "PNG", **_make_options(coding))
    chunks = png_chunks.walk_chunks(target.getvalue())
    return sum(chunk.end - chunk.start - 12 for chunk in chunks if chunk.kind == b"IDAT")


def _sample(body: bytes, image: Image.Image) -> Sample | None:
    """Decode the top rows of a large PNG."""
    if image.height < 2 * FIRST_ROWS:
        return None
    size, part = png_chunks.read_size(body), png_chunks.take_first_rows(body, FIRST_ROWS)
    with proving("PNG"):
        shown = Image.open(io.BytesIO(part), formats=("PNG",))
        shown.load()
    return Sample(size, shown, image.crop((0, 0, image.width, FIRST_ROWS)), part)


FORMAT = Format(
    name="PNG",
    decoders=("PNG",),
    recognises=re.compile(rb"\x89PNG\r\n\x1a\n").match,
    written_as="PNG",
    cost=DecodingCost(pixel_bytes=0, pixel_nanoseconds=20),
    inspect=inspect,
    layers=png_chunks.read_layers,
    correct=_correct,
    repair=_repair,
    encoder=Encoder(
        media_type="image/png",
        modes=frozenset({"L", "LA", "RGB", "RGBA", "I;16"}),
        metadata=Capacity(frozenset({Lost.EXIF, Lost.XMP})),
        has_resolution=True,
        largest_side=math.inf,
        most_milliseconds=MOST_MILLISECONDS,
        quality=0,
        cost=EncodingCost(pixel_bytes=6, pixel_nanoseconds=160, animated_bytes=6),
        encode=_encode,
        check=png_chunks.check_whole,
        sample=_sample,
        holds_lower_bytes=True,
    ),
)
