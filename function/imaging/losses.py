"""What an output can lack of its source: the closed list that logs, outputs' metadata and audits use."""

import enum
from collections.abc import Iterable
from typing import NamedTuple


class Lost(enum.StrEnum):
    """A property of the source that an output lacks although the settings keep it; docs/images.md describes each."""

    BITS = "bits"
    HDR = "hdr"
    GAIN_MAP = "gain_map"
    PROFILE = "profile"
    COLOUR_SPACE = "colour_space"
    TRANSPARENCY = "transparency"
    CHANNEL = "channel"
    FRAMES = "frames"
    AUXILIARY_IMAGES = "auxiliary_images"
    DEPTH_MAP = "depth_map"
    MOTION_VIDEO = "motion_video"
    EXIF = "exif"
    XMP = "xmp"
    IPTC = "iptc"
    CONTENT_CREDENTIALS = "content_credentials"
    RESOLUTION = "resolution"
    SIZE = "size"
    DAMAGE = "damage"


class Loss(NamedTuple):
    """One loss.

    Attributes:
        why: What was lost, and the reason if it isn't obvious, in a sentence.

    """

    what: Lost
    why: str


NO_CREDENTIALS = (
    Loss(Lost.CONTENT_CREDENTIALS, "the Content Credentials (C2PA) are valid for the source alone, and were left out"),
)
"""What every output loses of a source with a C2PA manifest store."""


def summarize(losses: Iterable[Loss]) -> dict[str, str]:
    """Return the sentences of each kind of loss, joined by semicolons, in the order of :class:`Lost`."""
    found: dict[Lost, list[str]] = {what: [] for what in Lost}
    for loss in dict.fromkeys(losses):
        found[loss.what].append(loss.why)
    return {what.value: "; ".join(sentences) for what, sentences in found.items() if sentences}
