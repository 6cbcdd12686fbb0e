"""tools/README.md: each folder of tools/ has its line, and imports only what that allows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.common.paths import ROOT

TOOLS = ROOT / "tools"
ROWS = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", (TOOLS / "README.md").read_text(), re.MULTILINE)
ALLOWED = {folder: set(re.findall(r"`(\w+)`", cell)) for folder, cell in ROWS}

EXCEPTIONS = {
    # The demo draws its uploads, and its report is a page of the preview.
    "local/demo.py": {"preview", "imaging"},
    # A cold start is measured in Lambda's own runtime, which the local AWS fetches.
    "benchmarks/cold.py": {"local"},
    # Latency is measured on the local AWS.
    "benchmarks/latency.py": {"local"},
}


def find_imported_folders(path: Path) -> set[str]:
    """The folders of tools/ that a module imports from."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return {name.split(".")[1] for name in names if name.startswith("tools.")}


def test_every_folder_has_its_line() -> None:
    assert {path.name for path in TOOLS.glob("[!_]*/")} == ALLOWED.keys()


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_from_allowed_folders(folder: str) -> None:
    for path in (TOOLS / folder).rglob("*.py"):
        name = path.relative_to(TOOLS).as_posix()
        assert find_imported_folders(path) - {folder} <= ALLOWED[folder] | EXCEPTIONS.get(name, set()), name


def test_operators_tasks_need_no_pillow() -> None:
    modules = [f"tools.operations.{path.stem}" for path in (TOOLS / "operations").glob("[!_]*.py")]
    # tasks.py puts function/ on the path.
    code = f"import sys; sys.modules['PIL'] = None; import tasks, {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
