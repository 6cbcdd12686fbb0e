"""What an operator sees: a line for each thing, whatever its key holds, and nothing where another reads it."""

import json
import os
import sys
from datetime import timedelta

import pytest

from tools.operations.screen import SHOWN, Screen, counted, duration

KEYS = {
    "[red]x[/red]": "[red]x[/red]",
    "[/]": "[/]",
    "\\[b]": "\\[b]",
    "a\\": "a\\",
    ":bomb:.jpg": ":bomb:.jpg",
    "https://x.y/a b.jpg": "https://x.y/a b.jpg",
    "画像/😀 e\u0301.png": "画像/😀 e\u0301.png",
    "line\nbreak\r\t\x0b": "line\\nbreak\\r\\t\\x0b",
    "\x1b[31mred\x07\x08\x7f": "\\x1b[31mred\\x07\\x08\\x7f",
    "\x9b31m\x85\u2028": "\\x9b31m\\x85\\u2028",
    "\u202egpj.exe\ufeff\x00": "\\u202egpj.exe\\ufeff\\x00",
    "\ud800": "\\ud800",
}
"""How keys are shown to people."""

LONG = "x" * 1024


@pytest.mark.parametrize(("key", "shown"), KEYS.items(), ids=[repr(key) for key in KEYS])
def test_a_key_is_shown_as_it_is_and_moves_no_terminal(
    capsys: pytest.CaptureFixture[str], key: str, shown: str
) -> None:
    screen = Screen(as_json=False)
    screen.say(key)
    screen.table(("KEY", "AGE"), [(key, "1 s")])
    said, heading, row, end = capsys.readouterr().out.split("\n")
    assert (said, heading.split(), end) == (shown, ["KEY", "AGE"], "")
    assert row.split("  ")[0].rstrip() == shown.split("  ", maxsplit=1)[0]
    assert row.endswith(" 1 s")


@pytest.mark.parametrize("key", KEYS)
def test_a_script_gets_every_key_as_it_is_in_one_line(capsys: pytest.CaptureFixture[str], key: str) -> None:
    screen = Screen(as_json=True)
    screen.line({"key": key})
    screen.say(key)
    screen.table(("KEY",), [(key,)])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"key": key}


def test_people_see_no_lines_of_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(as_json=False).line({"key": "cake.jpg"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("rows", "total", "shown", "more"),
    [
        (0, 0, 0, None),
        (1, 0, 1, None),
        (SHOWN, 0, SHOWN, None),
        (SHOWN + 1, 0, SHOWN, "1"),
        (SHOWN, 3210, SHOWN, "3,110"),
    ],
)
def test_a_table_for_people_has_so_many_rows_and_says_how_many_more_there_are(
    capsys: pytest.CaptureFixture[str], rows: int, total: int, shown: int, more: str | None
) -> None:
    Screen(as_json=False).table(("KEY", "WHY"), [(f"{row}{LONG}", "so") for row in range(rows)], total)
    lines = capsys.readouterr().out.splitlines()
    table = [line.split() for line in lines if not line.startswith("...")]
    assert table == [["KEY", "WHY"]] * bool(rows) + [[f"{row}{LONG}", "so"] for row in range(shown)]
    assert lines[len(table) :] == ([f"... and {more} more: --json has all"] if more else [])


def test_lines_for_scripts_never_go_to_the_bar_s_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.openpty()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        screen = Screen(as_json=True)
        with screen.progress("Comparing"):
            screen.line({"key": "cake.jpg"})
    assert capsys.readouterr().out == '{"key": "cake.jpg"}\n'


def test_a_bar_says_where_it_stands() -> None:
    with Screen(as_json=False).progress("Listing") as bar:
        bar.advance()
        bar.advance(2)
        (task,) = bar.progress.tasks
        assert (task.description, task.completed, task.total) == ("Listing", 3, None)
        bar.place("Comparing", 5, 10)
        assert (task.description, task.completed, task.total) == ("Comparing", 5, 10)


def test_a_terminal_breaks_a_long_line_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # So that it is whole where it is copied.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    Screen(as_json=False).say(LONG)
    assert capsys.readouterr().out == f"{LONG}\n"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "none"),
        ({"failed": 0}, "none"),
        ({"b": 2, "a": 2, "c": 1000, "d": 0}, "1,000 c, 2 a, 2 b"),
    ],
)
def test_counts_are_told_the_most_first(counts: dict[str, int], said: str) -> None:
    assert counted(counts) == said


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47), "1 d"),
    ],
)
def test_a_time_is_told_in_its_largest_unit(time: timedelta, said: str) -> None:
    assert duration(time) == said
