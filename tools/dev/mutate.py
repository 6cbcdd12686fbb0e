"""Changes ``terraform/`` in one place at a time, and finds the changes that no test notices."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from queue import SimpleQueue

from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform, copy_code, start_provider

TABLE = ROOT / "tests" / "terraform" / "mutations.toml"

REFUSALS = "tests/terraform/test_module.py::test_a_plan_refuses_a_wrong_setting_and_names_the_fix"
TESTS = (
    "tests/terraform/test_module.py::test_resources_are_created_in_the_order_that_aws_needs",
    "tests/terraform/test_options.py",
    "tests/terraform/test_monitoring.py",
    REFUSALS,
)
"""The tests beside the module's own that read plans, without a network or the local AWS."""


class _FailedError(Exception):
    """A test of the module failed."""


@dataclass(frozen=True)
class Mutation:
    """One change of ``terraform/``.

    Attributes:
        file: Below ``terraform/``.
        old: The file has it once, with any blanks and line ends between its words.
        new: What replaces it.

    """

    file: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}: {self.old} -> {self.new or 'nothing'}"

    def apply(self, folder: Path) -> str:
        """Return the changed text of the file, from a copy of ``terraform/``.

        Raises:
            ToolError: The file does not have ``old`` exactly once.

        """
        text = (folder / self.file).read_text()
        found = list(re.finditer(r"\s+".join(map(re.escape, self.old.split())), text))
        if len(found) != 1:
            raise ToolError(f"{self.file} has `{self.old}` {len(found)} times: update {TABLE.relative_to(ROOT)}")
        # The words that stay keep their line ends: a line could not hold two arguments.
        old, new = self.old.split(), self.new.split()
        before = _count_equal(old[:-1], new)
        after = _count_equal(old[before + 1 :][::-1], new[before:][::-1])
        words = list(re.finditer(r"\S+", found[0][0]))[before : len(old) - after]
        start = found[0].start()
        return (
            text[: start + words[0].start()]
            + " ".join(new[before : len(new) - after])
            + text[start + words[-1].end() :]
        )


def _count_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words at the beginning of two lists are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def read(only: str = "") -> list[Mutation]:
    """Read the mutations of the table that contain a text.

    Raises:
        ToolError: None does.

    """
    files = tomllib.loads(TABLE.read_text())
    mutations = [Mutation(file, old, new) for file, changes in files.items() for old, new in changes.items()]
    chosen = [one for one in mutations if only in str(one)]
    if not chosen:
        raise ToolError(f"No mutation contains {only!r}: see {TABLE.relative_to(ROOT)}")
    return chosen


def find_survivors(mutations: Sequence[Mutation]) -> Iterator[tuple[Mutation, bool]]:
    """Yield each mutation when its tests have ended, and whether it survived them.

    Raises:
        ToolError: A mutation is out of date or not valid, the tests fail without one, or they can't run.

    """
    for mutation in mutations:
        mutation.apply(TERRAFORM)
    count = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch, _start_provider(Path(scratch)) as environment:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(count):
            folders.put(_copy(Path(scratch) / str(number), environment))

        def survives(mutation: Mutation | None) -> bool:
            folder = folders.get()
            try:
                return _survives(mutation, folder, environment)
            finally:
                folders.put(folder)

        with ThreadPoolExecutor(count) as pool:
            results = pool.map(survives, [None, *mutations])
            if not next(results):
                raise ToolError("The tests fail without a mutation: run `invoke test --terraform` first")
            yield from zip(mutations, results, strict=True)


def _copy(folder: Path, environment: Mapping[str, str]) -> Path:
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "dist"))
    copy_code(TERRAFORM, folder / "terraform")
    Terraform(folder / "terraform", environment=environment).init()
    return folder


@contextlib.contextmanager
def _start_provider(scratch: Path) -> Iterator[dict[str, str]]:
    """Run one provider for all tests."""
    copy_code(TERRAFORM, scratch / "provider")
    terraform = Terraform(scratch / "provider")
    terraform.init()
    with start_provider(terraform.directory) as environment:
        yield environment


def _survives(mutation: Mutation | None, folder: Path, environment: Mapping[str, str]) -> bool:
    """Return whether all tests pass in a copy of the repository with a mutation, or without one."""
    terraform = Terraform(folder / "terraform", environment=environment, stop_seconds=0)
    if mutation is None:
        return _own_tests_pass(terraform) and _tests_pass(TESTS, folder, environment)
    file = folder / "terraform" / mutation.file
    text = file.read_text()
    try:
        file.write_text(mutation.apply(folder / "terraform"))
        terraform.run("validate")
        # The likeliest tests first: the module's own see little of the root module, and no refused value.
        if mutation.file == "main.tf":
            return _tests_pass(TESTS, folder, environment) and _own_tests_pass(terraform)
        if file.name == "variables.tf":
            return _tests_pass((REFUSALS, *TESTS), folder, environment) and _own_tests_pass(terraform)
        return _own_tests_pass(terraform) and _tests_pass(TESTS, folder, environment)
    except ToolError as error:
        raise ToolError(f"{mutation}: {error}") from error
    finally:
        file.write_text(text)


def _own_tests_pass(terraform: Terraform) -> bool:
    """Return whether ``terraform test`` passes; stop at its first failure."""

    def stop_at_failure(line: str) -> None:
        if json.loads(line).get("test_run", {}).get("status") in {"error", "fail"}:
            raise _FailedError

    try:
        terraform.run("test", "-json", show=stop_at_failure)
    except _FailedError:
        return False
    return True


def _tests_pass(tests: Sequence[str], folder: Path, environment: Mapping[str, str]) -> bool:
    """Return whether tests in Python pass; stop at the first failure."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *dict.fromkeys(tests)],
        cwd=folder,
        env={**os.environ, **environment, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode > 1:
        raise ToolError(f"pytest could not run: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode == 0
