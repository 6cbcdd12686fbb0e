"""Frames to bytes: writes resized frames back in their picture's own format, as faithfully as that format allows."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from decode import Frame, Picture

QUALITY = 80
"""Of lossy formats, on their own scales of 1 to 100; a JPEG never gets more than its source had."""

CONTENT_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}

STANDARD_LUMINANCE_SUM = 3688
"""Sum of the luminance table of ITU-T T.81, K.1, which libjpeg scales by quality."""

TRANSPARENT_INDEX = 255
"""The palette entry of a GIF that is no colour."""

TIFF_COMPRESSIONS = frozenset({"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"})
"""What is written back as it was read; all else becomes deflate, which is lossless and holds every mode."""


PALETTE_SAMPLES = 8
"""Frames of a GIF that its shared palette is made from."""

Options = dict[str, Any]
"""Arguments of Pillow's encoders."""


def encode(picture: Picture, frames: Sequence[Frame]) -> bytes:
    """Write ``frames``, which were resized from ``picture``, in its format."""
    return ENCODERS[picture.format](picture, frames)


def _saved(image_format: str, images: Sequence[Image.Image], options: Options) -> bytes:
    for image in images:
        # Encoders read what a decoder left here too; ours are told everything.
        image.info = {}
    if len(images) > 1:
        options = {"save_all": True, "append_images": images[1:], **options}
    target = io.BytesIO()
    images[0].save(target, image_format, **{name: value for name, value in options.items() if value is not None})
    return target.getvalue()


def _jpeg(picture: Picture, frames: Sequence[Frame]) -> bytes:
    options = {
        "quality": min(QUALITY, _jpeg_quality(picture.quantization)),
        "subsampling": picture.subsampling,
        "icc_profile": frames[0].icc,
    }
    return _saved("JPEG", [frame.image for frame in frames], options)


def _jpeg_quality(quantization: Mapping[int, Sequence[int]]) -> int:
    """The quality, on libjpeg's scale, whose luminance table is as coarse as the first of these; 100 without any."""
    if not quantization:
        return 100
    percent = 100 * sum(quantization[0]) / STANDARD_LUMINANCE_SUM
    # libjpeg's jpeg_quality_scaling, solved for the quality.
    quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent
    return min(100, max(1, round(quality)))


def _png(picture: Picture, frames: Sequence[Frame]) -> bytes:
    options: Options = {"icc_profile": frames[0].icc}
    if picture.is_animated:
        shown = frames[1:] if picture.has_default_image else frames
        options |= _timing(picture, shown) | {"default_image": picture.has_default_image}
    return _saved("PNG", _in_one_mode(frames), options)


def _gif(picture: Picture, frames: Sequence[Frame]) -> bytes:
    images = _in_one_palette(frames)
    options: Options = {"optimize": False}
    if images[0].mode == "P" and _has_alpha(frames):
        # Each frame replaces the last one whole, or what is transparent in it would show the last one.
        options |= {"transparency": TRANSPARENT_INDEX, "disposal": 2}
    if picture.is_animated:
        options |= _timing(picture, frames)
    return _saved("GIF", images, options)


def _webp(picture: Picture, frames: Sequence[Frame]) -> bytes:
    options = {"quality": QUALITY, "method": 4, "lossless": picture.is_lossless_webp, "icc_profile": frames[0].icc}
    if picture.is_animated:
        options |= _timing(picture, frames)
    return _saved("WEBP", [frame.image for frame in frames], options)


def _avif(picture: Picture, frames: Sequence[Frame]) -> bytes:
    options: Options = {"quality": QUALITY, "speed": 8, "icc_profile": frames[0].icc}
    if picture.is_animated:
        options |= _timing(picture, frames)
    return _saved("AVIF", _in_one_mode(frames), options)


def _tiff(picture: Picture, frames: Sequence[Frame]) -> bytes:  # noqa: ARG001 - every encoder has this shape
    for frame in frames:
        # Pages may differ in everything, so each brings its own options.
        frame.image.encoderinfo = _tiff_options(frame)
    return _saved("TIFF", [frame.image for frame in frames], _tiff_options(frames[0]))


def _tiff_options(frame: Frame) -> Options:
    options: Options = {"icc_profile": frame.icc} if frame.icc else {}
    if frame.compression == "jpeg" and frame.image.mode in {"L", "RGB"}:
        return options | {"compression": "jpeg", "quality": QUALITY}
    if frame.compression in TIFF_COMPRESSIONS:
        return options | {"compression": frame.compression}
    return options | {"compression": "tiff_adobe_deflate"}


def _bmp(picture: Picture, frames: Sequence[Frame]) -> bytes:  # noqa: ARG001 - every encoder has this shape
    (frame,) = frames
    image = frame.image
    if image.mode == "RGBA":
        # Pillow writes no alpha into a BMP, and few programs would read it.
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return _saved("BMP", [image], {})


ENCODERS: dict[str, Callable[[Picture, Sequence[Frame]], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "AVIF": _avif,
}


def _timing(picture: Picture, frames: Sequence[Frame]) -> Options:
    return {"duration": [frame.duration for frame in frames], "loop": picture.loop}


def _has_alpha(frames: Sequence[Frame]) -> bool:
    return any(frame.image.mode in {"LA", "RGBA"} for frame in frames)


def _in_one_mode(frames: Sequence[Frame]) -> list[Image.Image]:
    """The frames' images in the one mode that holds them all."""
    modes = {frame.image.mode for frame in frames}
    if len(modes) == 1:
        return [frame.image for frame in frames]
    mode = "RGBA" if _has_alpha(frames) else "RGB"
    return [frame.image.convert(mode) for frame in frames]


def _in_one_palette(frames: Sequence[Frame]) -> list[Image.Image]:
    """The frames' images in one palette of 255 colours, its last entry left for what is transparent."""
    if all(frame.image.mode == "L" for frame in frames):
        return [frame.image for frame in frames]
    opaque = [frame.image.convert("RGB") for frame in frames]
    samples = opaque[:: -(-len(opaque) // PALETTE_SAMPLES)]
    width, height = opaque[0].size
    mosaic = Image.new("RGB", (width, height * len(samples)))
    for row, sample in enumerate(samples):
        mosaic.paste(sample, (0, row * height))
    # No dither: its noise would cost bytes and shimmer from frame to frame.
    palette = mosaic.quantize(TRANSPARENT_INDEX, dither=Image.Dither.NONE)
    palette.putpalette(bytes(palette.getpalette() or []).ljust(768, b"\0"))
    indexed = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in opaque]
    for frame, image in zip(frames, indexed, strict=True):
        if frame.image.mode in {"LA", "RGBA"}:
            # A GIF's pixel is seen or not.
            hidden = frame.image.getchannel("A").point(lambda alpha: 255 if alpha < 128 else 0)
            image.paste(TRANSPARENT_INDEX, mask=hidden)
    return indexed
