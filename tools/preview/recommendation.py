"""Recommend a variant by one rule, over all photos."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.common.pricing import S3_GB_MONTH
from tools.preview.model import Output, Photo
from tools.preview.variants import CURRENT

ENOUGH = 0.95
"""The lowest acceptable SSIM, by rule of thumb."""

RULE = (
    f"The variant with the fewest bytes among those with an SSIM of at least {ENOUGH} in every photo. "
    "SSIM measures how similar an output is to its photo scaled to the same size: 1 means identical. "
    f"{ENOUGH} is a rule of thumb: wipe at 2:1 over skin, text and sky before you choose."
)


@dataclass(frozen=True)
class Row:
    """A variant, over all photos that count.

    Attributes:
        name: Of the variant.
        title: The name; for the current setting also its format and quality.
        byte_count: Of all outputs.
        share: Of the bytes with the current setting.
        ssim: The lowest of all photos. None if no photo has one.
        worst: The photo with the lowest.
        milliseconds: The mean.
        dollars: For a million.
        keeping: US$ a month to store a million in S3 Standard.

    """

    name: str
    title: str
    byte_count: int
    share: float
    ssim: float | None
    worst: str
    milliseconds: float
    dollars: float
    keeping: float

    @property
    def is_current(self) -> bool:
        """Whether it is the current setting."""
        return self.name == CURRENT


@dataclass(frozen=True)
class Recommendation:
    """The advice for one rendition.

    Attributes:
        rendition: Its name.
        rows: In ascending order of bytes.
        chosen: The name of the recommended variant; empty if none is.
        sentences: The reasons.

    """

    rendition: str
    rows: Sequence[Row]
    chosen: str
    sentences: Sequence[str]


def recommend(photos: Sequence[Photo]) -> list[Recommendation]:
    """Recommend a variant of each rendition that has several.

    Two things do not count: a photo whose variants are identical, such as a PNG in several qualities, and a variant
    that some photo lacks.
    """
    names = [rendered.name for rendered in photos[0].renditions] if photos else []
    return [_recommend(name, rows) for index, name in enumerate(names) if len(rows := _rows(photos, index)) > 1]


def _rows(photos: Sequence[Photo], index: int) -> list[Row]:
    counting = [photo for photo in photos if _differ(photo.renditions[index].outputs)] or photos
    outputs = [{one.name: one for one in photo.renditions[index].outputs} for photo in counting]
    current = [of_photo[CURRENT] for of_photo in outputs]
    names = [name for name in outputs[0] if all(name in of_photo for of_photo in outputs)]
    rows = [_row(name, counting, [of_photo[name] for of_photo in outputs], current) for name in names]
    return sorted(rows, key=lambda row: row.byte_count)


def _differ(outputs: Sequence[Output]) -> bool:
    return len({one.picture.body for one in outputs}) > 1


def _row(name: str, photos: Sequence[Photo], outputs: Sequence[Output], current: Sequence[Output]) -> Row:
    total = sum(one.byte_count for one in outputs)
    known = [(one.ssim, photo.name) for one, photo in zip(outputs, photos, strict=True) if one.ssim is not None]
    ssim, worst = min(known, default=(None, ""))
    title = name
    described = {f"{one.format} {one.quality}".strip() for one in outputs}
    if name == CURRENT and len(described) == 1:
        title = f"{described.pop()}, {name}"
    return Row(
        name=name,
        title=title,
        byte_count=total,
        share=total / sum(one.byte_count for one in current),
        ssim=ssim,
        worst=worst,
        milliseconds=statistics.mean(one.cost.milliseconds for one in outputs),
        dollars=statistics.mean(one.cost.dollars for one in outputs),
        keeping=total / len(outputs) * 1e6 / 1e9 * S3_GB_MONTH,
    )


def _recommend(rendition: str, rows: Sequence[Row]) -> Recommendation:
    if len({(row.byte_count, row.ssim) for row in rows}) == 1:
        return Recommendation(rendition, rows, "", ["All variants are identical: this format has no quality setting."])
    chosen = next((row for row in rows if row.ssim is not None and row.ssim >= ENOUGH), None)
    if chosen is None:
        return Recommendation(rendition, rows, "", list(_name_best(rows)))
    larger = next((row for row in rows if row.byte_count > chosen.byte_count), None)
    return Recommendation(rendition, rows, chosen.name, list(_reasons(chosen, larger)))


def _reasons(chosen: Row, larger: Row | None) -> Iterator[str]:
    beginning = f"Choose {chosen.title}"
    if chosen.is_current:
        beginning = ", ".join(["Keep the current setting", *chosen.title.split(", ")[:-1]])
    yield (
        f"{beginning}: it has the fewest bytes of the variants with an SSIM of at least {ENOUGH} in every photo; "
        f"its lowest is {format_ssim(chosen.ssim)}, for {chosen.worst}."
    )
    if not chosen.is_current:
        of_larger = f", which has an SSIM of {format_ssim(larger.ssim)}" if larger and larger.is_current else ""
        yield f"It takes {_compare(chosen.share)} the current setting{of_larger}."
    if larger and not larger.is_current:
        more = _compare(larger.byte_count / chosen.byte_count)
        yield f"{capitalize(larger.title)} takes {more} that, for an SSIM of {format_ssim(larger.ssim)}."


def _name_best(rows: Sequence[Row]) -> Iterator[str]:
    known = [row for row in rows if row.ssim is not None]
    if not known:
        yield "SSIM cannot compare these outputs: choose by eye."
        return
    best = max(known, key=lambda row: row.ssim or 0)
    yield (
        f"No variant has an SSIM of {ENOUGH} in every photo. "
        f"The best is {best.title}, with {format_ssim(best.ssim)} in {best.worst}."
    )
    yield "Wipe over that photo at 2:1: if it looks right, choose that variant; otherwise compare higher qualities."


def format_ssim(ssim: float | None) -> str:
    """Format an SSIM with three digits, rounded down so that 0.9499 does not look acceptable."""
    return "-" if ssim is None else f"{math.floor(1000 * ssim) / 1000:.3f}"


def capitalize(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _compare(share: float) -> str:
    if share >= 2:
        return f"{share:.0f} times the bytes of"
    percent = round(100 * abs(share - 1))
    return f"{percent} % {'fewer' if share < 1 else 'more'} bytes than" if percent else "about as many bytes as"
