"""TIFF: its record, how it is inspected, read, repaired and written."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from errors import Reason, RejectedError
from imaging import exif as exif_tags
from imaging import lower_bytes
from imaging.change import Capacity
from imaging.formats import tiff_directories, tiff_page
from imaging.losses import NO_CREDENTIALS, Lost
from imaging.metadata import repair
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Frame, Header, Job, Options
from imaging.saving import choose_quality, estimate_jpeg_quality, save, save_no_larger

UNREADABLE = b"MM\0+"
"""The signature of a big-endian BigTIFF: Pillow would read tags from one directory, and libtiff pixels from another."""

QUALITY_PER_OCTAVE = 30.0
"""The decrease in quality that halves the bytes, if the pages have JPEG compression."""

CONTAINER_BYTES = 900

COMPRESSIONS = frozenset({"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"})
"""Compressions that are written back as they were read. All others become deflate, which is lossless and holds every
mode."""

PREDICTABLE = frozenset({"tiff_lzw", "tiff_adobe_deflate", "zstd"})
"""Compressions with a predictor, which stores each pixel's difference to the one on its left: photos get smaller."""

DIFFERENCES = 2
"""The value of the tag Predictor for such differences."""

WIDTH, SAMPLES, ALPHA = 256, 277, 2
"""Tags (TIFF 6.0, section 8), and the value of ``EXTRA_SAMPLES`` for alpha that doesn't weigh colours (section 18)."""

RGB = 2
"""A value of ``PHOTOMETRIC``."""

UNCOMPRESSED = "none"
"""Pillow lets libtiff write compressions that it has no name for, uncompressed. ``raw`` it would write itself."""


def inspect(source: bytes) -> Header:
    """Read the directories.

    Raises:
        RejectedError: CORRUPT or UNSUPPORTED; or TOO_LARGE: there are too many pages or tags.

    """
    if source.startswith(UNREADABLE):
        raise RejectedError(Reason.CORRUPT, f"the {FORMAT.name} header is damaged or not supported")
    pages = list(tiff_directories.read_pages([source]))
    if tiff_directories.is_raw(source, pages):
        raise RejectedError(
            Reason.UNSUPPORTED,
            "the file is a camera's raw file, such as DNG, NEF, CR2 or ARW: upload a developed image",
        )
    return Header(
        FORMAT,
        source,
        source,
        NO_CREDENTIALS if any(page.has_content_credentials for page in pages) else (),
        opening_nanoseconds=sum(page.nanoseconds for page in pages),
        frame_count=len(pages) - 1 if len(pages) > 1 and not pages[-1].is_picture else None,
        # A tile is decoded whole, however small its page is.
        least_size=(
            max((page.tile_width for page in pages), default=0),
            max((page.tile_height for page in pages), default=0),
        ),
    )


def _prepare(image: Any, _: Header) -> None:
    repair(image)
    tiff_page.prepare(image)


def _correct(image: Any, _: Header) -> Image.Image:
    return tiff_page.correct(image)


def _repair(source: bytes, _: Callable[[bytes], bytes]) -> tuple[bytes, str] | None:
    repaired = tiff_directories.remove_coefficients(source)
    return None if repaired is None else (repaired, "the YCbCr coefficients are wrong and were ignored")


def _encode(job: Job) -> bytes:
    if any(frame.compression == "jpeg" for frame in job.frames):
        body = save_no_larger(
            job,
            lambda _, tried: _save_pages(job, tried),
            per_octave=QUALITY_PER_OCTAVE,
            container_bytes=CONTAINER_BYTES,
        )
    else:
        body = _save_pages(job, choose_quality(job))
    return tiff_directories.add_tags(body, _make_tags(job.kept)) if job.kept else body


def _save_pages(job: Job, page_quality: int) -> bytes:
    """Save the pages: those with JPEG compression in ``page_quality``, or in their own quality if that is lower."""
    images = []
    for frame in job.frames:
        options = _make_page_options(job, frame, page_quality)
        # A JPEG of RGB pixels has twice the bytes of one of YCbCr.
        is_converted = frame.image.mode == "RGB" and "quality" in options
        image = frame.image.convert("YCbCr") if is_converted else frame.image
        if frame.low is not None:
            image = _to_samples(frame.image, frame.low)
        # Pages may differ in mode, profile, resolution and compression, so each has its own options.
        image.encoderinfo = options
        images.append(image)
    return save(job, images, {})


def _to_samples(image: Image.Image, low: Image.Image) -> Image.Image:
    """Return colours of 16 bits as grey: each sample is a pixel. Pillow has a mode for such grey only."""
    size = image.width * len(image.getbands()), image.height
    return Image.frombuffer("I;16", size, lower_bytes.interleave(low, image), "raw", "I;16", 0, 1)


def _make_page_options(job: Job, frame: Frame, page_quality: int) -> Options:
    options: Options = {"icc_profile": frame.icc, "dpi": frame.resolution}
    if frame.compression == "jpeg" and frame.image.mode in {"L", "RGB"}:
        if job.rendition.quality is None:
            page_quality = min(page_quality, estimate_jpeg_quality(frame.quantization))
        return options | {"compression": "jpeg", "quality": page_quality}
    compression = frame.compression if frame.compression in COMPRESSIONS else "tiff_adobe_deflate"
    tags: dict[int, int] = {}
    if frame.low is not None:
        # libtiff reads the samples of `_to_samples` by these tags.
        bands = frame.image.getbands()
        tags = {WIDTH: frame.image.width, SAMPLES: len(bands), tiff_directories.PHOTOMETRIC: RGB}
        if "A" in bands:
            tags[tiff_directories.EXTRA_SAMPLES] = ALPHA
        compression = UNCOMPRESSED if compression == "raw" else compression
    if frame.predictor == DIFFERENCES and compression in PREDICTABLE and frame.image.mode not in {"I", "F"}:
        tags[tiff_directories.PREDICTOR] = DIFFERENCES
    return options | {"compression": compression, "tiffinfo": tags}


def _make_tags(kept: Mapping[str, bytes]) -> Image.Exif:
    """Return the tags that don't describe pixels: EXIF's, and one each for XMP, IPTC and Photoshop's resources."""
    exif = Image.Exif()
    if "exif" in kept:
        exif.load(kept["exif"])
    tags, _ = exif_tags.copy_exif(exif)
    for tag, name in ((exif_tags.XMP, "xmp"), (exif_tags.IPTC, "iptc"), (exif_tags.PHOTOSHOP, "photoshop")):
        if name in kept:
            tags[tag] = kept[name]
    # Pillow writes pixels in this byte order.
    tags.endian = "<"
    return tags


FORMAT = Format(
    name="TIFF",
    decoders=("TIFF",),
    recognises=re.compile(rb"II[*+]\0|MM\0[*+]").match,
    written_as="TIFF",
    # Each page has a directory, which takes time.
    cost=DecodingCost(pixel_bytes=0, pixel_nanoseconds=20, frame_nanoseconds=600_000),
    inspect=inspect,
    prepare=_prepare,
    correct=_correct,
    repair=_repair,
    describe=tiff_directories.describe_pages,
    encoder=Encoder(
        media_type="image/tiff",
        modes=frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"}),
        metadata=Capacity(frozenset({Lost.EXIF, Lost.XMP, Lost.IPTC})),
        has_resolution=True,
        largest_side=math.inf,
        most_milliseconds=0,
        quality=80,
        # The more pages a TIFF has, the longer each takes: this was measured with 3,000.
        cost=EncodingCost(pixel_bytes=3, pixel_nanoseconds=40, frame_nanoseconds=3_000_000),
        encode=_encode,
        check=tiff_directories.check_whole,
        holds_lower_bytes=True,
    ),
)
