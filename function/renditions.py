"""A rendition: what is made of every source image, how large, and under which key."""

import enum
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from errors import SettingsError
from key_template import KeyTemplate

EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif"}
"""The formats that a rendition can ask for, and what is appended to its keys."""

MOST_SIDE = {"JPEG": 65500, "GIF": 65535, "WEBP": 16383, "AVIF": 32768}
"""The most pixels across or down that can be written in a format, in Pillow's name, or read again; the others hold more
than fits into memory."""

STORAGE_CLASSES = ("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
"""Those whose objects can be read at once."""


FIRST_OPTIONS = frozenset(
    {
        *("name", "scale", "width", "height", "fit", "format", "quality"),
        *("key", "background", "cache_control", "storage_class"),
    }
)
"""The options that release 0.1.0 had, which digests always cover. They cover later options only where these differ from
their defaults, so a new option makes no existing output stale."""

DEFAULT_METADATA = "copyright"
"""The metadata policy that digests do not cover, for it is the default: release 0.1.0 covered none."""


class MetadataPolicy(enum.StrEnum):
    """What an output keeps of its source's EXIF and XMP; what colour needs is always kept."""

    NONE = "none"
    COPYRIGHT = "copyright"
    ALL = "all"


class Fit(enum.StrEnum):
    """What becomes of a source whose proportions are not those of ``width`` and ``height``."""

    INSIDE = "inside"
    COVER = "cover"


@dataclass(frozen=True)
class Placement:
    """Which part of a source is scaled to which size, as displayed, in pixels.

    Attributes:
        box: Left, top, right and bottom edge of the part.
        size: Width and height of the output.

    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]


@dataclass(frozen=True)
class Rendition:
    """One output that every source image has.

    Attributes:
        name: Lower-case letters, digits and single hyphens.
        scale: Output side divided by source side, 0 < scale <= 1; instead of width and height.
        width: The most pixels across; None where only the height counts.
        height: The most pixels down; None where only the width counts.
        fit: ``inside`` keeps all of the source within width and height, ``cover`` fills both and crops the edges.
        format: What is written, one of EXTENSIONS; None keeps the source's.
        quality: Of a lossy format, 1 to 100; None is the format's default, or about the source's own where it has the
            same format and that is lower.
        key: Template of the output's key, of ``{dir}``, ``{name}``, ``{stem}``, ``{ext}`` and ``{rendition}``.
        background: What shows through where the format has no transparency, such as ``#ffffff``.
        cache_control: Header of the output; None copies the source's.
        storage_class: Of the output; None is S3's default.

    """

    name: str
    scale: float | None = None
    width: int | None = None
    height: int | None = None
    fit: str = Fit.INSIDE
    format: str | None = None
    quality: int | None = None
    key: str = "{dir}{rendition}-{name}"
    background: str = "#ffffff"
    cache_control: str | None = None
    storage_class: str | None = None

    def __post_init__(self) -> None:
        for complaint in self._complaints():
            raise SettingsError(f"renditions.{self.name}{complaint}")

    @classmethod
    def parse(cls, name: str, options: Mapping[str, Any]) -> "Rendition":
        """Make the rendition that a deployment asks for; an option that is null is as if it were not there.

        Raises:
            SettingsError: An option is unknown or wrong; the message names it and the fix.

        """
        known = {field.name for field in fields(cls)} - {"name"}
        if unknown := options.keys() - known:
            raise SettingsError(f"renditions.{name}.{min(unknown)} is unknown: use {', '.join(sorted(known))}")
        return cls(name, **{option: value for option, value in options.items() if value is not None})

    def output_key(self, source_key: str) -> str:
        """The key of this rendition of ``source_key``: ``a/cake.jpg`` gives ``a/resized-cake.jpg``."""
        folder, slash, name = source_key.rpartition("/")
        stem, _, extension = name.rpartition(".")
        values = {"dir": folder + slash, "name": name, "stem": stem or name, "ext": extension if stem else ""}
        return self.template.fill(values)

    def could_write(self, key: str) -> bool:
        """Whether ``key`` may be one that :meth:`output_key` gives."""
        return self.template.could_give(key)

    @cached_property
    def template(self) -> KeyTemplate:
        """The parts of the output's key."""
        return KeyTemplate.of(self.key.replace("{rendition}", self.name), EXTENSIONS.get(self.format or "", ""))

    def place(self, source: tuple[int, int], image_format: str = "") -> Placement:
        """Find what of an image of this displayed size goes where; nothing is ever enlarged.

        What ``image_format`` cannot hold is scaled down until it fits: its neighbours are written, and it is seen.
        """
        wanted = self._wanted(source)
        ratio = MOST_SIDE.get(image_format, math.inf) / max(wanted.size)
        return wanted if ratio >= 1 else replace(wanted, size=_rounded(wanted.size, ratio))

    def _wanted(self, source: tuple[int, int]) -> Placement:
        """Find what goes where in a format that holds any size."""
        whole = (0.0, 0.0, float(source[0]), float(source[1]))
        if self.scale is not None:
            return Placement(whole, _rounded(source, self.scale))
        ratios = [wanted / side for wanted, side in zip((self.width, self.height), source, strict=True) if wanted]
        if self.fit == Fit.INSIDE:
            return Placement(whole, _rounded(source, min(1.0, *ratios)))
        return self._cover(source, max(ratios))

    def digest(self, metadata: str) -> str:
        """Return what an output says of the settings that made it, the metadata policy among them: 16 hex digits."""
        later = {field.name: field.default for field in fields(self) if field.name not in FIRST_OPTIONS}
        later["metadata"] = DEFAULT_METADATA
        options = {**asdict(self), "metadata": metadata}
        options = {name: value for name, value in options.items() if name not in later or value != later[name]}
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]

    def _cover(self, source: tuple[int, int], ratio: float) -> Placement:
        # A source that is too small is cropped to the proportions, at its own scale.
        wanted = self.width or 0, self.height or 0
        across, down = (min(float(side), most / ratio) for side, most in zip(source, wanted, strict=True))
        left, top = (source[0] - across) / 2, (source[1] - down) / 2
        return Placement((left, top, left + across, top + down), _rounded(wanted, min(1.0, 1 / ratio)))

    def _complaints(self) -> Iterator[str]:
        """What is wrong with the options, each as the rest of a sentence that begins with the rendition's name."""
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            yield " has a wrong name: use lower-case letters, digits and single hyphens"
        for option in ("fit", "format", "key", "background", "cache_control", "storage_class"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, str):
                yield f".{option} is {value!r}: it must be a string"
        yield from self._complaints_of_size()
        yield from self._complaints_of_encoding()
        if not KeyTemplate.PATTERN.fullmatch(self.key.replace("{rendition}", self.name)):
            yield (
                f".key is {self.key!r}: it must hold {{dir}} once and then {{name}} once, may hold {{rendition}}, "
                "{stem} and {ext}, what stands before {dir} must end in a slash, "
                "and what stands behind {name} may hold none"
            )

    def _complaints_of_size(self) -> Iterator[str]:
        sides = {"width": self.width, "height": self.height}
        if (self.scale is None) == (sides == {"width": None, "height": None}):
            yield ": set either scale, or width, height or both"
        if self.scale is not None and (not _is_number(self.scale) or not 0 < self.scale <= 1):
            yield f".scale is {self.scale!r}: it must be above 0 and at most 1"
        for side, pixels in sides.items():
            if pixels is not None and (not _is_whole(pixels) or pixels < 1):
                yield f".{side} is {pixels!r}: it must be a whole number of pixels from 1"
        if self.fit not in set(Fit):
            yield f".fit is {self.fit!r}: use inside or cover"
        if self.fit == Fit.COVER and None in sides.values():
            yield ".fit is cover, which needs both width and height"

    def _complaints_of_encoding(self) -> Iterator[str]:
        if self.format is not None and self.format not in EXTENSIONS:
            yield f".format is {self.format!r}: use {', '.join(EXTENSIONS)}, or null for the source's own"
        if self.quality is not None and (not _is_whole(self.quality) or not 1 <= self.quality <= 100):
            yield f".quality is {self.quality!r}: it must be a whole number from 1 to 100"
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(self.background)):
            yield f".background is {self.background!r}: use a colour such as #ffffff"
        if self.cache_control is not None and not re.fullmatch(r"[ -~]+", self.cache_control):
            yield f".cache_control is {self.cache_control!r}: use printable ASCII, such as max-age=31536000"
        if self.storage_class is not None and self.storage_class not in STORAGE_CLASSES:
            yield f".storage_class is {self.storage_class!r}: use one of {', '.join(STORAGE_CLASSES)}"


def check_no_collisions(renditions: Sequence[Rendition]) -> None:
    """Refuse renditions that could write one key.

    Raises:
        SettingsError: Naming the two and the fix.

    """
    for index, one in enumerate(renditions):
        for other in renditions[index + 1 :]:
            if one.template.could_collide(other.template):
                raise SettingsError(
                    f"renditions.{one.name} and renditions.{other.name} could write one key: "
                    "make what stands before {name} in their keys differ from its first letter on"
                )


def _rounded(source: tuple[int, int], scale: float) -> tuple[int, int]:
    """Scale both sides, half up, which is what the decoders' own halving gives; never to nothing."""
    width, height = (max(1, math.floor(side * scale + 0.5)) for side in source)
    return width, height


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, float)
