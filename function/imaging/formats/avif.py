"""AVIF: its record, how it is inspected and written."""

import math
import re
from dataclasses import replace

from PIL import AvifImagePlugin, Image, ImageFilter  # noqa: F401 - the first registers its format

from errors import Reason, RejectedError
from imaging import memory
from imaging.change import Capacity
from imaging.colour import to_common_mode
from imaging.formats import avif_boxes, tiff_directories
from imaging.losses import NO_CREDENTIALS, Lost
from imaging.metadata import hide_exif
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Header, Job
from imaging.saving import count_plays, round_durations, save, save_no_larger

SHORT_FORM = b"ftypmif3"
"""The first box, after its length, of an AVIF that has a ``mini`` box in place of all others."""

AUXILIARY_SHARE = 4
"""An image may come with its alpha, a thumbnail and a gain map. This part of all items' pixels counts as decoded."""

QUALITY_PER_OCTAVE = 20.0
"""The decrease in quality that halves the bytes."""

CONTAINER_BYTES = 300

MOST_MILLISECONDS = (1 << 31) - 1
"""The longest time of a frame: 31 bits."""

LEAST_ENCODER_BYTES = 8 << 20
"""The memory that the encoder takes for the smallest image, rounded up. It crashes if an allocation fails, so all the
memory that it may take must be available."""

SPEED = 7
"""libaom's speed. At equal SSIMULACRA2, speed 8 takes half of the CPU and 1.13 times the bytes. Speed 6 takes
1.4 times the CPU, 0.95 of the bytes, and more memory."""

COST = EncodingCost(pixel_bytes=30, pixel_nanoseconds=260, frame_nanoseconds=1_000_000, frames_at_once=35)
"""The bytes are the most that was measured, since the encoder crashes if an allocation fails."""


def inspect(source: bytes) -> Header:
    """Read the boxes, and the sequence headers of the AV1 streams.

    Raises:
        RejectedError: UNSUPPORTED, or TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    if source.startswith(SHORT_FORM, 4):
        raise RejectedError(
            Reason.UNSUPPORTED, "the AVIF has the brand mif3, a short form: save it with the brand avif"
        )
    # Its parsers take time to import, and most sources are of other formats.
    from imaging.formats import heif_gain_map, heif_items  # noqa: PLC0415

    found, main = avif_boxes.read_streams(source), heif_items.read_main_picture(source)
    header = Header(
        FORMAT,
        source,
        source,
        main.losses + (NO_CREDENTIALS if found.has_content_credentials else ()),
        opening_nanoseconds=tiff_directories.tag_nanoseconds(found.exif),
        plays=avif_boxes.read_plays(source),
        least_size=found.size,
        least_pixels=found.item_pixels // AUXILIARY_SHARE,
        is_lossy=True,
        depth=main.depth,
        colour=main.colour,
    )
    return heif_gain_map.with_gain_map(header, main.items, found.exif)


def _encode(job: Job) -> bytes:
    images = [_bleed(image) for image in to_common_mode(job.images)]
    memory.require(LEAST_ENCODER_BYTES + COST.bytes_for(math.prod(images[0].size), len(images)))
    job = replace(job, frames=[replace(frame, image=image) for frame, image in zip(job.frames, images, strict=True)])
    # Each thread needs a stack, and threads are not faster on one processor.
    options = {"speed": SPEED, "max_threads": 1, **job.colour}
    count = None
    if len(images) > 1:
        count = count_plays(job)
        # Chromium paints frames of the full range in wrong colours.
        options |= {"duration": round_durations(job, MOST_MILLISECONDS), "range": "limited"}
    body = save_no_larger(
        job,
        lambda images, tried: save(job, images, {"quality": tried, **options}),
        per_octave=QUALITY_PER_OCTAVE,
        container_bytes=CONTAINER_BYTES,
    )
    # Pillow does not write how often an animation is played.
    return body if count is None else avif_boxes.set_plays(body, count)


def _bleed(image: Image.Image) -> Image.Image:
    """Spread colours into transparent pixels: chroma is stored at half size, which would mix them."""
    if image.mode != "RGBA" or image.getchannel("A").getextrema()[0] == 255:
        return image
    alpha = image.getchannel("A")
    spread = image.convert("RGBa").filter(ImageFilter.BoxBlur(2)).convert("RGBA").convert("RGB")
    filled = Image.composite(image.convert("RGB"), spread, alpha.point([0] + [255] * 255))
    filled.putalpha(alpha)
    return filled


FORMAT = Format(
    name="AVIF",
    decoders=("AVIF",),
    # The major brands that Pillow takes for AVIF.
    recognises=re.compile(rb".{4}ftyp(avi[fs]|mif[13]|msf1)", re.DOTALL).match,
    written_as="AVIF",
    cost=DecodingCost(pixel_bytes=8, pixel_nanoseconds=15),
    inspect=inspect,
    without_metadata=hide_exif,
    encoder=Encoder(
        media_type="image/avif",
        modes=frozenset({"L", "RGB", "RGBA"}),
        metadata=Capacity(frozenset({Lost.EXIF, Lost.XMP})),
        has_resolution=False,
        largest_side=32768,
        most_milliseconds=MOST_MILLISECONDS,
        quality=75,
        quality_of_score_70=51,
        cost=COST,
        encode=_encode,
        check=avif_boxes.check_whole,
    ),
)
