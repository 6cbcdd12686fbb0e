"""Every option of the root module reaches its resource, in the plans of terraform/tests/options.tftest.hcl."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from renditions import Rendition
from tests import hcl
from tests.terraform.modules import declarations
from tools.common import schema, tfvars
from tools.common.hcl import literals
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform

FILE = TERRAFORM / "tests" / "options.tftest.hcl"

with Path(__file__).with_name("options.csv").open(newline="") as table:
    ROWS = list(csv.DictReader(table))
"""An option, a run that sets it, and where its plan shows that: a resource and the path of an attribute. There is
the option's own value, unless the row has another. A missing resource is ``null``."""


def read_runs() -> dict[str, dict[str, Any]]:
    """Return the variables of each run, as written."""
    text = FILE.read_text()

    def read(block: hcl.Block) -> dict[str, Any]:
        (variables,) = (one for one in block.blocks if one.kind == "variables")
        return literals("".join(f"{name} = {text[at]}\n" for name, at in variables.arguments.items()), FILE.name)

    return {run.labels[0]: read(run) for run in hcl.parse(text, FILE.name).blocks if run.kind == "run"}


RUNS = read_runs()


@pytest.fixture(scope="module")
def plans(module_copy: Path, provider: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the planned attributes of each resource, by run and address without quotation marks."""
    lines: list[str] = []
    terraform = Terraform(module_copy, environment=provider)
    terraform.run("test", "-json", "-verbose", f"-filter=tests/{FILE.name}", show=lines.append)
    plans = {one["@testrun"]: one["test_plan"] for one in map(json.loads, lines) if one["type"] == "test_plan"}
    return {
        run: {one["address"].replace('"', ""): one["change"]["after"] for one in plan["resource_changes"]}
        for run, plan in plans.items()
    }


def find_values(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path in settings or in a plan. ``*`` stands for each element. Decode JSON on the way."""
    if not path:
        yield value
        return
    if isinstance(value, str):
        value = json.loads(value)
    first, *rest = path
    for name, element in value.items() if isinstance(value, dict) else enumerate(value or ()):
        if first in {str(name), "*"}:
            yield from find_values(element, rest)


def look_up(plan: Mapping[str, Any], row: Mapping[str, str]) -> str:
    return to_text(next(find_values(plan.get(row["resource"]), row["attribute"].split(".")), None))


def to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['option']}-{row['resource']}")
def test_an_option_reaches_its_resource(plans: dict[str, dict[str, Any]], row: dict[str, str]) -> None:
    (value,) = find_values(RUNS[row["run"]], row["option"].split("."))
    assert look_up(plans[row["run"]], row) == (row["value"] or to_text(value))
    assert look_up(plans["defaults"], row) != look_up(plans[row["run"]], row)


@pytest.mark.parametrize("run", ["defaults", "sets", "everything"])
def test_the_tools_read_the_renditions_that_the_function_gets(
    plans: dict[str, dict[str, Any]], run: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.tfvars.json"
    file.write_text(json.dumps({"renditions": RUNS[run].get("renditions")}))
    variables = plans[run]["module.function.aws_lambda_function.this"]["environment"][0]["variables"]
    planned = {name: Rendition.parse(name, options) for name, options in json.loads(variables["RENDITIONS"]).items()}
    assert list(planned.values()) == list(tfvars.read_settings([file]).renditions)
    assert len(planned) == {"defaults": 1, "sets": 16, "everything": 3}[run]


def test_every_resource_that_can_have_tags_has_them(plans: dict[str, dict[str, Any]]) -> None:
    tags = {address: one["tags"] for address, one in plans["everything"].items() if "tags" in one}
    assert len(tags) > 10
    assert {address: one for address, one in tags.items() if one != RUNS["everything"]["tags"]} == {}


def find_options(kind: schema.Type, path: str = "") -> Iterator[str]:
    """Yield the path of each option of a type that is no object and no collection."""
    if kind is None:
        yield path.removesuffix(".")
    else:
        for name, inner in kind.items():
            yield from find_options(inner, f"{path}{name}.")


ROOT = declarations(TERRAFORM, "variable")
FUNCTION, BUCKET, MONITORING = (
    declarations(TERRAFORM / "modules" / name, "variable") for name in ("function", "bucket", "monitoring")
)
SAME = sorted(ROOT.keys() & FUNCTION.keys() - {"source_bucket", "destination_bucket"})


@pytest.mark.parametrize(
    ("variable", "types"),
    [
        *((name, [FUNCTION[name]["type"]]) for name in SAME),
        *(
            (
                f"{bucket}_bucket_options",
                [BUCKET[name]["type"] for name in ("policy_statements", "lifecycle_rules", "cors_rules", "logging")],
            )
            for bucket in ("source", "destination")
        ),
        ("monitoring", [MONITORING["thresholds"]["type"]]),
    ],
)
def test_the_root_has_the_types_of_its_modules(variable: str, types: list[str]) -> None:
    root = "".join(ROOT[variable]["type"].split())
    assert [kind for kind in types if "".join(kind.split()) not in root] == []


@pytest.mark.parametrize("name", [name for name in SAME if name != "package"])
def test_the_root_has_the_defaults_of_the_function(name: str) -> None:
    assert ROOT[name]["default"] == FUNCTION[name]["default"]


def test_no_option_is_left_out() -> None:
    assert {row["option"] for row in ROWS} == set(find_options(schema.read_types()))
