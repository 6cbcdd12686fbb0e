"""Functions that encoders share: saving with Pillow, the choice of quality, durations, and palettes."""

import io
import math
from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from imaging import palette
from imaging.pillow import encoding
from imaging.records import Job, Options, Write

AIMED_SHARE = 0.96
"""The share of the source's bytes to aim at, because an estimated quality is slightly wrong."""

LEAST_QUALITY, MOST_TRIES = 10, 3
"""The lowest quality that is tried, and the number of tries: each takes as long as the first."""

MOST_PER_OCTAVE = 80.0
"""The largest step of quality that is assumed to halve the bytes."""

STANDARD_LUMINANCE_SUM = 3688
"""Sum of the luminance table of ITU-T T.81, K.1, which libjpeg scales by quality."""

PALETTE_PAYS = 1 << 14
"""Pixels from which a palette always takes fewer bytes than full colour."""


def save(job: Job, images: Sequence[Image.Image], options: Options) -> bytes:
    """Let Pillow encode ``images``; options that are None are left out.

    Raises:
        RejectedError: UNFAITHFUL: the encoder fails.

    """
    for image in images:
        # Pillow's encoders also read entries that a decoder left in `info`. Pass everything as options instead.
        image.info = {}
    if len(images) > 1:
        options = {"save_all": True, "append_images": images[1:], **options}
    target = io.BytesIO()
    options = {name: value for name, value in options.items() if value is not None}
    with encoding(job.format):
        images[0].save(target, job.format, **options)
    return target.getvalue()


def choose_quality(job: Job) -> int:
    """Return the quality asked for, else the usual one, or a JPEG source's own if that is lower."""
    if job.rendition.quality is not None:
        return job.rendition.quality
    return min(job.usual_quality, max(estimate_jpeg_quality(frame.quantization) for frame in job.frames))


def estimate_jpeg_quality(quantization: Mapping[int, Sequence[int]]) -> int:
    """Return the quality, on libjpeg's scale, whose luminance table is as coarse as the first; 100 without tables."""
    if not quantization:
        return 100
    percent = 100 * sum(next(iter(quantization.values()))) / STANDARD_LUMINANCE_SUM
    # libjpeg's jpeg_quality_scaling, solved for the quality.
    solved = (200 - percent) / 2 if percent <= 100 else 5000 / percent
    return min(100, max(1, round(solved)))


def save_no_larger(job: Job, write: Write, *, per_octave: float, container_bytes: int) -> bytes:
    """Write at the job's quality, or at a lower one if the output would be larger than a source of the same format.

    A WebP or AVIF does not state the quality it was written with, and encoders differ. So the quality is searched for:
    it is nearly proportional to the logarithm of the size. A quality or a score that the rendition asks for is kept.
    Padding, which the source lacks, is left out of the search.

    Args:
        job: The output to write.
        write: Writes images at a quality.
        per_octave: The decrease in quality that halves the bytes, until it is measured.
        container_bytes: Bytes of a still beside its pixels and metadata.

    """
    if job.rendition.ssimulacra2 is not None:
        # Imported here because few deployments ask for a score.
        from imaging.visual_quality import reach_score  # noqa: PLC0415

        return reach_score(job, write)
    tried = choose_quality(job)
    aside = container_bytes + sum(len(data) for data in job.colour.values() if data)
    target = AIMED_SHARE * len(job.picture.header.source) - aside
    if job.rendition.quality is not None or target <= 0 or job.format != job.picture.format:
        return write(job.images, tried)
    images = [job.crop(image) for image in job.images]
    body = write(images, tried)
    for _ in range(MOST_TRIES):
        if not job.is_larger_than_source(body) or tried == LEAST_QUALITY:
            break
        step = math.ceil(per_octave * math.log2((len(body) - aside) / target))
        lower = max(LEAST_QUALITY, tried - step)
        smaller = write(images, lower)
        gained = math.log2((len(body) - aside) / max(1, len(smaller) - aside))
        per_octave = min(MOST_PER_OCTAVE, (tried - lower) / gained) if gained > 0 else MOST_PER_OCTAVE
        tried, body = lower, min(body, smaller, key=len)
    return write(job.images, tried) if job.part else body


def round_durations(job: Job, most: int) -> list[int]:
    """Return how long each frame is shown, in whole milliseconds, at most ``most``."""
    return [round(min(frame.duration, most)) for frame in job.frames]


def count_plays(job: Job) -> int | None:
    """Return how often an animation is played: 0 is forever, None if unstated. A GIF counts repetitions instead."""
    loop = job.picture.loop
    if job.picture.format == "GIF" != job.format:
        return 1 if loop is None else loop and loop + 1
    return loop


def save_smallest(job: Job, options: Options, save_full: Callable[[], bytes]) -> bytes:
    """Save a still in full colour, or in a palette if that is smaller and its error is not visible.

    If the output would be larger than a source of few colours, its palette may be as rough as the source's.

    Args:
        job: The output to write, of one image.
        options: Options of the encoder.
        save_full: Saves it in full colour.

    """
    (image,) = job.images
    picture = job.picture
    if image.mode == "I;16":
        return save(job, [image], options)
    best = _save_in_palette(job, options, palette.FAITHFUL) if picture.has_few_colours else None
    if best is not None and not job.is_larger_than_source(best) and math.prod(image.size) > PALETTE_PAYS:
        return best
    full = save_full()
    best = min(best or full, full, key=len)
    if job.is_larger_than_source(best):
        bound = palette.TOLERABLE if picture.has_few_colours or picture.shows_few_colours else palette.FAITHFUL
        best = min(best, _save_in_palette(job, options, bound) or best, key=len)
    return best


def _save_in_palette(job: Job, options: Options, bound: palette.Fidelity) -> bytes | None:
    """Save a still in the largest palette in which it does not grow, else the smallest; None if all are too rough."""
    (image,) = job.images
    best = None
    for colours in (16,) if image.mode == "L" else (256, 128, 64, 32, 16, 8):
        quantized = palette.quantize(image, colours)
        if not palette.compare(image, quantized, job.part).is_at_least(bound):
            break
        body = save(job, [quantized], options)
        best = min(best or body, body, key=len)
        if not job.is_larger_than_source(best):
            break
    return best
