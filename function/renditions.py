"""Renditions: the outputs that every source image has, with their size, format and key."""

import enum
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from errors import SettingsError
from key_template import TEMPLATE, KeyTemplate

EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif"}
"""The values of the option ``format``, and the extension that each appends to keys."""

MAX_SIDE = 65_535
"""The largest ``width`` and ``height``, as in the module's validation."""

MIN_SCALE = 0.0001
"""The smallest ``scale``, as in the module's validation."""

STORAGE_CLASSES = ("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
"""The storage classes whose objects can be read immediately."""

FIRST_OPTIONS = frozenset(
    {
        *("name", "scale", "width", "height", "fit", "format", "quality"),
        *("key", "background", "cache_control", "storage_class"),
    }
)
"""The options of release 0.1.0. Digests always cover them, but cover later options only if they differ from their
defaults, so that a new option makes no existing output stale."""

NOT_ENCODING_OPTIONS = frozenset(
    {"name", "scale", "width", "height", "fit", "focus", "format", "key", "cache_control", "storage_class"}
)
"""The options that don't change an output's bytes once its placement and its format are known."""

DEFAULT_METADATA = "copyright"
"""The metadata policy that digests don't cover, because the digests of release 0.1.0 covered no policy."""


class MetadataPolicy(enum.StrEnum):
    """Which EXIF, XMP and IPTC outputs keep. Colour profiles are always kept."""

    NONE = "none"
    COPYRIGHT = "copyright"
    ALL = "all"


class Fit(enum.StrEnum):
    """How a source is fitted into ``width`` and ``height`` of another aspect ratio."""

    INSIDE = "inside"
    COVER = "cover"
    CONTAIN = "contain"


class Focus(enum.StrEnum):
    """What ``cover`` keeps in the frame."""

    CENTER = "center"
    ENTROPY = "entropy"
    METADATA = "metadata"


Point = tuple[float, float]
"""Fractions of the displayed width and height, from the left and from the top."""

CENTRE: Point = (0.5, 0.5)


class Hdr(enum.StrEnum):
    """Whether an output keeps what makes its source an HDR image."""

    KEEP = "keep"
    DROP = "drop"


class Placement(NamedTuple):
    """The part of a source to scale, and the size to scale it to: in pixels, as displayed.

    Attributes:
        box: Left, top, right and bottom edge of the part.
        size: Width and height of the scaled part.
        canvas: Width and height of the output, in whose middle the scaled part is; None if the output has no padding.

    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    canvas: tuple[int, int] | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """Width and height of the output."""
        return self.canvas or self.size

    def scale_down(self, ratio: float) -> "Placement":
        """Return the placement for an output whose sides are multiplied by ``ratio``, which is at most 1."""
        return Placement(self.box, _scale_size(self.size, ratio), self.canvas and _scale_size(self.canvas, ratio))


@dataclass(frozen=True)
class Rendition:
    """The settings of one output of every source image.

    Attributes:
        name: Lower-case letters, digits and single hyphens.
        scale: Output side divided by source side, from MIN_SCALE to 1; replaces width and height.
        width: The largest width in pixels; None if only the height is limited.
        height: The largest height in pixels; None if only the width is limited.
        fit: ``inside`` shrinks the whole source into width and height, ``cover`` fills both and crops the edges, and
            ``contain`` shrinks the whole source and fills the rest of both with the background.
        format: One of EXTENSIONS; None keeps the source's format.
        quality: 1 to 100, for lossy formats. None is the format's default, or about the source's own quality if the
            source has the output's format and a lower quality.
        key: Template of the output's key, with ``{dir}``, ``{name}``, ``{stem}``, ``{ext}`` and ``{rendition}``.
        background: The colour behind transparent pixels in a format without transparency, and of the padding of
            ``contain``, such as ``#ffffff``.
        cache_control: The output's Cache-Control header; None copies the source's.
        storage_class: The output's storage class; None is S3's default.
        ssimulacra2: The score to reach instead of a quality, 30 to 90, in JPEG, WebP and AVIF.
        hdr: ``keep`` resizes a gain map with its photo, and leaves PQ and HLG of a PNG as they are; ``drop`` makes SDR.
        focus: What ``cover`` keeps: the ``center``, the part with the most detail (``entropy``), or a point that the
            uploader or a region in XMP names (``metadata``).

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
    ssimulacra2: float | None = None
    hdr: str = Hdr.KEEP
    focus: str = Focus.CENTER

    def __post_init__(self) -> None:
        for problem in self._find_problems():
            raise SettingsError(f"renditions.{self.name}{problem}")

    @classmethod
    def parse(cls, name: str, options: Mapping[str, Any]) -> "Rendition":
        """Parse a rendition of the settings. Options that are null have their defaults.

        Raises:
            SettingsError: An option is unknown or invalid. The message names it and says what to set.

        """
        known = {field.name for field in fields(cls)} - {"name"}
        if unknown := options.keys() - known:
            raise SettingsError(f"renditions.{name}.{min(unknown)} is unknown: use {', '.join(sorted(known))}")
        return cls(name, **{option: value for option, value in options.items() if value is not None})

    def output_key(self, source_key: str) -> str:
        """Return the key of a source's output: by default ``a/resized-cake.jpg`` for ``a/cake.jpg``."""
        return self.template.fill(source_key)

    @cached_property
    def template(self) -> KeyTemplate:
        """The parsed template of the output's key."""
        return KeyTemplate.of(self.key.replace("{rendition}", self.name), EXTENSIONS.get(self.format or "", ""))

    @property
    def encoding_options(self) -> tuple[object, ...]:
        """The options that, with the placement and the format that is written, determine an output's bytes."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name not in NOT_ENCODING_OPTIONS)

    def place(self, source: tuple[int, int], largest_side: float = math.inf, focus: Point = CENTRE) -> Placement:
        """Compute how to scale and crop a source of this displayed size. Nothing is ever enlarged.

        The part that ``cover`` keeps is centred on the focus, as far as the edges allow. Only its place depends on it.
        A size with a side of more pixels than ``largest_side`` is scaled down to it, so that the other renditions are
        still written.
        """
        placement = self._place(source, focus)
        ratio = largest_side / max(placement.output_size)
        return placement if ratio >= 1 else placement.scale_down(ratio)

    def digest(self, metadata: str, *, is_signed: bool = False) -> str:
        """Return 16 hex digits that stand for all settings of an output.

        Args:
            metadata: The metadata policy.
            is_signed: Whether the output has signed Content Credentials.

        """
        later = {field.name: field.default for field in fields(self) if field.name not in FIRST_OPTIONS}
        later |= {"metadata": DEFAULT_METADATA, "is_signed": False}
        options = {**asdict(self), "metadata": metadata, "is_signed": is_signed}
        options = {name: value for name, value in options.items() if name not in later or value != later[name]}
        return make_digest(options)

    def _place(self, source: tuple[int, int], focus: Point) -> Placement:
        whole = (0.0, 0.0, float(source[0]), float(source[1]))
        if self.scale is not None:
            return Placement(whole, _scale_size(source, self.scale))
        ratios = [limit / side for limit, side in zip((self.width, self.height), source, strict=True) if limit]
        if self.fit == Fit.COVER:
            return self._cover(source, max(ratios), focus)
        canvas = (self.width or 0, self.height or 0) if self.fit == Fit.CONTAIN else None
        return Placement(whole, _scale_size(source, min(1.0, *ratios)), canvas)

    def _cover(self, source: tuple[int, int], ratio: float, focus: Point) -> Placement:
        # A source that is too small is cropped to the aspect ratio and keeps its scale.
        wanted = self.width or 0, self.height or 0
        across, down = (min(float(side), most / ratio) for side, most in zip(source, wanted, strict=True))
        left, top = (
            min(max(0.0, share * side - kept / 2), side - kept)
            for share, side, kept in zip(focus, source, (across, down), strict=True)
        )
        return Placement((left, top, left + across, top + down), _scale_size(wanted, min(1.0, 1 / ratio)))

    def _find_problems(self) -> Iterator[str]:
        """Yield each invalid option as the rest of a sentence that begins with the rendition's name."""
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            yield " has an invalid name: use lower-case letters, digits and single hyphens"
        for option in ("fit", "focus", "format", "key", "background", "cache_control", "storage_class"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, str):
                yield f".{option} is {value!r}: it must be a string"
        yield from self._find_size_problems()
        yield from self._find_encoding_problems()
        if not TEMPLATE.fullmatch(self.key.replace("{rendition}", self.name)):
            yield (
                f".key is {self.key!r}: it must contain {{dir}} once and then {{name}} once, and may contain "
                "{rendition}, {stem} and {ext}; text before {dir} must end in a slash, "
                "text after {name} must not contain one"
            )

    def _find_size_problems(self) -> Iterator[str]:
        sides = {"width": self.width, "height": self.height}
        if (self.scale is None) == (sides == {"width": None, "height": None}):
            yield ": set either scale, or width, height or both"
        if self.scale is not None and (not _is_number(self.scale) or not MIN_SCALE <= self.scale <= 1):
            yield f".scale is {self.scale!r}: it must be from {MIN_SCALE} to 1"
        for side, pixels in sides.items():
            if pixels is not None and (not _is_integer(pixels) or not 1 <= pixels <= MAX_SIDE):
                yield f".{side} is {pixels!r}: it must be a whole number of pixels from 1 to {MAX_SIDE}"
        if self.fit not in set(Fit):
            yield f".fit is {self.fit!r}: use inside, cover or contain"
        if self.fit in {Fit.COVER, Fit.CONTAIN} and None in sides.values():
            yield f".fit is {self.fit}, which needs both width and height"
        if self.focus not in set(Focus):
            yield f".focus is {self.focus!r}: use center, entropy or metadata"
        elif self.focus != Focus.CENTER and self.fit != Fit.COVER:
            yield f'.focus is {self.focus}, which needs fit = "cover"'

    def _find_encoding_problems(self) -> Iterator[str]:
        if self.format is not None and self.format not in EXTENSIONS:
            yield f".format is {self.format!r}: use {', '.join(EXTENSIONS)}, or null for the source's own"
        if self.quality is not None and (not _is_integer(self.quality) or not 1 <= self.quality <= 100):
            yield f".quality is {self.quality!r}: it must be a whole number from 1 to 100"
        if self.ssimulacra2 is not None:
            if not _is_number(self.ssimulacra2) or not 30 <= self.ssimulacra2 <= 90:
                yield f".ssimulacra2 is {self.ssimulacra2!r}: it must be a number from 30 to 90"
            if self.quality is not None:
                yield " has both quality and ssimulacra2: set one of them"
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(self.background)):
            yield f".background is {self.background!r}: use a colour such as #ffffff"
        if self.hdr not in set(Hdr):
            yield f".hdr is {self.hdr!r}: use keep or drop"
        if self.cache_control is not None and not re.fullmatch(r"[ -~]+", self.cache_control):
            yield f".cache_control is {self.cache_control!r}: use printable ASCII, such as max-age=31536000"
        if self.storage_class is not None and self.storage_class not in STORAGE_CLASSES:
            yield f".storage_class is {self.storage_class!r}: use one of {', '.join(STORAGE_CLASSES)}"


class Target(NamedTuple):
    """An object that every source has in the destination: an output, or the manifest.

    Attributes:
        template: The template of its key.
        digest: 16 hex digits that stand for all settings that it depends on.
        rendition: None for the manifest.

    """

    template: KeyTemplate
    digest: str
    rendition: Rendition | None = None


def check_no_collisions(renditions: Sequence[Rendition], *, with_manifest: bool = False) -> None:
    """Refuse renditions that could write one key, or a manifest's.

    Raises:
        SettingsError: Names both and says what to change.

    """
    for one, other in itertools.combinations(renditions, 2):
        if one.template.can_collide_with(other.template):
            raise SettingsError(
                f"renditions.{one.name} and renditions.{other.name} could write one key: "
                "change one key so that its text before {name} starts with another letter"
            )
    for one in renditions:
        if with_manifest and one.template.can_collide_with_manifest():
            raise SettingsError(
                f"renditions.{one.name} and the manifest could write one key: set its format, "
                "or end its key in {name} without a dot between the last slash and {name}"
            )


def make_digest(settings: object) -> str:
    """Return 16 hex digits that stand for settings of JSON's types."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _scale_size(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Scale both sides to at least one pixel. Halves are rounded up, as by the decoders that shrink by two."""
    width, height = (max(1, math.floor(side * ratio + 0.5)) for side in size)
    return width, height


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_integer(value) or isinstance(value, float)
