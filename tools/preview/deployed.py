"""The settings that Terraform would deploy: a ``.tfvars`` file's, and the module's defaults for all else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aws.settings import Settings
from errors import SettingsError
from tools.common import hcl
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM

DEFAULTS: Mapping[str, Any] = {
    "function": {"memory_size": 1769, "timeout": 120},
    "max_pixels": None,
    "metadata": "copyright",
    "renditions": {"resized": {"scale": 0.5}},
}
"""The module's, of the variables that decide what becomes of an image."""


def var_files(chosen: Path | None, root: Path = TERRAFORM) -> list[Path]:
    """The files that Terraform would read in ``root``, in its order, of which a later one counts more.

    https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence

    Args:
        chosen: What ``-var-file`` would name.
        root: The folder where it would run.

    Raises:
        ToolError: There is no file at ``chosen``.

    """
    if chosen is not None and not chosen.is_file():
        raise ToolError(f"No settings file at {chosen}: give the path of a .tfvars file")
    own = [root / name for name in ("terraform.tfvars", "terraform.tfvars.json") if (root / name).is_file()]
    automatic = sorted([*root.glob("*.auto.tfvars"), *root.glob("*.auto.tfvars.json")])
    return [*own, *automatic, *([chosen] if chosen is not None else [])]


def settings(files: Sequence[Path]) -> Settings:
    """Read the settings as the function would, by its own rules; buckets and queue have no names.

    Args:
        files: Each a ``.tfvars`` or ``.tfvars.json``; of a variable that several set, the last one counts.

    Raises:
        ToolError: One cannot be read, holds what is not written out, or sets what the function refuses.

    """
    chosen = {**DEFAULTS}
    for path in files:
        # Null is another word for the default.
        chosen |= {name: value for name, value in _values(path).items() if value is not None}
    function = {**DEFAULTS["function"], **dict(_set(chosen["function"], "function"))}
    environment = {
        **dict.fromkeys(("SOURCE_BUCKET", "DESTINATION_BUCKET", "FAILURE_QUEUE_URL"), ""),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["memory_size"]),
        "TIMEOUT_SECONDS": str(function["timeout"]),
        "METADATA": str(chosen["metadata"]),
        "RENDITIONS": json.dumps(chosen["renditions"]),
        **({"MAX_PIXELS": str(chosen["max_pixels"])} if chosen["max_pixels"] is not None else {}),
    }
    try:
        return Settings.from_environment(environment)
    except SettingsError as error:
        raise ToolError(f"{', '.join(map(str, files))}: {error}") from None


def _values(path: Path) -> dict[str, Any]:
    """What a file gives to the variables that count here."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"Cannot read {path}: {error}") from None
    if path.suffix != ".json":
        return hcl.literals(text, str(path), DEFAULTS)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ToolError(f"{path} is no JSON: {error}") from None
    return {name: value for name, value in _set(found, str(path)) if name in DEFAULTS}


def _set(value: object, name: str) -> Iterator[tuple[str, Any]]:
    """What an object sets: null is as if it were not there."""
    if not isinstance(value, dict):
        raise ToolError(f"{name} must be an object, not {value!r}")
    yield from ((option, given) for option, given in value.items() if given is not None)
