"""docs/cost.md and docs/scale.md: their tables agree with the tools' prices and measurements."""

import math
import re

import pytest

from aws.outcomes import ObjectAddress
from aws.reconcile import Reconciler
from aws.settings import Settings
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition
from tests.images import encoded, picture
from tests.unit.simulation import Client, Store
from tools.common import pricing
from tools.common.paths import ROOT
from tools.common.pricing import Workload

COST, SCALE, BENCHMARKS = ((ROOT / "docs" / name).read_text() for name in ("cost.md", "scale.md", "benchmarks.md"))
MEMORY_MIB = 1769
SOURCE_BYTES = 2_246_416


def cells(document: str, first: str) -> list[str]:
    """Return the cells of the one table row that starts with ``first``."""
    (row,) = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", document, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


def workload() -> Workload:
    """Return the workload of both documents: a JPEG of 12 MP."""
    cpu = re.search(r"An image takes ([\d.]+) s of CPU, measured on", COST)
    output = re.search(r"^\| JPEG, 12 MP \| ours \|.*\| ([\d,]+) \|(?:[^|]*\|){2}$", BENCHMARKS, re.MULTILINE)
    assert cpu
    assert output
    moved = SOURCE_BYTES + int(output[1].replace(",", ""))
    return Workload("ours", cpu=float(cpu[1]), gets=pricing.OUR_GETS, puts=1, moved=moved, needed=0)


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
def test_a_price_is_the_one_that_the_tools_use(what: str, price: float) -> None:
    assert float(cells(COST, what)[-1]) == pytest.approx(price)
    assert f"Prices in {pricing.REGION}, as known on {pricing.PRICES_AS_KNOWN_ON}" in COST


def test_a_million_uploads_cost_what_was_measured() -> None:
    image = workload()
    time = 1e6 * (image.lambda_dollars(MEMORY_MIB, "arm64") - pricing.INVOCATION)
    assert float(cells(COST, "Lambda, time")[0]) == pytest.approx(time, abs=0.005)
    assert float(cells(COST, "S3, reading")[0]) == pytest.approx(2e6 * pricing.S3_GET)
    assert float(cells(COST, "S3, writing")[0]) == pytest.approx(1e6 * pricing.S3_PUT)
    parts = ("Lambda, time", "Lambda, calls", "S3, reading", "S3, writing", "logs")
    assert float(cells(COST, "total")[0]) == pytest.approx(
        sum(float(cells(COST, part)[0]) for part in parts), abs=0.011
    )


def test_the_environments_of_a_rate_follow_from_the_seconds_of_an_image() -> None:
    at_once = 100 * workload().seconds(MEMORY_MIB)
    (row,) = re.findall(r"^\| 100 \| none; .*$", SCALE, re.MULTILINE)
    assert f"| {at_once:.1f} |" in row


def test_an_attacker_is_capped_by_environments() -> None:
    hour = 3600 * MEMORY_MIB / 1024 * pricing.GIB_SECOND["arm64"]
    for environments in (10, 100, 1_000):
        assert float(cells(COST, f"{environments:,}")[1]) == pytest.approx(environments * hour, abs=0.005)


def test_the_function_makes_as_many_requests_as_are_priced() -> None:
    store, calls = Store(versioned=True), list[None]()
    store.change("cake.jpg", encoded(picture()))
    api = Client(store, lambda: calls.append(None))
    renditions = (Rendition("resized", scale=0.5),)
    settings = Settings("in", "out", "", renditions, MetadataPolicy.COPYRIGHT, Limits(512 << 20))
    reconciler = Reconciler(s3=api, sqs=lambda: api, settings=settings)  # type: ignore[arg-type, return-value]
    reconciler.reconcile(ObjectAddress("in", "cake.jpg"), lambda: math.inf)
    assert len(calls) == pricing.OUR_GETS + 1
