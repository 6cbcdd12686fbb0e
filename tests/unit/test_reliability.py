"""docs/reliability.md: every soak's result has its place."""

import re
from pathlib import Path

import pytest

from tests.soak import report
from tests.soak.run import SOAKS
from tools.common import marks
from tools.common.errors import ToolError


@pytest.mark.parametrize("name", SOAKS)
def test_every_soak_has_its_place_and_a_result(name: str) -> None:
    begin, end = marks.places(name, report.maker(name))
    result = report.DOCUMENT.read_text().partition(begin)[2].partition(end)[0].strip()
    assert re.match(r"\d{4}-\d\d-\d\d: [\d,]+ ", result)


def test_a_result_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    begin, end = marks.places("storm", report.maker("storm"))
    document.write_text(f"before\n{begin}\n\nold\n\n{end}\nafter\n")
    report.renew("storm", "new", document)
    assert document.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    with pytest.raises(ToolError, match="must hold the lines <!-- faults: "):
        report.renew("faults", "new", document)
