"""Opens an inspected file with Pillow, and yields its frames, ready to be resized."""

import contextlib
import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageChops, JpegImagePlugin, UnidentifiedImageError

from errors import MalformedError, Reason, RejectedError
from imaging import lower_bytes
from imaging.change import Blocks
from imaging.colour import to_eight_bits
from imaging.colour_space import ADOBE_RGB
from imaging.formats import tiff_directories, tiff_page
from imaging.layers import Canvas, Layer
from imaging.losses import Loss, Lost
from imaging.metadata import FIRST_SWAPPING, Metadata, read_exif, read_resolution, states_r03, turn_size
from imaging.pillow import decoding, tolerating
from imaging.records import UPRIGHT, Frame, Header

if TYPE_CHECKING:
    from imaging.gain_map import GainMap

EXIF_TEXT, MOST_EXIF_TEXT = "Raw profile type exif", 1 << 17
"""The keyword of a PNG text that is EXIF in hexadecimal digits, and the longest text to read: twice a JPEG's limit."""

MAX_PROFILE_BYTES = 4 << 20
"""The largest colour profile to keep: printers' profiles have up to 3 MB."""

RESIZABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"})
"""The modes that frames have: their pixels can be averaged."""

DIGEST_ROWS = 64
"""Rows of pixels to digest at once."""

# Pillow's own limit is a fixed number of pixels. `Limits` checks memory instead, and its messages state both numbers.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of damage that it tolerates, such as a broken EXIF entry in a good image.
warnings.filterwarnings("ignore", module="PIL")


class Picture:
    """An opened file, whose frames are read forwards once.

    Attributes:
        header: The inspected structure of the file.
        format: Pillow's name of the format for renditions that set none.
        frame_count: How many frames it has.
        kinds: How many frames there are of each mode and size, as stored; pages of a TIFF may differ.
        full_size: Width and height of the stored pixels of the first frame, before its decoder shrank them.
        metadata: EXIF, XMP and orientation; complete once the first frame is read.
        lost: What no output keeps, and repairs of the file, each once; complete once all frames are read.
        channels: How many values a stored pixel has.
        has_few_colours: Whether the source stores its pixels in fewer than eight bits, or as entries of a palette;
            known once all frames are read.
        shows_few_colours: Whether a still has no more colours than a palette could; known once all frames are read.
        subsampling: A JPEG's chroma subsampling as Pillow numbers it: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; -1 is
            unknown.
        loop: How often an animation repeats: 0 forever, None if the file does not state it.
        has_default_image: Whether an APNG's first frame is only for viewers that cannot animate.
        is_progressive: Whether it is a JPEG whose scans refine each other.
        keeps_lower_bytes: Whether frames get the lower bytes of colours of 16 bits, which takes a second decoding.
        gain_map: The gain map in the file, opened; None if there is none, or before ``open_gain_map``.
        gain_map_problem: Why a gain map can't be kept; empty otherwise. Complete once all frames are read.

    """

    def __init__(self, header: Header) -> None:
        """Open the file.

        Raises:
            RejectedError: CORRUPT or TOO_LARGE.

        """
        self.header = header
        self.format = header.format.written_as
        self.lost = list(header.losses)
        self._image: Any = _open(header)
        self._pages: Sequence[int] = range(self._count_frames())
        self._has_deep_page = self._has_lower_bytes()
        self.kinds = self._count_kinds()
        self.frame_count = len(self._pages)
        self.full_size = self.size
        self.keeps_lower_bytes = False
        self._lower: Any = None
        self._divisor = 1
        self._extent: tuple[float, float] | None = None
        self.metadata = Metadata(1, None, Blocks(), 1)
        # Keep copies: Pillow's encoders clear image.info.
        self.loop: int | None = self._image.info.get("loop") if header.plays is None else header.plays
        self.has_default_image = bool(self._image.info.get("default_image"))
        self.is_progressive = bool(self._image.info.get("progressive"))
        self.channels = len(self._image.getbands())
        self.has_few_colours = self.shows_few_colours = False
        self.subsampling = self._read_subsampling()
        self.gain_map: Picture | None = None
        self.gain_map_problem = header.gain_map_problem

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels, before any turning."""
        return self.header.canvas or self._image.size

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height as displayed, as far as known before pixels are read: only a JPEG's orientation is final."""
        return turn_size(self.size, read_exif(self._image)[1]) if self.format == "JPEG" else self.size

    @property
    def has_colour_key(self) -> bool:
        """Whether one colour, or some entries of a palette, are transparent."""
        return "transparency" in self._image.info

    @property
    def is_animated(self) -> bool:
        """Whether the frames are shown one after another, rather than being pages."""
        return self.frame_count > 1 and self.header.format.holds_animation

    def shrink_on_load(self, divisor: int) -> None:
        """Let a JPEG's decoder divide both sides by 1, 2, 4 or 8, rounding up: far less work."""
        # No decoder shrinks a lossless JPEG.
        self._divisor = divisor if self.header.is_lossy else 1
        self._extent = _shrink_on_load(self._image, self._divisor)

    def keep_lower_bytes(self) -> None:
        """Read both bytes of colours of 16 bits, if there are any."""
        self.keeps_lower_bytes = self._has_deep_page and not self.is_animated

    @property
    def has_gain_map(self) -> bool:
        """Whether the file has a gain map, or announces one."""
        return bool(self.header.gain_map or self.gain_map_problem)

    def open_gain_map(self) -> None:
        """Open the gain map, if there is one."""
        if self.header.gain_map is None:
            return
        try:
            opened = Picture(self.header.gain_map.header)
        except RejectedError as error:
            self.leave_out_gain_map(error.message)
            return
        if any(side > most for side, most in zip(opened.size, self.full_size, strict=True)):
            self.leave_out_gain_map("it has {} x {} pixels, more than its image".format(*opened.size))
            return
        self.gain_map = opened

    def leave_out_gain_map(self, why: str) -> None:
        """Leave out the gain map: a problem with it must never reject its image."""
        self.gain_map = None
        self.gain_map_problem = f"the gain map was left out: {why}"

    def note_loss(self, what: Lost, why: str) -> None:
        """Add a loss, unless it is known."""
        loss = Loss(what, why)
        if loss not in self.lost:
            self.lost.append(loss)

    def frames(self) -> Iterator[Frame]:
        """Yield each frame as it is displayed, in order; then free the decoded pixels.

        Raises:
            RejectedError: CORRUPT or TOO_LARGE. Don't read the picture again: Pillow would silently return only the
                pixels before the damage.

        """
        layers = self.header.format.layers
        if layers is not None and (self.is_animated or self.header.canvas):
            yield from self._compose(layers(self.header.readable))
        else:
            yield from self._read_frames()
            # Pillow cannot count colours of 16 bits.
            can_count = self.frame_count == 1 and not self._image.mode.startswith("I;16")
            self.shows_few_colours = can_count and self._image.getcolors(256) is not None
        self.has_few_colours = self.header.is_indexed or self._image.mode in {"1", "P"}
        self._image = self._lower = None

    def _compose(self, layers: Iterator[Layer]) -> Iterator[Frame]:
        """Yield each frame of a GIF or an APNG, composed as browsers do.

        Pillow would clear areas to a colour, and blend layers into restored pixels.
        """
        canvas, resolution = Canvas(self.size), self._read_resolution()
        if self.format == "PNG":
            # Metadata may follow the first frame's pixels.
            self._load()
        self.metadata = self._read_metadata()
        for index in range(self.frame_count):
            try:
                layer = next(layers, None)
            except MalformedError as error:
                raise RejectedError(Reason.CORRUPT, f"the image cannot be decoded: {error}") from error
            if layer is None:
                raise RejectedError(Reason.CORRUPT, f"the file has {index} frames in place of {self.frame_count}")
            image = self._read_layer(layer)
            if index or not self.has_default_image:
                image = canvas.show(image, layer)
            yield self._make_frame(image, self.metadata, layer.milliseconds, resolution)

    def _read_layer(self, layer: Layer) -> Image.Image:
        """Decode the pixels of a layer, in eight bits."""
        header = replace(self.header, source=layer.source, readable=layer.source)
        opened = _open(header)
        with decoding():
            opened.load()
        image = _to_resizable(header.format.correct(opened, header), header)
        return to_eight_bits(image) if image.mode == "I;16" else image

    def _read_frames(self) -> Iterator[Frame]:
        """Yield each frame that Pillow composes, each page, or the still."""
        header = self.header
        for index, page in enumerate(self._pages):
            with decoding():
                if index:
                    # Otherwise Pillow reads the next page's EXIF in `seek`, before `prepare` corrects the page.
                    self._image._exif = None
                    self._image.seek(page)
            header.format.prepare(self._image, header)
            resolution, orientation = self._read_resolution(), self._read_applied_orientation()
            has_low = self.keeps_lower_bytes and self._has_lower_bytes()
            is_multiplied = has_low and lower_bytes.keep_multiplied(self._image)
            self._load()
            metadata = self._read_metadata(orientation)
            if index == 0:
                self.metadata = metadata
            if 0 in self._read_numbers(tiff_directories.EXTRA_SAMPLES):
                self.note_loss(Lost.CHANNEL, "a channel that is neither colour nor alpha was left out")
            image = _to_resizable(header.format.correct(self._image, header), header)
            frame = self._make_frame(image, metadata, self._image.info.get("duration", 0), resolution)
            yield self._add_lower_bytes(frame, page, is_multiplied=is_multiplied) if has_low else frame

    def _has_lower_bytes(self) -> bool:
        """Tell whether the current page, which is not yet decoded, has lower bytes that can be read."""
        if self._image.mode == "I;16":
            return self.has_colour_key
        # Separate planes of a TIFF are always read by Pillow's own raw modes.
        return lower_bytes.has_lower_bytes(self._image) and 2 not in self._read_numbers(tiff_directories.PLANAR)

    def _add_lower_bytes(self, frame: Frame, page: int, *, is_multiplied: bool) -> Frame:
        """Return the frame of the current page with lower bytes, unless these only repeat the upper ones."""
        if self._image.mode == "I;16":
            low = Image.frombytes("L", self._image.size, self._image.tobytes()[::2])
        else:
            # Pages are read in order, so that each directory is read once.
            self._lower = self._lower or _open(self.header)
            self._lower._exif = None
            with decoding():
                self._lower.seek(page)
            self.header.format.prepare(self._lower, self.header)
            low = lower_bytes.read(self._lower, decoding())
        if low.mode == "LA":
            # Pillow reads grey with alpha of 16 bits as colour.
            self._lower = None
            frame = replace(frame, image=Image.merge("LA", [frame.image.getchannel(name) for name in "RA"]))
        elif low.mode != frame.image.mode:
            # The colour key became alpha, which is 0 or 255: as 16 bits it is 0 or 65535.
            low.putalpha(frame.image.getchannel("A"))
        if is_multiplied:
            lower_bytes.divide(frame.image, low)
            return replace(frame, low=low)
        return replace(frame, depth=8) if lower_bytes.repeats(low, frame.image) else replace(frame, low=low)

    def _read_metadata(self, applied_orientation: int = 1) -> Metadata:
        """Read the current frame's metadata, and note losses."""
        if len(self._image.info.get(EXIF_TEXT, "")) > MOST_EXIF_TEXT:
            del self._image.info[EXIF_TEXT]
            self.note_loss(Lost.EXIF, f"EXIF in a text of more than {MOST_EXIF_TEXT} characters was not read")
        return Metadata.of(self._image, applied_orientation)

    def _make_frame(
        self, image: Image.Image, metadata: Metadata, milliseconds: float, resolution: tuple[float, float] | None
    ) -> Frame:
        return Frame(
            image=image,
            full_size=self.full_size if self.format == "JPEG" else self.size,
            extent=self._extent or image.size,
            transpose=UPRIGHT.get(metadata.orientation),
            duration=milliseconds,
            icc=self._read_profile(),
            compression=self._image.info.get("compression"),
            predictor=max(self._read_numbers(tiff_directories.PREDICTOR), default=1),
            quantization=self._read_quantization(),
            resolution=resolution,
            depth=self._read_depth(),
            gain_map=self._read_gain_map(),
        )

    def _read_gain_map(self) -> "GainMap | None":
        """Decode the gain map, if it is opened."""
        found = self.header.gain_map
        if self.gain_map is None or found is None:
            return None
        try:
            frame = next(self.gain_map.frames())
        except RejectedError as error:
            self.leave_out_gain_map(error.message)
            return None
        image = frame.image.convert("L") if found.table else frame.image
        if image.mode not in {"L", "RGB"}:
            self.leave_out_gain_map(f"its pixels are {image.mode}")
            return None
        image = image.point(found.table) if found.table else image
        from imaging.gain_map import GainMap  # noqa: PLC0415 - few images have one, and it takes time to import

        return GainMap(image, frame.full_size, frame.extent, found.gains, frame.icc)

    def _load(self) -> None:
        """Read the pixels of the current frame. If a still is damaged and its file can be repaired, read it again."""
        try:
            with decoding():
                self._image.load()
        except RejectedError as error:
            if error.reason is not Reason.CORRUPT or self.frame_count > 1:
                raise
            failure = error.with_traceback(None)
            # The cause holds the image that failed: its pixels take more memory than the file.
            failure.__cause__ = failure.__context__ = None
        else:
            if self.header.decodings == 1:
                return
            # Pillow may not notice that the last bytes are missing, and decodes padding as pixels.
            failure = RejectedError(Reason.CORRUPT, "the JPEG is truncated and padded with other data")
        self._image = None
        repaired = self.header.format.repair(self.header.readable, self._digest)
        if repaired is None:
            raise failure
        body, sentence = repaired
        self.note_loss(Lost.DAMAGE, sentence)
        self.header = replace(self.header, readable=body)
        self._image = _open(self.header)
        _shrink_on_load(self._image, self._divisor)
        with decoding():
            self._image.load()

    def _digest(self, body: bytes) -> bytes:
        """Decode ``body`` at the picture's size, and return a digest of its pixels; copy only a few rows at a time."""
        image = _open(replace(self.header, readable=body))
        # Smaller sizes do not show all scans of a progressive JPEG.
        _shrink_on_load(image, min(self._divisor, 2) if self.is_progressive else self._divisor)
        digest = hashlib.sha256()
        with decoding():
            image.load()
            for top in range(0, image.height, DIGEST_ROWS):
                digest.update(image.crop((0, top, image.width, min(top + DIGEST_ROWS, image.height))).tobytes())
        return digest.digest()

    def _read_numbers(self, tag: int) -> tuple[int, ...]:
        """Return the numbers that the current page of a TIFF has under a tag; none in other formats."""
        return tiff_page.read_numbers(self._image, tag) if self.format == "TIFF" else ()

    def _read_resolution(self) -> tuple[float, float] | None:
        """Return the resolution of pixels that are not square; Pillow turns a TIFF upright when it reads it."""
        found = read_resolution(self._image)
        return (found[1], found[0]) if found and self._read_applied_orientation() >= FIRST_SWAPPING else found

    def _read_applied_orientation(self) -> int:
        """Return the orientation that Pillow applies when it reads the pixels, as it does with a TIFF; else 1."""
        orientation = max(self._read_numbers(ExifTags.Base.Orientation), default=1)
        return orientation if 1 <= orientation <= 8 else 1

    def _read_quantization(self) -> dict[int, list[int]]:
        if self.format == "TIFF":
            return tiff_page.read_quantization(self._image, self.header.source)
        tables, components = (getattr(self._image, name, {}) for name in ("quantization", "layer"))
        # Pillow's tuple for a component: its identifier, both sampling factors, and the number of its table.
        return {component[3]: tables[component[3]] for component in components if component[3] in tables}

    def _read_profile(self) -> bytes | None:
        """Return the colour profile, if it identifies itself as one and has its stated length (ICC.1:2022, 7.2).

        A JPEG without one may state Adobe RGB in EXIF.
        """
        icc = self._image.info.get("icc_profile")
        if not icc:
            is_adobe_rgb = self._image.mode == "RGB" and self.header.format.name == "JPEG" and states_r03(self._image)
            return ADOBE_RGB.make_profile() if is_adobe_rgb else None
        if not isinstance(icc, bytes) or icc[36:40] != b"acsp" or int.from_bytes(icc[:4], "big") != len(icc):
            self.note_loss(Lost.PROFILE, "the colour profile is damaged and was left out")
            return None
        if len(icc) > MAX_PROFILE_BYTES:
            why = f"the colour profile of {len(icc)} bytes was left out: {MAX_PROFILE_BYTES} are allowed"
            self.note_loss(Lost.PROFILE, why)
            return None
        return icc

    def _read_depth(self) -> int:
        """Return the bits a channel of the current page: pages of a TIFF may differ."""
        if self.format == "TIFF":
            return max(self._read_numbers(tiff_directories.BITS), default=8)
        return self.header.depth

    def _read_subsampling(self) -> int:
        if self.header.format.name != "JPEG":
            return -1
        with decoding():
            return JpegImagePlugin.get_sampling(self._image)

    def _count_frames(self) -> int:
        if self.header.frame_count is not None:
            return self.header.frame_count
        with decoding():
            return getattr(self._image, "n_frames", 1)

    def _count_kinds(self) -> Counter[tuple[str, tuple[int, int]]]:
        if self.format != "TIFF":
            return Counter({(self._image.mode, self.size): len(self._pages)})
        kinds, pictures = {}, []
        for page in self._pages:
            with decoding():
                self._image.seek(page)
            kinds[page] = self._image.mode, self._image.size
            self._has_deep_page = self._has_deep_page or self._has_lower_bytes()
            if tiff_page.is_picture(self._image):
                pictures.append(page)
        # If all pages are thumbnails or masks, treat them as pictures.
        self._pages = pictures or self._pages
        with decoding():
            self._image.seek(self._pages[0])
        return Counter(kinds[page] for page in self._pages)


def _open(header: Header) -> Any:
    """Let Pillow read the header of the file.

    Raises:
        RejectedError: CORRUPT or TOO_LARGE.

    """
    image_format, body = header.format, header.readable
    opened: Any = None
    if image_format.without_metadata is not None:
        with tolerating():
            opened = Image.open(io.BytesIO(body), formats=image_format.decoders)
        # Perhaps only the metadata is broken.
        body = body if opened is not None else image_format.without_metadata(body)
    if opened is None:
        with decoding(), contextlib.suppress(UnidentifiedImageError):
            opened = Image.open(io.BytesIO(body), formats=image_format.decoders)
    if opened is None:
        raise RejectedError(Reason.CORRUPT, f"the {image_format.name} header is damaged or not supported")
    image_format.correct_opened(opened, header)
    return opened


def _shrink_on_load(image: Any, divisor: int) -> tuple[float, float] | None:
    """Let a JPEG's decoder shrink it; return its extent in the smaller pixels, or None if nothing is shrunk."""
    if divisor == 1:
        return None
    width, height = image.size
    with decoding():
        # Round down: for a size that is rounded up, `draft` would choose a smaller divisor.
        drafted = image.draft(None, (max(1, width // divisor), max(1, height // divisor)))
    return None if drafted is None else drafted[1][2:]


def _to_resizable(image: Image.Image, header: Header) -> Image.Image:
    """Convert ``image`` to pixels that can be averaged: no palette, no colour key, no single bits."""
    has_key = "transparency" in image.info
    if header.format.name == "PNG" and header.depth == 16 and isinstance(image.info.get("transparency"), tuple):
        return _apply_key(image, lower_bytes.read(_open(header), decoding()), image.info["transparency"])
    if image.mode.startswith("I;16"):
        # Pillow's encoders write the other byte orders wrongly, and its direct conversions clip at 255.
        return _apply_grey_key(image) if has_key else image if image.mode == "I;16" else _convert(image, "I", "I;16")
    if image.mode in {"1", "L"}:
        return _convert(image, "LA") if has_key else image if image.mode == "L" else _convert(image, "L")
    if image.mode in {"P", "PA"}:
        return _convert(image, "RGBA" if has_key or image.mode == "PA" else "RGB")
    if image.mode in {"RGBX", "YCbCr", "HSV"}:
        return _convert(image, "RGB")
    if image.mode == "La":
        return _convert(image, "LA")
    if has_key and image.mode == "RGB":
        return _convert(image, "RGBA")
    if image.mode not in RESIZABLE:
        raise RejectedError(Reason.CORRUPT, f"the image cannot be resized: Pillow's mode {image.mode} is not supported")
    return image


def _convert(image: Image.Image, *modes: str) -> Image.Image:
    """Convert ``image`` to each of the modes in turn, by the palette and the colour key of its file."""
    with decoding():
        for mode in modes:
            image = image.convert(mode)
    return image


def _apply_grey_key(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey with a transparent value to 8 bits with alpha: Pillow has no mode for both."""
    data = image.tobytes()
    low, high = (Image.frombytes("L", image.size, data[byte::2]) for byte in (0, 1))
    return _apply_key(high, low, [image.info["transparency"]])


def _apply_key(high: Image.Image, low: Image.Image, key: Sequence[int]) -> Image.Image:
    """Return the upper bytes of 16-bit values, with an alpha channel in which one value is transparent."""
    visible = Image.new("L", high.size)
    for channel, level in enumerate(key):
        for image, byte in ((high, level >> 8), (low, level & 255)):
            visible = ImageChops.lighter(visible, _mask_other_values(image.getchannel(channel), byte))
    return Image.merge(high.mode + "A", (*high.split(), visible))


def _mask_other_values(band: Image.Image, value: int) -> Image.Image:
    return band.point([0 if level == value else 255 for level in range(256)])
