"""docs/architecture.md: the function's modules are those of its table, and imports lead only upwards in it."""

import ast
import re

import pytest

from tools.common.paths import FUNCTION, ROOT

SECTION = (ROOT / "docs" / "architecture.md").read_text().partition("## The function\n")[2].partition("\n## ")[0]
ROWS = [re.findall(r"`([\w.]+)`", row) for row in re.findall(r"^\| (`[^|]*) \|", SECTION, re.MULTILINE)]
LAYERS = {module: number for number, row in enumerate(ROWS) for module in row}


def imported(module: str) -> set[str]:
    """The function's own modules that one imports, also for types alone."""
    nodes = list(ast.walk(ast.parse((FUNCTION / f"{module.replace('.', '/')}.py").read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names |= {str(node.module) for node in froms}
    names |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    return names & LAYERS.keys()


def test_every_module_has_one_place() -> None:
    assert sorted(module for row in ROWS for module in row) == sorted(
        ".".join(path.relative_to(FUNCTION).with_suffix("").parts)
        for path in FUNCTION.rglob("*.py")
        if path.name != "__init__.py"
    )


@pytest.mark.parametrize("module", LAYERS)
def test_a_module_imports_only_from_above(module: str) -> None:
    assert {other for other in imported(module) if LAYERS[other] >= LAYERS[module]} == set()


def test_a_row_is_needed() -> None:
    for number, row in enumerate(ROWS[1:]):
        assert any(LAYERS[other] == number for module in row for other in imported(module)), f"row of {row}"
