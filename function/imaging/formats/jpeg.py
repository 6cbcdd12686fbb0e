"""JPEG: its record, how it is inspected, repaired, written and proven."""

import functools
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import (
    Image,
    JpegImagePlugin,  # noqa: F401 - registers its format
    MpoImagePlugin,  # noqa: F401 - registers its format
)

from errors import MalformedError, RejectedError
from imaging import photoshop
from imaging.change import Capacity
from imaging.formats import jpeg_segments, tiff_directories
from imaging.losses import NO_CREDENTIALS, Loss, Lost
from imaging.palette import stack
from imaging.pillow import proving
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, GainMapHeader, Header, Job, Sample
from imaging.saving import choose_quality, save

if TYPE_CHECKING:
    from imaging.formats.jpeg_pictures import FoundMap

SEGMENT_NANOSECONDS, STRAY_NANOSECONDS, VALUE_NANOSECONDS, COPY_NANOSECONDS = 4_000, 600, 300, 0.4
"""The time to open a JPEG: for each segment, byte between segments, byte that is parsed, and byte that is copied."""

COEFFICIENT_NANOSECONDS, SCAN_BYTE_NANOSECONDS = 0.5, 30
"""The time for each coefficient in each scan after the first pass, and for each byte of several scans."""

MOST_OPENING_NANOSECONDS = 50e6
"""A gain map that takes longer to open isn't kept. Usual ones take less than a millisecond."""

DECODINGS_WITHOUT_END = 4
"""How often a JPEG without an end marker is decoded, to see whether only the marker is missing."""

COEFFICIENT_BYTES = 2

DIVISOR, ROW_HEIGHT, SAMPLED_ROWS = 8, 16, 8
"""A large JPEG is decoded at an eighth of its size, and about eight rows of 16 pixels are compared."""

MOST_SEGMENT_BYTES = 65533 - 29
"""Space in one segment after the identifier of XMP, which is the longest one."""

UNSCALED_QUALITY = 50
"""The quality at which libjpeg uses quantisation tables as they are; higher ones make the steps smaller."""

FULL_CHROMA = frozenset({0, 1})
"""4:4:4 and 4:2:2, as Pillow numbers them."""


@functools.cache
def make_tables(*, is_chroma_halved: bool) -> list[list[int]]:
    """Return the quantisation tables of Y, Cb and Cr for ``UNSCALED_QUALITY``, row by row.

    They were fitted to SSIMULACRA2: docs/images.md has the results. Compared with libjpeg's tables (ITU-T T.81, K.1),
    the steps grow less with the frequency.

    Args:
        is_chroma_halved: Whether the image has chroma in half its height and width: 4:2:0.

    """
    luma, chroma = (1.0, 1.0) if is_chroma_halved else (0.87, 1.2)
    frequencies = [math.hypot(row, column) for row in range(8) for column in range(8)]
    return [
        [round(luma * (7.2 + 34.5 * (1 - math.exp(-frequency / 4)))) for frequency in frequencies],
        [round(chroma * (6.1 + 7.2 * frequency**1.1)) for frequency in frequencies],
        [round(chroma * (10.5 + 16 * (1 - math.exp(-frequency / 2.6)))) for frequency in frequencies],
    ]


def inspect(source: bytes) -> Header:
    """Read the segments.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    found = jpeg_segments.read_structure(source)
    if not jpeg_segments.announces_more(source, found.header):
        return _make_header(source, found)
    from imaging.formats import jpeg_pictures  # noqa: PLC0415 - few JPEGs need its parsers, which take time to import

    beside = jpeg_pictures.find(source, found.header, found.exif)
    gain_map, damage = _inspect_gain_map(beside.gain_map) if beside.gain_map else (None, "")
    problem = jpeg_pictures.DAMAGED.format(damage) if damage else beside.problem
    return _make_header(source, found, beside.losses, gain_map, problem)


def _inspect_gain_map(found: "FoundMap") -> tuple[GainMapHeader | None, str]:
    """Return the structure of the gain map; or None, and why it can't be kept."""
    try:
        header = _make_header(found.body, jpeg_segments.read_structure(found.body))
    except RejectedError as error:
        return None, error.message
    if header.decodings > 1:
        return None, "it is cut off"
    if header.opening_nanoseconds > MOST_OPENING_NANOSECONDS:
        return None, "it has too much metadata"
    return GainMapHeader(header, found.gains, found.table), ""


def _make_header(
    source: bytes,
    found: jpeg_segments.Structure,
    losses: Sequence[Loss] = (),
    gain_map: GainMapHeader | None = None,
    gain_map_problem: str = "",
) -> Header:
    readable, damage = jpeg_segments.hide_damage(source, found.damaged)
    opening = (
        SEGMENT_NANOSECONDS * len(found.header)
        + STRAY_NANOSECONDS * found.stray_bytes
        + VALUE_NANOSECONDS * found.value_bytes
        + COPY_NANOSECONDS * found.copied_bytes
        + tiff_directories.tag_nanoseconds([found.exif])
    )
    held = scanning = 0.0
    if found.keeps_coefficients:
        held = COEFFICIENT_BYTES * found.coefficients
        scanning = COEFFICIENT_NANOSECONDS * found.scans * found.coefficients + SCAN_BYTE_NANOSECONDS * len(source)
    return Header(
        FORMAT,
        source,
        readable,
        (
            *(Loss(Lost.DAMAGE, why) for why in damage),
            *(NO_CREDENTIALS if found.has_content_credentials else ()),
            *losses,
        ),
        opening_nanoseconds=opening,
        # The other pictures in the file are previews and views of the main one.
        frame_count=1,
        other_nanoseconds=scanning,
        coefficient_bytes=math.ceil(held),
        decodings=DECODINGS_WITHOUT_END if jpeg_segments.lacks_end(source) else 1,
        is_lossy=not found.is_lossless,
        gain_map=gain_map,
        gain_map_problem=gain_map_problem,
    )


def _set_profile(image: Any, _: Header) -> None:
    # Pillow does not find a profile that is stored twice, and accepts broken profiles.
    image.info["icc_profile"] = jpeg_segments.join_profile(data for name, data in image.applist if name == "APP2")


def _repair(source: bytes, digest: Callable[[bytes], bytes]) -> tuple[bytes, str] | None:
    """Add the end marker if nothing else is missing: data that is inserted before it then changes no pixel."""
    if not jpeg_segments.has_all_scans(source):
        return None
    repaired, with_filler = jpeg_segments.add_end(source)
    if digest(repaired) != digest(with_filler):
        return None
    return repaired, "the end marker is missing and was added"


def _encode(job: Job) -> bytes:
    gain_map = job.frames[0].gain_map
    if gain_map is None:
        return _encode_main(job)
    from imaging.formats import jpeg_gain_map  # noqa: PLC0415 - as above

    return jpeg_gain_map.encode(job, gain_map, MOST_SEGMENT_BYTES, _encode_main)


def _split(body: bytes) -> tuple[bytes, bytes]:
    from imaging.formats import jpeg_gain_map  # noqa: PLC0415 - as above

    return jpeg_gain_map.split(body)


def _encode_main(job: Job) -> bytes:
    if job.rendition.ssimulacra2 is not None:
        # Imported here because few deployments ask for a score.
        from imaging.visual_quality import reach_score  # noqa: PLC0415

        return reach_score(job, lambda images, quality: _write(job, images, quality, _make_tables(job)))
    return _write(job, job.images, *_choose_steps(job))


def _write(job: Job, images: Sequence[Image.Image], quality: int, tables: list[list[int]]) -> bytes:
    options = {"quality": quality, "qtables": tables, "subsampling": job.picture.subsampling, **job.colour}
    options["extra"] = _make_photoshop_segment(job.kept)
    try:
        return save(job, images, {**options, "optimize": True})
    except RejectedError:
        # Pillow allots optimised Huffman coding about one byte a pixel, which noise in high quality exceeds.
        return save(job, images, options)


def _make_photoshop_segment(kept: Mapping[str, bytes]) -> bytes | None:
    """Return a segment with IPTC and Photoshop's other resources; None without any."""
    own = photoshop.write({photoshop.IIM: kept["iptc"]}) if "iptc" in kept else b""
    content = own + kept.get("photoshop", b"")
    return jpeg_segments.make_segment(jpeg_segments.APP_13, photoshop.HEADER + content) if content else None


def _choose_steps(job: Job) -> tuple[int, list[list[int]]]:
    """Return the quality, and the quantisation tables that it scales."""
    quality, (frame,) = choose_quality(job), job.frames
    is_resized = sorted(frame.image.size) != sorted(job.picture.full_size)
    if job.rendition.quality is None and quality < job.usual_quality and not is_resized:
        # Other steps than the source's would only add errors to its own. Inks have one table: Pillow writes CMYK, and
        # the chroma table of a YCCK source is too coarse for it.
        tables = [list(table) for table in frame.quantization.values()]
        return UNSCALED_QUALITY, tables if frame.image.mode == "RGB" else tables[:1]
    return quality, _make_tables(job)


def _make_tables(job: Job) -> list[list[int]]:
    if job.images[0].mode != "RGB":
        return make_tables(is_chroma_halved=False)[:1]
    return make_tables(is_chroma_halved=job.picture.subsampling not in FULL_CHROMA)


def _check(body: bytes) -> None:
    """Refuse a body that is not exactly one JPEG.

    Raises:
        MalformedError: It is not.

    """
    if not FORMAT.recognises(body) or jpeg_segments.find_end(body) != len(body):
        raise MalformedError("it does not end as a JPEG does")


def _sample(body: bytes, image: Image.Image) -> Sample | None:
    """Decode all of a large JPEG at an eighth of its size, which proves that every row is there; sample some rows."""
    step = image.height // SAMPLED_ROWS // ROW_HEIGHT * ROW_HEIGHT
    if step < 2 * ROW_HEIGHT or image.width < DIVISOR:
        # A decoder shrinks no image to less than a pixel.
        return None
    with proving("JPEG"):
        output = Image.open(io.BytesIO(body), formats=("JPEG",))
        size = output.size
        output.draft(None, (max(1, size[0] // DIVISOR), size[1] // DIVISOR))
        output.load()
    tops = range(0, image.height - ROW_HEIGHT + 1, step)
    shown = [output.crop((0, top // DIVISOR, output.width, (top + ROW_HEIGHT) // DIVISOR)) for top in tops]
    expected = [image.crop((0, top, image.width, top + ROW_HEIGHT)) for top in tops]
    return Sample(size, stack(shown), stack(expected))


FORMAT = Format(
    name="JPEG",
    decoders=("JPEG",),
    recognises=re.compile(rb"\xff\xd8\xff").match,
    # A multi-picture JPEG is read as its main picture.
    written_as="JPEG",
    cost=DecodingCost(pixel_bytes=0, pixel_nanoseconds=8),
    inspect=inspect,
    correct_opened=_set_profile,
    repair=_repair,
    encoder=Encoder(
        media_type="image/jpeg",
        modes=frozenset({"L", "RGB", "CMYK"}),
        metadata=Capacity(frozenset({Lost.EXIF, Lost.XMP, Lost.IPTC}), MOST_SEGMENT_BYTES),
        has_resolution=True,
        largest_side=65500,
        most_milliseconds=0,
        quality=75,
        quality_of_score_70=45,
        cost=EncodingCost(pixel_bytes=7, pixel_nanoseconds=8),
        encode=_encode,
        check=_check,
        sample=_sample,
        split=_split,
    ),
)
