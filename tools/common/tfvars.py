"""Read the settings that Terraform would deploy: from ``.tfvars`` files, with the module's defaults for the rest."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aws.settings import Settings
from errors import SettingsError
from key_template import MANIFEST_SUFFIX
from tools.common import hcl, schema
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.rendition_sets import expand_all

DEFAULTS: Mapping[str, Any] = {
    "content_credentials": None,
    "events": None,
    "function": {"memory_size": 1769, "timeout": 120},
    "manifest": False,
    "max_pixels": None,
    "metadata": "copyright",
    "placeholders": False,
    "renditions": {"resized": {"scale": 0.5}},
}
"""The module's defaults, for the variables that affect outputs."""


def find_files(chosen: Path | None, root: Path = TERRAFORM) -> list[Path]:
    """Return the files that Terraform would read in ``root``, in its order; later files override earlier ones.

    https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence

    Args:
        chosen: For ``-var-file``.
        root: The folder where Terraform would run.

    """
    own = [root / name for name in ("terraform.tfvars", "terraform.tfvars.json") if (root / name).is_file()]
    automatic = sorted([*root.glob("*.auto.tfvars"), *root.glob("*.auto.tfvars.json")])
    return [*own, *automatic, *([chosen] if chosen is not None else [])]


def read_settings(files: Sequence[Path]) -> Settings:
    """Read the settings with the function's own validation; buckets and queue stay empty.

    Args:
        files: Each a ``.tfvars`` or ``.tfvars.json``; later files override earlier ones.

    Raises:
        ToolError: A file can't be read, contains an expression, or has a value that the function rejects.

    """
    chosen = {**DEFAULTS}
    for path in files:
        chosen |= read_variables(path)
    function = {**DEFAULTS["function"], **dict(_drop_nulls(chosen["function"], "function"))}
    # Terraform takes the text "true" for true.
    booleans = {option: str(chosen[option]).lower() for option in ("manifest", "placeholders")}
    if booleans["manifest"] not in {"true", "false"}:
        raise ToolError(f"{', '.join(map(str, files))}: manifest is {chosen['manifest']!r}: use true or false")
    objects = {"content_credentials": "CONTENT_CREDENTIALS", "events": "EVENTS"}
    environment = {
        **dict.fromkeys(("SOURCE_BUCKET", "DESTINATION_BUCKET", "FAILURE_QUEUE_URL"), ""),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["memory_size"]),
        "TIMEOUT_SECONDS": str(function["timeout"]),
        "METADATA": str(chosen["metadata"]),
        **{
            variable: json.dumps(dict(_drop_nulls(chosen[option], option)))
            for option, variable in objects.items()
            if chosen[option] is not None
        },
        "PLACEHOLDERS": booleans["placeholders"],
        **({"MANIFEST": "{dir}{name}" + MANIFEST_SUFFIX} if booleans["manifest"] == "true" else {}),
        **({"MAX_PIXELS": str(chosen["max_pixels"])} if chosen["max_pixels"] is not None else {}),
    }
    renditions = chosen["renditions"]
    try:
        plain = expand_all(renditions) if isinstance(renditions, dict) else renditions
        return Settings.from_environment(environment | {"RENDITIONS": json.dumps(plain)})
    except SettingsError as error:
        raise ToolError(f"{', '.join(map(str, files))}: {error}") from None


def read_renditions(files: Sequence[Path]) -> tuple[Path | None, Mapping[str, Any]]:
    """Return the variable ``renditions`` as written, and the file that sets it; None if no file does.

    Raises:
        ToolError: A file can't be read, or contains an expression.

    """
    found: tuple[Path | None, Mapping[str, Any]] = None, DEFAULTS["renditions"]
    for path in files:
        if (value := read_variables(path).get("renditions")) is not None:
            found = path, value
    return found


def read_variables(path: Path) -> dict[str, Any]:
    """Read the variables that a file sets to another value than null, which is Terraform's word for the default.

    Raises:
        ToolError: The file can't be read, contains an expression, or has a setting that the module does not have.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError(f"Cannot read {path}: {error.strerror}: give the path of a .tfvars file") from None
    except UnicodeDecodeError:
        raise ToolError(f"{path} is not a .tfvars file: it has other bytes than text in UTF-8") from None
    found = _read_json(text, path) if path.suffix == ".json" else hcl.literals(text, str(path))
    # In JSON, Terraform ignores "//" as a comment.
    variables = {name: value for name, value in _drop_nulls(found, str(path)) if name != "//"}
    if unknown := next(schema.find_unknown(variables), ""):
        raise ToolError(f"{path}: {unknown}")
    return variables


def _read_json(text: str, path: Path) -> object:
    try:
        return json.loads(text, object_pairs_hook=partial(_make_object, path))
    except ValueError as error:
        raise ToolError(f"{path} is not JSON: {error}") from None


def _make_object(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; refuse a name that it has twice, as Terraform does at every level."""
    names = Counter(name for name, _ in pairs)
    if twice := next((name for name, count in names.items() if count > 1 and name != "//"), None):
        raise ToolError(f"{path}: {twice} is set {names[twice]} times, but Terraform allows one: keep one")
    return dict(pairs)


def _drop_nulls(value: object, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of an object that are not null."""
    if not isinstance(value, dict):
        raise ToolError(f"{name} must be an object, not {value!r}")
    yield from ((option, given) for option, given in value.items() if given is not None)
