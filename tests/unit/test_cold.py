"""The benchmark of the cold start."""

import sys
from pathlib import Path

import pytest

from tools.benchmarks import cold
from tools.benchmarks.cold import Cold, Import
from tools.common.errors import ToolError

COLD = Cold(
    cpu={"ours": (0.2, 0.3, 0.2), "ours without .pyc": (0.5, 0.5, 0.5), "plain": (0.25, 0.5, 0.4)},
    imports=(Import("botocore.config", 0.001, 0.1),),
    zips=(("python3.13, arm64", "without", "8,000,001"),),
)


def report(scale: int) -> str:
    """Return Python's report of imports, one of them before the handler's."""
    return f"""\
import time: self [us] | cumulative | imported package
import time:      {9 * scale} |       {9 * scale} | before
{cold.MARK}
import time:      {100 * scale} |       {100 * scale} |   inner
import time:      {200 * scale} |       {300 * scale} | outer.module
"""


def test_the_handlers_imports_are_medians_with_the_slowest_first() -> None:
    outer, inner = cold.parse_imports([report(1), report(3), report(2)])
    assert (outer.name, inner.name) == ("outer.module", "inner")
    assert (outer.own, outer.total, inner.own, inner.total) == pytest.approx((0.0004, 0.0006, 0.0002, 0.0002))


def test_the_tables_compare_starts_round_by_round_and_list_imports_and_zips() -> None:
    starts, imports, zips = COLD.tables()
    assert starts.rows[0] == ("ours", "200", "200", "300", "0.60 (0.46-0.80)")
    assert starts.rows[2] == ("plain", "400", "250", "500", "1")
    assert imports.rows == (("botocore.config", "1.0", "100.0"),)
    assert zips.rows == COLD.zips


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a handler that imports ``colorsys``, and a stand-in for AWS's runtime client that imports ``json``."""
    (tmp_path / "awslambdaric").mkdir()
    (tmp_path / "awslambdaric" / "__init__.py").write_text("")
    (tmp_path / "awslambdaric" / "bootstrap.py").write_text("import json")
    (tmp_path / "own.py").write_text("import colorsys, json\ndef handler(event, context): pass\n")
    monkeypatch.setattr(cold, "ENVIRONMENT", {"PYTHONPATH": str(tmp_path)})
    return tmp_path


def test_imports_of_the_runtime_client_are_not_measured(runtime: Path) -> None:
    handler = cold.Handler(runtime, "own.handler")
    assert handler.start(Path(sys.executable)) > 0
    imported = {one.name for one in cold.parse_imports([handler.import_times(Path(sys.executable))])}
    assert {"own", "colorsys"} <= imported
    assert "json" not in imported


def test_a_handler_that_does_not_start_is_reported_in_one_line(runtime: Path) -> None:
    with pytest.raises(ToolError, match=r"^The handler other\.handler does not start: ModuleNotFoundError: .*'other'$"):
        cold.Handler(runtime, "other.handler").start(Path(sys.executable))
