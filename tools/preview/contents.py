"""What is on a page, before it is laid out: photos, what they became, what that took, and what was rejected."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.imaging.scaled import Picture


@dataclass(frozen=True)
class Cost:
    """What work took.

    Attributes:
        milliseconds: Of one processor.
        dollars: US$ for a million of it, requests to S3 included.

    """

    milliseconds: float
    dollars: float


@dataclass(frozen=True)
class Output:
    """One rendition of one photo, as it is set or in a variant.

    Attributes:
        name: Of the variant, such as ``75``.
        key: That it has in the destination.
        format: Such as ``JPEG``.
        quality: Of a lossy format, on its own scale; empty where there is no such thing.
        byte_count: Of the output.
        picture: The output, or what stands for it where browsers do not show it.
        ssim: To the scaled source, of the luma; None where there is nothing to compare.
        psnr: In decibels, likewise.
        cost: None where it was not measured.

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
        outputs: The first is as it is set.

    """

    name: str
    source: Picture
    outputs: Sequence[Output]


@dataclass(frozen=True)
class Step:
    """One moment of what the pipeline did.

    Attributes:
        name: Such as ``uploaded``.
        milliseconds: Since the first step.

    """

    name: str
    milliseconds: int


@dataclass(frozen=True)
class Photo:
    """One file, and what became of it.

    Attributes:
        name: Whatever its owner called it.
        format: Such as ``JPEG``.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        byte_count: Of the file.
        renditions: In the order of their names.
        cost: Of all renditions at once, as they are set.
        lost: What could be kept only in part; empty where nothing was lost.
        steps: What the pipeline did when; empty where there was none.

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
class Refused:
    """A file of which nothing can be made.

    Attributes:
        reason: One of docs/rejections.md.
        message: What is wrong.
        advice: What to do, from the same document.

    """

    name: str
    byte_count: int
    reason: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Contents:
    """All of a page.

    Attributes:
        title: Of the page.
        origin: Whose settings these are, in a sentence.
        clock: What the times are, for the heading of a column.
        how: How it was measured, a sentence each.
        photos: Those that became something.
        refused: The others.
        hint: What more can be asked for; empty where nothing.

    """

    title: str
    origin: str
    clock: str
    how: Sequence[str]
    photos: Sequence[Photo]
    refused: Sequence[Refused]
    hint: str = ""
