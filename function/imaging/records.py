"""The record of one image format, and the values that pass from stage to stage: header, frame, job."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from PIL import Image

from imaging.change import Capacity
from imaging.colour_space import ColourSpace
from imaging.layers import Layer
from imaging.losses import Loss
from renditions import Rendition

if TYPE_CHECKING:
    from imaging.gain_map import GainMap, Gains

Options = dict[str, Any]
"""Arguments of Pillow's encoders."""

Write = Callable[[Sequence[Image.Image], int], bytes]
"""Encodes images at a quality."""


def _leave(image: Any, _: "Header") -> Any:
    return image


class DecodingCost(NamedTuple):
    """The cost of decoding and resizing on one core, measured with photos of the format's slower variant.

    Attributes:
        pixel_bytes: The decoder's own memory for each source pixel; the image is not included.
        pixel_nanoseconds: Time for each source pixel.
        frame_nanoseconds: Time for each frame, beside its pixels.

    """

    pixel_bytes: int
    pixel_nanoseconds: float
    frame_nanoseconds: float = 150_000


class EncodingCost(NamedTuple):
    """The cost of encoding and proving on one core, measured with photos.

    Attributes:
        pixel_bytes: The encoder's own memory for each output pixel of a frame; the image is not included.
        pixel_nanoseconds: Time for each output pixel.
        frame_nanoseconds: Time for each frame, beside its pixels.
        frames_at_once: The most frames of an animation that the encoder holds at once.
        animated_bytes: Memory for each output pixel of all frames of an animation, beside ``pixel_bytes``: copies that
            are held until the last frame is encoded, and the file.

    """

    pixel_bytes: int
    pixel_nanoseconds: float
    frame_nanoseconds: float = 500_000
    frames_at_once: int = 1
    animated_bytes: int = 0

    def bytes_for(self, pixels: int, frame_count: int) -> int:
        """Return what encoding and proving frames of this many pixels holds beside the frames."""
        animated_bytes = self.animated_bytes * frame_count if frame_count > 1 else 0
        return (self.pixel_bytes * min(frame_count, self.frames_at_once) + animated_bytes) * pixels

    def nanoseconds_for(self, pixels: int, frame_count: int) -> float:
        """Return the time for frames that have this many pixels together."""
        return self.pixel_nanoseconds * pixels + self.frame_nanoseconds * frame_count


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """How a format is written.

    Attributes:
        media_type: The outputs' ``Content-Type``.
        modes: Pillow's modes of the frames that it holds; those with alpha and with 16 bits are among them.
        metadata: What it holds of EXIF, XMP and IPTC.
        has_resolution: Whether it states how many pixels an inch has.
        has_content_credentials: Whether C2PA defines how it holds a manifest.
        largest_side: The most pixels on a side that can be written and read; infinite if memory ends first.
        most_milliseconds: The longest duration of a frame; 0 if the format holds no animation.
        quality: The usual quality, on the encoder's own scale; 0 if the encoder has no quality.
        quality_of_score_70: The quality at which the SSIMULACRA2 of the average image is 70; 0 if none is searched for.
        cost: The cost of encoding.
        encode: Writes the output.
        check: Raises ``MalformedError`` unless an output is exactly one whole file; Pillow alone would not notice.
        sample: Decodes the part of a large still that the proof compares; None if the proof compares the whole.
        holds_lower_bytes: Whether it can be written with 16 bits a channel of colours.
        split: Separates an output from the gain map in it; None if the format holds none.

    """

    media_type: str
    modes: frozenset[str]
    metadata: Capacity
    has_resolution: bool
    largest_side: float
    most_milliseconds: int
    quality: int
    cost: EncodingCost
    encode: Callable[["Job"], bytes]
    check: Callable[[bytes], object]
    quality_of_score_70: int = 0
    sample: Callable[[bytes, Image.Image], "Sample | None"] = lambda _, __: None
    holds_lower_bytes: bool = False
    split: Callable[[bytes], tuple[bytes, bytes]] | None = None
    has_content_credentials: bool = True

    def holds_content_credentials(self, frame_count: int) -> bool:
        """Tell whether a file with this many frames can have a manifest that does not confuse other readers.

        A TIFF of several pages would have it in a directory of its own, which readers take for one more page.
        """
        return self.has_content_credentials and (frame_count == 1 or self.most_milliseconds > 0)

    @property
    def is_lossy(self) -> bool:
        """Whether its usual output is lossy, so that a quality can be searched for.

        Such outputs are halved with a wider filter than lossless ones.
        """
        return self.quality_of_score_70 > 0


@dataclass(frozen=True, kw_only=True)
class Format:
    """All that the pipeline knows of one image format.

    Attributes:
        name: Pillow's name of the format.
        decoders: Pillow's names of the decoders that read it.
        recognises: Tells from the first bytes whether a file has the format.
        written_as: The output's format if the rendition sets none.
        cost: The cost of decoding.
        inspect: Reads the structure of a file of the format.
        encoder: How it is written; None if it is only read.
        layers: Reads the frames of an animation for ``Canvas``; None if Pillow composes them.
        without_metadata: Removes metadata that can make Pillow refuse a file; None if the format has no such metadata.
        correct_opened: Corrects an image that Pillow has opened.
        prepare: Corrects the current page before its pixels are read.
        correct: Returns the current page after its pixels were read, corrected.
        repair: Returns a still without damage that browsers ignore, and a sentence about that damage; None if more is
            damaged. The second argument decodes a file and digests the pixels.
        describe: Describes the content of a file that can't be read; empty if there is nothing to add.

    """

    name: str
    decoders: tuple[str, ...]
    recognises: Callable[[bytes], object]
    written_as: str
    cost: DecodingCost
    inspect: Callable[[bytes], "Header"]
    encoder: Encoder | None
    layers: Callable[[bytes], Iterator[Layer]] | None = None
    without_metadata: Callable[[bytes], bytes] | None = None
    correct_opened: Callable[[Any, "Header"], object] = _leave
    prepare: Callable[[Any, "Header"], object] = _leave
    correct: Callable[[Any, "Header"], Image.Image] = _leave
    repair: Callable[[bytes, Callable[[bytes], bytes]], tuple[bytes, str] | None] = lambda _, __: None
    describe: Callable[[bytes], str] = lambda _: ""

    @property
    def media_type(self) -> str:
        """The media type of its files."""
        return self.encoder.media_type if self.encoder else f"image/{self.name.lower()}"

    @property
    def holds_animation(self) -> bool:
        """Whether frames can be shown one after another."""
        return self.encoder is not None and self.encoder.most_milliseconds > 0


@dataclass(frozen=True)
class Header:
    """The structure of a file, read without decoding a pixel.

    Attributes:
        format: The record of its format.
        source: The file.
        readable: The file as Pillow can read it; ``source`` itself unless something had to be left out.
        losses: What no output keeps.
        opening_nanoseconds: The time that Pillow takes to open it: it reads segments, chunks and tags in Python.
        opening_bytes: Memory that opening takes beside the file.
        frame_count: How many frames it has; None if only Pillow knows.
        canvas: Width and height of a GIF's canvas; None for other formats.
        plays: How often an animation is played: 0 forever; None if Pillow knows, or if the file does not state it.
        least_size: The least width and height that the decoder allocates.
        least_pixels: How many pixels the decoder decodes at least.
        pixel_nanoseconds: The time to decode a pixel; None for the format's usual cost.
        other_nanoseconds: The time to decode other things than pixels, such as the scans of a JPEG.
        coefficient_bytes: Memory for the coefficients that a decoder keeps from scan to scan.
        decodings: How often it is decoded.
        is_lossy: Whether its pixels were stored with an error that looks like noise.
        depth: Bits a channel; 8 if only Pillow knows.
        colour: The colour space that numbers define; None if a profile counts instead, or if it is sRGB by default.
        colour_chunks: The same numbers as chunks for another PNG, by kind; empty for other formats.
        is_indexed: Whether pixels are stored as entries of a palette, or in fewer than eight bits.
        xmp: The packet of XMP that Pillow doesn't read.
        gain_map: The gain map in the file; None if there is none that can be kept.
        gain_map_problem: Why a gain map that the file announces can't be kept; empty otherwise.

    """

    format: Format
    source: bytes
    readable: bytes
    losses: tuple[Loss, ...] = ()
    opening_nanoseconds: float = 0
    opening_bytes: int = 0
    frame_count: int | None = None
    canvas: tuple[int, int] | None = None
    plays: int | None = None
    least_size: tuple[int, int] = (0, 0)
    least_pixels: int = 0
    pixel_nanoseconds: float | None = None
    other_nanoseconds: float = 0
    coefficient_bytes: int = 0
    decodings: int = 1
    is_lossy: bool = False
    depth: int = 8
    colour: ColourSpace | None = None
    colour_chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    is_indexed: bool = False
    xmp: bytes = b""
    gain_map: "GainMapHeader | None" = None
    gain_map_problem: str = ""


class GainMapHeader(NamedTuple):
    """A gain map that is an image of its own within the file.

    Attributes:
        header: Its structure.
        gains: What its pixels stand for, once ``table`` has replaced them.
        table: The level for each stored level; None if pixels stay as they are.

    """

    header: Header
    gains: "Gains"
    table: Sequence[int] | None


@dataclass(frozen=True)
class Frame:
    """One picture of an animation, one page of a TIFF, or the only one.

    Attributes:
        image: The pixels as stored, in a mode that can be resized.
        full_size: Width and height of the stored pixels before the decoder shrank them.
        extent: Width and height of the whole picture, in pixels of ``image``. A decoder that shrinks rounds the sides
            of ``image`` up, so the picture may end within its last column and row.
        transpose: Turns the pixels upright. It is applied after resizing, when there are fewer of them.
        duration: How long it is shown, in milliseconds; 0 if the format has no durations.
        icc: The colour profile of ``image``, byte for byte.
        compression: The compression of a TIFF page.
        predictor: The predictor of a TIFF page: 1 is none, 2 stores differences to the pixel on the left.
        quantization: The quantisation tables of a JPEG, or of a TIFF page of JPEGs, the first component's first; empty
            for other formats, or without loss.
        resolution: Pixels an inch, across and down as they are stored; None if these are equal, or not stated.
        depth: Bits a channel of the source; 8 if its samples hold no more information.
        low: The lower bytes of samples of 16 bits, whose upper bytes ``image`` has; None if there are none, or no
            output can hold them. Size and mode are those of ``image``.
        gain_map: Its gain map, if some rendition keeps it.
        part: Left, top, right and bottom edge of the picture in ``image``, which is padded; None if it fills ``image``.

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
    depth: int
    low: Image.Image | None = None
    gain_map: "GainMap | None" = None
    part: tuple[int, int, int, int] | None = None

    @property
    def swaps_sides(self) -> bool:
        """Whether turning it upright turns its width into its height."""
        return self.transpose in SWAPPING

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height once it is turned upright, before the decoder shrank it."""
        return self.full_size[::-1] if self.swaps_sides else self.full_size


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Maps EXIF orientations (Exif 2.32, 4.6.5.1.6) to transpositions that turn the stored pixels upright."""

SWAPPING = frozenset(
    {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }
)
"""The transpositions that turn width into height."""

MIRRORING_ACROSS = frozenset(
    {
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
    }
)
"""The transpositions after which the displayed left is where stored columns, or rows if sides are swapped, end."""

MIRRORING_DOWN = frozenset(
    {
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
    }
)
"""The transpositions after which the displayed top is where stored rows, or columns if sides are swapped, end."""


class Source(Protocol):
    """The attributes of ``imaging.decode.Picture`` that encoders read."""

    @property
    def header(self) -> Header: ...
    @property
    def format(self) -> str: ...
    @property
    def loop(self) -> int | None: ...
    @property
    def full_size(self) -> tuple[int, int]: ...
    @property
    def channels(self) -> int: ...
    @property
    def subsampling(self) -> int: ...
    @property
    def has_default_image(self) -> bool: ...
    @property
    def has_few_colours(self) -> bool: ...
    @property
    def shows_few_colours(self) -> bool: ...


@dataclass(frozen=True)
class Job:
    """One output to be encoded.

    Attributes:
        frames: The frames that the format can show, converted to its modes.
        format: Pillow's name of the format to write.
        kept: The metadata that is kept: ``exif``, ``xmp``, ``iptc`` and ``photoshop``, as far as there are any.
        usual_quality: The format's usual quality.
        quality_of_score_70: The encoder's.
        lost: What this output lacks because of its format; encoders append to it.
        colour_chunks: Chunks for a PNG, which define the colours of the frames.

    """

    picture: Source
    frames: Sequence[Frame]
    format: str
    rendition: Rendition
    kept: Mapping[str, bytes]
    usual_quality: int
    quality_of_score_70: int
    lost: list[Loss]
    colour_chunks: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def images(self) -> list[Image.Image]:
        return [frame.image for frame in self.frames]

    @property
    def colour(self) -> Options:
        """The options that every format with colour profiles and metadata takes."""
        blocks = {name: self.kept.get(name) for name in ("exif", "xmp")}
        return {"icc_profile": self.frames[0].icc, "dpi": self.frames[0].resolution, **blocks}

    @property
    def part(self) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom edge of the picture in each image; None if the images are not padded."""
        return self.frames[0].part

    def crop(self, image: Image.Image) -> Image.Image:
        """Return an image of this size without its padding, which has no error and would hide the picture's."""
        return image.crop(self.part) if self.part else image

    def is_larger_than_source(self, body: bytes) -> bool:
        """Whether ``body`` is larger than a source of the same format."""
        return self.format == self.picture.format and len(body) > len(self.picture.header.source)


class Provenance(NamedTuple):
    """Where an output comes from, for its Content Credentials.

    Attributes:
        header: The source.
        source_type: How the source came to be, as its XMP says; empty if it does not.
        actions: What was done to the source, by C2PA's names.

    """

    header: Header
    source_type: str
    actions: Sequence[str]


class Sample(NamedTuple):
    """A part of an encoded still, decoded.

    Attributes:
        size: Width and height of the whole, as encoded.
        shown: The decoded part, at any scale.
        expected: The pixels that were encoded there.
        part: A file of that part, if the format can hold lower bytes.

    """

    size: tuple[int, int]
    shown: Image.Image
    expected: Image.Image
    part: bytes = b""
