"""GIF: its record, how it is inspected and written."""

import math
import re
from typing import Any

from PIL import GifImagePlugin

from errors import Reason, RejectedError
from imaging import palette
from imaging.change import Capacity
from imaging.formats import gif_blocks, gif_writer
from imaging.losses import NO_CREDENTIALS, Lost
from imaging.records import DecodingCost, Encoder, EncodingCost, Format, Header, Job
from imaging.saving import count_plays, round_durations

MOST_MILLISECONDS = 655_350
"""The longest time of a frame: 16 bits of hundredths of a second."""

CANVAS_PIXEL_BYTES = 4
"""Memory for each pixel of the first frame, for which Pillow makes room when it opens a GIF."""

# Each frame may have its own palette, so read all frames in full colour.
GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_ALWAYS


def inspect(source: bytes) -> Header:
    """Read the blocks.

    Raises:
        RejectedError: CORRUPT: it is cut off; or TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    found = gif_blocks.read_blocks(source)
    if not found.is_whole:
        raise RejectedError(Reason.CORRUPT, f"the file ends in the middle of frame {found.frame_count + 1}")
    return Header(
        FORMAT,
        source,
        gif_blocks.remove_unseen(source, found),
        NO_CREDENTIALS if found.has_content_credentials else (),
        opening_bytes=CANVAS_PIXEL_BYTES * math.prod(found.canvas),
        frame_count=found.frame_count,
        canvas=found.canvas,
        least_size=found.largest,
        is_indexed=True,
        xmp=found.xmp,
    )


def _set_xmp(image: Any, header: Header) -> None:
    # Pillow does not read it.
    image.info["xmp"] = header.xmp


def _encode(job: Job) -> bytes:
    frames = palette.to_scene_palettes(job.images, job.part)
    timing = (round_durations(job, MOST_MILLISECONDS), count_plays(job)) if len(frames) > 1 else ((), None)
    body = gif_writer.write(job.images, frames, *timing)
    return gif_writer.add_xmp(body, job.kept["xmp"]) if "xmp" in job.kept else body


FORMAT = Format(
    name="GIF",
    decoders=("GIF",),
    recognises=re.compile(rb"GIF8[79]a").match,
    written_as="GIF",
    cost=DecodingCost(pixel_bytes=1, pixel_nanoseconds=20),
    inspect=inspect,
    correct_opened=_set_xmp,
    layers=gif_blocks.read_layers,
    encoder=Encoder(
        media_type="image/gif",
        modes=frozenset({"L", "LA", "RGB", "RGBA"}),
        metadata=Capacity(frozenset({Lost.XMP})),
        has_resolution=False,
        largest_side=65535,
        most_milliseconds=MOST_MILLISECONDS,
        quality=0,
        cost=EncodingCost(pixel_bytes=23, pixel_nanoseconds=300, frame_nanoseconds=2_500_000, animated_bytes=2),
        encode=_encode,
        check=gif_blocks.check_whole,
    ),
)
