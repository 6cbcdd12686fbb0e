"""What an image costs: known numbers give known dollars."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from imaging.budget import MIB, RUNTIME_BYTES
from tests.images import encoded, picture
from tools.benchmarks import cost
from tools.benchmarks.results import Measured, RowResult
from tools.common.paths import ROOT
from tools.common.pricing import Workload
from tools.imaging.quality import Quality

OURS = Workload("ours", cpu=0.1, gets=2, puts=1, moved=7_500_000, needed=100 * MIB)
CLASSIC = Workload("classic", cpu=0.4, gets=1, puts=1, moved=7_500_000, needed=300 * MIB)


@pytest.mark.parametrize(
    ("mib", "seconds"),
    # Three requests of 30 ms and 7.5 MB at 75 MB/s, and 0.1 s of so much of a processor.
    [(1769, 0.19 + 0.1), (3008, 0.19 + 0.1), (1769 // 4, 0.19 + 0.1 * 1769 / 442)],
)
def test_less_memory_makes_it_slower_and_more_than_a_processor_no_faster(mib: int, seconds: float) -> None:
    assert OURS.seconds(mib) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("mib", "architecture", "dollars"),
    [
        # 0.29 s of 1.7275 GiB; one invocation; two GETs and a PUT.
        (1769, "arm64", 0.29 * 1769 / 1024 * 13.3334 + 0.20 + 0.8 + 5),
        (1769, "x86_64", 0.29 * 1769 / 1024 * 16.6667 + 0.20 + 0.8 + 5),
        (3008, "arm64", 0.29 * 3008 / 1024 * 13.3334 + 0.20 + 0.8 + 5),
    ],
)
def test_the_price_of_a_million(mib: int, architecture: str, dollars: float) -> None:
    assert 1e6 * OURS.dollars(mib, architecture) == pytest.approx(dollars)


def test_a_millisecond_that_is_begun_is_billed_whole() -> None:
    longer = replace(OURS, cpu=0.1001)
    assert 1e6 * (longer.dollars(1769, "arm64") - OURS.dollars(1769, "arm64")) == pytest.approx(
        0.001 * 1769 / 1024 * 13.3334
    )


@pytest.mark.parametrize(("needed", "least"), [(0, 128), (100 * MIB, 220), (100 * MIB + 1, 221)])
def test_the_least_memory_is_what_is_needed_beside_the_runtime(needed: int, least: int) -> None:
    assert RUNTIME_BYTES == 120 * MIB
    assert replace(OURS, needed=needed).least_mib == least


def test_the_recommended_size_is_the_cheapest_that_fits_and_is_fast_enough() -> None:
    assert cost.recommended(OURS) == 1769
    assert cost.recommended(replace(OURS, cpu=0.7)) == 1769
    # What no size can do in time has the largest.
    assert cost.recommended(replace(OURS, cpu=5)) == 3008


def test_from_the_common_size_on_every_common_format_of_48_megapixels_fits() -> None:
    text = (ROOT / "docs" / "images.md").read_text()
    rows = re.findall(r"^\| (\d+) ((?:\| \d+ )+)\|$", text, re.MULTILINE)
    least = {int(memory): min(map(int, re.findall(r"\d+", cells))) for memory, cells in rows}
    assert min(memory for memory, megapixels in least.items() if megapixels >= 48) == cost.COMMON_MIB


def test_the_table_marks_the_least_and_the_recommended_size_and_prices_nothing_that_does_not_fit() -> None:
    (table,) = cost.tables([OURS, CLASSIC])
    sizes = {row[0]: row for row in table.rows}
    assert list(sizes) == ["220", "256", "420", "512", "1024", "1769", "3008"]
    assert table.columns[2:] == ("ours, arm64", "classic, arm64", "ours, x86_64", "classic, x86_64", *table.columns[6:])
    assert sizes["220"][1] == "the least for ours"
    assert sizes["420"][1] == "the least for classic"
    assert sizes["1769"][1] == "recommended"
    assert sizes["256"][3] == sizes["256"][5] == sizes["256"][7] == "-"
    assert sizes["1769"][2:] == ("12.68", "18.50", "14.35", "21.72", "290", "560")
    assert "2026-11-25" in table.note
    assert "Recommended: 1769 MiB" in table.note


def measured(cpu: float, peak: int) -> Measured:
    return Measured((cpu,), peak, (1000,), Quality(40.0, 0.97))


def test_only_the_row_of_12_megapixels_is_priced(tmp_path: Path) -> None:
    source = encoded(picture(400, 300))
    path = tmp_path / "source"
    path.write_bytes(source)
    both = {"ours": measured(0.05, 1), "classic": measured(0.25, 50 * MIB), "sharp": measured(0.1, 1)}
    row = RowResult(cost.ROW, "JPEG", len(source), (), both, {}, ())

    def workloads(one: RowResult) -> list[Workload]:
        return list(cost.workloads([one], {one.name: path}))

    ours, classic = workloads(row)
    assert (ours.name, ours.cpu, ours.gets, ours.moved) == ("ours", 0.05, 2, len(source) + 1000)
    assert (classic.name, classic.cpu, classic.gets) == ("classic", 0.25, 1)
    assert classic.needed == 50 * MIB + len(source)
    # The budget predicts it: at least the halved pixels, decoded and encoded.
    assert 200 * 150 * 8 < ours.needed < MIB
    assert workloads(replace(row, name="webp")) == []
    assert cost.tables([]) == []
