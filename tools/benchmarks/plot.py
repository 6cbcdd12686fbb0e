"""Draws CPU against the classic handler as SVG, in colours that are readable on light and on dark."""

import math
from collections.abc import Iterator
from html import escape

from tools.benchmarks.results import OURS, Report, RowResult

WIDTH, LEFT, RIGHT, TOP, STEP = 860, 190, 30, 64, 26
MARKS = {OURS: "#e5484d", "sharp": "#3b82f6", "pyvips": "#12a594", "limit": "#b07d00"}
"""Who is shown beside the classic handler, and in which colour."""

TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.axis { fill: #57606a; text-anchor: middle } .row { text-anchor: end }
line { stroke: #d0d7de } .one { stroke: #57606a; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .axis { fill: #9198a1 } line { stroke: #3d444d } .one { stroke: #9198a1 }
}
"""


def svg(report: Report) -> str:
    """The plot; a contestant whose answer is wrong is hollow, and a row that has no measure is left out."""
    rows = [row for row in report.rows if _ratios(row)]
    found = [ratio for row in rows for ratio in _ratios(row).values()]
    scale = Scale(min([*found, 0.5]), max([*found, 1.0]))
    height = TOP + STEP * len(rows) + 40
    body = [*_legend(), *scale.lines(TOP, height - 40)]
    for number, row in enumerate(rows):
        body += _row(row, scale, TOP + STEP * number + STEP // 2)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    title = "<title>CPU seconds by those of the classic handler, logarithmic; less is better</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *body, "</svg>", ""])


class Scale:
    """A logarithmic axis that holds everything from ``low`` to ``high``."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.log(low / 1.2), math.log(high * 1.2)

    def x(self, ratio: float) -> float:
        """Where a ratio is."""
        share = (math.log(ratio) - self._low) / (self._high - self._low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def lines(self, top: float, bottom: float) -> Iterator[str]:
        """The grid and its figures."""
        for tick in TICKS:
            if self._low <= math.log(tick) <= self._high:
                x = self.x(tick)
                kind = ' class="one"' if tick == 1 else ""
                yield f'<line{kind} x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
                yield f'<text class="axis" x="{x:.1f}" y="{bottom + 20}">{tick:g}</text>'


def _ratios(row: RowResult) -> dict[str, float]:
    """CPU by the classic handler's, of those that are shown; none where it did only a part of the work."""
    classic = row.measured.get("classic")
    if classic is None or classic.quality.is_partial:
        return {}
    return {name: row.measured[name].median / classic.median for name in MARKS if name in row.measured}


def _row(row: RowResult, scale: Scale, y: float) -> Iterator[str]:
    yield f'<text class="row" x="{LEFT - 14}" y="{y + 4:.1f}">{escape(row.title)}</text>'
    # Ours is drawn last, on top.
    for name, ratio in reversed(_ratios(row).items()):
        hollow = bool(row.measured[name].quality.fault)
        yield _mark(name, scale.x(ratio), y, f"{name}: {ratio:.2f}", hollow=hollow)


def _legend() -> Iterator[str]:
    yield f'<text x="{LEFT}" y="20">CPU by the classic handler\'s (1), logarithmic; less is better</text>'
    for number, name in enumerate(MARKS):
        x = LEFT + 8 + 110 * number
        yield _mark(name, x, 42, name, hollow=False)
        yield f'<text x="{x + 14}" y="46">{name}</text>'


def _mark(name: str, x: float, y: float, label: str, *, hollow: bool) -> str:
    """A shape of its own for each, so that no colour has to be told from another."""
    paths = {
        OURS: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
        "sharp": "M-5 -5h10v10h-10z",
        "pyvips": "M0 -7l7 7l-7 7l-7 -7z",
        "limit": "M-6 5h12l-6 -11z",
    }
    colour = MARKS[name]
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    place = f'transform="translate({x:.1f} {y:.1f})"'
    return f'<path d="{paths[name]}" {place} {paint}><title>{escape(label)}</title></path>'
