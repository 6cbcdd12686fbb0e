"""Bytes to frames: opens an image, says what it is, and yields its frames upright, ready to be resized."""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import (
    AvifImagePlugin,  # noqa: F401 - registers its format, as do the others
    BmpImagePlugin,  # noqa: F401
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from errors import Reason, RejectedError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF")
"""The decoders that are open; none of them runs another program."""

WRITTEN_AS = {"MPO": "JPEG", "DIB": "BMP"}
"""A multi-picture JPEG is its main picture, a headerless bitmap a bitmap."""

ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (Exif 2.32, 4.6.5.1.6) to what turns the stored pixels upright."""

# The budget refuses by memory, with both numbers; Pillow's own limit is one fixed number of pixels.
Image.MAX_IMAGE_PIXELS = None
# Frames of a GIF may each have a palette of their own: full colour from the first.
GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_ALWAYS
# Pillow warns of what it tolerates, such as a broken EXIF entry in a good image.
warnings.filterwarnings("ignore", module="PIL")


@dataclass(frozen=True)
class Frame:
    """One picture of an animation, one page of a TIFF, or the only one.

    Attributes:
        image: The pixels as stored, in a mode that can be resized.
        full_size: Width and height of the stored pixels before the decoder shrank them.
        transpose: What turns them upright, to be applied after resizing: there are fewer of them then.
        duration: How long it is shown, in milliseconds; 0 where the format has no time.
        icc: The colour profile of ``image``, byte for byte.
        compression: A TIFF page's own.

    """

    image: Image.Image
    full_size: tuple[int, int]
    transpose: Image.Transpose | None
    duration: float
    icc: bytes | None
    compression: str | None


class Picture:
    """An opened image: what its header says, and its frames, which are read forwards once.

    Attributes:
        format: The format that it is written back as, in Pillow's name.

    """

    def __init__(self, source: bytes) -> None:
        """Read the header.

        Raises:
            RejectedError: NOT_AN_IMAGE or CORRUPT.

        """
        self._source = source
        with _decoder_errors():
            self._image: Any = Image.open(io.BytesIO(source), formats=FORMATS)
            self.format: str = WRITTEN_AS.get(str(self._image.format), str(self._image.format))
            self._shrunk_from: tuple[int, int] | None = None
            # A multi-picture JPEG's other pictures are previews and views of the first.
            self.frame_count: int = 1 if self.format == "JPEG" else getattr(self._image, "n_frames", 1)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels, before any turning."""
        return self._image.size  # type: ignore[no-any-return]  # Pillow's plug-ins share no typed base

    @property
    def mode(self) -> str:
        """Pillow's mode of the stored pixels."""
        return self._image.mode  # type: ignore[no-any-return]

    @property
    def is_animated(self) -> bool:
        """Whether the frames are shown one after another, rather than being pages."""
        return self.frame_count > 1 and self.format in ANIMATED

    @property
    def is_progressive(self) -> bool:
        """Whether it is a JPEG that its decoder must hold whole."""
        return bool(self._image.info.get("progressive")) and self.format == "JPEG"

    @property
    def is_lossless_webp(self) -> bool:
        """Whether every pixel of a WebP was stored exactly."""
        return self.format == "WEBP" and not any(kind == b"VP8 " for kind in _webp_bitstreams(self._source))

    @property
    def loop(self) -> int | None:
        """How often an animation repeats: 0 for ever, None where the file says nothing."""
        return self._image.info.get("loop")  # type: ignore[no-any-return]

    @property
    def has_default_image(self) -> bool:
        """Whether an APNG's first frame is only for viewers that cannot animate."""
        return bool(self._image.info.get("default_image"))

    @property
    def subsampling(self) -> int:
        """A JPEG's chroma subsampling as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; -1 is unknown."""
        return JpegImagePlugin.get_sampling(self._image) if self.format == "JPEG" else -1

    @property
    def quantization(self) -> dict[int, list[int]]:
        """A JPEG's quantisation tables; none in a lossless JPEG and in other formats."""
        return getattr(self._image, "quantization", {})

    def shrink_on_load(self, size: tuple[int, int]) -> None:
        """Let a JPEG's decoder halve, quarter or eighth the image, down to no less than ``size``: far less work."""
        full_size = self.size
        with _decoder_errors():
            if self._image.draft(None, size):
                self._shrunk_from = full_size

    def frames(self) -> Iterator[Frame]:
        """Each frame as it is displayed, in order.

        Raises:
            RejectedError: CORRUPT or TOO_LARGE. After it the picture is finished: a second read would succeed silently,
                with the pixels of the first half.

        """
        for index in range(self.frame_count):
            with _decoder_errors():
                self._image.seek(index)
                self._image.load()
                frame = Frame(
                    image=_resizable(self._image),
                    full_size=self._shrunk_from or self.size,
                    transpose=UPRIGHT.get(_orientation(self._image)),
                    duration=self._image.info.get("duration", 0),
                    icc=self._image.info.get("icc_profile"),
                    compression=self._image.info.get("compression"),
                )
            yield frame


@contextlib.contextmanager
def _decoder_errors() -> Iterator[None]:
    """Whatever a decoder raises is about the file: hostile bytes can provoke nearly any exception."""
    try:
        yield
    except UnidentifiedImageError:
        raise RejectedError(
            Reason.NOT_AN_IMAGE, "the content is no JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF image"
        ) from None
    except MemoryError:
        raise RejectedError(Reason.TOO_LARGE, "decoding ran out of memory: raise memory_size") from None
    except Exception as error:
        raise RejectedError(Reason.CORRUPT, f"the image cannot be decoded: {error or type(error).__name__}") from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 where there is none that makes sense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, TypeError, ValueError, KeyError, OSError, struct.error):
        # A good image with bad EXIF is still a good image.
        return 1
    return value if isinstance(value, int) else 1


def _resizable(image: Image.Image) -> Image.Image:
    """``image`` in a mode whose pixels can be averaged: no palette, no colour key, no single bits."""
    if image.mode in ("P", "PA") or "transparency" in image.info:
        return image.convert(_full_colour_mode(image))
    if image.mode in ("1", "RGBX", "YCbCr", "HSV"):
        return image.convert("L" if image.mode == "1" else "RGB")
    if image.mode.startswith("I;16") and image.mode != "I;16":
        # Pillow's encoders write the other byte orders wrongly, and its direct conversion clips at 255.
        return image.convert("I").convert("I;16")
    return image


def _full_colour_mode(image: Image.Image) -> str:
    if image.mode.startswith("I"):
        return image.mode
    transparent = image.mode == "PA" or "transparency" in image.info
    if image.mode in ("1", "L"):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _webp_bitstreams(data: bytes) -> Iterator[bytes]:
    """The kind of every bit stream in a WebP, ``VP8 `` or ``VP8L``, of its frames too (RFC 9649, 2.3-2.7)."""
    position = 12
    while position + 8 <= len(data):
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if kind == b"ANMF":
            # A frame's own chunks follow 16 bytes of geometry and time.
            position += 8 + 16
            continue
        if kind in (b"VP8 ", b"VP8L"):
            yield kind
        position += 8 + size + size % 2
