"""The inputs and outputs in each Terraform module's README, made from what its variables and outputs say."""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.common import hcl, marks
from tools.common.paths import TERRAFORM
from tools.common.table import Table

PLACE = "inputs and outputs"

MODULES = (TERRAFORM, *sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir()))

NOT_MARKDOWN = str.maketrans({mark: f"&#{ord(mark)};" for mark in "&<>|*`~\\"})
"""What would be Markdown, HTML or the end of a cell, also inside of ``<pre>``."""


@dataclass(frozen=True)
class Input:
    """A variable of a module: type and default as they are written, without the indentation of their block.

    Attributes:
        type: Empty where it has none.
        default: None where a value must be given.
        description: Empty where it has none.
        nullable: Whether null is a value of its own, not another word for the default.

    """

    name: str
    type: str
    default: str | None
    description: str
    nullable: bool


@dataclass(frozen=True)
class Output:
    """An output of a module; its description is empty where it has none."""

    name: str
    description: str


def renew() -> list[Path]:
    """Write the inputs and outputs of every module into its README, and return the READMEs that changed.

    Raises:
        ToolError: A README lacks the place for them, or a module cannot be read.

    """
    return [path for module in MODULES for path in marks.renew(module / "README.md", {PLACE: section(module)})]


def renewed(module: Path) -> str:
    """Give a module's README as it is once its inputs and outputs are renewed.

    Raises:
        ToolError: It lacks the place for them, or the module cannot be read.

    """
    return marks.renewed(module / "README.md", {PLACE: section(module)})


def section(module: Path) -> str:
    """Give a module's inputs, those that must be given first, and its outputs, as Markdown.

    Raises:
        ToolError: The module cannot be read.

    """
    rows = tuple(
        (f"`{one.name}`", _code(one.type), "required" if one.default is None else _code(one.default), _prose(one))
        for one in sorted(inputs(module), key=lambda one: (one.default is not None, one.name))
    )
    tables = [Table("Inputs", ("name", "type", "default", "description"), rows, words=4)]
    if made := sorted(outputs(module), key=lambda one: one.name):
        lines = tuple((f"`{one.name}`", _prose(one)) for one in made)
        tables.append(Table("Outputs", ("name", "description"), lines, words=2))
    return "\n\n".join(table.markdown() for table in tables)


def inputs(module: Path) -> list[Input]:
    """Read a module's variables.

    Raises:
        ToolError: The module cannot be read.

    """
    return [
        Input(
            name=name,
            type=written.get("type", ""),
            default=written.get("default"),
            description=_unquoted(written.get("description", '""')),
            nullable=written.get("nullable") != "false",
        )
        for name, written in _written(module, "variable")
    ]


def outputs(module: Path) -> list[Output]:
    """Read a module's outputs.

    Raises:
        ToolError: The module cannot be read.

    """
    return [
        Output(name=name, description=_unquoted(written.get("description", '""')))
        for name, written in _written(module, "output")
    ]


def _written(module: Path, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every block of one kind: its name, and what is written for each of its arguments."""
    for path in sorted(module.glob("*.tf")):
        text = path.read_text()
        for block in hcl.parse(text, str(path)).blocks:
            if block.kind == kind:
                yield block.labels[0], {name: _dedented(text[where]) for name, where in block.arguments.items()}


def _dedented(value: str) -> str:
    """A value whose first line lacks the indentation that its others have."""
    first, newline, others = value.partition("\n")
    return first + newline + textwrap.dedent(others)


def _unquoted(value: str) -> str:
    if value.startswith("<<"):
        return textwrap.dedent("\n".join(value.strip().splitlines()[1:-1]))
    return str(json.loads(value))


def _code(value: str) -> str:
    """Code for a table's cell, which is one line of Markdown."""
    if "\n" in value or "`" in value:
        return "<pre>" + value.translate(NOT_MARKDOWN).replace("\n", "<br>") + "</pre>"
    return "`" + value.replace("|", "\\|") + "`"


def _prose(one: Input | Output) -> str:
    """A description for a table's cell: code in back-quotes stays code, and all else is plain text."""
    plain = re.sub(r"(`[^`]*`)|([<*])", lambda found: found[1] or f"\\{found[2]}", one.description)
    paragraphs = re.split(r"\n\s*\n", plain.replace("|", "\\|"))
    return "<br><br>".join(" ".join(paragraph.split()) for paragraph in paragraphs)
