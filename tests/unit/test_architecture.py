"""docs/architecture.md: its table lists the function's modules, and each imports only from rows above its own."""

import ast
import re
from pathlib import Path

import pytest

from tools.common.paths import FUNCTION, ROOT

SECTION = (ROOT / "docs" / "architecture.md").read_text().partition("## The function\n")[2].partition("\n## ")[0]
ROWS = [re.findall(r"`([\w.]+)`", row) for row in re.findall(r"^\| (`[^|]*) \|", SECTION, re.MULTILINE)]
LAYERS = {module: number for number, row in enumerate(ROWS) for module in row}


def find_imports(module: str) -> set[str]:
    """Return the function's modules that a module imports, including imports for types."""
    nodes = list(ast.walk(ast.parse(find_file(module).read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            # A name that is not a module is defined in the module.
            names |= full & LAYERS.keys() or {node.module}
    return names & LAYERS.keys()


def find_file(module: str) -> Path:
    """Return the file of a module or package."""
    path = FUNCTION / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_every_module_has_one_row() -> None:
    modules = {path.relative_to(FUNCTION).with_suffix("") for path in FUNCTION.rglob("*.py") if has_code(path)}
    assert sorted(LAYERS) == sorted(".".join(path.parts).removesuffix(".__init__") for path in modules)
    assert len(LAYERS) == sum(map(len, ROWS))


def has_code(path: Path) -> bool:
    """Return whether a module has more than a docstring."""
    return len(ast.parse(path.read_text()).body) > 1


@pytest.mark.parametrize("module", LAYERS)
def test_a_module_imports_only_from_above(module: str) -> None:
    assert {other for other in find_imports(module) if LAYERS[other] >= LAYERS[module]} == set()


def test_a_row_is_needed() -> None:
    for number, row in enumerate(ROWS[1:]):
        assert any(LAYERS[other] == number for module in row for other in find_imports(module)), f"row of {row}"
