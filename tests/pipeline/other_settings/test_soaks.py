"""The soaks of `invoke soak`, in small: a flaky S3 and a storm lose no upload."""

from tests.pipeline.conftest import Pipeline
from tests.pipeline.other_settings.conftest import TILE
from tests.soak import faults, storm


def test_no_upload_is_lost_while_one_request_in_five_goes_wrong(configured: Pipeline) -> None:
    result = faults.flaky(configured.stack, 40, rendition=TILE)
    ledger = result.ledger
    assert (ledger.lost, ledger.wrong) == (frozenset(), frozenset())
    # At that rate three attempts of three requests each rarely fail.
    assert len(ledger.images) >= 30


def test_no_upload_of_many_at_once_is_lost_though_only_two_may_be_handled_at_a_time(configured: Pipeline) -> None:
    ledger = storm.storm(configured.stack, 100, rounds=1, rendition=TILE).ledger
    assert len(ledger.images) == 100
    assert ledger.records == 0
