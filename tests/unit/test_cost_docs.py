"""docs/cost.md: known prices give what is worked out by hand, and the document says what the arithmetic gives."""

import re
from pathlib import Path

import pytest

from tools import cost_docs, marks, scale
from tools.benchmarks import pricing
from tools.benchmarks.pricing import Workload
from tools.benchmarks.rows import ROWS
from tools.cost_docs import Handling
from tools.errors import ToolError

PROSE = " ".join(cost_docs.DOCUMENT.read_text().split())
IMAGE = Workload("ours", cpu=0.06, gets=2, puts=1, moved=7_500_000, needed=1)
"""0.06 s, three requests of 30 ms, and 0.1 s of network: a quarter of a second."""


def test_a_million_uploads_by_their_parts() -> None:
    time, calls, reading, writing, logs = Handling(IMAGE).parts()
    assert time == pytest.approx(0.25 * 1769 / 1024 * 13.3334)
    assert (calls, reading, writing) == pytest.approx((0.2, 0.8, 5))
    assert logs == pytest.approx(scale.LOG_BYTES / 1000 * 0.5)
    assert Handling(IMAGE).total() == pytest.approx(time + calls + reading + writing + logs)


def test_each_of_several_calls_is_paid_for() -> None:
    assert Handling(IMAGE, calls=3).parts() == pytest.approx([3 * part for part in Handling(IMAGE).parts()])


def test_memory_and_processor_change_nothing_but_the_time() -> None:
    time, *others = Handling(IMAGE).parts(mib=3008, architecture="x86_64")
    assert time == pytest.approx(0.25 * 3008 / 1024 * 16.6667)
    assert others == pytest.approx(Handling(IMAGE).parts()[1:])


def test_the_log_has_a_line_of_ours_with_every_output() -> None:
    lambdas = Workload("classic", cpu=0, gets=1, puts=3, moved=0, needed=0)
    of_lambda, one = Handling(lambdas).log_bytes, Handling(IMAGE).log_bytes
    three = Handling(Workload("ours", cpu=0, gets=2, puts=3, moved=0, needed=0)).log_bytes
    assert of_lambda < one == scale.LOG_BYTES
    longer = '{"key": "photos/2026/11/26/resized-cake.jpg", "width": 2000, "height": 1500, "bytes": 328869}, '
    assert three - one == 2 * len(longer)


def test_the_images_are_those_of_the_benchmarks() -> None:
    assert set(scale.SOURCES) <= {row.title for row in ROWS}
    three = cost_docs.usual(cost_docs.THREE, puts=3)
    assert (three.image.gets, three.image.puts) == (1, 3)
    assert three.image.moved > scale.SOURCE_BYTES
    with pytest.raises(ToolError, match="does not say what AVIF took of limit: run"):
        scale.measured(image="AVIF", who="limit")


def test_what_a_million_cost_is_what_other_documents_say() -> None:
    in_all = cost_docs.ours().total()
    assert in_all == pytest.approx(scale.bill(scale.measured(), 1e6).total)
    assert in_all - cost_docs.ours().parts()[-1] == pytest.approx(1e6 * scale.measured().dollars(1769, "arm64"))


def test_what_a_setting_changes_by_hand() -> None:
    found = {(row[0].strip("`"), row[1].partition(";")[0]): float(row[2]) for row in cost_docs.settings().rows}
    output_gb = (scale.measured().moved - scale.SOURCE_BYTES) / 1e3
    by_hand = {
        ('trigger = "eventbridge"', "its events"): 1,
        ("keys of yours, buckets of yours without bucket keys", "two requests to KMS an image"): 6,
        ("the same with bucket keys", "at best"): 0.06,
        ('storage_class = "STANDARD_IA"', "once, to write"): 5,
        ("the same", "a month"): output_gb * (0.0125 - 0.023),
        ("log_retention_days = 365", "not 30"): scale.LOG_BYTES / 1e3 * 0.03 * (365 / 30 - 1),
        ("monitoring = { enabled = false }", "a month: 12 metrics, 7 alarms, 1 dashboard"): -7.3,
        ("a lifecycle rule in a bucket of yours that removes uploads", "a month"): -scale.SOURCE_BYTES / 1e3 * 0.023,
    }
    assert {key: found[key] for key in by_hand} == pytest.approx(by_hand, abs=0.005)
    assert len(found) == len(by_hand) + 3


def test_an_attacker_is_capped_by_environments() -> None:
    rows = {row[0]: row[1:] for row in cost_docs.worst().rows}
    # 90 ms for a tiny image: 40,000 an hour of each environment.
    assert rows["10"][0] == "0.4"
    assert float(rows["10"][1]) == pytest.approx(10 * 3600 * 1769 / 1024 * 13.3334e-6, abs=0.005)
    each = 0.09 * 1769 / 1024 * 13.3334 + 0.2 + 0.8 + 2 * 5 + scale.LOG_BYTES / 1000 * 0.5
    assert float(rows["10"][2]) == pytest.approx(0.4 * each, abs=0.005)


@pytest.mark.parametrize("part", cost_docs.sections())
def test_a_table_is_what_the_code_gives(part: str) -> None:
    begin, end = marks.places(part)
    stands = cost_docs.DOCUMENT.read_text().partition(begin)[2].partition(end)[0].strip()
    assert stands == cost_docs.sections()[part], "run `invoke docs`"


def test_only_a_document_that_changes_is_written(tmp_path: Path) -> None:
    path = tmp_path / "cost.md"
    path.write_text(cost_docs.DOCUMENT.read_text())
    assert cost_docs.renew(path) == []
    path.write_text(re.sub(r"\d", "7", path.read_text()))
    assert cost_docs.renew(path) == [path]


def test_what_is_said_beside_the_tables_is_so() -> None:
    ours, usual = cost_docs.ours(), cost_docs.usual()
    time, _, reading, writing, _ = ours.parts()
    assert writing / ours.total() == pytest.approx(1 / 2, abs=0.05)
    assert writing > time > reading
    assert ours.image.cpu < ours.image.seconds(scale.MEMORY_MIB) / 2
    assert "**Writing is half of it**" in PROSE

    assert usual.total() > ours.total()
    assert usual.parts()[2] < reading
    assert usual.image.cpu / ours.image.cpu == pytest.approx(5, abs=0.5)
    assert "takes five times the CPU" in PROSE

    assert time / ours.parts(architecture="x86_64")[0] == pytest.approx(4 / 5, abs=0.01)
    assert "costs a fifth less for the time" in PROSE
    assert ours.total(512) < ours.total() < ours.total(3008)
    assert "More than 1769 MiB only costs more" in PROSE
    assert pricing.S3_IA_GB_MONTH < pricing.S3_GB_MONTH
