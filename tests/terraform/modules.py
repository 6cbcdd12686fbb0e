"""The Terraform modules of this repository, and the variables and outputs that they declare."""

from pathlib import Path

from tests import hcl
from tools.common.paths import TERRAFORM

MODULES = (TERRAFORM, *sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir()))


def declarations(module: Path, kind: str) -> dict[str, dict[str, str]]:
    """Return every block of one kind, ``variable`` or ``output``, by name: the source text of each argument.

    Raises:
        AssertionError: A file of the module is not HCL.

    """
    found = {}
    for path in sorted(module.glob("*.tf")):
        text = path.read_text()
        for block in hcl.parse(text, str(path)).blocks:
            if block.kind == kind:
                found[block.labels[0]] = {name: text[where] for name, where in block.arguments.items()}
    return found
