"""Sum up each variant of a rendition over all photos."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tools.common.pricing import S3_GB_MONTH
from tools.preview.model import Output, Photo
from tools.preview.variants import CURRENT

Losses = Mapping[tuple[int, str], str]
"""Sentences by the photo's number and the kind of loss."""


@dataclass(frozen=True)
class Row:
    """A variant, over all photos that count.

    Attributes:
        name: Of the variant.
        title: The name; for the current setting also its format and quality.
        quality: None if the photos have different qualities, or none.
        byte_count: Of all outputs.
        share: Of the bytes with the current setting.
        score: The lowest of all photos. None if no photo has one.
        worst: The photo with the lowest.
        milliseconds: The mean.
        dollars: For a million.
        keeping: US$ a month to store a million in S3 Standard.
        avoidable: The losses that another variant avoids, joined by semicolons.
        unavoidable: The losses of all variants, joined by semicolons.

    """

    name: str
    title: str
    quality: int | None
    byte_count: int
    share: float
    score: float | None
    worst: str
    milliseconds: float
    dollars: float
    keeping: float
    avoidable: str = ""
    unavoidable: str = ""

    @property
    def losses(self) -> str:
        """All losses, joined by semicolons."""
        return "; ".join(filter(None, [self.avoidable, self.unavoidable]))

    @property
    def is_current(self) -> bool:
        """Whether it is the current setting."""
        return self.name == CURRENT


def make_rows(photos: Sequence[Photo], index: int) -> list[Row]:
    """Return a row for each variant of a rendition that no photo lacks, in ascending order of bytes.

    Variants that are identical in every photo share a row.

    Args:
        photos: At least one.
        index: Of the rendition.

    """
    rendered = [photo.renditions[index] for photo in photos]
    outputs: dict[str, list[Output]] = {}
    for name in rendered[0].options:
        found = [output for one in rendered if (output := one.find(name))]
        if len(found) == len(photos) and not any(_are_same(found, other) for other in outputs.values()):
            outputs[name] = found
    losses = {name: _list_losses(of_variant) for name, of_variant in outputs.items()}
    shared = set.intersection(*map(set, losses.values()))
    rows = []
    for name, of_variant in outputs.items():
        avoidable, unavoidable = (
            _join_losses(
                {key: sentence for key, sentence in losses[name].items() if (key in shared) == is_shared}, photos
            )
            for is_shared in (False, True)
        )
        row = _make_row(name, photos, of_variant, outputs[CURRENT])
        rows.append(replace(row, avoidable=avoidable, unavoidable=unavoidable))
    return sorted(rows, key=lambda row: row.byte_count)


def summarize(names: Sequence[str]) -> str:
    """Return the first name, and the number of the others."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _are_same(one: Iterable[Output], other: Iterable[Output]) -> bool:
    return all(output is another for output, another in zip(one, other, strict=True))


def _list_losses(outputs: Sequence[Output]) -> Losses:
    # Behind a colon, a sentence names the format: without it, the kind is equal for variants with equal losses.
    return {
        (number, sentence.partition(":")[0]): sentence
        for number, output in enumerate(outputs)
        for sentence in output.losses
    }


def _join_losses(losses: Losses, photos: Sequence[Photo]) -> str:
    """Join the sentences; if there are several photos, each names its own."""
    names: dict[str, list[str]] = {}
    for (number, _), sentence in losses.items():
        names.setdefault(sentence, []).append(photos[number].name)
    several = len(photos) > 1
    return "; ".join(
        f"{sentence} ({summarize(of_loss)})" if several else sentence for sentence, of_loss in names.items()
    )


def _make_row(name: str, photos: Sequence[Photo], outputs: Sequence[Output], current: Sequence[Output]) -> Row:
    total = sum(one.byte_count for one in outputs)
    known = [(one.score, photo.name) for one, photo in zip(outputs, photos, strict=True) if one.score is not None]
    score, worst = min(known, default=(None, ""))
    described = {f"{one.format} {one.quality}".strip() for one in outputs}
    title = f"{described.pop()}, {name}" if name == CURRENT and len(described) == 1 else name
    costs = [one.cost for one in outputs if one.cost]
    qualities = {one.quality for one in outputs}
    quality = qualities.pop() if len(qualities) == 1 else ""
    return Row(
        name=name,
        title=title,
        quality=int(quality) if quality.isdigit() else None,
        byte_count=total,
        share=total / sum(one.byte_count for one in current),
        score=score,
        worst=worst,
        milliseconds=statistics.mean(cost.milliseconds for cost in costs),
        dollars=statistics.mean(cost.dollars for cost in costs),
        keeping=total / len(outputs) * 1e6 / 1e9 * S3_GB_MONTH,
    )
