"""tools/README.md: each folder of tools/ has its line, which names the folders that it imports from."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.common.paths import ROOT

TOOLS = ROOT / "tools"
ROWS = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", (TOOLS / "README.md").read_text(), re.MULTILINE)
IMPORTS = {folder: set(re.findall(r"`(\w+)`", cell)) for folder, cell in ROWS}


def find_imported_folders(path: Path) -> set[str]:
    """Return the folders of tools/ that a module imports from."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return {name.split(".")[1] for name in names if name.startswith("tools.")}


def test_every_folder_has_its_line() -> None:
    assert {path.name for path in TOOLS.glob("[!_]*/")} == IMPORTS.keys()


@pytest.mark.parametrize("folder", IMPORTS)
def test_a_folder_imports_from_the_folders_of_its_line(folder: str) -> None:
    found = {other for path in (TOOLS / folder).rglob("*.py") for other in find_imported_folders(path)}
    assert found - {folder} == IMPORTS[folder]


def test_operators_tasks_need_no_pillow() -> None:
    modules = [f"tools.operations.{path.stem}" for path in (TOOLS / "operations").glob("[!_]*.py")]
    # tasks.py puts function/ on the path.
    code = f"import sys; sys.modules['PIL'] = None; import tasks, {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
