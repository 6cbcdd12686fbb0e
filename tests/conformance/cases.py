"""The cases of the conformance set. A seed always gives the same case, of kind ``seed % len(KINDS)``."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from imaging.losses import Lost
from tests.conformance.adapter import Adapter, Refused, Wanted
from tests.conformance.histories import HISTORIES, Cloud
from tests.conformance.oracle import find_fault, inspect
from tests.conformance.sources import SOURCES, Seen, never
from tests.images import encode, encode_oriented, picture
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool

FORMATS = (None, "jpeg", "png", "webp", "avif")

MODES = {
    "jpeg": ("L", "RGB"),
    "png": ("L", "LA", "P", "RGB", "RGBA"),
    "gif": ("L", "P", "RGB"),
    "webp": ("RGB", "RGBA"),
    "tiff": ("L", "RGB", "RGBA"),
    "bmp": ("L", "P", "RGB"),
    "avif": ("L", "RGB", "RGBA"),
}
"""The modes in which each format's pictures are drawn."""

ORIENTED = ("jpeg", "png", "webp", "tiff", "avif")
"""The formats whose pictures have an EXIF orientation."""

REPEATS = {"pixels": 100, "orientation": 100, "faults": 10}
"""How many seeds of the whole set draw a picture, a picture with an orientation, and each history of faults."""


@dataclass(frozen=True)
class Judges:
    """The programs that read outputs, and the S3 in which events are handled."""

    chromium: Chromium
    exiftool: Exiftool
    cloud: Cloud


@dataclass(frozen=True)
class Verdict:
    """The result of a case.

    Attributes:
        case: What was asked of the resizer.
        wrong: What is wrong; empty if the answer is right.
        is_named: Whether the output lacks something that the resizer named.

    """

    case: str
    wrong: str = ""
    is_named: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of case.

    Attributes:
        row: The row of the table of results that counts it.
        judge: Draws a case, asks the resizer, and judges its answer.
        has_faults: Whether it needs a handler of events.

    """

    row: str
    judge: Callable[[Adapter, Judges, Random], Verdict]
    has_faults: bool = False


def find_kind(seed: int) -> Kind:
    """Return the kind of case that a seed draws."""
    return KINDS[seed % len(KINDS)]


def judge(seed: int, adapter: Adapter, judges: Judges) -> Verdict:
    """Draw the case of a seed, and judge the resizer's answer. Any exception gets a note with the seed."""
    try:
        return find_kind(seed).judge(adapter, judges, Random(seed))  # noqa: S311 - no secret
    except BaseException as error:
        error.add_note(f"The case: --seed {seed}")
        raise


def keep_property(name: str, image_format: str | None) -> Kind:
    """Return the kind of case in which an output must keep a property, or the resizer must name it."""
    source = SOURCES[name]

    def judge_output(adapter: Adapter, judges: Judges, _: Random) -> Verdict:
        body = source.make(judges.exiftool)
        own, size = inspect(body)
        settled = image_format or own
        case = f"{name}, as {settled} at half its size"
        width, height = (max(1, side // 2) for side in size)
        try:
            output, named = _render(adapter, body, own, Wanted(width, height, 0.5, image_format))
        except Refused as refusal:
            return Verdict(case, f"refused: {refusal}")
        read_tags = lambda: judges.exiftool.read({"": output})[""]  # noqa: E731 - read only if it is asked for
        is_kept = source.is_kept(Seen(output, f"image/{settled}", read_tags, judges.chromium))
        # A side that is too long for a format is itself such a property.
        fault = "" if source.what == Lost.SIZE else find_fault(output, settled, (width, height), None, judges.chromium)
        is_named = not is_kept and source.what in named
        return Verdict(case, fault or ("" if is_kept or is_named else "lost, and not named"), is_named)

    return Kind(source.what, judge_output)


def keep_picture(adapter: Adapter, judges: Judges, chance: Random, orientations: range = range(1)) -> Verdict:
    """Draw a picture of any format, mode and size; its output must look the same."""
    own = chance.choice([name for name in MODES if name in ORIENTED or not orientations[0]])
    mode, image_format = chance.choice(MODES[own]), chance.choice(FORMATS)
    # Both sides shrink by exactly the same ratio, so that a box and a scale mean one size.
    units, parts = (chance.randint(8, 30), chance.randint(8, 30)), chance.randint(4, 10)
    kept, orientation = chance.randint(1, parts), chance.choice(orientations)
    drawn = picture(units[0] * parts, units[1] * parts, mode)
    width, height = units[0] * kept, units[1] * kept
    body = encode_oriented(drawn, orientation, own) if orientation else encode(drawn, own)
    settled = image_format or own
    turned = f", orientation {orientation}" if orientation else ""
    case = f"{own} of mode {mode}{turned}, {drawn.width} x {drawn.height} to {width} x {height}, as {settled}"
    wanted = Wanted(width, height, kept / parts if chance.random() < 0.5 else None, image_format)
    try:
        output, _ = _render(adapter, body, own, wanted)
    except Refused as refusal:
        return Verdict(case, f"refused: {refusal}")
    return Verdict(case, find_fault(output, settled, (width, height), drawn, judges.chromium))


def refuse(name: str) -> Kind:
    """Return the kind of case in which the resizer must refuse a source that is no complete image."""

    def judge_refusal(adapter: Adapter, _: Judges, chance: Random) -> Verdict:
        own = name.rpartition(" ")[2]
        try:
            _render(adapter, BROKEN[name](chance), own, Wanted(32, 24, 0.5, chance.choice(FORMATS)))
        except Refused:
            return Verdict(name)
        return Verdict(name, "not refused")

    return Kind("broken", judge_refusal)


def survive(name: str) -> Kind:
    """Return the kind of case in which the destination must match the source, whatever failed in between."""

    def judge_history(adapter: Adapter, judges: Judges, chance: Random) -> Verdict:
        return Verdict(name, HISTORIES[name](adapter, judges.cloud, chance))

    return Kind(f"faults: {name}", judge_history, has_faults=True)


def _cut(own: str) -> Callable[[Random], bytes]:
    def make(chance: Random) -> bytes:
        body = encode(picture(64, 48), own)
        return body[: int(len(body) * chance.uniform(0.3, 0.7))]

    return make


BROKEN: Mapping[str, Callable[[Random], bytes]] = {
    **{f"half of a {own}": _cut(own) for own in MODES},
    "an empty jpeg": lambda _: b"",
    "random bytes as jpeg": lambda chance: chance.randbytes(2000),
    "text as png": lambda _: b"<html>no image</html>",
}


def _render(adapter: Adapter, body: bytes, own: str, wanted: Wanted) -> tuple[bytes, frozenset[str]]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f"source.{own}"), Path(folder, f"target.{wanted.format or own}")
        source.write_bytes(body)
        named = frozenset(adapter.render(source, target, wanted))
        return target.read_bytes(), named


KINDS: tuple[Kind, ...] = (
    *(
        keep_property(name, image_format)
        for name, source in SOURCES.items()
        if source.is_kept is not never
        for image_format in FORMATS
    ),
    *map(refuse, BROKEN),
    *[Kind("pixels", keep_picture)] * REPEATS["pixels"],
    *[Kind("orientation", functools.partial(keep_picture, orientations=range(1, 9)))] * REPEATS["orientation"],
    *(survive(name) for name in HISTORIES for _ in range(REPEATS["faults"])),
)
"""The kinds of cases. The whole set has one seed of each."""
