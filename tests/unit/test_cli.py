"""The errors that users of tasks see, and the packages that tasks need."""

import ast
import re
import signal
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from packaging.utils import canonicalize_name

import tasks
from tools.common.cli import REQUIREMENTS_OF, find_invoke, readable_errors, require
from tools.common.errors import ToolError
from tools.common.paths import REQUIREMENTS, ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a task as its user does."""
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_an_error_that_the_user_can_fix_is_one_line() -> None:
    with pytest.raises(Exit) as caught, readable_errors("up"):
        raise ToolError("Cannot read a\x1b[31m\n.jpg: check it")
    assert str(caught.value) == r"Error: Cannot read a\x1b[31m\n.jpg: check it"
    assert caught.value.code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_a_task_and_says_so(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    cleaned_up: list[bool] = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            cleaned_up.append(True)

    # A shell ignores SIGINT for a background task.
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(Exit, match="Interrupted") as caught, readable_errors("up"):
            work()
    finally:
        signal.signal(number, before)
    assert caught.value.code == 130
    assert cleaned_up
    assert capfd.readouterr().err == "Stopping\n"


@pytest.mark.parametrize(
    ("task", "work", "options", "note"),
    [
        ("build", "tools.build.build", {}, "Building for python3.13 on arm64\n"),
        ("scan", "tools.dev.scan.scan", {}, "Scanning terraform/ with checkov\n"),
        ("lock", "tools.dev.lock.lock", {}, "Resolving the packages of pyproject.toml with uv\n"),
        ("audit_dependencies", "tools.dev.vulnerabilities.find", {}, "Looking up the packages with pip-audit\n"),
        (
            "provider_schemas",
            "tools.dev.provider_schemas.write",
            {},
            "Downloading the bindings of the provider's version 6 from npm, 46 MB\n",
        ),
        ("pictures", "tools.dev.before_and_after.draw", {}, "Resizing the six uploads twice\n"),
        (
            "mutate",
            "tools.dev.mutate.find_survivors",
            {"only": "var.kms_key_arns.log_group ->"},
            "Mutations to try, one at a time: 1\n",
        ),
        (
            "release",
            "tools.dev.release.objections",
            {"version": "1.0.0"},
            "Checking the clone, its lock files and the packages\n",
        ),
    ],
)
def test_a_long_task_first_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    task: str,
    work: str,
    options: dict[str, str],
    note: str,
) -> None:
    monkeypatch.setattr(work, Mock(side_effect=ToolError("stopped")))
    with pytest.raises(Exit, match="Error: stopped"):
        getattr(tasks, task)(Context(), **options)
    assert capsys.readouterr() == ("", note)


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with readable_errors("up"):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "missing.jpg"], "Error: Cannot read missing.jpg: No such file or directory"),
        (
            ["send", "nonsense"],
            "Error: No event nonsense: give a path, or one of batch-operations-1, batch-operations-2, eventbridge, ",
        ),
        (["build", "--python", "3.11"], "use 3.12, 3.13 or 3.14"),
        (["up", "--var-file", "missing.tfvars"], "Error: Cannot read missing.tfvars: No such file or directory: give"),
        (["up", "--port", "80000000"], "Error: --port is '80000000': use a whole number from 1 to 65,535"),
        (["bild"], "Error: No task 'bild': did you mean build?"),
        (["preview"], "Error: No photo given: use `invoke preview photo.jpg`"),
        (["preview", "missing.jpg"], "Error: Cannot read missing.jpg: No such file or directory"),
        (["preview", "a.jpg", "--output", "docs"], "Error: Cannot write docs: it is a folder: choose another --output"),
        (["demo", "--output", "README.md"], "Error: Cannot write README.md/report.html: File exists: choose another"),
        (["preview", "docs"], "Error: Cannot read docs: Is a directory: give its files, as in docs/*"),
        (["preview", "--compare", "quality", "missing.jpg"], "Error: Cannot compare 'quality': use --compare quality="),
    ],
)
def test_wrong_input_is_answered_by_one_line(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_preview_of_rejected_photos_only_answers_no(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    result = run("preview", str(tmp_path / "empty.jpg"), "--output", str(tmp_path / "page.html"))
    assert (result.returncode, result.stderr) == (1, "")
    assert "empty.jpg is rejected: " in result.stdout
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    ("started", "on_path", "pasted"),
    [
        (".venv/bin/invoke", "", ".venv/bin/invoke"),
        ("{}/.venv/bin/invoke", "", ".venv/bin/invoke"),
        ("{}/.venv/bin/invoke", ".venv/bin", "invoke"),
        ("/elsewhere/bin/invoke", ".venv/bin", "/elsewhere/bin/invoke"),
        ("/lib/invoke/__main__.py", "", "invoke"),
    ],
)
def test_a_command_to_paste_starts_like_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, on_path: str, pasted: str
) -> None:
    program = tmp_path / ".venv" / "bin" / "invoke"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / on_path))
    monkeypatch.setattr(sys, "argv", [started.format(tmp_path)])
    assert find_invoke() == pasted


ENDLESS = """
import sys
from invoke.exceptions import Exit
from packaging.utils import canonicalize_name
from tools.common.cli import readable_errors

try:
    with readable_errors("logs"):
        while True:
            print("a line")
except Exit as ended:
    sys.exit(ended.code)
"""


INTERRUPTED = """
import signal, sys
from invoke.main import program

class Interrupting:
    def find_spec(self, name, *_):
        if name == "tools.common.cli":
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
program.run(["invoke", "--list"])
"""


def test_a_closed_pipe_ends_a_task_quietly() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", ENDLESS], cwd=ROOT, stdout=pipe, stderr=pipe) as task:
        assert task.stdout
        assert task.stderr
        task.stdout.readline()
        task.stdout.close()
        assert task.stderr.read() == b""
    assert task.returncode == 141


@pytest.mark.parametrize("arguments", [["--list"], ["build", "--help"]])
def test_output_that_cannot_be_written_is_one_error(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "invoke", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    line = "Error: Cannot write to standard output: No space left on device: send the output elsewhere\n"
    assert (done.stderr, done.returncode) == (line, 2)


def test_an_interrupt_during_the_imports_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("Interrupted\n", 130)


def test_a_missing_terraform_is_reported_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("demo")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: No terraform or tofu on PATH: install Terraform 1.11")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "platform = 'win32'",
            "Error: this does not run on Windows: install WSL, ",
        ),
        ("version_info = (3, 10)", "Error: this is Python 3.10: use 3.11 to 3.14"),
        ("version_info = (3, 15)", "Error: this is Python 3.15: use 3.11 to 3.14"),
        ("version_info = (3, 14)", ""),
    ],
)
def test_an_unsupported_machine_gets_one_line_with_the_fix(setting: str, message: str) -> None:
    script = f"import sys; from invoke.main import program; sys.{setting}; program.run(['invoke', '--list'])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == bool(message)


def imports_of(*names: str) -> list[str]:
    """The imports that the bodies of tasks hold."""
    functions = [node for node in ast.parse(Path(tasks.__file__).read_text()).body if isinstance(node, ast.FunctionDef)]
    bodies = [function for function in functions if function.name in names]
    return [ast.unparse(node) for body in bodies for node in ast.walk(body) if isinstance(node, ast.ImportFrom)]


@pytest.mark.parametrize("files", sorted(set(REQUIREMENTS_OF.values())))
def test_a_task_imports_nothing_but_its_requirements(files: tuple[str, ...]) -> None:
    texts = [(REQUIREMENTS / f"{name}.txt").read_text() for name in files]
    locked = {name for text in texts for name in re.findall(r"^([\w.-]+)(?:\[.*])?==", text, re.MULTILINE)}
    others = [
        package
        for package, distributions in packages_distributions().items()
        if not locked & set(map(canonicalize_name, distributions))
    ]
    imports = imports_of(*(name for name, needed in REQUIREMENTS_OF.items() if needed == files))
    # The local AWS runs in its own process, so no task imports moto.
    imports += ["import tools.local.aws.server"] if files == ("local",) else []
    # A module that is None in sys.modules fails to import, like one that is not installed.
    script = ["import sys", "sys.modules.update(dict.fromkeys(sys.argv[1:]))", "import tasks", *imports]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(script), *others], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("task", "pip", "command"),
    [
        ("up", sys, "pip install -r tools/requirements/local.txt"),
        ("lint", sys, "pip install -r tools/requirements/dev.txt"),
        ("test", sys, "pip install -r tools/requirements/dev.txt -r tools/requirements/judges.txt"),
        ("up", None, "uv pip install -r tools/requirements/local.txt"),
    ],
)
def test_a_missing_package_is_named_with_the_file_to_install(
    monkeypatch: pytest.MonkeyPatch, task: str, pip: ModuleType | None, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "pip", pip)
    line = f"Error: this task needs the package one: run `{command}`"
    with pytest.raises(Exit, match=f"^{re.escape(line)}$"), readable_errors(task):
        require("pytest", "one")
