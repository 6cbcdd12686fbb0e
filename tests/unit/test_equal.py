"""The benchmark's comparison of encoders at equal quality and at equal bytes."""

import pytest

from tools.benchmarks import equal
from tools.benchmarks.equal import Curve, Point


def make_curve(peer: str, *points: tuple[int, float], image: str = "a", kind: str = "photo") -> Curve:
    return Curve("JPEG", kind, image, peer, tuple(Point(10 * n, size, score) for n, (size, score) in enumerate(points)))


SHARP = make_curve("sharp", (100, 50), (200, 60), (400, 70))


def test_half_the_bytes_at_every_score() -> None:
    ours = make_curve("ours", (50, 50), (100, 60), (200, 70))
    assert equal.divide_bytes(ours, SHARP) == pytest.approx(0.5)
    # Twice the bytes score 10 more.
    assert equal.subtract_scores(ours, SHARP) == pytest.approx(10)
    assert equal.divide_bytes(SHARP, ours) == pytest.approx(2)
    assert equal.subtract_scores(SHARP, ours) == pytest.approx(-10)


def test_only_the_common_range_counts() -> None:
    # Equal from 55 to 70; above, SHARP has no point to compare with.
    ours = make_curve("ours", (141, 55), (400, 70), (401, 90))
    assert equal.divide_bytes(ours, SHARP) == pytest.approx(1, rel=2e-3)
    assert equal.divide_bytes(make_curve("ours", (100, 71), (200, 80)), SHARP) is None
    assert equal.subtract_scores(make_curve("ours", (10, 50), (20, 90)), SHARP) is None


def test_the_mean_weighs_each_part_of_the_range_by_its_length() -> None:
    # From 50 to 60 the bytes rise from equal to double, from 60 to 70 they fall back.
    ours = make_curve("ours", (100, 50), (400, 60), (401, 70))
    assert equal.divide_bytes(ours, SHARP) == pytest.approx(2**0.5, rel=2e-3)
    # A further point on a straight line changes nothing.
    finer = make_curve("ours", (100, 50), (200, 55), (400, 60), (401, 70))
    assert equal.divide_bytes(finer, SHARP) == pytest.approx(equal.divide_bytes(ours, SHARP))


def test_a_setting_that_costs_bytes_and_gains_nothing_is_left_out() -> None:
    ours = make_curve("ours", (100, 50), (300, 49), (200, 60), (400, 70))
    assert equal.divide_bytes(ours, SHARP) == pytest.approx(1, rel=2e-3)


def test_the_tables_sum_up_the_images_of_a_kind() -> None:
    curves = [
        *(make_curve("ours", (size, 50), (2 * size, 60), image=str(size)) for size in (100, 110, 120)),
        *(make_curve("sharp", (100, 50), (200, 60), image=str(size)) for size in (100, 110, 120)),
        make_curve("ours", (100, 90), (200, 95), kind="chart"),
        make_curve("sharp", (100, 50), (200, 60), kind="chart"),
        make_curve("usual", (100, 90), (400, 100), kind="chart"),
    ]
    sizes, scores = equal.tabulate(curves)
    assert sizes.columns == ("image", "/ sharp", "/ usual")
    assert sizes.rows == (("JPEG, photo", "1.10 (1.00 to 1.20)", "-"), ("JPEG, chart", "-", "1.00"))
    assert scores.columns == ("image", "- sharp", "- usual")
    assert scores.rows[0] == ("JPEG, photo", "-1.4 (-2.6 to +0.0)", "-")
