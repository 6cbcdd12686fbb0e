"""Draw panels of lines as SVG, for light and dark pages; one colour and shape for each contestant."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tools.benchmarks.job import OURS

WIDTH, LEGEND, LEFT, GAP, TITLE, AXIS = 860, 34, 56, 14, 26, 44
"""Pixels: of the figure; above the panels; left of, right of, above and below each panel's lines."""

SHAPES = {
    OURS: ("#e5484d", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z"),
    "usual": ("#8b8d98", "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3z"),
    "sharp": ("#3b82f6", "M-4 -4h8v8h-8z"),
    "pyvips": ("#12a594", "M0 -6l6 6l-6 6l-6 -6z"),
    "thumbor": ("#8e4ec6", "M-5 -4h10l-5 9z"),
    "limit": ("#b07d00", "M-5 4h10l-5 -9z"),
}
"""Colour and path of each contestant. The paths differ for readers who can't tell the colours apart."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.axis { fill: #57606a } .middle { text-anchor: middle } .end { text-anchor: end } .title { font-weight: 600 }
line { stroke: #d8dee4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .axis { fill: #9198a1 } line { stroke: #30363d }
}
"""


@dataclass(frozen=True)
class Dot:
    """A measurement, and its description for a reader who points at it."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and whether its scale is logarithmic instead of linear."""

    title: str
    is_logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where the scale has a value, in units of its own."""
        return math.log10(value) if self.is_logarithmic else value

    def ticks(self, values: Sequence[float]) -> list[float]:
        """Return the numbers to print; the first and the last enclose the values."""
        low, high = min(values), max(values)
        if self.is_logarithmic:
            steps = [mantissa * 10.0**power for power in range(-3, 9) for mantissa in (1, 2, 5)]
        else:
            # Between three and seven steps.
            rough = (high - low or 1) / 6
            unit = 10.0 ** math.floor(math.log10(rough))
            step = min(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
            steps = [step * number for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
        first = max(number for number, step in enumerate(steps) if step <= low)
        last = min(number for number, step in enumerate(steps) if step >= high)
        return steps[first : last + 1]


@dataclass(frozen=True)
class Panel:
    """One diagram: the dots of each contestant, from left to right."""

    title: str
    x: Axis
    y: Axis
    lines: dict[str, tuple[Dot, ...]]


def draw(title: str, panels: Sequence[Panel], *, columns: int, height: int) -> str:
    """Draw panels in rows of ``columns``; ``height`` is that of a row in pixels."""
    width = WIDTH // columns
    rows = math.ceil(len(panels) / columns)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {LEGEND + rows * height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        *_draw_legend([name for name in SHAPES if any(name in panel.lines for panel in panels)]),
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        lines.append(f'<g transform="translate({column * width} {LEGEND + row * height})">')
        lines += [*_draw_panel(panel, width, height), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _draw_panel(panel: Panel, width: int, height: int) -> Iterator[str]:
    dots = [dot for line in panel.lines.values() for dot in line]
    across, up = panel.x.ticks([dot.x for dot in dots]), panel.y.ticks([dot.y for dot in dots])
    right, bottom = width - GAP, height - AXIS

    def x(value: float) -> float:
        low, high = panel.x.place(across[0]), panel.x.place(across[-1])
        return LEFT + (panel.x.place(value) - low) / (high - low) * (right - LEFT)

    def y(value: float) -> float:
        low, high = panel.y.place(up[0]), panel.y.place(up[-1])
        return bottom - (panel.y.place(value) - low) / (high - low) * (bottom - TITLE)

    yield f'<text class="title" x="{LEFT}" y="{TITLE - 10}">{escape(panel.title)}</text>'
    for tick in across:
        yield f'<line x1="{x(tick):.1f}" y1="{TITLE}" x2="{x(tick):.1f}" y2="{bottom}"/>'
        yield f'<text class="axis middle" x="{x(tick):.1f}" y="{bottom + 16}">{tick:g}</text>'
    for tick in up:
        yield f'<line x1="{LEFT}" y1="{y(tick):.1f}" x2="{right}" y2="{y(tick):.1f}"/>'
        yield f'<text class="axis end" x="{LEFT - 6}" y="{y(tick) + 4:.1f}">{tick:g}</text>'
    middle = (TITLE + bottom) // 2
    yield f'<text class="axis middle" x="{(LEFT + right) // 2}" y="{bottom + 34}">{escape(panel.x.title)}</text>'
    turn = f'transform="translate(16 {middle}) rotate(-90)"'
    yield f'<text class="axis middle" {turn}>{escape(panel.y.title)}</text>'
    # Ours is the last, and so on top.
    for name in reversed([name for name in SHAPES if name in panel.lines]):
        path = " ".join(f"{x(dot.x):.1f},{y(dot.y):.1f}" for dot in panel.lines[name])
        yield f'<polyline points="{path}" fill="none" stroke="{SHAPES[name][0]}" stroke-width="1.5"/>'
        for dot in panel.lines[name]:
            yield _draw_shape(name, x(dot.x), y(dot.y), dot.label)


def _draw_legend(names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        x = LEFT + 6 + 110 * number
        yield _draw_shape(name, x, 16, name)
        yield f'<text x="{x + 12}" y="20">{name}</text>'


def _draw_shape(name: str, x: float, y: float, label: str) -> str:
    colour, path = SHAPES[name]
    return (
        f'<path d="{path}" transform="translate({x:.1f} {y:.1f})" fill="{colour}"><title>{escape(label)}</title></path>'
    )
