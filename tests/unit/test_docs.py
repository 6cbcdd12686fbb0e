"""The documents: links lead to existing headings, commands and files exist, and a task made every picture."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from invoke.collection import Collection
from invoke.exceptions import Exit

import tasks
from tests.markdown import Document
from tools.common.paths import ROOT, TERRAFORM
from tools.common.program import TaskProgram

DOCUMENTS = {
    str(path.relative_to(ROOT)): Document.read(path)
    for pattern in (
        "*.md",
        "docs/*.md",
        "tests/*/*.md",
        "terraform/*.md",
        "terraform/modules/*/*.md",
        "terraform/examples/*/*.md",
    )
    for path in sorted(ROOT.glob(pattern))
}

FOLDERS = ("docs", "events", "function", "terraform", "tests", "tools")

MAKERS = {
    "docs/before-and-after.png": "invoke pictures",
    "docs/benchmarks-cpu.svg": "invoke bench --write",
    "docs/benchmarks-quality.svg": "invoke bench --write",
}
"""Each picture and the task that makes it."""

PROGRAMS = {"aws", "gh", "git", "invoke", "pip", "pre-commit", "python3", "sha256sum", "terraform"}
"""The programs that a block of shell may run. Except for git, pip and the like, a test checks their arguments."""

VARIABLES = {
    name
    for path in (TERRAFORM / "variables.tf", *TERRAFORM.glob("examples/*/variables.tf"))
    for name in re.findall(r'^variable "(\w+)"', path.read_text(), re.MULTILINE)
}
"""The variables of the root modules: of the pipeline and of its examples."""

each_document = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ("# What it costs", {"what-it-costs"}),
        ("## `invoke lock`, twice & again?", {"invoke-lock-twice--again"}),
        ("# Größe: 画像 _now_ **so** snake_case", {"größe-画像-now-so-snake_case"}),
        ("# A [link](there.md)", {"a-link"}),
        ("# One\n# One\n# One-1\n# One", {"one", "one-1", "one-1-1", "one-2"}),
        ("Underlined\n==========\n\nToo\n---", {"underlined", "too"}),
        ("### Closed ###", {"closed"}),
        ("```sh\n# No heading\n```\n\n    # Nor this\n", set()),
        ('<a id="here"></a>', {"here"}),
    ],
)
def test_anchors_are_as_github_makes_them(text: str, anchors: set[str]) -> None:
    assert Document(text).anchors == anchors


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("[a](b.md#c) `[no](no.md)`", ["b.md#c"]),
        ("[a][b] and [b]\n\n[b]: c.md", ["c.md", "c.md"]),
        ("![a](b.svg)", ["b.svg"]),
        ('| a |\n|---|\n| [b](c.md) <img src="d.svg"> |', ["c.md", "d.svg"]),
        ("```\n[no](no.md)\n```", []),
    ],
)
def test_links_are_found_as_github_makes_them(text: str, links: list[str]) -> None:
    assert Document(text).links == links


ELSEWHERE = re.compile(r"[a-z]+:|\.\./\.\./actions/")
"""Links out of the repository: to other sites, and to pages that GitHub has for the repository."""


def is_intact(name: str, link: str) -> bool:
    """Return whether a link leads out of the repository, or to a file and heading in it that exist."""
    if ELSEWHERE.match(link):
        return True
    path, _, anchor = link.partition("#")
    target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
    return target.exists() and (not anchor or anchor in Document.read(target).anchors)


@each_document
def test_links_into_the_repository_lead_to_existing_files_and_headings(name: str) -> None:
    assert [link for link in DOCUMENTS[name].links if not is_intact(name, link)] == []


@pytest.mark.parametrize("link", ["MISSING.md", "#missing", "docs/runbook.md#missing", "terraform#", "docs/runbook.md"])
def test_a_broken_link_is_found(link: str) -> None:
    assert is_intact("README.md", link) == (link in {"terraform#", "docs/runbook.md"})


def split_commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line of shell, without the folder of its program."""
    words = shlex.split(re.sub(r"(?:^|\s)#.*", "", line).replace("&&", " && ").replace("|", " | "))
    while words:
        end = next((index for index, word in enumerate(words) if word in {"&&", "|"}), len(words))
        if words[:end]:
            yield [Path(words[0]).name, *words[1:end]]
        words = words[end + 1 :]


def find_task_error(words: list[str]) -> str:
    """Return the error for a command, or an empty string."""
    program = TaskProgram(namespace=Collection.from_module(tasks))
    program.create_config()
    program.parse_core(["corrupt" if word == "REASON" else word for word in words])
    program.parse_collection()
    try:
        program.parse_tasks()
    except Exit as error:
        return str(error.message or "")
    return ""


@each_document
def test_every_task_and_option_exists(name: str) -> None:
    document = DOCUMENTS[name]
    commands = [words for line in document.commands for words in split_commands(line) if words[0] == "invoke"]
    assert [error for words in commands if (error := find_task_error(words))] == []
    inline = [words for code in document.code if re.match(r"(\S*/)?invoke\s", code) for words in split_commands(code)]
    # A command in a sentence need not be complete.
    errors = [error for words in inline if (error := find_task_error(words)) and " needs " not in error]
    assert errors == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("invoke nonsense", "No task 'nonsense'"),
        ("invoke audit --nonsense", "audit has no option --nonsense"),
        ("invoke publish", "publish needs BUCKET"),
        ("invoke redrive --concurrency many", "use a whole number"),
        (".venv/bin/invoke demo a.jpg b.jpg --output c", ""),
        ("invoke lint test --unit", ""),
        ("invoke --list", ""),
    ],
)
def test_a_wrong_task_or_option_is_found(command: str, expected: str) -> None:
    (words,) = split_commands(command)
    error = find_task_error(words)
    assert expected in error
    assert bool(expected) == bool(error)


@each_document
def test_commands_of_aws_terraform_and_pip_are_right(name: str) -> None:
    document = DOCUMENTS[name]
    commands = [words for line in document.commands for words in split_commands(line)]
    assert {words[0] for words in commands} <= PROGRAMS
    inline = [code.split() for code in document.code if code.startswith("aws ")]
    # No model describes the commands of `aws s3`.
    calls = [words for words in [*commands, *inline] if words[0] == "aws" and words[1] != "s3"]
    assert [words for words in calls if not is_aws_command(words)] == []
    variables = {word.partition("=")[0] for words in commands for option, word in pairwise(words) if option == "-var"}
    assert variables <= VARIABLES
    files = [words[at + 1] for words in commands if words[0] == "pip" for at, word in enumerate(words) if word == "-r"]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def is_aws_command(words: list[str]) -> bool:
    """Return whether a command of the AWS CLI is an operation of its service, with options that it has."""
    model = botocore.session.get_session().get_service_model({"s3api": "s3"}.get(words[1], words[1]))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in operations:
        return False
    shape = model.operation_model(operations[words[2]]).input_shape
    options = {f"--{xform_name(member, '-')}" for member in shape.members} if shape else set()
    options |= {"--output", "--query"}
    return {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("aws s3api get-bucket-notification-configuration --bucket a", True),
        ("aws s3api get-bucket-notification-configuration --buckets a", False),
        ("aws s3api get-bucket-notifications --bucket a", False),
        ("aws lambda put-function-concurrency --function-name a --reserved-concurrent-executions 0", True),
    ],
)
def test_a_wrong_command_of_aws_is_found(command: str, expected: bool) -> None:
    assert is_aws_command(command.split()) == expected


def find_files(code: str) -> list[str]:
    """Return the paths of this repository in a piece of code."""
    return re.findall(rf"(?<!\S)(?:{'|'.join(FOLDERS)})/[\w./-]*", code)


@each_document
def test_every_named_file_exists(name: str) -> None:
    files = {file for code in [*DOCUMENTS[name].code, *DOCUMENTS[name].commands] for file in find_files(code)}
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("tests/unit/test_docs.py::test_x", ["tests/unit/test_docs.py"]),
        ("docs/runbook.md#x", ["docs/runbook.md"]),
        ("tools/", ["tools/"]),
        ("pytest tests/unit docs/runbook.md", ["tests/unit", "docs/runbook.md"]),
        ("invoke demo", []),
        ("photos/docs/cake.jpg", []),
    ],
)
def test_paths_are_told_from_other_code(code: str, files: list[str]) -> None:
    assert find_files(code) == files


def test_each_picture_has_a_task_that_its_document_names() -> None:
    shown = {
        str(((ROOT / name).parent / picture).resolve().relative_to(ROOT)): document
        for name, document in DOCUMENTS.items()
        for picture in document.pictures
        if not ELSEWHERE.match(picture)
    }
    assert shown.keys() == MAKERS.keys()
    for picture, document in shown.items():
        assert any(code.startswith(MAKERS[picture]) for code in [*document.code, *document.commands])
    drawn = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*") if path.suffix in {".svg", ".png", ".jpg"}}
    assert drawn == MAKERS.keys()


def test_continuous_integration_runs_the_test_line_of_the_readme() -> None:
    (line,) = re.findall(r"^(.*invoke lint test)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line in (ROOT / ".ci" / "run").read_text().splitlines()
