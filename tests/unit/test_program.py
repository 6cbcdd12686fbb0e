"""The command line: the order of words, help, and one line for each wrong argument of any task."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument

import tasks
from errors import Reason
from tools.common.errors import ToolError
from tools.common.program import OneLineTask, TaskProgram, task
from tools.dev.checks import SOAKS

COLLECTION = Collection.from_module(tasks)
OPTIONS: dict[str, list[Argument]] = {
    context.name: list(context.args.values()) for context in COLLECTION.to_contexts() if context.name
}

every_task = pytest.mark.parametrize("name", sorted(OPTIONS))


@dataclass(frozen=True)
class Ended:
    """How a command line ended.

    Attributes:
        code: The exit code.
        calls: The tasks that would have run, each with the arguments that differ from their defaults.
        output: Standard output.
        error: Standard error.

    """

    code: object
    calls: list[tuple[str, dict[str, Any]]]
    output: str
    error: str


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line up to the tasks' bodies."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def record(called: OneLineTask, _: Context, **arguments: object) -> None:
        defaults = {str(one.name): one.default for one in called.get_arguments(ignore_unknown_help=True)}
        calls.append((called.name, {name: value for name, value in arguments.items() if value != defaults[name]}))

    monkeypatch.setattr(OneLineTask, "__call__", record)

    def run(*words: str) -> Ended:
        calls.clear()
        code: object = 0
        try:
            TaskProgram(namespace=COLLECTION).run(["invoke", *words])
        except SystemExit as ended:
            code = ended.code
        return Ended(code, list(calls), *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        (["demo"], [("demo", {"files": []})]),
        (["demo", "a.jpg", "b c.png", "--output", "x"], [("demo", {"files": ["a.jpg", "b c.png"], "output": "x"})]),
        (
            ["preview", "--compare", "quality=60", "a.jpg", "--compare=format=webp", "b.jpg"],
            [("preview", {"files": ["a.jpg", "b.jpg"], "compare": ["quality=60", "format=webp"]})],
        ),
        (["demo", "--heic", "a.heic"], [("demo", {"files": ["a.heic"], "heic": True})]),
        (["demo", "build", "lint"], [("demo", {"files": ["build", "lint"]})]),
        (["demo", "--heic", "--", "-a.jpg", "--help"], [("demo", {"files": ["-a.jpg", "--help"], "heic": True})]),
        (["send", "--function", "f", "put"], [("send", {"event": "put", "function": "f"})]),
        (["send", "put", "--function=f"], [("send", {"event": "put", "function": "f"})]),
        (["send", "--", "put"], [("send", {"event": "put"})]),
        (["publish", "--prefix", "--p", "b"], []),
        (["publish", "--prefix=--p", "b"], [("publish", {"bucket": "b", "prefix": "--p"})]),
        (["publish", "--bucket", "b"], [("publish", {"bucket": "b"})]),
        (["release", "--artifacts", "--version", "1.0.0"], [("release", {"artifacts": True, "version": "1.0.0"})]),
        (["release", "1.0.0", "--artifacts", "out"], [("release", {"artifacts": "out", "version": "1.0.0"})]),
        (["lint", "test", "--unit", "scan"], [("lint", {}), ("test", {"unit": True}), ("scan", {})]),
    ],
)
def test_options_and_words_have_any_order(
    invoke: Callable[..., Ended], words: list[str], calls: list[tuple[str, dict[str, Any]]]
) -> None:
    assert invoke(*words).calls == calls


def test_a_name_that_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, "ascii"))
    monkeypatch.setattr(OneLineTask, "__call__", lambda *_: print("\xe9\udcff"))
    TaskProgram(namespace=COLLECTION).run(["invoke", "lint"])
    sys.stdout.flush()
    assert output.getvalue() == b"\\xe9\\udcff\n"


@every_task
def test_help_explains_every_argument_and_runs_nothing(invoke: Callable[..., Ended], name: str) -> None:
    flags = [f"--{option.names[0]}" for option in OPTIONS[name] if not option.takes_value]
    for words in ([name, "-h"], [name, "--help"], ["--help", name], ["-h", name], ["clean", name, *flags, "-h"]):
        ended = invoke(*words)
        assert (ended.code, ended.calls, ended.error) == (0, [], ""), words
        assert ended.output.startswith(f"Usage: invoke {name} [options]")
        assert "\nExit code: 0 for done or yes, 1 for no, 2 for an error" in ended.output
    assert all(option.help for option in OPTIONS[name])


def wrong_words(name: str) -> Iterator[tuple[list[str], str]]:
    """Yield wrong arguments of a task, each with a part of its error."""
    yield ["--nonsense"], f"{name} has no option --nonsense"
    yield ["-j"], f"{name} has no option -j"
    if not any(option.kind is list for option in OPTIONS[name]):
        yield [*(["word"] * 3)], f"{name} takes no 'word'"
        yield ["--", *(["lint"] * 3)], f"{name} takes no 'lint'"
    for option in OPTIONS[name]:
        flag = f"--{option.names[0]}"
        yield [f"{flag}x"], "did you mean --"
        if not option.takes_value:
            yield [f"{flag}=yes"], f"{flag} takes no value, but got 'yes'"
        elif not option.optional:
            yield [flag], f"{flag} needs a value"
            yield [flag, "--nonsense"], f"{flag} needs a value"
        if isinstance(option.default, int) and option.takes_value:
            for value in ("ten", "-1", "", "1.5", str(10**30), "9" * 5000):
                yield [flag, value], f"{flag} is {value!r}: use a whole number "
    if any(option.positional and option.kind is str for option in OPTIONS[name]):
        yield [], f"{name} needs "


@every_task
def test_a_wrong_argument_of_any_task_is_one_line(invoke: Callable[..., Ended], name: str) -> None:
    for words, error in wrong_words(name):
        ended = invoke("lint", name, *words)
        assert (ended.code, ended.calls, ended.output) == (2, [], ""), words
        assert ended.error.startswith("Error: ")
        assert error in ended.error
        assert ended.error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["bild"], "No task 'bild': did you mean build?"),
        (["audit_dependencies"], "No task 'audit_dependencies': did you mean audit-dependencies?"),
        (["xyz"], "No task 'xyz': run `invoke --list` for all tasks"),
        (["--help", "bild"], "No task 'bild': did you mean build?"),
        (["build", "tset"], "build takes no 'tset': did you mean test?"),
        (["--lst"], "No option --lst: did you mean --list?"),
        (["up", "--var_file", "x"], "up has no option --var_file: did you mean --var-file?"),
        (["audit", "--region", "x"], "audit has no option --region: run `invoke audit --help`"),
        (["redrive", "--region", "x"], "redrive has no option --region: run `invoke redrive --help`"),
        (["redrive", "--reason", "too_larg"], "--reason is 'too_larg': did you mean too_large?"),
        (["redrive", "--reason", "RetryExhausted"], "--reason is 'RetryExhausted': did you mean RetriesExhausted?"),
        (["soak", "--only", "imagse"], "--only is 'imagse': did you mean images?"),
        (["soak", "--only", "x"], "--only is 'x': use one of images, race, faults, storm, audit"),
        (["soak", "--only", "images", "--count", "5"], "--count is '5': use a whole number from 100 to 10,000,000"),
        (
            ["logs", "--since", "99999d"],
            "--since is '99999d': use a whole number up to 9999 and s, m, h or d, such as 30m",
        ),
        (["--list", "build"], "--list takes no value, but got 'build'"),
        (["--list", "--list-format", "x"], "--list-format is 'x': use flat, nested or json"),
        (["--dry", "redrive", "--yes"], "--dry has no effect on these tasks: leave it out"),
        (["--config", "README.md", "lint"], "--config has no effect on these tasks: leave it out"),
    ],
)
def test_an_error_suggests_what_is_near(invoke: Callable[..., Ended], words: list[str], error: str) -> None:
    assert invoke(*words) == Ended(2, [], "", f"Error: {error}\n")


def test_every_reason_and_every_soak_can_be_chosen(invoke: Callable[..., Ended]) -> None:
    for name, option, values in (("redrive", "reason", Reason), ("soak", "only", SOAKS)):
        for value in values:
            assert invoke(name, f"--{option}", str(value)).calls == [(name, {option: value})]


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7_200), ("9999d", 863_913_600)])
def test_a_length_of_time_has_a_unit(invoke: Callable[..., Ended], text: str, seconds: int) -> None:
    assert invoke("logs", "--since", text).calls == [("logs", {"since": seconds})]


@pytest.mark.parametrize(("answer", "code"), [(True, None), (None, None), (False, 1), (ToolError("No"), 2)])
def test_a_task_exits_with_1_for_no_and_2_for_an_error(answer: object, code: int | None) -> None:
    @task
    def is_fine(_: Context) -> object:
        if isinstance(answer, ToolError):
            raise answer
        return answer

    with pytest.raises(Exit) if code else contextlib.nullcontext() as caught:
        is_fine(Context())
    assert (caught and caught.value.code) == code
