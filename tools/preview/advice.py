"""Which variant to choose, by one stated rule, over all photos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools.common.pricing import S3_GB_MONTH
from tools.preview.contents import Output, Photo
from tools.preview.variants import AS_SET

ENOUGH = 0.95
"""SSIM that an output shall have: a rule of thumb, for what counts is what is seen."""

RULE = (
    f"Of the variants whose SSIM is at least {ENOUGH} in every photo, the one with the fewest bytes. "
    "SSIM says how alike an output is to its photo scaled to the same size: 1 is alike in every pixel. "
    f"That {ENOUGH} is enough is a rule of thumb: wipe at 2:1 over skin, text and sky before you settle on one."
)


@dataclass(frozen=True)
class Row:
    """A variant, over all photos.

    Attributes:
        name: Of the variant.
        title: What it is called where it is set too.
        byte_count: Of the outputs of all photos that have a say.
        share: Of the bytes that are as set.
        ssim: The least that a photo has; None where none has any.
        worst: The photo that has the least.
        milliseconds: The mean; None where it was not measured.
        dollars: For a million, likewise.
        keeping: US$ a month to keep a million in S3 Standard.

    """

    name: str
    title: str
    byte_count: int
    share: float
    ssim: float | None
    worst: str
    milliseconds: float | None
    dollars: float | None
    keeping: float

    @property
    def is_set(self) -> bool:
        """Whether it is what would be deployed."""
        return self.name == AS_SET


@dataclass(frozen=True)
class Verdict:
    """What to make of a rendition's variants.

    Attributes:
        rendition: Its name.
        rows: From the fewest bytes to the most.
        chosen: The name of the one to choose; empty where none is.
        sentences: Why.

    """

    rendition: str
    rows: Sequence[Row]
    chosen: str
    sentences: Sequence[str]


def verdicts(photos: Sequence[Photo]) -> list[Verdict]:
    """Judge each rendition of which variants were compared.

    A photo of which all variants are the same, such as a PNG's qualities, has no say; nor has a variant that not every
    photo has.
    """
    names = [rendered.name for rendered in photos[0].renditions] if photos else []
    return [_verdict(name, rows) for index, name in enumerate(names) if len(rows := _rows(photos, index)) > 1]


def _rows(photos: Sequence[Photo], index: int) -> list[Row]:
    concerned = [photo for photo in photos if _differ(photo.renditions[index].outputs)] or photos
    outputs = [{one.name: one for one in photo.renditions[index].outputs} for photo in concerned]
    as_set = [of_photo[AS_SET] for of_photo in outputs]
    shared = [name for name in outputs[0] if all(name in of_photo for of_photo in outputs)]
    rows = [_row(name, concerned, [of_photo[name] for of_photo in outputs], as_set) for name in shared]
    return sorted(rows, key=lambda row: row.byte_count)


def _differ(outputs: Sequence[Output]) -> bool:
    return len({one.picture.body for one in outputs}) > 1


def _row(name: str, photos: Sequence[Photo], outputs: Sequence[Output], as_set: Sequence[Output]) -> Row:
    total = sum(one.byte_count for one in outputs)
    known = [(one.ssim, photo.name) for one, photo in zip(outputs, photos, strict=True) if one.ssim is not None]
    likeness, worst = min(known, default=(None, ""))
    costs = [one.cost for one in outputs if one.cost is not None]
    return Row(
        name=name,
        title=_title(name, outputs),
        byte_count=total,
        share=total / sum(one.byte_count for one in as_set),
        ssim=likeness,
        worst=worst,
        milliseconds=sum(one.milliseconds for one in costs) / len(costs) if costs else None,
        dollars=sum(one.dollars for one in costs) / len(costs) if costs else None,
        keeping=total / len(outputs) * 1e6 / 1e9 * S3_GB_MONTH,
    )


def _title(name: str, outputs: Sequence[Output]) -> str:
    """A variant's name; of what is set, with what that is where it is the same for all photos."""
    if name != AS_SET:
        return name
    described = {f"{one.format} {one.quality}".strip() for one in outputs}
    return f"{described.pop()}, {name}" if len(described) == 1 else name


def _verdict(rendition: str, rows: Sequence[Row]) -> Verdict:
    if len({(row.byte_count, row.ssim) for row in rows}) == 1:
        return Verdict(rendition, rows, "", ["All variants are the same: this format has no quality to choose."])
    enough = [row for row in rows if row.ssim is not None and row.ssim >= ENOUGH]
    if not enough:
        return Verdict(rendition, rows, "", list(_none(rows)))
    chosen = enough[0]
    larger = next((row for row in rows if row.byte_count > chosen.byte_count), None)
    sentences = [_why(chosen)]
    if not chosen.is_set:
        likeness = f", whose SSIM is {figure(larger.ssim)}" if larger and larger.is_set else ""
        sentences.append(f"It takes {_compared(chosen.share)} what is set{likeness}.")
    if larger and not larger.is_set:
        more = _compared(larger.byte_count / chosen.byte_count)
        sentences.append(f"{capital(larger.title)} would take {more} that, for an SSIM of {figure(larger.ssim)}.")
    return Verdict(rendition, rows, chosen.name, sentences)


def _why(chosen: Row) -> str:
    beginning = f"Choose {chosen.title}"
    if chosen.is_set:
        beginning = ", ".join(["Keep what is set", *chosen.title.split(", ")[:-1]])
    return (
        f"{beginning}: it has the fewest bytes of those whose SSIM is at least {ENOUGH} in every photo; "
        f"its lowest is {figure(chosen.ssim)}, of {chosen.worst}."
    )


def _none(rows: Sequence[Row]) -> Sequence[str]:
    known = [row for row in rows if row.ssim is not None]
    if not known:
        return ["Nothing here can be compared in figures: choose by eye."]
    best = max(known, key=lambda row: row.ssim or 0)
    nearest = f"{best.title} comes nearest, with {figure(best.ssim)} of {best.worst}."
    return [
        f"None has an SSIM of {ENOUGH} in every photo: {nearest}",
        "Wipe over that photo at 2:1: if you see nothing wrong there, choose it; else compare higher qualities.",
    ]


def figure(ssim: float | None) -> str:
    """An SSIM as far as it means something; cut off, so that none looks as if it were enough that is not."""
    return "-" if ssim is None else f"{math.floor(1000 * ssim) / 1000:.3f}"


def _compared(share: float) -> str:
    if share >= 2:
        return f"{share:.0f} times the bytes of"
    percent = round(100 * abs(share - 1))
    return f"{percent} % {'fewer' if share < 1 else 'more'} bytes than" if percent else "about as many bytes as"


def capital(text: str) -> str:
    """The same with a capital at its beginning."""
    return text[:1].upper() + text[1:]
