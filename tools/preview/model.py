"""The data of a page, before its layout."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.imaging.display import Picture


@dataclass(frozen=True)
class Cost:
    """The cost of some work.

    Attributes:
        milliseconds: Of one vCPU.
        dollars: US$ per million, including requests to S3.

    """

    milliseconds: float
    dollars: float


@dataclass(frozen=True)
class Output:
    """One rendition of one photo in one variant.

    Attributes:
        name: Of the variant, such as ``quality 75``.
        key: In the destination bucket.
        format: Such as ``JPEG``.
        quality: Of a lossy format, on its own scale; empty for other formats.
        byte_count: Of the output.
        picture: The output, or a stand-in if browsers do not show its format.
        ssim: Of the luma, against the scaled source. None if they can't be compared.
        psnr: In decibels, against the scaled source. None if they can't be compared.
        cost: None if it was not measured.

    """

    name: str
    key: str
    format: str
    quality: str
    byte_count: int
    picture: Picture
    ssim: float | None
    psnr: float | None
    cost: Cost | None


@dataclass(frozen=True)
class Rendered:
    """One rendition of one photo.

    Attributes:
        name: Of the rendition.
        source: The photo, scaled to the rendition's size.
        outputs: The first one has the current setting.

    """

    name: str
    source: Picture
    outputs: Sequence[Output]


@dataclass(frozen=True)
class Step:
    """A moment in the pipeline.

    Attributes:
        name: Such as ``uploaded``.
        milliseconds: Since the first step.

    """

    name: str
    milliseconds: int


@dataclass(frozen=True)
class Photo:
    """A source file and its outputs.

    Attributes:
        name: File name or key.
        format: Such as ``JPEG``.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        byte_count: Of the file.
        renditions: In the order of their names.
        cost: Of all renditions together, with the current settings.
        lost: What the outputs could keep only in part; empty if nothing was lost.
        steps: The pipeline's timeline; empty without a pipeline.

    """

    name: str
    format: str
    width: int
    height: int
    byte_count: int
    renditions: Sequence[Rendered]
    cost: Cost | None
    lost: str = ""
    steps: Sequence[Step] = ()


@dataclass(frozen=True)
class Rejection:
    """A file that has no output.

    Attributes:
        reason: One of docs/rejections.md.
        message: The fault.
        advice: From docs/rejections.md.

    """

    name: str
    byte_count: int
    reason: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        title: Of the page.
        origin: The settings and their origin, in a sentence.
        clock: Heading for the columns of times.
        how: How the figures were measured, a sentence each.
        photos: The files with outputs.
        rejections: The other files.
        hint: Suggests a further option; may be empty.

    """

    title: str
    origin: str
    clock: str
    how: Sequence[str]
    photos: Sequence[Photo]
    rejections: Sequence[Rejection]
    hint: str = ""
