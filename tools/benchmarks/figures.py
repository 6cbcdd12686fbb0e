"""The figures of docs/benchmarks.md: bytes against quality, and CPU against megapixels."""

import statistics
from collections.abc import Sequence

from tools.benchmarks.equal import Curve
from tools.benchmarks.plot import SHAPES, Axis, Dot, Panel, draw
from tools.benchmarks.results import RowResult

GROWTH = ("jpeg-2mp", "jpeg-12mp", "jpeg-24mp", "jpeg-48mp")
"""Equal rows of rising size."""


def draw_quality(curves: Sequence[Curve]) -> str:
    """Draw a panel for each format and kind of image; a dot is a setting, the mean of the images of the kind.

    Returns an empty string without curves.
    """
    kinds = list(dict.fromkeys(curve.kind for curve in curves))
    titles = dict.fromkeys(curve.title for kind in kinds for curve in curves if curve.kind == kind)
    panels = [
        Panel(
            title,
            Axis("KB", is_logarithmic=True),
            Axis("SSIMULACRA2"),
            _average([curve for curve in curves if curve.title == title]),
        )
        for title in titles
    ]
    columns = len(panels) // len(kinds) if kinds else 0
    return (
        draw("Bytes and SSIMULACRA2 of each encoder and setting", panels, columns=columns, height=250) if panels else ""
    )


def _average(curves: Sequence[Curve]) -> dict[str, tuple[Dot, ...]]:
    """Return each contestant's dots: the geometric mean of the bytes, and the mean of the scores."""
    found = {}
    for peer in dict.fromkeys(curve.peer for curve in curves):
        dots = []
        for points in zip(*(curve.points for curve in curves if curve.peer == peer), strict=True):
            kilobytes = statistics.geometric_mean(point.bytes for point in points) / 1000
            score = statistics.fmean(point.score for point in points)
            label = f"{peer}, quality {points[0].setting}: {kilobytes:.1f} KB, {score:.1f}"
            dots.append(Dot(kilobytes, score, label))
        found[peer] = tuple(dots)
    return found


def draw_growth(results: Sequence[RowResult]) -> str:
    """Draw the CPU of JPEGs that differ in size only. Returns an empty string with fewer than two of them."""
    rows = [row for row in results if row.name in GROWTH]
    lines = {}
    for name in SHAPES:
        measured = [(row.pixels / 1e6, 1000 * row.measured[name].median) for row in rows if name in row.measured]
        if len(measured) > 1:
            lines[name] = tuple(Dot(x, y, f"{name}, {x:.0f} MP: {y:.0f} ms") for x, y in measured)
    panel = Panel("JPEG to half its sides", Axis("megapixels of the source"), Axis("CPU, ms"), lines)
    return draw("CPU by megapixels of each contestant", [panel], columns=1, height=380) if lines else ""
