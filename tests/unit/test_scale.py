"""docs/scale.md: the arithmetic gives what is worked out by hand, and the document says what the arithmetic gives."""

import json
import logging
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outcomes import ObjectAddress
from reconcile import Reconciler
from renditions import Rendition
from settings import Limits, MetadataPolicy, Settings
from tests.images import encoded, picture
from tests.unit.simulation import Client, Store
from tools import marks, quotas, scale, scale_docs
from tools.benchmarks import cost, pricing
from tools.benchmarks.pricing import Workload
from tools.errors import ToolError

PROSE = " ".join(scale_docs.DOCUMENT.read_text().split())
IMAGE = Workload("ours", cpu=0.06, gets=2, puts=1, moved=7_500_000, needed=1)
"""0.06 s, three requests of 30 ms, and 0.1 s of network: a quarter of a second; three of 200 ms make it 0.76."""


# --- the image


def test_the_image_is_the_one_of_the_benchmarks() -> None:
    image = scale.measured()
    row = re.search(
        rf"^\| {scale.MEMORY_MIB} \|[^|]*\| ([\d.]+) \|.* (\d+) \| \d+ \|$", scale.BENCHMARKS.read_text(), re.MULTILINE
    )
    assert row
    assert f"{1e6 * image.dollars(scale.MEMORY_MIB, scale.ARCHITECTURE):.2f}" == row[1]
    assert f"{1000 * scale.seconds(image):.0f}" == row[2]


def test_a_document_without_the_image_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text("| JPEG, 2 MP | ours |  | 13.4 | 10.1 | 14.2 | 5 | 69,085 | 35.50 | 1 |\n")
    with pytest.raises(ToolError, match=r"benchmarks\.md does not say .*: run `invoke bench --write`$"):
        scale.measured(tmp_path / "benchmarks.md")


def test_the_function_makes_as_many_requests_and_logs_no_more_than_is_priced(caplog: pytest.LogCaptureFixture) -> None:
    store, calls = Store(versioned=True), list[None]()
    store.change("cake.jpg", encoded(picture()))
    api: Any = Client(store, lambda: calls.append(None))
    renditions = (Rendition("resized", scale=0.5),)
    settings = Settings("in", "out", "", renditions, MetadataPolicy.COPYRIGHT, Limits(512 << 20))
    with caplog.at_level(logging.INFO):
        Reconciler(s3=api, sqs=lambda: api, settings=settings).reconcile(
            ObjectAddress("in", "cake.jpg"), lambda: math.inf
        )
    image = scale.measured()
    assert len(calls) == image.gets + image.puts
    (record,) = caplog.records
    plain = set(vars(logging.makeLogRecord({})))
    logged = {name: value for name, value in vars(record).items() if name not in plain | {"message", "asctime"}}
    of_every_line = {"timestamp", "level", "message", "logger", "requestId"}
    assert logged.keys() == scale.WRITTEN.keys() - of_every_line
    assert (record.getMessage(), record.name) == (scale.WRITTEN["message"], scale.WRITTEN["logger"])
    # The keys and numbers here are shorter ones.
    priced = {name: scale.WRITTEN[name] for name in logged}
    assert len(json.dumps(priced)) / 2 < len(json.dumps(logged)) <= len(json.dumps(priced))


# --- the arithmetic


def test_a_slow_answer_makes_each_request_slower() -> None:
    assert scale.seconds(IMAGE) == pytest.approx(0.25)
    assert scale.seconds(scale.slowed(IMAGE)) == pytest.approx(0.76)


def test_each_quota_is_reached_where_it_is_used_up_and_the_lowest_comes_first() -> None:
    found = scale.ceilings(IMAGE)
    assert [(one.quota, round(one.rate, 6)) for one in found] == [
        (quotas.CONCURRENCY, round(1_000 / 0.76, 6)),
        (quotas.GETS, 5_500 / 2),
        (quotas.PUTS, 3_500),
        (quotas.CONCURRENCY, 1_000 * 4),
        (quotas.PUT_LOGS, 5_000),
        (quotas.MAPPING, 1_250 * 4),
        (quotas.EVENTBRIDGE, 18_750),
        (quotas.KMS, 50_000),
        (quotas.KMS, 5_000_000),
    ]
    assert [one.quota for one in found if one.is_given] == [quotas.CONCURRENCY, quotas.GETS, quotas.PUTS]


@pytest.mark.parametrize(
    ("gigabytes", "dollars"),
    [(0, 0), (1, 0.5), (10_000, 5_000), (10_001, 5_000.25), (40_000, 11_000), (60_000, 12_500)],
)
def test_logs_grow_cheaper_by_tiers(gigabytes: float, dollars: float) -> None:
    assert scale.log_dollars(gigabytes) == pytest.approx(dollars)


def test_the_bill_of_a_million() -> None:
    found = scale.bill(IMAGE, 1e6, months=2)
    assert found.function == pytest.approx(0.20 + 0.25 * 1769 / 1024 * 13.3334)
    assert found.requests == pytest.approx(5 + 2 * 0.4)
    assert found.logs == pytest.approx(scale.LOG_BYTES / 1000 * 0.5)
    assert found.watching == pytest.approx(2 * (scale.METRICS * 0.3 + scale.ALARMS * 0.1 + 3))
    assert found.total == found.function + found.requests + found.logs + found.watching


def test_a_backlog_is_worked_off_by_all_at_once() -> None:
    assert scale.worked_off(1_000, at_once=10, each=0.25) == pytest.approx(25)


def test_the_first_loss_is_whose_turn_comes_too_late() -> None:
    # One after the other, in order: 3 a second come, 2 a second are done.
    free, number = 0.0, 0
    while max(free, number / 3) - number / 3 <= quotas.EVENT_AGE.value:
        free = max(free, number / 3) + 1 / 2
        number += 1
    assert scale.first_loss(3, at_once=1, each=1 / 2) == pytest.approx(number / 3, abs=2)


def test_a_listing_is_page_after_page() -> None:
    listing = scale.Listing(10_001)
    assert listing.requests == 11
    assert listing.seconds == pytest.approx(11 * 0.2)
    assert listing.dollars == pytest.approx(11 * 5e-6)
    assert replace(listing, at_once=10).seconds == pytest.approx(0.22)


def test_a_job_takes_twenty_billion_objects() -> None:
    assert scale.jobs(20 * 10**9) == 1
    assert scale.jobs(20 * 10**9 + 1) == 2
    assert scale.job_dollars(30 * 10**9) == pytest.approx(2 * 0.25 + 30_000)


# --- the document


@pytest.mark.parametrize("part", scale_docs.sections())
def test_a_table_is_what_the_code_gives(part: str) -> None:
    begin, end = marks.places(part)
    stands = scale_docs.DOCUMENT.read_text().partition(begin)[2].partition(end)[0].strip()
    assert stands == scale_docs.sections()[part], "run `invoke docs`"


def test_only_a_document_that_changes_is_written(tmp_path: Path) -> None:
    path = tmp_path / "scale.md"
    path.write_text(scale_docs.DOCUMENT.read_text())
    assert scale_docs.renew(path) == []
    path.write_text(re.sub(r"\d", "7", path.read_text()))
    assert scale_docs.renew(path) == [path]
    path.write_text("# Scale\n")
    with pytest.raises(ToolError, match=r"scale\.md must hold the lines <!-- rates: made by invoke docs --> and "):
        scale_docs.renew(path)


def test_what_is_to_be_set_grows_with_the_rate() -> None:
    table = scale_docs.rates(IMAGE)
    advice = {row[0]: row[table.columns.index("what to set")] for row in table.rows}
    # 76 at once are within the hundred that nobody may reserve; 760 are within the quota, and 7,600 are not.
    assert [advice[name] for name in ("1 a minute", "1", "10", "100")] == ["nothing"] * 4
    assert advice["1,000"] == "`function.reserved_concurrent_executions = 800`"
    assert advice["10,000"] == (
        "`function.reserved_concurrent_executions = 7600`, for which ask for 7,700, or, for a peak alone, a queue; "
        "keys of sources over 4 prefixes, of outputs over 3"
    )
    past = {row[0]: row[table.columns.index("past its default")] for row in table.rows}
    assert past["1,000"] == "none; 76 % of the nearest"
    assert past["10,000"] == "environments, GET of a prefix, PUT of a prefix"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2.0 min"), (600, "10 min"), (7_200, "2.0 h"), (172_800, "2.0 days")],
)
def test_a_duration_is_in_the_largest_unit_that_it_has_two_of(seconds: float, said: str) -> None:
    assert scale_docs._duration(seconds) == said


def test_every_figure_has_a_page_of_aws() -> None:
    assert len(quotas.ALL) > 15
    assert all(one.url.startswith("https://docs.aws.amazon.com/") for one in quotas.ALL)


def test_what_is_said_beside_the_tables_is_so() -> None:
    image, slow = scale.measured(), scale.slowed(scale.measured())
    nothing, reserved = (scale.reserve(image, rate) for rate in (100, 1_000))
    assert nothing <= quotas.UNRESERVED.value < reserved < quotas.CONCURRENCY.value
    assert "**Up to 100 a second there is nothing to set**" in PROSE

    usual, minute = scale.bill(image, 1e9), scale.bill(image, scale.MONTH_SECONDS / 60, months=1)
    assert usual.requests > usual.function > usual.logs
    assert scale.bill(slow, 1e9).function > usual.requests
    assert minute.watching > minute.total / 2
    assert "**Of cost, requests to S3 bite first, then Lambda**; S3 being slow, Lambda." in PROSE
    assert usual.logs / usual.total == pytest.approx(1 / 20, abs=0.01)
    assert "Logs are a twentieth" in PROSE

    assert f"what your environments do in {quotas.EVENT_AGE.value // 3600} hours" in PROSE
    assert "must not wait up to 5 minutes" in PROSE
    assert "up to 5 min" in quotas.EVENT_AGE.remark
    assert f"`message_retention_seconds = {quotas.RETENTION.value}`" in PROSE
    assert f"for {quotas.RETENTION.value // 86_400} days, and `invoke redrive`" in PROSE
    assert f"{scale_docs.BATCH} images an invocation must fit" in PROSE
    assert scale_docs.BATCH * scale.seconds(slow) < 120
    assert f"A reader can hold {quotas.IN_FLIGHT.value:,} at a time" in PROSE

    assert 2 * scale.Listing(100_000_000).seconds < 12 * 3600
    assert "To 100 million objects let it run." in PROSE
    assert pricing.S3_INVENTORY_OBJECT * quotas.LIST_KEYS.value == pytest.approx(pricing.S3_LIST / 2)
    assert "the first in up to two days, for half of the price" in PROSE
    assert quotas.INVENTORY_HOURS.value == 48
    assert scale.jobs(max(scale_docs.OBJECTS)) == 1
    assert "one job is enough" in PROSE
    assert f"takes {1000 * pricing.REQUEST_SECONDS:g} ms as given" in PROSE
    assert scale.MEMORY_MIB == cost.COMMON_MIB
