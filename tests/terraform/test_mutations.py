"""The mutations of `invoke mutate` fit terraform/, and the task finds those that no test notices."""

import contextlib
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, start_provider
from tools.dev import mutate
from tools.dev.mutate import Mutation

MUTATIONS = mutate.read()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_mutation_fits_one_place(mutation: Mutation) -> None:
    assert mutation.apply(TERRAFORM) != (TERRAFORM / mutation.file).read_text()


def test_there_are_mutations_of_every_file_with_resources() -> None:
    files = {
        path.relative_to(TERRAFORM)
        for path in (TERRAFORM / "modules").glob("*/*.tf")
        if "\nresource " in path.read_text()
    }
    assert {str(file) for file in files} - {one.file for one in MUTATIONS} == set()
    assert len(MUTATIONS) >= 60


@pytest.mark.parametrize(("old", "count"), [("tags = var.tags", 4), ("tags = var.no_tags", 0)])
def test_a_mutation_that_no_longer_fits_is_refused(old: str, count: int) -> None:
    with pytest.raises(ToolError, match=f"main.tf has `{old}` {count} times: update tests/terraform/mutations.toml"):
        Mutation("main.tf", old, "").apply(TERRAFORM)


MAIN = """
output "tested" {
  value = 1
}
output "forgotten" {
  value = "a"
}
"""

TEST = """
run "plan" {
  command = plan
  assert {
    condition     = output.tested == 1
    error_message = "It must be 1."
  }
}
"""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the task work on a small repository without resources, whose test in Python only looks for a name."""
    module = tmp_path / "terraform"
    (module / "tests").mkdir(parents=True)
    (module / "main.tf").write_text(MAIN)
    (module / "tests" / "main.tftest.hcl").write_text(TEST)
    (tmp_path / "test_main.py").write_text("def test():\n assert 'tested' in open('terraform/main.tf').read()\n")
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setattr(mutate, "TERRAFORM", module)
    monkeypatch.setattr(mutate, "TESTS", ("test_main.py",))
    monkeypatch.setattr(mutate, "_start_provider", lambda _: contextlib.nullcontext({}))
    return tmp_path


def test_a_selection_without_mutations_is_refused() -> None:
    with pytest.raises(ToolError, match="No mutation contains 'no such text'"):
        mutate.read("no such text")


@pytest.mark.usefixtures("repository")
def test_mutations_that_no_test_notices_are_told_from_others() -> None:
    mutations = {
        Mutation("main.tf", "value = 1", "value = 2"): False,
        Mutation("main.tf", '"tested"', '"renamed"'): False,
        Mutation("main.tf", 'value = "a"', 'value = "b"'): True,
    }
    assert dict(mutate.find_survivors(list(mutations))) == mutations


@pytest.mark.usefixtures("repository")
def test_a_mutation_that_terraform_refuses_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"^main\.tf: value = 1 -> value = var\.none: .*undeclared input variable"):
        list(mutate.find_survivors([Mutation("main.tf", "value = 1", "value = var.none")]))


def test_tests_that_fail_without_a_mutation_are_an_error(repository: Path) -> None:
    (repository / "test_main.py").write_text("def test():\n assert False\n")
    with pytest.raises(ToolError, match="The tests fail without a mutation"):
        list(mutate.find_survivors([Mutation("main.tf", 'value = "a"', 'value = "b"')]))


def test_terraform_uses_a_provider_that_runs(module_copy: Path) -> None:
    with start_provider(module_copy) as environment:
        assert "is valid" in Terraform(module_copy, environment=environment).run("validate")
    with pytest.raises(ToolError, match="Reattachment process not found"):
        Terraform(module_copy, environment=environment).run("validate")


@pytest.mark.parametrize(
    ("survived", "code", "lines"),
    [(True, 1, [str(MUTATIONS[0])]), (False, 0, ["Tests notice every mutation"])],
)
def test_the_task_lists_mutations_that_survive_and_answers_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], survived: bool, code: int, lines: list[str]
) -> None:
    monkeypatch.setattr(mutate, "find_survivors", lambda mutations: [(one, survived) for one in mutations])
    try:
        tasks.mutate(Context(), only=str(MUTATIONS[0]))
        answer = 0
    except Exit as error:
        answer = error.code
    assert (answer, capsys.readouterr().out.splitlines()) == (code, lines)
