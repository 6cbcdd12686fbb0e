"""Encoders at equal terms: bytes at equal quality and quality at equal bytes, from curves over their settings."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.benchmarks.job import OURS
from tools.common.table import Table

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """One output.

    Attributes:
        setting: The encoder's quality.
        bytes: Of the output.
        score: SSIMULACRA2.

    """

    setting: int
    bytes: int
    score: float


@dataclass(frozen=True)
class Curve:
    """The outputs of one contestant for one image.

    Attributes:
        format: Of the outputs, Pillow's name.
        kind: Of the image; the tables sum up images of a kind.
        image: Its name.
        peer: The contestant.
        points: In order of the setting.

    """

    format: str
    kind: str
    image: str
    peer: str
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """The format and the kind, for a table or a panel."""
        return f"{'WebP' if self.format == 'WEBP' else self.format}, {self.kind}"


def divide_bytes(one: Curve, other: Curve) -> float | None:
    """Return one's bytes by the other's at equal scores: the geometric mean over the scores that both reach.

    This is Bjøntegaard's method (VCEG-M33) with straight lines between the points, which can't overshoot.
    """
    difference = _average_difference(
        *([(point.score, math.log(point.bytes)) for point in _rising(it)] for it in (one, other))
    )
    return None if difference is None else math.exp(difference)


def subtract_scores(one: Curve, other: Curve) -> float | None:
    """Return one's score less the other's at equal bytes: the mean over the logarithm of the bytes that both have."""
    return _average_difference(
        *([(math.log(point.bytes), point.score) for point in _rising(it)] for it in (one, other))
    )


def _rising(curve: Curve) -> list[Point]:
    """Return the points that score more than every smaller output: only these are worth their bytes."""
    found: list[Point] = []
    for point in sorted(curve.points, key=lambda one: (one.bytes, -one.score)):
        if not found or point.score > found[-1].score:
            found.append(point)
    return found


def _average_difference(one: Pairs, other: Pairs) -> float | None:
    """Return the mean of y's difference over the x that both lines have; None if they have none in common."""
    (x_one, y_one), (x_other, y_other) = (np.array(pairs).T for pairs in (one, other))
    low, high = max(x_one[0], x_other[0]), min(x_one[-1], x_other[-1])
    if low >= high:
        return None
    # Between two of these, both lines are straight.
    x = np.unique(np.clip([*x_one, *x_other], low, high))
    difference = np.interp(x, x_one, y_one) - np.interp(x, x_other, y_other)
    return float(np.trapezoid(difference, x) / (high - low))


def tabulate(curves: Sequence[Curve]) -> list[Table]:
    """Return the tables of both comparisons: the median of the images of each kind, with the lowest and the highest."""
    return [
        _tabulate("Bytes of ours at equal SSIMULACRA2, by each peer's", "/ {}", curves, divide_bytes, "{:.2f}"),
        _tabulate("SSIMULACRA2 of ours at equal bytes, less each peer's", "- {}", curves, subtract_scores, "{:+.1f}"),
    ]


def _tabulate(
    heading: str, column: str, curves: Sequence[Curve], compare: Callable[[Curve, Curve], float | None], style: str
) -> Table:
    peers = [name for name in dict.fromkeys(curve.peer for curve in curves) if name != OURS]
    rows = []
    for title in dict.fromkeys(curve.title for curve in curves):
        chosen = [curve for curve in curves if curve.title == title]
        cells = (_sum_up(find_differences(chosen, peer, compare), style) for peer in peers)
        rows.append((title, *cells))
    return Table(heading, ("image", *(column.format(peer) for peer in peers)), tuple(rows))


def find_differences(
    curves: Sequence[Curve], peer: str, compare: Callable[[Curve, Curve], float | None]
) -> list[float]:
    """Compare ours with one peer, image by image; without the images whose curves have nothing in common."""
    ours, others = ({curve.image: curve for curve in curves if curve.peer == name} for name in (OURS, peer))
    found = [compare(ours[image], others[image]) for image in ours if image in others]
    return [difference for difference in found if difference is not None]


def _sum_up(values: Sequence[float], style: str) -> str:
    if not values:
        return "-"
    median, lowest, highest = map(style.format, (statistics.median(values), min(values), max(values)))
    return median if len(values) == 1 else f"{median} ({lowest} to {highest})"
