"""The data of a page, before its layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.preview.display import Picture

HDR = "HDR"
"""Begins the properties that make an image brighter than white on some screens."""

SEARCHED = "for a score of"
"""Begins the quality of an output whose quality was searched for."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one vCPU, and US$ per million including requests to S3."""

    milliseconds: float
    dollars: float


@dataclass(frozen=True)
class Output:
    """One rendition of one photo in one variant.

    Attributes:
        name: Of the variant, such as ``quality 75``.
        key: In the destination bucket.
        quality: On the format's own scale, ``lossless`` or ``for a score of`` a number; empty if the format has none.
        picture: The output, or a stand-in if browsers do not show its format.
        score: Against the scaled source. None if they can't be compared.
        psnr: Likewise, in decibels.
        cost: None if it was not measured.
        losses: A sentence for each property of the source that the output lacks.
        properties: What it has, such as ``Display P3``.

    """

    name: str
    key: str
    format: str
    quality: str
    byte_count: int
    picture: Picture
    score: float | None
    psnr: float | None
    cost: Cost | None
    losses: Sequence[str] = ()
    properties: Sequence[str] = ()

    @property
    def is_searched(self) -> bool:
        """Whether the quality was searched for."""
        return self.quality.startswith(SEARCHED)

    @property
    def kind(self) -> str:
        """The format, and whether it is lossless where it could be lossy."""
        return f"lossless {self.format}" if self.quality == "lossless" else self.format


@dataclass(frozen=True)
class Rendered:
    """One rendition of one photo.

    Attributes:
        source: The photo, scaled to the rendition's size.
        outputs: The different ones; the first one has the current setting.
        options: What each variant changes of the rendition, by the variant's name.
        same: Variants whose output has the bytes of an earlier variant's, with the name of that one.

    """

    name: str
    source: Picture
    outputs: Sequence[Output]
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_unaffected(self) -> bool:
        """Whether several variants have identical outputs."""
        return len(self.outputs) == 1 and bool(self.same)

    @property
    def has_hdr(self) -> bool:
        """Whether an output is an HDR image."""
        return any(name.startswith(HDR) for output in self.outputs for name in output.properties)

    def find(self, variant: str) -> Output | None:
        """Return the output of a variant; None if the variant is rejected."""
        name = self.same.get(variant, variant)
        return next((output for output in self.outputs if output.name == name), None)


@dataclass(frozen=True)
class Step:
    """A moment in the pipeline, such as ``uploaded``, in milliseconds since the first step."""

    name: str
    milliseconds: int


@dataclass(frozen=True)
class Photo:
    """A source file and its outputs.

    Attributes:
        name: File name or key.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        renditions: In the order of their names.
        cost: Of all renditions together, with the current settings; None if it was not measured.
        steps: The pipeline's timeline; empty without a pipeline.
        properties: What the file has, such as ``Display P3``.
        page: The address of the photo's own page, relative to the report's; empty if the report's page shows it.
        thumbnail: For an index; None if the report's page shows the photo.

    """

    name: str
    format: str
    width: int
    height: int
    byte_count: int
    renditions: Sequence[Rendered]
    cost: Cost | None
    steps: Sequence[Step] = ()
    properties: Sequence[str] = ()
    page: str = ""
    thumbnail: Picture | None = None


@dataclass(frozen=True)
class Rejection:
    """A file without output; the reason and the advice are from docs/rejections.md."""

    name: str
    byte_count: int
    reason: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        origin: The settings and their origin, in a sentence.
        how: How the figures were measured, a sentence each.
        photos: The files with outputs.
        rejections: The other files.
        hint: Suggests a further option; may be empty.
        command: The words of the command that made the page, without its options; empty for many photos.
        options: The words of its options, without the comparison.
        settings_file: The file to write a recommended setting to.
        sets_renditions: Whether that file has the variable ``renditions``.
        renditions: The module's variable, as that file has it.
        index: The address of the page that links to this one; empty without such a page.

    """

    title: str
    origin: str
    how: Sequence[str]
    photos: Sequence[Photo]
    rejections: Sequence[Rejection]
    hint: str = ""
    command: Sequence[str] = ()
    options: Sequence[str] = ()
    settings_file: str = ""
    sets_renditions: bool = False
    renditions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    index: str = ""

    @property
    def is_index(self) -> bool:
        """Whether the photos have pages of their own."""
        return any(photo.page for photo in self.photos)
