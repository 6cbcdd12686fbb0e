"""The benchmark of a cold start: its figures are of the handlers, and what Python reports is read rightly."""

import sys
from pathlib import Path

import pytest

from tools.benchmarks import cold, cold_tables, run
from tools.benchmarks.results import Cold, Import, Zip
from tools.common.errors import ToolError

COLD = Cold(
    cpu={"ours": (0.2, 0.3, 0.2), "ours without .pyc": (0.5, 0.5, 0.5), "plain": (0.25, 0.5, 0.4)},
    imports=(Import("botocore.config", 0.001, 0.1),),
    plugins=("Jpeg", "Png"),
    beyond=("fractions",),
    spared=("boto3",),
    zips=(Zip("python3.13, arm64", 8_000_001, False), Zip("python3.13, x86_64", 8_000_000, True)),
)


def report(scale: int) -> str:
    """What Python reports of imports, with those before the handler's."""
    return f"""\
import time: self [us] | cumulative | imported package
import time:      {9 * scale} |       {9 * scale} | before
{cold.MARK}
import time:      {100 * scale} |       {100 * scale} |   inner
import time:      {200 * scale} |       {300 * scale} | outer.module
"""


def test_imports_are_medians_of_what_follows_the_mark_the_costliest_first() -> None:
    outer, inner = cold.imports([report(1), report(3), report(2)])
    assert (outer.name, inner.name) == ("outer.module", "inner")
    assert (outer.own, outer.total, inner.own, inner.total) == pytest.approx((0.0004, 0.0006, 0.0002, 0.0002))


def test_a_ratio_is_of_the_same_rounds() -> None:
    ratio = COLD.ratio("ours")
    assert (ratio.median, ratio.lowest, ratio.highest) == pytest.approx((0.6, 0.5, 0.8))


def test_the_tables_have_the_ratio_its_verdict_and_the_verdict_on_the_zips() -> None:
    starts, imports, zips = cold_tables.tables(COLD)
    assert starts.rows[0] == ("ours", "200", "200", "300", "0.60 (0.50-0.80)")
    assert starts.rows[2] == ("plain", "400", "250", "500", "1")
    assert "reached" in starts.note
    assert "Jpeg, Png" in starts.note
    assert imports.rows == (("botocore.config", "1.0", "100.0"),)
    assert zips.rows[0] == ("python3.13, arm64", "without", "short by 1", "8,000,001")
    assert zips.rows[1] == ("python3.13, x86_64", "with", "reached", "8,000,000")


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A folder with a handler, and what stands for AWS's runtime client."""
    (tmp_path / "awslambdaric").mkdir()
    (tmp_path / "awslambdaric" / "__init__.py").write_text("")
    (tmp_path / "awslambdaric" / "bootstrap.py").write_text("import json")
    (tmp_path / "own.py").write_text("import colorsys, json\ndef handler(event, context): pass\n")
    return tmp_path


def test_a_start_is_measured_from_the_handlers_import_on(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "ENVIRONMENT", {"PYTHONPATH": str(runtime)})
    handler = cold.Handler(runtime, "own.handler")
    start = handler.start(Path(sys.executable))
    assert start.cpu > 0
    assert {"own", "colorsys"} <= set(start.modules)
    assert "json" not in start.modules
    assert "own" in {one.name for one in cold.imports([handler.import_times(Path(sys.executable))])}


def test_a_handler_that_does_not_start_is_one_line(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "ENVIRONMENT", {"PYTHONPATH": str(runtime)})
    with pytest.raises(ToolError, match=r"^The handler other\.handler does not start: ModuleNotFoundError: .*'other'$"):
        cold.Handler(runtime, "other.handler").start(Path(sys.executable))


def test_rows_and_a_document_are_not_asked_for_with_it() -> None:
    for only, quick, write in (("webp", False, False), ("", True, False), ("", False, True)):
        with pytest.raises(ToolError, match=r"^--cold has no rows"):
            run.run_cold(only, 1, print, quick=quick, write=write)
