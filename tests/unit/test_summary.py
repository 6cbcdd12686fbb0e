"""The README's table of the benchmark."""

from pathlib import Path

from tests.unit.test_equal import make_curve
from tools.benchmarks import summary
from tools.benchmarks.judge import Quality
from tools.benchmarks.results import Measured, RowResult
from tools.common.paths import ROOT


def make_row(name: str, title: str, sharp: Quality) -> RowResult:
    measured = {
        "ours": Measured((1,), 1, (110,), Quality(40, 1)),
        "usual": Measured((4,), 1, (100,), Quality(45, 1)),
        "sharp": Measured((2,), 1, (100,), sharp),
    }
    return RowResult(name, title, 1000, 100, measured, {}, {})


def test_bytes_and_quality_are_at_equal_terms_where_a_format_has_a_quality(tmp_path: Path) -> None:
    rows = [
        make_row("png-photo", "PNG, photo", Quality(1, 1, "is wrong")),
        make_row("jpeg-12mp", "JPEG", Quality(40, 1)),
    ]
    curves = [
        make_curve("ours", (50, 50), (100, 60), (200, 70)),
        make_curve("sharp", (100, 50), (200, 60), (400, 70)),
        make_curve("usual", (50, 50), (100, 60), (200, 70)),
    ]
    table = summary.summarize(rows, curves)
    assert table.columns[1:] == (
        "CPU / usual",
        "CPU / sharp",
        "bytes / usual",
        "bytes / sharp",
        "quality - usual",
        "quality - sharp",
    )
    assert table.rows == (
        ("JPEG", "0.25 (0.19-0.33)", "0.50 (0.38-0.65)", "1.00", "0.50", "+0.0", "+10.0"),
        ("PNG, photo", "0.25 (0.19-0.33)", "wrong", "1.10", "", "-5.0 dB", ""),
    )
    document = tmp_path / "README.md"
    document.write_text(f"before\n\n{summary.BEGIN}\n\n| older |\n\n{summary.END}\n\nafter\n")
    summary.write(document, table)
    assert document.read_text() == f"before\n\n{summary.BEGIN}\n\n{table.grid()}\n\n{summary.END}\n\nafter\n"


def test_the_readme_has_a_place_for_the_table_and_its_columns() -> None:
    text = (ROOT / "README.md").read_text()
    between = text.partition(summary.BEGIN)[2].partition(summary.END)[0]
    assert between.strip().splitlines()[:2] == summary.summarize([], []).grid().splitlines()
