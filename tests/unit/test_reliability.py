"""docs/reliability.md holds the last result of every soak."""

import re
from pathlib import Path

import pytest

from tests.soak import report
from tests.soak.run import SOAKS
from tools.common.errors import ToolError


@pytest.mark.parametrize("name", SOAKS)
def test_the_document_has_a_result_of_every_soak(name: str) -> None:
    found = report.row(name).search(report.DOCUMENT.read_text())
    assert found
    assert re.match(r"\d{4}-\d\d-\d\d: [\d,]+ ", found[1])


def test_a_result_replaces_the_last_one(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text("before\n| `audit` | old |\n| `storm` | old |\nafter\n")
    report.renew("storm", r"new \1", document)
    assert document.read_text() == "before\n| `audit` | old |\n| `storm` | new \\1 |\nafter\n"
    with pytest.raises(ToolError, match="has no row for the soak 'faults'"):
        report.renew("faults", "new", document)
