"""Invoke's program and tasks, with stricter and friendlier arguments.

Invoke's own parser lets an argument take ``--help`` as its value, needs files before options, and exits with 1 after a
wrong argument, as a task does that answers no.
"""

import copy
import difflib
import inspect
import io
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from invoke import tasks
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.parser.parser import ParseResult
from invoke.program import Program

from tools.common.cli import readable_errors

HELP = ("-h", "--help")

WITHOUT_EFFECT = ("command-timeout", "config", "dry", "echo", "hide", "prompt-for-sudo-password", "pty", "warn-only")
"""Invoke's options for tasks that run shell commands through it. With --dry, a redrive would send all the same."""

EXIT_CODES = "Exit code: 0 for done or yes, 1 for no, 2 for an error, such as a wrong argument."


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the reader of an option that is a number from ``least`` to ``most``, for ``Annotated``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ValueError(f"use a whole number from {least:,} to {most:,}")
        return number

    return read


def duration(text: str) -> int:
    """Read an option that is a length of time, such as ``30m``, for ``Annotated``; returns seconds."""
    found = re.fullmatch(r"([0-9]{1,4})([smhd])", text)
    if not found:
        raise ValueError("use a whole number up to 9999 and s, m, h or d, such as 30m")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def one_of(*names: str) -> Callable[[str], str]:
    """Return the reader of an option that is one of ``names``, for ``Annotated``."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(_suggest(text, names) or f"use one of {', '.join(names)}")
        return text

    return read


class OneLineTask(tasks.Task):  # type: ignore[type-arg]  # generic for type checkers only
    """A task with long options only, whose errors are one line, and which exits with 1 if its body returns False."""

    def __init__(self, body: Callable[..., object], **options: Any) -> None:
        super().__init__(body, auto_shortflags=False, **options)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = super().get_arguments(ignore_unknown_help)
        parameters = inspect.signature(self.body).parameters
        for argument in arguments:
            annotation = parameters[str(argument.name)].annotation
            argument.kind = next(iter(getattr(annotation, "__metadata__", ())), argument.kind)
        return arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with readable_errors(self.name):
            answer = super().__call__(*args, **kwargs)
        if answer is False:
            raise Exit(code=1)
        return answer


task = partial(tasks.task, klass=OneLineTask)


class TaskProgram(Program):
    """Invoke's program: options and other words of a task in any order, help that runs nothing, and exit code 2.

    ``tasks.py`` turns the program that has loaded it into one.
    """

    @readable_errors("")
    def parse_tasks(self) -> None:
        """Parse the words after Invoke's own options.

        Raises:
            Exit: A word is wrong, with code 2; or asked for help, which is printed.

        """
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A file name may have characters or bytes that the terminal's encoding lacks. Python does this for stderr.
            sys.stdout.reconfigure(errors="backslashreplace")
        self.parser = self._make_parser()
        self.tasks = ParseResult()
        topic = self.args.help.value
        if isinstance(topic, str) and topic not in self.parser.contexts:
            raise _make_error(f"No task {topic!r}: {self._suggest_task(topic)}")
        # Completion hands over an unfinished command after "--".
        if topic or self.args.complete.value:
            return
        words = deque(self.core.unparsed)
        if "--" in self.argv:
            words.extend(self.argv[self.argv.index("--") :])
        while words:
            self.tasks.append(self._parse_task(words))

    @readable_errors("")
    def parse_cleanup(self) -> None:
        if isinstance(self.args.list.value, str):
            raise _make_error(f"--list takes no value, but got {self.args.list.value!r}")
        if self.args["list-format"].value not in {"flat", "nested", "json"}:
            raise _make_error(f"--list-format is {self.args['list-format'].value!r}: use flat, nested or json")
        for name in WITHOUT_EFFECT:
            if self.args[name].value:
                raise _make_error(f"--{name} has no effect on these tasks: leave it out")
        super().parse_cleanup()

    def print_task_help(self, name: str) -> None:
        arguments = self.parser.contexts[name].args.values()
        words = "".join(f" {_format_placeholder(argument)}" for argument in arguments if argument.positional)
        print(f"Usage: invoke {name} [options]{words}\n\n{inspect.getdoc(self.collection[name])}\n\nOptions:\n")
        self.print_columns(
            [*((_format_usage(one), one.help) for one in arguments), (", ".join(HELP), "Show this help.")]
        )
        print(EXIT_CODES)

    def _parse_task(self, words: deque[str]) -> ParserContext:
        """Take a task's name, options and other words from the front of ``words``."""
        context = self._start_task(words.popleft())
        may_be_option = True
        while words:
            word = words.popleft()
            if may_be_option and word == "--":
                may_be_option = False
            elif may_be_option and _is_option(word):
                self._read_option(context, word, words)
            elif free := [one for one in context.positional_args if one.kind is list or one.value is None]:
                free[0].value = word
            elif may_be_option and word in self.parser.contexts:
                words.appendleft(word)
                break
            else:
                advice = self._suggest_task(word) if may_be_option else f"run `invoke {context.name} --help`"
                raise _make_error(f"{context.name} takes no {word!r}: {advice}")
        if missing := context.missing_positional_args:
            raise _make_error(
                f"{context.name} needs {_format_placeholder(missing[0])}: run `invoke {context.name} --help`"
            )
        return context

    def _start_task(self, name: str) -> ParserContext:
        if _is_option(name):
            flags = list(self.initial_context.flags)
            raise _make_error(f"No option {name}: {_suggest(name, flags) or 'run `invoke --help`'}")
        if name not in self.parser.contexts:
            raise _make_error(f"No task {name!r}: {self._suggest_task(name)}")
        context: ParserContext = copy.deepcopy(self.parser.contexts[name])
        return context

    def _read_option(self, context: ParserContext, word: str, words: deque[str]) -> None:
        name, has_value, value = word.partition("=")
        if name in HELP:
            self.print_task_help(str(context.name))
            raise Exit
        see_help = f"run `invoke {context.name} --help`"
        if name not in context.flags:
            raise _make_error(f"{context.name} has no option {name}: {_suggest(name, context.flags) or see_help}")
        argument = context.flags[name]
        if not argument.takes_value:
            if has_value:
                raise _make_error(f"{name} takes no value, but got {value!r}")
            argument.value = True
            return
        if not has_value:
            if not words or words[0] in HELP or words[0].startswith("--"):
                if not argument.optional:
                    raise _make_error(f"{name} needs a value: {see_help}")
                argument.set_value(True, cast=False)
                return
            value = words.popleft()
        try:
            argument.value = value
        except ValueError as error:
            raise _make_error(f"{name} is {value!r}: {error}") from None

    def _suggest_task(self, name: str) -> str:
        return _suggest(name, self.parser.contexts) or "run `invoke --list` for all tasks"


def _is_option(word: str) -> bool:
    """Return whether a word is an option; by convention, a dash alone is none."""
    return word.startswith("-") and word != "-"


def _suggest(word: str, known: Iterable[str]) -> str:
    # Without dashes, which every option has, and stricter than by default: --region resembled --prefix and --reason.
    names = {one.lstrip("-"): one for one in known}
    near = difflib.get_close_matches(word.lstrip("-"), names, n=1, cutoff=0.7)
    return f"did you mean {names[near[0]]}?" if near else ""


def _make_error(message: str) -> Exit:
    return Exit(f"Error: {message}", code=2)


def _format_placeholder(argument: Argument) -> str:
    name = argument.names[0].upper()
    return f"[{name} ...]" if argument.kind is list else name


def _format_usage(argument: Argument) -> str:
    name = f"--{argument.names[0]}"
    if argument.positional and argument.kind is list:
        return _format_placeholder(argument)
    if not argument.takes_value:
        return name
    value = "=VALUE"
    return f"{name}[{value}]" if argument.optional else f"{name}{value}"
