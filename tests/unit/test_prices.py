"""Pricing, and the tables of docs/cost.md and docs/scale.md that follow from it."""

import math
import re
from dataclasses import replace

import pytest

from aws.destination import CONCURRENT_PUTS
from aws.outcomes import ObjectAddress
from aws.reconcile import Reconciler
from aws.settings import Settings
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tests.images import encode, picture
from tests.unit.simulation import Client, Store
from tools.common import pricing
from tools.common.paths import ROOT
from tools.common.pricing import Workload

COST, SCALE, BENCHMARKS = ((ROOT / "docs" / name).read_text() for name in ("cost.md", "scale.md", "benchmarks.md"))
MEMORY_MIB = 1769
SOURCE_BYTES = 2_246_416


def read_row(document: str, first: str) -> list[str]:
    """Return the cells of the table row that begins with ``first``."""
    (row,) = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", document, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


def read_workload() -> Workload:
    """Return the workload of both documents: a JPEG of 12 MP."""
    cpu = re.search(r"An image takes ([\d.]+) s of CPU, measured on", COST)
    output = re.search(r"^\| JPEG, 12 MP \| ours \|.*\| ([\d,]+) \|(?:[^|]*\|){2}$", BENCHMARKS, re.MULTILINE)
    assert cpu
    assert output
    moved = SOURCE_BYTES + int(output[1].replace(",", ""))
    return Workload(cpu=float(cpu[1]), gets=pricing.OUR_GETS, puts=1, moved=moved)


IMAGE = Workload(cpu=0.1, gets=2, puts=1, moved=7_500_000)


@pytest.mark.parametrize(
    ("mib", "seconds"),
    # Three requests of 30 ms, 7.5 MB at 75 MB/s, and 0.1 s of the CPU that the memory gives.
    [(1769, 0.19 + 0.1), (3008, 0.19 + 0.1), (1769 // 4, 0.19 + 0.1 * 1769 / 442)],
)
def test_cpu_is_slower_below_one_vcpu_and_no_faster_above(mib: int, seconds: float) -> None:
    assert IMAGE.seconds(mib) == pytest.approx(seconds)


def test_one_function_waits_once_for_up_to_four_puts() -> None:
    assert pricing.PUTS_AT_ONCE == CONCURRENT_PUTS == 4
    seconds = [replace(IMAGE, puts=puts).seconds(1769) for puts in (1, 4, 5)]
    assert seconds == pytest.approx([0.29, 0.29, 0.32])


@pytest.mark.parametrize(
    ("mib", "architecture", "dollars"),
    [
        # 0.29 s of 1.7275 GiB, one invocation, two GETs and a PUT.
        (1769, "arm64", 0.29 * 1769 / 1024 * 13.3334 + 0.20 + 0.8 + 5),
        (1769, "x86_64", 0.29 * 1769 / 1024 * 16.6667 + 0.20 + 0.8 + 5),
        (3008, "arm64", 0.29 * 3008 / 1024 * 13.3334 + 0.20 + 0.8 + 5),
    ],
)
def test_the_price_of_a_million(mib: int, architecture: str, dollars: float) -> None:
    assert 1e6 * IMAGE.dollars(mib, architecture) == pytest.approx(dollars)


def test_lambda_bills_every_started_millisecond() -> None:
    longer = replace(IMAGE, cpu=0.1001)
    assert 1e6 * (longer.dollars(1769, "arm64") - IMAGE.dollars(1769, "arm64")) == pytest.approx(
        0.001 * 1769 / 1024 * 13.3334
    )


@pytest.mark.parametrize(
    ("what", "price"),
    [
        ("Lambda, million GiB-seconds, arm64", 1e6 * pricing.GIB_SECOND["arm64"]),
        ("Lambda, million invocations", 1e6 * pricing.INVOCATION),
        ("S3, million PUT or LIST", 1e6 * pricing.S3_PUT),
        ("S3, million GET or HEAD", 1e6 * pricing.S3_GET),
        ("S3 Standard, GB and month", pricing.S3_GB_MONTH),
        ("S3 Batch Operations, job", pricing.BATCH_OPERATIONS_JOB),
        ("S3 Batch Operations, million objects", 1e6 * pricing.BATCH_OPERATIONS_OBJECT),
    ],
)
def test_documented_prices_are_the_tools_prices(what: str, price: float) -> None:
    assert float(read_row(COST, what)[-1]) == pytest.approx(price)
    assert f"Prices in {pricing.REGION}, as known on {pricing.PRICES_AS_KNOWN_ON}" in COST


def test_the_cost_of_a_million_uploads_follows_from_the_measured_cpu() -> None:
    image = read_workload()
    time = 1e6 * (image.lambda_dollars(MEMORY_MIB, "arm64") - pricing.INVOCATION)
    assert float(read_row(COST, "Lambda, time")[0]) == pytest.approx(time, abs=0.005)
    assert float(read_row(COST, "S3, reading")[0]) == pytest.approx(2e6 * pricing.S3_GET)
    assert float(read_row(COST, "S3, writing")[0]) == pytest.approx(1e6 * pricing.S3_PUT)
    parts = ("Lambda, time", "Lambda, calls", "S3, reading", "S3, writing", "logs")
    assert float(read_row(COST, "total")[0]) == pytest.approx(
        sum(float(read_row(COST, part)[0]) for part in parts), abs=0.011
    )


@pytest.mark.parametrize(
    ("option", "price"),
    [
        ("`events.eventbridge_bus_arn`", "EventBridge, million completion events of up to 64 KB"),
        ("`events.sns_topic_arn`", "SNS, million completion events of up to 64 KB"),
    ],
)
def test_a_completion_event_costs_its_price_and_the_wait(option: str, price: str) -> None:
    wait = 1e6 * pricing.REQUEST_SECONDS * MEMORY_MIB / 1024 * pricing.GIB_SECOND["arm64"]
    assert float(read_row(COST, option)[-1]) == pytest.approx(float(read_row(COST, price)[-1]) + wait, abs=0.005)


def test_the_cost_of_manifests_is_a_put_and_the_wait_for_it() -> None:
    waiting = pricing.REQUEST_SECONDS * MEMORY_MIB / 1024 * pricing.GIB_SECOND["arm64"]
    assert float(read_row(COST, "`manifest = true`")[-1]) == pytest.approx(1e6 * (pricing.S3_PUT + waiting), abs=0.005)


@pytest.mark.parametrize("formats", ['["jpeg"]', '["webp", "jpeg"]', '["avif", "webp", "jpeg"]'])
def test_the_cost_of_a_responsive_set_follows_from_its_outputs_bytes_and_cpu(formats: str) -> None:
    outputs, kilobytes, cpu, *costs = [float(cell.replace(",", "")) for cell in read_row(COST, f"`{formats}`")]
    one = read_workload()
    work = Workload(cpu * one.cpu, one.gets, int(outputs), SOURCE_BYTES + int(1000 * kilobytes))
    time, writing, logs, total, storage = costs
    assert time == pytest.approx(1e6 * (work.lambda_dollars(MEMORY_MIB, "arm64") - pricing.INVOCATION), abs=0.005)
    assert writing == pytest.approx(1e6 * outputs * pricing.S3_PUT)
    calls, reading = (float(read_row(COST, part)[0]) for part in ("Lambda, calls", "S3, reading"))
    assert total == pytest.approx(time + calls + reading + writing + logs, abs=0.005)
    assert storage == pytest.approx(kilobytes * pricing.S3_GB_MONTH, abs=0.006)
    # As for three renditions, each further output adds 90 bytes to a line.
    first, third = (float(cell) for cell in read_row(COST, "logs")[:2])
    assert logs == pytest.approx(first + (outputs - 1) * (third - first) / 2, abs=0.006)


def test_concurrency_at_a_rate_follows_from_the_seconds_of_an_image() -> None:
    at_once = 100 * read_workload().seconds(MEMORY_MIB)
    (row,) = re.findall(r"^\| 100 \| none; .*$", SCALE, re.MULTILINE)
    assert f"| {at_once:.1f} |" in row


def test_the_cost_of_an_attack_is_capped_by_concurrency() -> None:
    hour = 3600 * MEMORY_MIB / 1024 * pricing.GIB_SECOND["arm64"]
    for environments in (10, 100, 1_000):
        assert float(read_row(COST, f"{environments:,}")[1]) == pytest.approx(environments * hour, abs=0.005)


def test_the_function_makes_the_priced_number_of_requests() -> None:
    store, calls = Store(versioned=True), list[None]()
    store.change("cake.jpg", encode(picture()))
    api = Client(store, lambda: calls.append(None))
    renditions = (Rendition("resized", scale=0.5),)
    settings = Settings("in", "out", "", renditions, MetadataPolicy.COPYRIGHT, Limits(512 << 20))
    reconciler = Reconciler(api, settings)  # type: ignore[arg-type]
    reconciler.reconcile(ObjectAddress("in", "cake.jpg"), lambda: math.inf)
    assert len(calls) == pricing.OUR_GETS + 1
