"""Draw the CPU of each contestant relative to the usual handler's as SVG, for light and dark pages."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from tools.benchmarks.job import OURS
from tools.benchmarks.results import RowResult

WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 860, 190, 30, 64, 26, 40

SHAPES = {
    OURS: ("#e5484d", "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z"),
    "sharp": ("#3b82f6", "M-5 -5h10v10h-10z"),
    "pyvips": ("#12a594", "M0 -7l7 7l-7 7l-7 -7z"),
    "thumbor": ("#8e4ec6", "M-6 -6l12 0l-6 11z"),
    "limit": ("#b07d00", "M-6 5h12l-6 -11z"),
}
"""Colour and path of each contestant. The paths differ for readers who can't tell the colours apart."""

TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.axis { fill: #57606a; text-anchor: middle } .row { text-anchor: end }
line { stroke: #d0d7de } .one { stroke: #57606a; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .axis { fill: #9198a1 } line { stroke: #3d444d } .one { stroke: #9198a1 }
}
"""


def draw(results: Sequence[RowResult]) -> str:
    """Draw the rows that the usual handler did in full. A contestant with a faulty output is hollow."""
    rows = [row for row in results if _compute_ratios(row)]
    ratios = [ratio for row in rows for ratio in _compute_ratios(row).values()]
    low, high = math.log(min([*ratios, 0.5]) / 1.2), math.log(max([*ratios, 1.0]) * 1.2)
    bottom = TOP + STEP * len(rows)

    def x(ratio: float) -> float:
        return LEFT + (math.log(ratio) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img">',
        "<title>CPU seconds relative to the usual handler's, logarithmic; less is better</title>",
        f"<style>{STYLE}</style>",
        *_draw_legend(),
    ]
    for tick in TICKS:
        if low <= math.log(tick) <= high:
            kind = ' class="one"' if tick == 1 else ""
            lines.append(f'<line{kind} x1="{x(tick):.1f}" y1="{TOP}" x2="{x(tick):.1f}" y2="{bottom}"/>')
            lines.append(f'<text class="axis" x="{x(tick):.1f}" y="{bottom + 20}">{tick:g}</text>')
    for number, row in enumerate(rows):
        y = TOP + STEP * number + STEP // 2
        lines.append(f'<text class="row" x="{LEFT - 14}" y="{y + 4:.1f}">{escape(row.title)}</text>')
        # Ours is the last, and so on top.
        for name, ratio in reversed(_compute_ratios(row).items()):
            hollow = bool(row.measured[name].quality.fault)
            lines.append(_draw_shape(name, x(ratio), y, f"{name}: {ratio:.2f}", hollow=hollow))
    return "\n".join([*lines, "</svg>", ""])


def _compute_ratios(row: RowResult) -> dict[str, float]:
    usual = row.measured.get("usual")
    if usual is None or usual.quality.is_partial:
        return {}
    return {name: row.measured[name].median / usual.median for name in SHAPES if name in row.measured}


def _draw_legend() -> Iterator[str]:
    yield f'<text x="{LEFT}" y="20">CPU relative to the usual handler\'s (1), logarithmic; less is better</text>'
    for number, name in enumerate(SHAPES):
        x = LEFT + 8 + 110 * number
        yield _draw_shape(name, x, 42, name, hollow=False)
        yield f'<text x="{x + 14}" y="46">{name}</text>'


def _draw_shape(name: str, x: float, y: float, label: str, *, hollow: bool) -> str:
    colour, path = SHAPES[name]
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    return f'<path d="{path}" transform="translate({x:.1f} {y:.1f})" {paint}><title>{escape(label)}</title></path>'
