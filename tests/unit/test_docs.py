"""The documents: every link leads somewhere, every command is one, every file is there, a task made every picture."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.program import Program

import tasks
from tests.markdown import Document
from tools.common.paths import ROOT

DOCUMENTS = {
    str(path.relative_to(ROOT)): Document.read(path)
    for pattern in ("*.md", "docs/*.md", "terraform/*.md", "terraform/modules/*/*.md", "terraform/examples/*/*.md")
    for path in sorted(ROOT.glob(pattern))
}

FOLDERS = ("docs", "events", "function", "terraform", "tests", "tools")

MAKERS = {"docs/before-and-after.png": "invoke pictures", "docs/benchmarks.svg": "invoke bench --write"}
"""Each picture, and what makes it."""

PROGRAMS = {"aws", "git", "invoke", "pip", "pre-commit", "python3", "terraform"}
"""What a block of shell may run."""

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
def test_links_are_found_wherever_github_makes_them(text: str, links: list[str]) -> None:
    assert Document(text).links == links


def leads_there(name: str, link: str) -> bool:
    """Whether a link in a document, if it leads into the repository, leads to a file and a heading that are there."""
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    place = ((ROOT / name).parent / path).resolve() if path else ROOT / name
    return place.exists() and (not anchor or anchor in Document.read(place).anchors)


@each_document
def test_links_into_the_repository_lead_to_files_and_headings_that_are_there(name: str) -> None:
    assert [link for link in DOCUMENTS[name].links if not leads_there(name, link)] == []


@pytest.mark.parametrize("link", ["MISSING.md", "#missing", "docs/runbook.md#missing", "terraform#", "docs/runbook.md"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert leads_there("README.md", link) == (link in {"terraform#", "docs/runbook.md"})


def simple(command: str) -> Iterator[list[str]]:
    """The words of each command in a line of shell, without the folder of its program."""
    words = shlex.split(re.sub(r"(?:^|\s)#.*", "", command).replace("&&", " && ").replace("|", " | "))
    while words:
        end = next((place for place, word in enumerate(words) if word in {"&&", "|"}), len(words))
        if words[:end]:
            yield [Path(words[0]).name, *words[1:end]]
        words = words[end + 1 :]


def wrong(words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What Invoke would object to in a command; empty where there is nothing."""
    monkeypatch.setattr(sys, "argv", words)
    collection = Collection.from_module(tasks)
    try:
        Parser(collection.to_contexts(), initial=Program(namespace=collection).initial_context).parse_argv(words[1:])
    except (ParseError, ValueError) as error:
        return str(error)
    return ""


@each_document
def test_every_task_and_option_that_is_named_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = DOCUMENTS[name]
    shown = [words for line in document.commands for words in simple(line) if words[0] == "invoke"]
    assert [said for words in shown if (said := wrong(words, monkeypatch))] == []
    named = [words for code in document.code if re.match(r"(\S*/)?invoke\s", code) for words in simple(code)]
    # What is named in a sentence need not be complete.
    objections = [said for words in named if (said := wrong(words, monkeypatch)) and "required" not in said]
    assert objections == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("invoke nonsense", "No idea what 'nonsense' is!"),
        ("invoke audit --nonsense", "No idea what '--nonsense' is!"),
        ("invoke publish", "'publish' did not receive required positional arguments: 'bucket'"),
        ("invoke redrive --concurrency many", "it must be a whole number"),
        (".venv/bin/invoke demo a.jpg b.jpg --output c", ""),
        ("invoke lint test --unit", ""),
        ("invoke --list", ""),
    ],
)
def test_a_command_that_is_none_is_found(monkeypatch: pytest.MonkeyPatch, command: str, said: str) -> None:
    (words,) = simple(command)
    found = wrong(words, monkeypatch)
    assert said in found
    assert bool(said) == bool(found)


@each_document
def test_blocks_of_shell_run_programs_that_are_checked_here(name: str) -> None:
    commands = [words for line in DOCUMENTS[name].commands for words in simple(line)]
    assert {words[0] for words in commands} <= PROGRAMS
    named = [code.split() for code in DOCUMENTS[name].code]
    assert [words for words in commands + named if words[:2] == ["aws", "s3api"] and not is_of_s3(words)] == []
    files = [words[at + 1] for words in commands if words[0] == "pip" for at, word in enumerate(words) if word == "-r"]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def is_of_s3(words: list[str]) -> bool:
    """Whether a command of ``aws s3api`` is an operation of S3, with options that it has."""
    model = botocore.session.get_session().get_service_model("s3")
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in operations:
        return False
    shape = model.operation_model(operations[words[2]]).input_shape
    options = {f"--{xform_name(member, '-')}" for member in shape.members} if shape else set()
    return {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize(
    ("command", "fine"),
    [
        ("aws s3api get-bucket-notification-configuration --bucket a", True),
        ("aws s3api get-bucket-notification-configuration --buckets a", False),
        ("aws s3api get-bucket-notifications --bucket a", False),
    ],
)
def test_a_command_of_aws_that_is_none_is_found(command: str, fine: bool) -> None:
    assert is_of_s3(command.split()) == fine


def named_files(code: str) -> list[str]:
    """The files of this repository that stand in back-quotes."""
    return re.findall(rf"(?<!\S)(?:{'|'.join(FOLDERS)})/[\w./-]*", code)


@each_document
def test_every_file_that_is_named_is_there(name: str) -> None:
    files = {file for code in [*DOCUMENTS[name].code, *DOCUMENTS[name].commands] for file in named_files(code)}
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
def test_a_file_is_told_from_other_code(code: str, files: list[str]) -> None:
    assert named_files(code) == files


def test_every_picture_was_made_by_a_task_that_its_document_names() -> None:
    shown = {
        str(((ROOT / name).parent / picture).resolve().relative_to(ROOT)): document
        for name, document in DOCUMENTS.items()
        for picture in document.pictures
    }
    assert shown.keys() == MAKERS.keys()
    for picture, document in shown.items():
        assert any(code.startswith(MAKERS[picture]) for code in [*document.code, *document.commands])
    drawn = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*") if path.suffix in {".svg", ".png", ".jpg"}}
    assert drawn == MAKERS.keys()


def test_continuous_integration_runs_the_test_line_of_the_readme() -> None:
    (line,) = re.findall(r"^(.*invoke lint test)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line in (ROOT / ".ci" / "run").read_text().splitlines()
