"""Bytes to frames: opens an image, says what it is, and yields its frames, ready to be resized."""

import contextlib
import hashlib
import io
import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import (
    AvifImagePlugin,  # noqa: F401 - registers its format, as do the others
    BmpImagePlugin,  # noqa: F401
    ExifTags,
    GifImagePlugin,
    Image,
    ImageChops,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from errors import MalformedError, Reason, RejectedError
from imaging.formats import avif, bmp, gif, jpeg, png, tiff, tiff_page, webp
from imaging.layers import Canvas, Layer
from imaging.metadata import Metadata, hide_exif, read_resolution, repair
from imaging.pillow import decoding, tolerating

try:
    import pillow_heif
except ImportError:
    HEIC: tuple[str, ...] = ()
else:
    pillow_heif.register_heif_opener()
    HEIC = ("HEIF",)

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", *HEIC)
"""The decoders that are open; none of them runs another program."""

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
"""One of these is in the ``ftyp`` box of a HEIC file (ISO/IEC 23008-12, annex B.4)."""

MOST_BRANDS_BYTES = 1024
"""Of a ``ftyp`` box, that are looked at: files have a few brands of four bytes."""

RUN_LENGTH = frozenset({1, 2})
"""Compressions of a bitmap: BI_RLE8 and BI_RLE4."""

EXIF_TEXT, MOST_EXIF_TEXT = "Raw profile type exif", 1 << 17
"""The name of a PNG's text that is EXIF in hexadecimal digits, and how long it may be: twice what a JPEG can have."""

MAX_PROFILE_BYTES = 4 << 20
"""Of a colour profile: the largest of printers have 3 MB."""

BEGINNINGS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WebP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "BMP": re.compile(rb"BM.{12}[\x0c\x10(48@l|]\0\0\0", re.DOTALL),
    "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
}
"""How a file of each format begins, whatever follows."""

WRITTEN_AS = {"MPO": "JPEG", "DIB": "BMP", "HEIF": "JPEG"}
"""A multi-picture JPEG is its main picture, a headerless bitmap a bitmap, and HEIC is what few can show."""

JPEGS = frozenset({"JPEG", "MPO"})

BITMAPS = frozenset({"BMP", "DIB"})

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

SWAPPING = frozenset(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))
"""What turns width into height."""

RESIZABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"})
"""The modes that frames have: their pixels can be averaged."""

SRGB_GAMMA = 1 / 2.2

DIGEST_ROWS = 64
"""So many rows of pixels are digested at once."""

MIF3 = b"ftypmif3"
"""The first box, behind its length, of an AVIF that has a `mini` box in place of all others."""

# The budget refuses by memory, with both numbers; Pillow's own limit is one fixed number of pixels.
Image.MAX_IMAGE_PIXELS = None
# Nor is a colour profile, or XMP, of more than a megabyte a reason to refuse a good image.
PngImagePlugin.MAX_TEXT_CHUNK = 8 << 20
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
        extent: Width and height of the whole picture, in pixels of ``image``. A decoder that shrinks rounds the sides
            of ``image`` up, so the picture may end within its last column and row.
        transpose: What turns them upright, to be applied after resizing: there are fewer of them then.
        duration: How long it is shown, in milliseconds; 0 where the format has no time.
        icc: The colour profile of ``image``, byte for byte.
        compression: A TIFF page's own.
        predictor: What a TIFF page's values are stored as differences to: 1 is nothing, 2 the pixel to their left.
        quantization: A JPEG's quantisation tables, or a TIFF page's of JPEGs, the first component's first; none of
            other formats, or where there is no loss.
        resolution: Pixels an inch, across and down as they are stored, where these differ.

    """

    image: Image.Image
    full_size: tuple[int, int]
    extent: tuple[float, float]
    transpose: Image.Transpose | None
    duration: float
    icc: bytes | None
    compression: str | None
    predictor: int
    quantization: Mapping[int, Sequence[int]]
    resolution: tuple[float, float] | None

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height once it is turned upright, before the decoder shrank it."""
        return self.full_size[::-1] if self.transpose in SWAPPING else self.full_size


class Picture:
    """An opened image: what its header says, and its frames, which are read forwards once.

    Attributes:
        source: The encoded image.
        source_format: What it is, in Pillow's name.
        format: The format that it is written back as, in Pillow's name.
        frame_count: How many frames it has.
        kinds: How many frames there are of each mode and size, as stored; pages of a TIFF may differ.
        full_size: Width and height of the stored pixels of the first frame, before its decoder shrank them.
        metadata: What it says of itself; complete once the first frame is read.
        lost: What outputs keep only in part, or what was forgiven in the file: sentences, each once; complete once all
            frames are read.
        loop: How often an animation repeats: 0 for ever, None where the file says nothing.
        has_default_image: Whether an APNG's first frame is only for viewers that cannot animate.
        is_progressive: Whether it is a JPEG whose scans refine each other.
        colour_chunks: What a PNG without a profile says of its colours: its ``gAMA`` and ``cHRM``, for another PNG.

    """

    def __init__(self, source: bytes) -> None:
        """Read the header.

        Raises:
            RejectedError: NOT_AN_IMAGE, HEIC_NOT_BUILT_IN, UNSUPPORTED or CORRUPT.

        """
        _check_kind(source)
        self.source = source
        self.lost: list[str] = []
        self._file = self._readable()
        self._image: Any = _opened(self._file)
        self._canvas: tuple[int, int] | None = None
        self.source_format = str(self._image.format)
        self.format = WRITTEN_AS.get(self.source_format, self.source_format)
        if self.source_format == "BMP":
            bmp.prepare(self._image, source)
        self._pages: Sequence[int] = range(self._counted_frames())
        self.kinds = self._counted_kinds()
        self.frame_count = len(self._pages)
        self.full_size = self.size
        self._divisor = 1
        self._extent: tuple[float, float] | None = None
        self.metadata = Metadata(1, None, None)
        # Kept, for encoders empty what images say of themselves.
        self.loop: int | None = self._image.info.get("loop")
        if self.source_format == "AVIF":
            self.loop = avif.read_plays(source)
        self.has_default_image = bool(self._image.info.get("default_image"))
        self.is_progressive = bool(self._image.info.get("progressive"))
        self.colour_chunks = self._described_colours()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels, before any turning."""
        return self._canvas or self._image.size

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height as displayed as far as it is known before pixels are read: any but a JPEG may turn then."""
        if self.format == "JPEG" and Metadata.of(self._image).orientation >= 5:
            return self.size[1], self.size[0]
        return self.size

    @property
    def channels(self) -> int:
        """How many values a stored pixel has."""
        return len(self._image.getbands())

    @property
    def has_colour_key(self) -> bool:
        """Whether one colour, or some of a palette, stand for what is transparent."""
        return "transparency" in self._image.info

    @property
    def is_animated(self) -> bool:
        """Whether the frames are shown one after another, rather than being pages."""
        return self.frame_count > 1 and self.format in ANIMATED

    @property
    def _has_layers(self) -> bool:
        """Whether its frames are put together here: Pillow clears to a colour, and blends into what it restores."""
        return self.format == "GIF" or (self.format == "PNG" and self.is_animated)

    @property
    def is_run_length(self) -> bool:
        """Whether it is a bitmap of runs (RLE8 or RLE4), which Pillow decodes in Python."""
        return self.source_format in BITMAPS and self._image.info["compression"] in RUN_LENGTH

    @property
    def is_lossless_webp(self) -> bool:
        """Whether every pixel of a WebP was stored exactly."""
        return self.format == "WEBP" and all(chunk.kind != b"VP8 " for chunk in webp.chunks(self.source))

    @property
    def has_few_colours(self) -> bool:
        """Whether the source stores its pixels in fewer than eight bits, or as entries of a palette."""
        if self.format == "PNG":
            return self.source[25] == 3 or self._png_depth < 8
        return self.format == "GIF" or self._image.mode in {"1", "P"}

    @property
    def shows_few_colours(self) -> bool:
        """Whether a still, once it is read, has no more colours than a palette could."""
        # Pillow cannot count colours of 16 bits.
        return self._image.mode != "I;16" and self._image.getcolors(256) is not None

    @property
    def is_lossy(self) -> bool:
        """Whether the source was stored with an error that looks like noise."""
        return self.format in {"JPEG", "AVIF"} or (self.format == "WEBP" and not self.is_lossless_webp)

    @property
    def subsampling(self) -> int:
        """A JPEG's chroma subsampling as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; -1 is unknown."""
        if not self._is_jpeg:
            return -1
        with decoding():
            return JpegImagePlugin.get_sampling(self._image)

    @property
    def gamma(self) -> float | None:
        """What the pixels of a PNG without a profile were raised to; None where that is sRGB's, or not said."""
        gamma = self._image.info.get("gamma") if b"gAMA" in self.colour_chunks else None
        return gamma if gamma and abs(gamma - SRGB_GAMMA) > 0.01 else None

    def shrink_on_load(self, divisor: int) -> None:
        """Let a JPEG's decoder divide both sides by 1, 2, 4 or 8, rounding up: far less work."""
        self._divisor = 1 if self._is_jpeg and jpeg.is_lossless(self.source) else divisor
        self._extent = _shrunk_on_load(self._image, self._divisor)

    def note_loss(self, sentence: str) -> None:
        """Add a sentence to what is lost, unless it is empty or known."""
        if sentence and sentence not in self.lost:
            self.lost.append(sentence)

    def frames(self) -> Iterator[Frame]:
        """Each frame as it is displayed, in order.

        Raises:
            RejectedError: CORRUPT or TOO_LARGE. After it the picture is finished: a second read would succeed silently,
                with the pixels of the first half.

        """
        yield from self._composed() if self._has_layers else self._stored()

    def _composed(self) -> Iterator[Frame]:
        """Each frame of a GIF or an APNG, put together as browsers do."""
        canvas, dense = Canvas(self.size), self._resolution()
        if self.format == "PNG":
            # Behind the first pixels there may be metadata.
            self._load()
        self.metadata = self._described()
        layers = gif.read_layers(self._file) if self.format == "GIF" else png.layers(self._file)
        for index in range(self.frame_count):
            try:
                layer = next(layers, None)
            except MalformedError as error:
                raise RejectedError(Reason.CORRUPT, f"the image cannot be decoded: {error}") from error
            if layer is None:
                raise RejectedError(Reason.CORRUPT, f"the file has {index} frames in place of {self.frame_count}")
            image = _layer_image(layer)
            if index or not self.has_default_image:
                image = canvas.show(image, layer)
            yield self._frame(image, self.metadata, layer.milliseconds, dense)

    def _stored(self) -> Iterator[Frame]:
        """Each frame that Pillow puts together, page, or still."""
        for index, page in enumerate(self._pages):
            with decoding():
                if index:
                    # Else Pillow reads the next page's at once, before it is mended.
                    self._image._exif = None
                    self._image.seek(page)
            if self.format == "TIFF":
                repair(self._image)
                tiff_page.prepare(self._image)
            dense = self._resolution()
            self._load()
            metadata = self._described()
            if index == 0:
                self.metadata = metadata
            if 0 in self._numbers(tiff.EXTRA_SAMPLES):
                self.note_loss("a channel that is neither colour nor alpha was left out")
            image = _resizable(self._corrected(), self._file)
            yield self._frame(image, metadata, self._image.info.get("duration", 0), dense)
        if self._may_lack_rows() and png.lacks_rows(self._file):
            raise _lacks_rows()

    def _corrected(self) -> Image.Image:
        """The current page or still, put right where Pillow misreads it."""
        image: Image.Image = self._image
        if self.format == "TIFF":
            return tiff_page.correct(image)
        return bmp.correct(image, self.source) if self.source_format in BITMAPS else image

    def _described(self) -> Metadata:
        """What the current frame says of itself; what is lost of it is noted."""
        if len(self._image.info.get(EXIF_TEXT, "")) > MOST_EXIF_TEXT:
            del self._image.info[EXIF_TEXT]
            self.note_loss(f"EXIF in a text of more than {MOST_EXIF_TEXT} characters was not read")
        # Pages of a TIFF may differ in depth.
        self.note_loss(self._lost_bits())
        return Metadata.of(self._image)

    def _frame(
        self, image: Image.Image, metadata: Metadata, milliseconds: float, dense: tuple[float, float] | None
    ) -> Frame:
        return Frame(
            image=image,
            full_size=self.full_size if self.format == "JPEG" else self.size,
            extent=self._extent or image.size,
            transpose=UPRIGHT.get(metadata.orientation),
            duration=milliseconds,
            icc=self._profile(),
            compression=self._image.info.get("compression"),
            predictor=max(self._numbers(tiff.PREDICTOR), default=1),
            quantization=self._quantization(),
            resolution=dense,
        )

    def _readable(self) -> bytes:
        """The source as Pillow can read it."""
        if BEGINNINGS["GIF"].match(self.source):
            return gif.remove_unseen(self.source)
        if BEGINNINGS["BMP"].match(self.source):
            return bmp.use_known_masks(self.source)
        if BEGINNINGS["JPEG"].match(self.source):
            readable, losses = jpeg.readable(self.source)
        elif BEGINNINGS["PNG"].match(self.source):
            readable, losses = _readable_png(self.source)
        else:
            return self.source
        for loss in losses:
            self.note_loss(loss)
        return readable

    def _load(self) -> None:
        """Read the pixels of the current frame, of a still once more if its file can be mended."""
        try:
            with decoding():
                self._image.load()
        except RejectedError as error:
            if error.reason is not Reason.CORRUPT or self.frame_count > 1:
                raise
            failure = error.with_traceback(None)
            # With its cause goes the image that failed: pixels take more memory than a file.
            failure.__cause__ = failure.__context__ = None
        else:
            if not self._is_jpeg or not jpeg.lacks_end(self.source):
                return
            # Pillow may not miss the last bytes, and takes what a file was filled up with for pixels.
            failure = RejectedError(Reason.CORRUPT, "the JPEG is cut off, and filled up with what is no part of it")
        opened = self._mended()
        if opened is None:
            raise failure
        with decoding():
            opened.load()
        self._image = opened

    def _may_lack_rows(self) -> bool:
        """Whether a PNG, once it is read, may have had fewer rows than it says: Pillow leaves the others black."""
        if self.format != "PNG":
            return False
        if self.source[png.INTERLACE]:
            return True
        with decoding():
            last = self._image.crop((0, self._image.height - 1, *self._image.size))
            return last.getbbox(alpha_only=False) is None

    def _mended(self) -> Image.Image | None:
        """The picture, opened again without damage that browsers ignore; None if that is not what is wrong with it."""
        self._image = None
        if self.source_format == "PNG" and (mended := png.with_checksum(self._file)) is not None:
            self.note_loss("the checksum of the pixels (Adler-32) is wrong and was ignored")
            return _opened(mended)
        if self.format == "TIFF" and (mended := tiff.without_coefficients(self._file)) is not None:
            self.note_loss("the YCbCr coefficients are wrong and were ignored")
            return _opened(mended)
        if self._is_jpeg and (mended := self._with_end()) is not None:
            self.note_loss("the end marker is missing and was added")
            opened = _opened(mended)
            _shrunk_on_load(opened, self._divisor)
            return opened
        return None

    def _with_end(self) -> bytes | None:
        """The JPEG with an end marker, if nothing else is missing: what is put behind its data then changes no pixel.

        It is decoded twice for that, in the size of the picture, but a progressive one at half size at least: smaller
        ones do not show all of its scans.
        """
        if not jpeg.has_all_scans(self._file):
            return None
        divisor = min(self._divisor, 2) if self.is_progressive else self._divisor
        mended, *others = jpeg.ended(self._file)
        shown = _digest(mended, divisor)
        return mended if all(_digest(other, divisor) == shown for other in others) else None

    def _numbers(self, tag: int) -> tuple[int, ...]:
        """What the current page of a TIFF says under a tag; nothing in other formats."""
        return tiff_page.read_numbers(self._image, tag) if self.format == "TIFF" else ()

    def _resolution(self) -> tuple[float, float] | None:
        """The resolution of pixels that are not square; a TIFF's as it is once Pillow has read, and so turned, it."""
        found = read_resolution(self._image)
        is_turned = self.format == "TIFF" and max(self._numbers(ExifTags.Base.Orientation), default=1) >= 5
        return (found[1], found[0]) if found and is_turned else found

    def _quantization(self) -> dict[int, list[int]]:
        if self.format == "TIFF":
            return tiff_page.read_quantization(self._image, self.source)
        tables, components = (getattr(self._image, name, {}) for name in ("quantization", "layer"))
        # A component is Pillow's tuple of its identifier, both sampling factors and the number of its table.
        return {component[3]: tables[component[3]] for component in components if component[3] in tables}

    def _profile(self) -> bytes | None:
        """The colour profile, where it is one: it says so itself, and how long it is (ICC.1:2022, 7.2)."""
        icc = self._image.info.get("icc_profile")
        if not icc:
            return None
        if not isinstance(icc, bytes) or icc[36:40] != b"acsp" or int.from_bytes(icc[:4], "big") != len(icc):
            self.note_loss("the colour profile is damaged and was left out")
            return None
        if len(icc) > MAX_PROFILE_BYTES:
            self.note_loss(f"the colour profile of {len(icc)} bytes was left out: {MAX_PROFILE_BYTES} are allowed")
            return None
        return icc

    @property
    def _is_jpeg(self) -> bool:
        return self.source_format in JPEGS

    @property
    def _png_depth(self) -> int:
        """Bits a channel (PNG specification, 11.2.1)."""
        return self.source[24]

    def _lost_bits(self) -> str:
        depth = 8
        if self.format == "PNG":
            depth = self._png_depth
        elif self.format == "TIFF":
            depth = max(self._numbers(tiff.BITS), default=8)
        elif self.source_format == "HEIF":
            depth = self._image.info["bit_depth"]
        is_reduced = self._image.mode in {"L", "LA", "RGB", "RGBA", "CMYK"} or self.has_colour_key or self.is_animated
        return f"{depth} bits a channel were reduced to 8" if depth > 8 and is_reduced else ""

    def _described_colours(self) -> dict[bytes, bytes]:
        info = self._image.info
        if self.format != "PNG" or "icc_profile" in info or "srgb" in info:
            return {}
        values = {b"gAMA": [info["gamma"]] if "gamma" in info else [], b"cHRM": info.get("chromaticity", [])}
        return {
            name: struct.pack(f">{len(numbers)}I", *(round(100_000 * number) for number in numbers))
            for name, numbers in values.items()
            if numbers
        }

    def _counted_frames(self) -> int:
        if self.format == "GIF":
            structure = gif.read_blocks(self.source)
            if not structure.is_whole:
                raise RejectedError(Reason.CORRUPT, f"the file ends in the middle of frame {structure.frame_count + 1}")
            self._canvas = structure.canvas
            return structure.frame_count
        # The other pictures of a JPEG or a HEIC are previews and views of the main one.
        if self.format == "JPEG":
            return 1
        with decoding():
            return getattr(self._image, "n_frames", 1)

    def _counted_kinds(self) -> Counter[tuple[str, tuple[int, int]]]:
        if self.format != "TIFF":
            return Counter({(self._image.mode, self.size): len(self._pages)})
        kinds, pictures = {}, []
        for page in self._pages:
            with decoding():
                self._image.seek(page)
            kinds[page] = self._image.mode, self._image.size
            if tiff_page.is_picture(self._image):
                pictures.append(page)
        # A thumbnail of nothing is a picture.
        self._pages = pictures or self._pages
        with decoding():
            self._image.seek(self._pages[0])
        return Counter(kinds[page] for page in self._pages)


def _check_kind(source: bytes) -> None:
    """Refuse what is known not to be readable, or of which Pillow would read something else.

    Raises:
        RejectedError: HEIC_NOT_BUILT_IN or UNSUPPORTED.

    """
    if not HEIC and HEIC_BRANDS & _brands(source):
        raise RejectedError(
            Reason.HEIC_NOT_BUILT_IN, "HEIC needs a decoder: build the function with `invoke build --heic`"
        )
    if source.startswith(MIF3, 4):
        raise RejectedError(
            Reason.UNSUPPORTED, "the AVIF has the brand mif3, a short form: save it with the brand avif"
        )
    if source.startswith(tiff.SIGNATURES) and tiff.is_raw(source):
        raise RejectedError(
            Reason.UNSUPPORTED, "the file is a camera's raw file, such as DNG, NEF, CR2 or ARW: upload it developed"
        )


def _readable_png(source: bytes) -> tuple[bytes, list[str]]:
    try:
        return png.readable(source)
    except MalformedError as error:
        raise RejectedError(
            Reason.CORRUPT, f"the PNG header is damaged, or of a kind that cannot be read: {error}"
        ) from error


def _opened(source: bytes) -> Image.Image:
    if BEGINNINGS["AVIF"].match(source):
        with tolerating():
            return Image.open(io.BytesIO(source), formats=FORMATS)
        # Its EXIF may be all that is broken.
        source = hide_exif(source)
    # What the budget saw must be what is decoded; of these Pillow and libtiff read different directories.
    if not source.startswith(tiff.MISREAD):
        opened: Any = None
        with decoding(), contextlib.suppress(UnidentifiedImageError):
            opened = Image.open(io.BytesIO(source), formats=FORMATS)
        if opened is not None:
            if opened.format in JPEGS:
                # Pillow finds none where it is there twice, and takes broken ones.
                opened.info["icc_profile"] = jpeg.profile(data for name, data in opened.applist if name == "APP2")
            image: Image.Image = opened
            return image
    for name, beginning in BEGINNINGS.items():
        if beginning.match(source):
            raise RejectedError(Reason.CORRUPT, f"the {name} header is damaged, or of a kind that cannot be read")
    raise RejectedError(Reason.NOT_AN_IMAGE, "the content is no JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF image")


def _shrunk_on_load(image: Any, divisor: int) -> tuple[float, float] | None:
    """Have a JPEG's decoder shrink it; what it will cover of the image, as it says, or None if it shrinks nothing."""
    if divisor == 1:
        return None
    width, height = image.size
    with decoding():
        # Asked for more than a whole part of a side, it would do nothing.
        drafted = image.draft(None, (max(1, width // divisor), max(1, height // divisor)))
    return None if drafted is None else drafted[1][2:]


def _digest(source: bytes, divisor: int) -> bytes:
    """What the decoded pixels are known by; only some rows of them are held twice."""
    image = _opened(source)
    _shrunk_on_load(image, divisor)
    digest = hashlib.sha256()
    with decoding():
        image.load()
        for top in range(0, image.height, DIGEST_ROWS):
            digest.update(image.crop((0, top, image.width, min(top + DIGEST_ROWS, image.height))).tobytes())
    return digest.digest()


def _layer_image(layer: Layer) -> Image.Image:
    """The pixels of a layer, in eight bits."""
    opened = _opened(layer.source)
    with decoding():
        opened.load()
    if opened.format == "PNG" and png.lacks_rows(layer.source):
        raise _lacks_rows()
    image = _resizable(opened, layer.source)
    return eight_bit(image) if image.mode == "I;16" else image


def _lacks_rows() -> RejectedError:
    return RejectedError(Reason.CORRUPT, "the image cannot be decoded: the PNG has fewer rows than it says")


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits."""
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _low_bytes(source: bytes) -> Image.Image:
    """The lower bytes of a PNG's colours of 16 bits: Pillow keeps the upper ones."""
    opened: Any = _opened(source)
    with decoding():
        # Of a pair of bytes Pillow keeps the one that would be the upper one if the lower one came first.
        opened.tile = [tile._replace(args="RGB;16L") for tile in opened.tile]
        opened.load()
    low: Image.Image = opened
    return low


def _resizable(image: Image.Image, source: bytes) -> Image.Image:
    """``image``, read from ``source``, with pixels that can be averaged: no palette, no colour key, no single bits."""
    has_key = "transparency" in image.info
    if image.format == "PNG" and source[png.DEPTH] == 16 and isinstance(image.info.get("transparency"), tuple):
        return _keyed(image, _low_bytes(source), image.info["transparency"])
    if image.mode.startswith("I;16"):
        # Pillow's encoders write the other byte orders wrongly, and its direct conversions clip at 255.
        return _keyed_grey(image) if has_key else image if image.mode == "I;16" else _converted(image, "I", "I;16")
    if image.mode in {"1", "L"}:
        return _converted(image, "LA") if has_key else image if image.mode == "L" else _converted(image, "L")
    if image.mode in {"P", "PA"}:
        return _converted(image, "RGBA" if has_key or image.mode == "PA" else "RGB")
    if image.mode in {"RGBX", "YCbCr", "HSV"}:
        return _converted(image, "RGB")
    if image.mode == "La":
        return _converted(image, "LA")
    if has_key and image.mode == "RGB":
        return _converted(image, "RGBA")
    if image.mode not in RESIZABLE:
        raise RejectedError(Reason.CORRUPT, f"the image cannot be resized: Pillow's mode {image.mode} is not supported")
    return image


def _converted(image: Image.Image, *modes: str) -> Image.Image:
    """``image`` converted to each of the modes in turn, by the palette and the colour key that its file has."""
    with decoding():
        for mode in modes:
            image = image.convert(mode)
    return image


def _keyed_grey(image: Image.Image) -> Image.Image:
    """16-bit grey with a transparent value: Pillow has no mode for both, and a hole is worse to lose than depth."""
    data = image.tobytes()
    low, high = (Image.frombytes("L", image.size, data[byte::2]) for byte in (0, 1))
    return _keyed(high, low, [image.info["transparency"]])


def _keyed(high: Image.Image, low: Image.Image, key: Sequence[int]) -> Image.Image:
    """The upper bytes of values of 16 bits, with an alpha channel that makes one of these values transparent."""
    visible = Image.new("L", high.size)
    for channel, level in enumerate(key):
        for image, byte in ((high, level >> 8), (low, level & 255)):
            visible = ImageChops.lighter(visible, _differs(image.getchannel(channel), byte))
    return Image.merge(high.mode + "A", (*high.split(), visible))


def _differs(band: Image.Image, value: int) -> Image.Image:
    return band.point([0 if level == value else 255 for level in range(256)])


def _brands(data: bytes) -> set[bytes]:
    """What the ``ftyp`` box says the file can be read as (ISO/IEC 14496-12, 4.3); nothing where there is none."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), len(data), MOST_BRANDS_BYTES)
    return {data[8:12], *(data[position : position + 4] for position in range(16, end, 4))}
