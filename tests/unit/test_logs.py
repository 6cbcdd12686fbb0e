"""docs/logs.md: its messages and fields are those that the handler logs, and its queries use only these."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.log_lines import COMMON, collect_lines
from tools.common.paths import ROOT

DOCUMENT = (ROOT / "docs" / "logs.md").read_text()

KEYWORDS = frozenset({"fields", "filter", "sort", "limit", "stats", "as", "by", "asc", "desc", "bin", "h"})
"""Keywords of CloudWatch Logs Insights."""

FUNCTIONS = frozenset({"count", "latest", "max"})
"""Functions of CloudWatch Logs Insights."""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return collect_lines()


def read_section(heading: str) -> str:
    return DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def find_words(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def read_messages() -> Iterator[tuple[str, str, set[str]]]:
    """Yield each message, its level and its fields."""
    for message, level, fields in re.findall(r"^\| `(\w+)` \| `(\w+)` \| .* \| (.*) \|$", DOCUMENT, re.MULTILINE):
        yield message, level, find_words(fields)


def read_fields() -> dict[str, str]:
    """Return each field's type."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \| .* \|$", read_section("Fields"), re.MULTILINE))


def test_the_documented_messages_levels_and_fields_match_the_log(lines: list[dict[str, Any]]) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        found.setdefault((line["message"], line["level"]), set()).update(set(line) - COMMON)
    assert {(message, level): fields for message, level, fields in read_messages()} == found


def test_the_documented_fields_and_types_match_the_log(lines: list[dict[str, Any]]) -> None:
    names = {str: "text", int: "number", float: "number", list: "list", dict: "object"}
    found = {name: names[type(value)] for line in lines for name, value in line.items() if name not in COMMON}
    assert read_fields() == found


def test_the_fields_of_every_line_are_documented() -> None:
    introduction = read_section("Fields").partition("|")[0]
    assert find_words(introduction) == COMMON


def test_the_fields_of_an_output_are_documented(lines: list[dict[str, Any]]) -> None:
    (row,) = re.findall(r"^\| `outputs` \| .*$", DOCUMENT, re.MULTILINE)
    (written,) = [line for line in lines if (line["message"], line.get("key")) == ("written", "written.jpg")]
    assert find_words(row) - {"outputs", "removed"} == {name for output in written["outputs"] for name in output}


def test_each_object_has_one_outcome_line(lines: list[dict[str, Any]]) -> None:
    final = {"written", "rejected", "removed", "gone", "ignored", "failed"}
    keys = [line["key"] for line in lines if line["message"] in final and line["key"] != "changed.jpg"]
    assert len(keys) == len(set(keys)) == 9
    # An object that changed meanwhile is written twice, with the reason in between.
    assert [line["message"] for line in lines if line.get("key") == "changed.jpg"] == ["written", "changed", "written"]


@pytest.mark.parametrize("query", re.findall(r"^```\n(.*?)^```$", read_section("Queries"), re.MULTILINE | re.DOTALL))
def test_a_query_uses_only_documented_fields(query: str) -> None:
    platform_fields = set(re.findall(r"`(\w+)`", read_section("Lambda's own lines")))
    aliases = set(re.findall(r"\bas (\w+)", query))
    used = set(re.findall(r"(?<![@\w.])[a-zA-Z_]\w*", re.sub(r'"[^"]*"', "", query))) - KEYWORDS - FUNCTIONS - aliases
    metrics = set(re.findall(r"\brecord\.metrics\.(\w+)", query))
    assert used - {"record", "type"} <= COMMON | set(read_fields())
    assert metrics <= platform_fields
