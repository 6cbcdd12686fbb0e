"""A command's output: one line for each item, whatever characters its key holds."""

import json
import os
import sys
from datetime import timedelta

import pytest

from tools.common.progress import show_progress
from tools.operations.console import MAX_ROWS, Console, format_age, format_counts

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
"""Keys, and what people see."""

LONG = "x" * 1024


@pytest.mark.parametrize(("key", "shown"), KEYS.items(), ids=[repr(key) for key in KEYS])
def test_a_key_is_shown_literally_and_cannot_control_the_terminal(
    capsys: pytest.CaptureFixture[str], key: str, shown: str
) -> None:
    console = Console(as_json=False)
    console.text(key)
    console.table(("KEY", "AGE"), [(key, "1 s")])
    said, heading, row, end = capsys.readouterr().out.split("\n")
    assert (said, heading.split(), end) == (shown, ["KEY", "AGE"], "")
    assert row.split("  ")[0].rstrip() == shown.split("  ", maxsplit=1)[0]
    assert row.endswith(" 1 s")


@pytest.mark.parametrize("key", KEYS)
def test_json_has_every_key_on_one_line(capsys: pytest.CaptureFixture[str], key: str) -> None:
    console = Console(as_json=True)
    console.json({"key": key})
    console.text(key)
    console.table(("KEY",), [(key,)])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"key": key}


def test_json_lines_are_only_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=False).json({"key": "cake.jpg"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("rows", "total", "shown", "more"),
    [
        (0, 0, 0, None),
        (1, 0, 1, None),
        (MAX_ROWS, 0, MAX_ROWS, None),
        (MAX_ROWS + 1, 0, MAX_ROWS, "1"),
        (MAX_ROWS, 3210, MAX_ROWS, "3,110"),
    ],
)
def test_a_long_table_is_cut_and_says_how_many_rows_follow(
    capsys: pytest.CaptureFixture[str], rows: int, total: int, shown: int, more: str | None
) -> None:
    Console(as_json=False).table(("KEY", "WHY"), [(f"{row}{LONG}", "so") for row in range(rows)], total)
    lines = capsys.readouterr().out.splitlines()
    table = [line.split() for line in lines if not line.startswith("...")]
    assert table == [["KEY", "WHY"]] * bool(rows) + [[f"{row}{LONG}", "so"] for row in range(shown)]
    assert lines[len(table) :] == ([f"... and {more} more: --json prints all"] if more else [])


def test_json_lines_never_go_to_the_progress_bar_s_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.openpty()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        console = Console(as_json=True)
        with show_progress("Comparing"):
            console.json({"key": "cake.jpg"})
    assert capsys.readouterr().out == '{"key": "cake.jpg"}\n'


def test_a_closed_pipe_is_not_an_answer_no(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", closefd=False) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with pytest.raises(BrokenPipeError):
            Console(as_json=False).text("a line")
        # What Python has buffered must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)


def test_a_narrow_terminal_shows_whole_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    Console(as_json=False).table(("KEY", "MESSAGE"), [(f"{number}{'x' * 80}", "why " * 20) for number in range(2)])
    assert capsys.readouterr().out.count("x") == 160


def test_a_terminal_breaks_a_long_line_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # So that it can be copied in one piece.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    Console(as_json=False).text(LONG)
    assert capsys.readouterr().out == f"{LONG}\n"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "none"),
        ({"failed": 0}, "none"),
        ({"b": 2, "a": 2, "c": 1000, "d": 0}, "1,000 c, 2 a, 2 b"),
    ],
)
def test_counts_are_sorted_largest_first(counts: dict[str, int], said: str) -> None:
    assert format_counts(counts) == said


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
def test_an_age_is_in_its_largest_unit(time: timedelta, said: str) -> None:
    assert format_age(time) == said
