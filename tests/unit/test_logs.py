"""docs/logs.md: what it says of the log is what the handler really logs, and its queries ask for nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.log_lines import COMMON, logged
from tools.common.paths import ROOT

DOCUMENT = (ROOT / "docs" / "logs.md").read_text()

OF_QUERIES = frozenset({"fields", "filter", "sort", "limit", "stats", "as", "by", "asc", "desc", "bin", "h"})
FUNCTIONS = frozenset({"count", "latest", "max"})
"""Words of CloudWatch Logs Insights' own."""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return logged()


def section(heading: str) -> str:
    return DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def documented() -> Iterator[tuple[str, str, set[str]]]:
    """Each message, its level and its fields."""
    for message, level, fields in re.findall(r"^\| `(\w+)` \| `(\w+)` \| .* \| (.*) \|$", DOCUMENT, re.MULTILINE):
        yield message, level, quoted(fields)


def described() -> dict[str, str]:
    """Each field and its type."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \| .* \|$", section("Fields"), re.MULTILINE))


def test_every_message_is_documented_with_its_level_and_its_fields_and_no_other_is(lines: list[dict[str, Any]]) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        found.setdefault((line["message"], line["level"]), set()).update(set(line) - COMMON)
    assert {(message, level): fields for message, level, fields in documented()} == found


def test_every_field_is_described_once_with_the_type_that_it_has(lines: list[dict[str, Any]]) -> None:
    names = {str: "text", int: "number", float: "number", list: "list"}
    found = {name: names[type(value)] for line in lines for name, value in line.items() if name not in COMMON}
    assert described() == found


def test_what_every_line_has_is_documented() -> None:
    introduction = section("Fields").partition("|")[0]
    assert quoted(introduction) == COMMON


def test_each_output_is_described(lines: list[dict[str, Any]]) -> None:
    (row,) = re.findall(r"^\| `outputs` \| .*$", DOCUMENT, re.MULTILINE)
    (written,) = [line for line in lines if (line["message"], line.get("key")) == ("written", "written.jpg")]
    assert quoted(row) - {"outputs", "removed"} == {name for output in written["outputs"] for name in output}


def test_one_line_is_logged_of_each_object(lines: list[dict[str, Any]]) -> None:
    concluding = {"written", "rejected", "removed", "gone", "ignored", "failed"}
    keys = [line["key"] for line in lines if line["message"] in concluding and line["key"] != "changed.jpg"]
    assert len(keys) == len(set(keys)) == 9
    # What changed meanwhile is written twice, and between the two it is said why.
    assert [line["message"] for line in lines if line.get("key") == "changed.jpg"] == ["written", "changed", "written"]


@pytest.mark.parametrize("query", re.findall(r"^```\n(.*?)^```$", section("Queries"), re.MULTILINE | re.DOTALL))
def test_a_query_asks_for_what_is_documented(query: str) -> None:
    of_platform = set(re.findall(r"`(\w+)`", section("Lambda's own lines")))
    made = set(re.findall(r"\bas (\w+)", query))
    asked = set(re.findall(r"(?<![@\w.])[a-zA-Z_]\w*", re.sub(r'"[^"]*"', "", query))) - OF_QUERIES - FUNCTIONS - made
    of_records = set(re.findall(r"\brecord\.metrics\.(\w+)", query))
    assert asked - {"record", "type"} <= COMMON | set(described())
    assert of_records <= of_platform
