"""Frames to bytes: writes resized frames as faithfully as a format allows."""

import bisect
import io
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageFilter, PngImagePlugin

from imaging import budget, memory, palette
from imaging.colour import MODES, has_alpha, to_common_mode, to_srgb_gamma, to_supported_mode
from imaging.decode import ANIMATED, Frame, Picture
from imaging.formats import avif, bmp, gif_writer, tiff
from imaging.metadata import copy_exif
from imaging.pillow import encoding
from renditions import MetadataPolicy, Rendition

Options = dict[str, Any]
"""Arguments of Pillow's encoders."""

QUALITY = {"JPEG": 80, "WEBP": 80, "TIFF": 80, "AVIF": 75}
"""Of lossy formats, on their own scales; a JPEG's own quality is never exceeded unasked."""

QUALITY_PER_OCTAVE, MOST_PER_OCTAVE = {"AVIF": 20.0, "WEBP": 35.0, "TIFF": 30.0}, 80.0
"""How much less quality halves the bytes: until it is measured, and at most, whatever is measured."""

AIMED_SHARE = 0.96
"""Of a source's bytes, for what a guess is wrong by."""

LEAST_QUALITY, MOST_TRIES = 10, 3
"""The lowest that is tried, and how often: each takes as long as the first."""

AVIF_LEAST_BYTES = 8 << 20
"""What its encoder takes for the smallest image, rounded up. It crashes where an allocation fails, so all that it may
take must be there."""

CONTAINER_BYTES = {"AVIF": 300, "WEBP": 20, "TIFF": 900}
"""What a still takes beside its pixels and metadata, whatever its quality."""

WITH_RESOLUTION = frozenset({"JPEG", "PNG", "TIFF", "BMP"})
"""Formats that say how many pixels an inch has."""

CONTENT_TYPES = {name: f"image/{name.lower()}" for name in MODES}

STANDARD_LUMINANCE_SUM = 3688
"""Sum of the luminance table of ITU-T T.81, K.1, which libjpeg scales by quality."""

TIFF_COMPRESSIONS = frozenset({"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"})
"""What is written back as it was read; all else becomes deflate, which is lossless and holds every mode."""

RUNS: Options = {"compress_type": zlib.Z_RLE}
REPEATS: Options = {"compress_level": 4, "compress_type": zlib.Z_DEFAULT_STRATEGY}
"""How a PNG's filtered rows are deflated: of photos and other noise the first takes a quarter of the time, for fewer
bytes; of drawings the second makes fewer bytes, in about the time."""

SPARSE, DENSE = 0.05, 0.35
"""Bytes of a PNG for each value of a pixel: up to the first it is drawn, from the second on it is a photo."""

PREDICTABLE = frozenset({"tiff_lzw", "tiff_adobe_deflate", "zstd"})
"""Those that can store differences to the pixel on the left, which in photos repeat more than the pixels do."""

DIFFERENCES = 2
"""A TIFF's predictor for that."""

PALETTE_PAYS = 1 << 14
"""Pixels from which a palette always takes fewer bytes than full colour."""

VP8X, VP8X_FLAGS, VP8X_ALPHA = slice(12, 16), 20, 0x10
"""Where a WebP that has several chunks says so, and what is in it; and the bit for alpha (RFC 9649, 2.7)."""

XMP_TAG = 700
"""Of a TIFF (XMP specification, part 3, 3.3)."""

MOST_MILLISECONDS = {"GIF": 655_350, "PNG": 65_535_000, "WEBP": (1 << 24) - 1, "AVIF": (1 << 31) - 1}
"""That a frame can be shown: 16 bits of hundredths of a second, of seconds, 24 and 31 bits of milliseconds."""

PNG_STEPS, MOST_IN_PNG_STEPS = (None, 10, 100, 1000), (65_535, 655_350, 6_553_500)
"""Where all of an APNG lasts longer than so many milliseconds, its times are multiples of so many: each is a fraction
of 16-bit numbers, and Pillow adds up those of equal frames. In a short one they may be parts of a millisecond."""

MOST_PLAYS = 65535
"""Of a WebP, which has 16 bits for them (RFC 9649, 2.7)."""


@dataclass(frozen=True)
class Job:
    """What is to be written.

    Attributes:
        frames: In modes that ``format`` holds, and as many as it can show.
        kept: The encoder's options for the metadata that is kept.

    """

    picture: Picture
    frames: Sequence[Frame]
    format: str
    rendition: Rendition
    kept: Options

    @property
    def images(self) -> list[Image.Image]:
        return [frame.image for frame in self.frames]

    @property
    def is_animated(self) -> bool:
        return len(self.frames) > 1 and self.format in ANIMATED

    @property
    def quality(self) -> int:
        """The one asked for, else the format's own or a coarser source's."""
        if self.rendition.quality is not None:
            return self.rendition.quality
        return min(QUALITY[self.format], max(_jpeg_quality(frame.quantization) for frame in self.frames))

    def grows(self, body: bytes) -> bool:
        """Whether ``body`` is larger than a source of the same format."""
        return self.format == self.picture.format and len(body) > len(self.picture.source)

    @property
    def colour(self) -> Options:
        """The options that every format with colour profiles and metadata takes."""
        return {"icc_profile": self.frames[0].icc, "dpi": self.frames[0].resolution, **self.kept}

    @property
    def timing(self) -> Options:
        """The options of an animation; none for a still."""
        if not self.is_animated:
            return {}
        most = MOST_MILLISECONDS[self.format]
        durations = [min(frame.duration, most) for frame in self.frames]
        if self.format != "PNG":
            durations = [round(duration) for duration in durations]
        elif (step := PNG_STEPS[bisect.bisect_left(MOST_IN_PNG_STEPS, sum(durations))]) is not None:
            durations = [step * round(duration / step) for duration in durations]
        return {"duration": durations, "loop": self._loop}

    @property
    def _loop(self) -> int | None:
        """How often the output is played; of a GIF, how often it is played again."""
        loop = self.picture.loop
        if self.picture.format == "GIF" != self.format:
            loop = 1 if loop is None else loop and loop + 1
        return min(loop or 0, MOST_PLAYS) if self.format == "WEBP" else loop


def written_format(picture: Picture, rendition: Rendition) -> str:
    """Tell what ``rendition`` writes of ``picture``, in Pillow's name."""
    return (rendition.format or picture.format).upper()


def writable_frames(picture: Picture, frames: Sequence[Frame], image_format: str, rendition: Rendition) -> list[Frame]:
    """What of ``frames`` the format can show, all of an animation or of a TIFF's pages, else the first, as it can."""
    if picture.is_animated and image_format in ANIMATED:
        # Only an APNG can have a picture for viewers that cannot animate.
        shown = frames[1:] if picture.has_default_image and image_format != "PNG" else frames
    else:
        shown = frames if image_format == picture.format else frames[:1]
    if picture.gamma is not None and image_format != "PNG":
        shown = [replace(frame, image=to_srgb_gamma(frame.image, picture.gamma)) for frame in shown]
    return [to_supported_mode(frame, image_format, rendition.background) for frame in shown]


def encode(
    picture: Picture, frames: Sequence[Frame], image_format: str, rendition: Rendition, policy: MetadataPolicy
) -> bytes:
    """Write ``frames``, which were resized from ``picture`` and are writable, as ``rendition`` asks.

    Raises:
        RejectedError: UNFAITHFUL: the encoder can't.

    """
    kept = picture.metadata.select(policy, frames[0].image.size)
    if frames[0].resolution and image_format not in WITH_RESOLUTION:
        across, down = frames[0].resolution
        picture.note_loss(f"the resolution of {across:.0f} x {down:.0f} was left out: {image_format} has none")
    return ENCODERS[image_format](Job(picture, frames, image_format, rendition, kept))


def _saved(job: Job, images: Sequence[Image.Image], options: Options) -> bytes:
    for image in images:
        # Encoders read what a decoder left here too; ours are told everything.
        image.info = {}
    if len(images) > 1:
        options = {"save_all": True, "append_images": images[1:], **options}
    target = io.BytesIO()
    options = {name: value for name, value in options.items() if value is not None}
    with encoding(job.format):
        images[0].save(target, job.format, **options)
    return target.getvalue()


def _no_larger(job: Job, write: Callable[[int], bytes]) -> bytes:
    """Write at the job's quality, or at a lower one if a source of the same format is smaller than what that makes.

    A WebP or AVIF does not say with which quality it was written, and encoders differ. So it is searched for: the
    logarithm of the size is nearly proportional to it. A quality that was asked for is kept.

    Args:
        job: What is written.
        write: Writes it at a quality.

    """
    quality, body = job.quality, write(job.quality)
    aside = CONTAINER_BYTES[job.format] + sum(len(data) for data in job.colour.values() if data)
    target = AIMED_SHARE * len(job.picture.source) - aside
    if job.rendition.quality is not None or target <= 0:
        return body
    per_octave = QUALITY_PER_OCTAVE[job.format]
    for _ in range(MOST_TRIES):
        if not job.grows(body) or quality == LEAST_QUALITY:
            break
        step = math.ceil(per_octave * math.log2((len(body) - aside) / target))
        lower = max(LEAST_QUALITY, quality - step)
        tried = write(lower)
        gained = math.log2((len(body) - aside) / max(1, len(tried) - aside))
        per_octave = min(MOST_PER_OCTAVE, (quality - lower) / gained) if gained > 0 else MOST_PER_OCTAVE
        quality, body = lower, min(body, tried, key=len)
    return body


def _jpeg(job: Job) -> bytes:
    # Restart markers let the proof decode some of the rows; they take a thousandth of the bytes.
    options = {"quality": job.quality, "subsampling": job.picture.subsampling, "restart_marker_rows": 1}
    body = _saved(job, job.images, options | job.colour)
    # Codes of its own take time, and a twentieth less.
    return _saved(job, job.images, options | job.colour | {"optimize": True}) if job.grows(body) else body


def _jpeg_quality(quantization: Mapping[int, Sequence[int]]) -> int:
    """The quality, on libjpeg's scale, whose luminance table is as coarse as the first of these; 100 without any."""
    if not quantization:
        return 100
    percent = 100 * sum(next(iter(quantization.values()))) / STANDARD_LUMINANCE_SUM
    # libjpeg's jpeg_quality_scaling, solved for the quality.
    quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent
    return min(100, max(1, round(quality)))


def _png(job: Job) -> bytes:
    options = job.colour
    chunks = PngImagePlugin.PngInfo()
    for name, data in job.picture.colour_chunks.items():
        chunks.add(name, data)
    if xmp := options.pop("xmp", None):
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode(errors="replace"))
    options["pnginfo"] = chunks
    if not job.is_animated:
        return _smallest(job, options)
    images = to_common_mode(job.images)
    has_default = job.picture.has_default_image
    timing = replace(job, frames=job.frames[1:]).timing if has_default else job.timing
    if has_default and not timing:
        timing = {"duration": [job.frames[1].duration], "loop": job.picture.loop}
    options |= timing | {"default_image": has_default}
    body = _saved(job, images, options)
    if job.grows(body):
        return min(body, _indexed(job, images, options) or body, key=len)
    return body


def _indexed(job: Job, images: Sequence[Image.Image], options: Options) -> bytes | None:
    """An animation in one palette; None where that is seen, or cannot be."""
    if any(image.mode in {"LA", "RGBA"} and image.getchannel("A").getextrema()[0] != 255 for image in images):
        return None
    painted = [frame.image for frame in palette.to_shared_palette(images, has_transparent=False)]
    if not all(palette.compare(*pair).reaches(palette.TOLERABLE) for pair in zip(images, painted, strict=True)):
        return None
    return _saved(job, painted, options)


def _smallest(job: Job, options: Options) -> bytes:
    """A still in full colour, or in a palette where that is smaller and its error is not seen.

    Where it would be larger than a source of few colours, the palette may be as rough as one of the source's own.
    """
    (image,) = job.images
    picture = job.picture
    if image.mode == "I;16":
        return _saved(job, [image], options)
    best = _in_palette(job, options, palette.FAITHFUL) if picture.has_few_colours else None
    if best is not None and not job.grows(best) and math.prod(image.size) > PALETTE_PAYS:
        return best
    full = _saved(job, [image], options | (_deflation(picture, image) if job.format == "PNG" else {}))
    best = min(best or full, full, key=len)
    if job.grows(best):
        bound = palette.TOLERABLE if picture.has_few_colours or picture.shows_few_colours else palette.FAITHFUL
        best = min(best, _in_palette(job, options, bound) or best, key=len)
    return best


def _in_palette(job: Job, options: Options, bound: palette.Fidelity) -> bytes | None:
    """A still in the largest palette in which it does not grow, else the smallest; None where all are too rough."""
    (image,) = job.images
    best = None
    for colours in (16,) if image.mode == "L" else (256, 128, 64, 32, 16, 8):
        reduced = palette.quantize(image, colours)
        if not palette.compare(image, reduced).reaches(bound):
            break
        body = _saved(job, [reduced], options)
        best = min(best or body, body, key=len)
        if not job.grows(best):
            break
    return best


def _deflation(picture: Picture, image: Image.Image) -> Options:
    """How a PNG in full colour is best compressed: noise repeats nothing, and to search it for what does is in vain."""
    density = len(picture.source) / (picture.channels * math.prod(picture.full_size))
    if picture.format != "PNG":
        density = 1.0 if picture.is_lossy else (SPARSE + DENSE) / 2
    if SPARSE < density < DENSE:
        return min(RUNS, REPEATS, key=lambda how: len(_png_sample(image, how)))
    return RUNS if density >= DENSE else REPEATS


def _png_sample(image: Image.Image, how: Options) -> bytes:
    """A few rows from four places of the image, compressed."""
    height = max(1, image.height // 64)
    tops = (image.height * (2 * place + 1) // 8 for place in range(4))
    target = io.BytesIO()
    palette.stack([image.crop((0, top, image.width, top + height)) for top in tops]).save(target, "PNG", **how)
    return target.getvalue()


def _gif(job: Job) -> bytes:
    frames = palette.to_scene_palettes(job.images)
    return gif_writer.write(job.images, frames, job.timing.get("duration", ()), job.timing.get("loop"))


def _webp(job: Job) -> bytes:
    is_lossless = job.picture.is_lossless_webp
    options = {"method": 4, "lossless": is_lossless, **job.colour, **job.timing}
    if is_lossless:
        body = _saved(job, job.images, {"quality": job.quality, **options})
    else:
        body = _no_larger(job, lambda quality: _saved(job, job.images, {"quality": quality, **options}))
    if has_alpha(job.images) and body[VP8X] == b"VP8X":
        # libwebp does not say so where each frame of an animation is opaque in its own rectangle: decoders show black.
        return body[:VP8X_FLAGS] + bytes([body[VP8X_FLAGS] | VP8X_ALPHA]) + body[VP8X_FLAGS + 1 :]
    return body


def _avif(job: Job) -> bytes:
    images = [_bled(image) for image in to_common_mode(job.images)]
    memory.require(AVIF_LEAST_BYTES + budget.encoder_bytes("AVIF", math.prod(images[0].size), len(images)))
    # Each thread would need a stack beside it, and none makes it faster where there is one processor.
    options = {"speed": 8, "max_threads": 1, **job.colour, **job.timing}
    if job.is_animated:
        # Chromium paints frames of the full range in wrong colours.
        options["range"] = "limited"
    body = _no_larger(job, lambda quality: _saved(job, images, {"quality": quality, **options}))
    count = options.get("loop")
    # Which Pillow does not write.
    return body if count is None else avif.set_plays(body, count)


def _bled(image: Image.Image) -> Image.Image:
    """The image with its colours spread into what is transparent: chroma is stored at half size, and would mix them."""
    if image.mode != "RGBA" or image.getchannel("A").getextrema()[0] == 255:
        return image
    alpha = image.getchannel("A")
    spread = image.convert("RGBa").filter(ImageFilter.BoxBlur(2)).convert("RGBA").convert("RGB")
    filled = Image.composite(image.convert("RGB"), spread, alpha.point([0] + [255] * 255))
    filled.putalpha(alpha)
    return filled


def _tiff(job: Job) -> bytes:
    has_jpegs = any(frame.compression == "jpeg" for frame in job.frames)
    body = _no_larger(job, lambda quality: _pages(job, quality)) if has_jpegs else _pages(job, job.quality)
    return tiff.tagged(body, _tiff_tags(job.kept)) if job.kept else body


def _pages(job: Job, quality: int) -> bytes:
    """The pages; those of JPEGs in this quality, or lower where they had a lower one."""
    images = []
    for frame in job.frames:
        options = _tiff_options(job, frame, quality)
        # As RGB a JPEG would have twice the bytes.
        is_converted = frame.image.mode == "RGB" and "quality" in options
        image = frame.image.convert("YCbCr") if is_converted else frame.image
        # Pages may differ in everything, so each brings its own options.
        image.encoderinfo = options
        images.append(image)
    return _saved(job, images, {})


def _tiff_tags(kept: Options) -> Image.Exif:
    """What a TIFF has beside its pixels' own tags: its EXIF is of the same kind, and XMP is one more tag."""
    exif = Image.Exif()
    if "exif" in kept:
        exif.load(kept["exif"])
    tags = copy_exif(exif)
    if "xmp" in kept:
        tags[XMP_TAG] = kept["xmp"]
    # As Pillow writes pixels.
    tags.endian = "<"
    return tags


def _tiff_options(job: Job, frame: Frame, quality: int) -> Options:
    options: Options = {"icc_profile": frame.icc, "dpi": frame.resolution}
    if frame.compression == "jpeg" and frame.image.mode in {"L", "RGB"}:
        if job.rendition.quality is None:
            quality = min(quality, _jpeg_quality(frame.quantization))
        return options | {"compression": "jpeg", "quality": quality}
    compression = frame.compression if frame.compression in TIFF_COMPRESSIONS else "tiff_adobe_deflate"
    if frame.predictor == DIFFERENCES and compression in PREDICTABLE and frame.image.mode not in {"I", "F"}:
        options["tiffinfo"] = {tiff.PREDICTOR: DIFFERENCES}
    return options | {"compression": compression}


def _bmp(job: Job) -> bytes:
    has_alpha = job.images[0].mode == "RGBA"
    has_few = job.picture.has_few_colours and not has_alpha
    options = {"dpi": job.frames[0].resolution}
    body = _smallest(job, options) if has_few else _saved(job, job.images, options)
    icc = job.frames[0].icc
    return bmp.add_v5_header(body, icc, has_alpha=has_alpha) if icc or has_alpha else body


ENCODERS: dict[str, Callable[[Job], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "AVIF": _avif,
}
