"""Recommend a variant by one rule, over all photos."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.preview.model import Photo
from tools.preview.rows import Row, make_rows, summarize

ENOUGH = 70
"""The lowest acceptable SSIMULACRA2: high quality, in the words of its authors."""

LOWER, HIGHER = (-20, -10), (5, 10)
"""Steps from the last quality that was tried to those to try next."""

RULE = (
    "A variant that loses something that another variant keeps, such as frames or transparency, is never recommended. "
    f"The recommended variant has the fewest bytes among the others with a score of at least {ENOUGH} in every photo. "
    "The score is SSIMULACRA2, about as the function computes it for the option ssimulacra2: 100 is identical to the "
    "photo scaled to the same size, 90 looks identical, 70 is high quality, 50 medium. "
    f"{ENOUGH} is a rule of thumb: wipe at 2:1 over skin, text and sky before you choose."
)


@dataclass(frozen=True)
class Further:
    """Qualities that may be better than those that were tried.

    Attributes:
        direction: ``lower`` or ``higher``.
        quality: The lowest or highest that was tried.
        compare: Values of ``--compare``.

    """

    direction: str
    quality: int
    compare: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The reason to try them."""
        extreme = "lowest" if self.direction == "lower" else "highest"
        return f"Quality {self.quality} is the {extreme} that was tried."


@dataclass(frozen=True)
class Recommendation:
    """The advice for one rendition.

    Attributes:
        rendition: Its name.
        rows: In ascending order of bytes.
        chosen: The name of the recommended variant; empty if none is.
        sentences: The reasons.
        options: Of the rendition to change, with their values.
        further: The qualities to try next; None if there are none.

    """

    rendition: str
    rows: Sequence[Row]
    chosen: str
    sentences: Sequence[str]
    options: Mapping[str, object] = field(default_factory=dict)
    further: Further | None = None


def recommend(photos: Sequence[Photo]) -> list[Recommendation]:
    """Recommend a variant of each rendition that has several. For an index, also sum up renditions with one variant.

    Two things do not count: a photo whose variants are identical, such as a PNG in several qualities, and a variant
    that some photo lacks.
    """
    fewest = 1 if photos and photos[0].page else 2
    return [
        _recommend(rendered.name, photos, index)
        for index, rendered in enumerate(photos[0].renditions if photos else ())
        if len(rendered.options) >= fewest
    ]


def _recommend(rendition: str, photos: Sequence[Photo], index: int) -> Recommendation:
    if len(photos[0].renditions[index].options) == 1:
        return Recommendation(rendition, make_rows(photos, index), "", [])
    counting = [photo for photo in photos if not photo.renditions[index].is_unaffected]
    rows = make_rows(counting or photos, index)
    candidates = [row for row in rows if not row.avoidable]
    chosen = next((row for row in candidates if row.score is not None and row.score >= ENOUGH), None)
    remarks = [*_explain_losses(rows), *_explain_exclusions(photos, index)]
    if not counting:
        return Recommendation(rendition, rows, "", remarks)
    options = photos[0].renditions[index].options
    further = _look_further(chosen, candidates, options)
    if chosen is None:
        return Recommendation(rendition, rows, "", [*_name_best(candidates), *remarks], further=further)
    reasons = _explain(chosen, candidates, has_losers=len(candidates) < len(rows))
    return Recommendation(rendition, rows, chosen.name, [*reasons, *remarks], options[chosen.name], further)


def _look_further(
    chosen: Row | None, candidates: Sequence[Row], options: Mapping[str, Mapping[str, object]]
) -> Further | None:
    """Find qualities below the lowest that was tried if that is enough, or above the highest if that is not enough."""
    best = chosen
    if chosen is None or chosen.quality is None:
        # Larger variants than the chosen one, such as a PNG, do not matter.
        smaller = candidates[: candidates.index(chosen)] if chosen else candidates
        known = [row for row in smaller if row.quality is not None and row.score is not None]
        best = max(known, key=lambda row: row.score or 0, default=None)
    if best is None or best.quality is None:
        return None
    image_format = options[best.name].get("format")
    tried = {row.quality for row in candidates if row.quality and options[row.name].get("format") == image_format}
    direction, last, steps = ("lower", min(tried), LOWER) if best is chosen else ("higher", max(tried), HIGHER)
    qualities = [str(last + step) for step in steps if 1 <= last + step <= 100]
    if best.quality != last or not qualities:
        return None
    compare = (f"quality={','.join(qualities)}", *([f"format={image_format}"] if image_format else []))
    return Further(direction, last, compare)


def _explain(chosen: Row, candidates: Sequence[Row], *, has_losers: bool) -> Iterator[str]:
    beginning = f"Choose {chosen.title}"
    if chosen.is_current:
        beginning = ", ".join(["Keep the current setting", *chosen.title.split(", ")[:-1]])
    condition = "that lose the least and have" if has_losers else "with"
    yield (
        f"{beginning}: it has the fewest bytes of the variants {condition} a score of at least {ENOUGH} in every "
        f"photo; its lowest is {format_score(chosen.score)}, for {chosen.worst}."
    )
    larger = next((row for row in candidates if row.byte_count > chosen.byte_count), None)
    if not chosen.is_current:
        current = next((row for row in candidates if row.is_current), None)
        of_current = ""
        if current and current.score is not None and (current is larger or current.score < ENOUGH):
            below = f", below {ENOUGH}" if current.score < ENOUGH else ""
            of_current = f", which has a score of {format_score(current.score)}{below}"
        yield f"It takes {_compare(chosen.share)} the current setting{of_current}."
    if larger and not larger.is_current:
        more = _compare(larger.byte_count / chosen.byte_count)
        yield f"{capitalize(larger.title)} takes {more} that, for a score of {format_score(larger.score)}."


def _name_best(candidates: Sequence[Row]) -> Iterator[str]:
    if not candidates:
        yield "No variant is recommended: each loses something that another one keeps."
        return
    known = [row for row in candidates if row.score is not None]
    if not known:
        yield "No score can compare these outputs: choose by eye."
        return
    best = max(known, key=lambda row: row.score or 0)
    yield (
        f"No variant has a score of {ENOUGH} in every photo. "
        f"The best is {best.title}, with {format_score(best.score)} in {best.worst}."
    )
    yield "Wipe over that photo at 2:1: if it looks right, choose that variant."


def _explain_losses(rows: Sequence[Row]) -> Iterator[str]:
    losers: dict[str, list[str]] = {}
    for row in rows:
        if row.avoidable:
            losers.setdefault(row.avoidable, []).append("the current setting" if row.is_current else row.name)
    for losses, names in losers.items():
        yield f"{capitalize(' and '.join(names))} {'are' if len(names) > 1 else 'is'} ruled out: {losses}."
    if rows[0].unavoidable:
        yield f"Every variant loses something: {rows[0].unavoidable}."


def _explain_exclusions(photos: Sequence[Photo], index: int) -> Iterator[str]:
    """Name the photos whose variants are identical, and the variants that some photo lacks."""
    unaffected = [photo for photo in photos if photo.renditions[index].is_unaffected]
    if unaffected:
        outputs = [photo.renditions[index].outputs[0] for photo in unaffected]
        kinds = {output.kind for output in outputs if not output.quality.isdigit()}
        why = f": quality has no effect on {' and '.join(sorted(kinds))}" if kinds else ""
        yield f"All variants of {summarize([photo.name for photo in unaffected])} are identical{why}."
    for variant in photos[0].renditions[index].options:
        if lacking := [photo.name for photo in photos if photo.renditions[index].find(variant) is None]:
            yield f"{capitalize(variant)} does not count: it was rejected for {summarize(lacking)}."


def format_score(score: float | None) -> str:
    """Format a score with one decimal, rounded down so that 69.99 does not look acceptable."""
    return "-" if score is None else f"{math.floor(10 * score) / 10:.1f}"


def capitalize(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _compare(share: float) -> str:
    if share >= 2:
        return f"{share:.1f} times the bytes of"
    percent = round(100 * abs(share - 1))
    return f"{percent} % {'fewer' if share < 1 else 'more'} bytes than" if percent else "about as many bytes as"
