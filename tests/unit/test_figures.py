"""The benchmark's figures."""

import re
import xml.etree.ElementTree as ET

import pytest

from tools.benchmarks import figures
from tools.benchmarks.equal import Curve, Point
from tools.benchmarks.judge import Quality
from tools.benchmarks.plot import Axis, Dot, Panel, draw
from tools.benchmarks.results import Measured, RowResult

SVG = "{http://www.w3.org/2000/svg}"


def parse(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314 - ours


def read_labels(drawing: str) -> list[str]:
    """Return the descriptions of the dots, without those of the legend."""
    return [str(title.text) for path in parse(drawing).iter(f"{SVG}path") for title in path if ": " in str(title.text)]


@pytest.mark.parametrize(
    ("axis", "values", "ticks"),
    [
        (Axis("MP"), [2, 48], [0, 10, 20, 30, 40, 50]),
        (Axis("score"), [51.5, 88], [50, 60, 70, 80, 90]),
        (Axis("score"), [66.2, 79.3], [65, 70, 75, 80]),
        (Axis("KB", is_logarithmic=True), [11, 260], [10, 20, 50, 100, 200, 500]),
        (Axis("KB", is_logarithmic=True), [0.02, 0.1], [0.02, 0.05, 0.1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(axis: Axis, values: list[float], ticks: list[float]) -> None:
    assert axis.ticks(values) == pytest.approx(ticks)


def test_dots_are_where_the_axes_put_them() -> None:
    dots = (Dot(1, 0, "a: first"), Dot(10, 5, "a: second"), Dot(100, 10, "a: third"))
    drawing = draw(
        "Title", [Panel("One", Axis("x", is_logarithmic=True), Axis("y"), {"ours": dots})], columns=1, height=200
    )
    (line,) = parse(drawing).iter(f"{SVG}polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    (left, bottom), (middle, centre), (right, top) = points
    assert middle == pytest.approx((left + right) / 2)
    assert centre == pytest.approx((bottom + top) / 2)
    assert left < right
    assert top < bottom
    assert "prefers-color-scheme: dark" in drawing


def test_the_quality_figure_has_a_panel_for_each_kind_and_format_and_a_dot_for_each_setting() -> None:
    def make(image_format: str, image: str, size: int) -> Curve:
        points = (Point(50, size, 60.0), Point(60, 2 * size, 70.0))
        return Curve(image_format, "photo", image, "ours", points)

    drawing = figures.draw_quality([make("JPEG", "a", 1000), make("JPEG", "b", 4000), make("AVIF", "a", 500)])
    assert re.findall(r'class="title"[^>]*>([^<]*)', drawing) == ["JPEG, photo", "AVIF, photo"]
    assert read_labels(drawing) == [
        "ours, quality 50: 2.0 KB, 60.0",
        "ours, quality 60: 4.0 KB, 70.0",
        "ours, quality 50: 0.5 KB, 60.0",
        "ours, quality 60: 1.0 KB, 70.0",
    ]
    assert figures.draw_quality([]) == ""


def test_the_cpu_figure_has_the_rows_that_differ_in_size_only() -> None:
    def make(name: str, pixels: int, cpu: float) -> RowResult:
        measured = {
            "ours": Measured((cpu,), 1, (1,), Quality(40, 1)),
            "parts": Measured((1,), 1, (1,), Quality(40, 1)),
        }
        return RowResult(name, name, 1, pixels, measured, {}, {})

    rows = [make("jpeg-2mp", 2_000_000, 0.01), make("jpeg-12mp", 12_000_000, 0.04), make("jpeg-444", 12_000_000, 0.1)]
    assert read_labels(figures.draw_growth(rows)) == ["ours, 2 MP: 10 ms", "ours, 12 MP: 40 ms"]
    assert figures.draw_growth(rows[1:]) == ""
