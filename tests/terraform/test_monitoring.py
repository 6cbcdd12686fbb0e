"""A plan of modules/monitoring: the metrics that its filters make of the real log, its alarms, and its dashboard."""

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.log_lines import COMMON, collect_lines
from tests.terraform.cloudwatch import evaluate, find_selectors, matches, publish
from tests.terraform.dashboards import Account
from tests.unit.test_logs import find_words, read_fields, read_messages, read_section
from tools.common import pricing
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform

MODULE = TERRAFORM / "modules" / "monitoring"
README = (MODULE / "README.md").read_text()

ANCHORS = {
    "failure-age",
    "function-errors",
    "loop",
    "near-timeout",
    "records-lost",
    "rejected-rate",
    "throttles",
    "undelivered",
    "undelivered-lost",
}
"""The headings of the alarms in docs/runbook.md."""

TEST = """
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_name      = "Lambda-image"
  log_group_name     = "/aws/lambda/Lambda-image"
  failure_queue_name = "Lambda-image-failures"
  memory_size        = 1769
  timeout            = 120
  alarms             = true
  region             = "eu-west-2"
  dashboard          = true
}

run "smallest" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  variables {
    architecture = "arm64"
  }
}

run "largest" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  variables {
    architecture           = "x86_64"
    undelivered_queue_name = "Lambda-image-undelivered"
    runbook                = "https://wiki.example.com/images"
  }
}
"""

PLATFORM = [
    {
        "time": "2026-11-26T12:00:01.123Z",
        "type": "platform.report",
        "record": {
            "requestId": "6d68ca91-49c9-4448-89b8-7ca3e6dc66aa",
            "metrics": {
                "durationMs": 693.92,
                "billedDurationMs": 1092,
                "memorySizeMB": 1769,
                "maxMemoryUsedMB": 184,
                **started,
            },
            "status": "success",
        },
    }
    for started in ({"initDurationMs": 397.68}, {})
]
"""The lines that Lambda writes after an environment's first invocation and after a later one:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report"""


@dataclass(frozen=True)
class Planned:
    """The resources of a plan."""

    resources: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one["change"]["after"] for one in self.resources if one["type"] == kind]

    @property
    def filters(self) -> list[dict[str, Any]]:
        return self.of("aws_cloudwatch_log_metric_filter")

    @property
    def alarms(self) -> list[dict[str, Any]]:
        return self.of("aws_cloudwatch_metric_alarm")

    @property
    def dashboard(self) -> dict[str, Any]:
        (found,) = self.of("aws_cloudwatch_dashboard")
        body: dict[str, Any] = json.loads(found["dashboard_body"])
        return body

    @property
    def account(self) -> Account:
        """The account of the dashboard, with the metrics of the filters."""
        metrics = [metric for one in self.filters for metric in one["metric_transformation"]]
        (namespace,) = {metric["namespace"] for metric in metrics}
        return Account(
            region="eu-west-2",
            namespace=namespace,
            metrics=frozenset(metric["name"] for metric in metrics if not metric["dimensions"]),
            dimensioned=frozenset((metric["name"], name) for metric in metrics for name in metric["dimensions"] or {}),
        )


@pytest.fixture(scope="module")
def plans(module_copy: Path, provider: dict[str, str]) -> dict[str, Planned]:
    folder = module_copy / "tests" / "monitored"
    folder.mkdir()
    (folder / "monitored.tftest.hcl").write_text(TEST)
    terraform, options = Terraform(module_copy, environment=provider), ("-test-directory=tests/monitored",)
    lines: list[str] = []
    terraform.init(*options)
    terraform.run("test", "-json", "-verbose", *options, show=lines.append)
    messages = [json.loads(line) for line in lines]
    return {
        one["@testrun"]: Planned(one["test_plan"]["resource_changes"]) for one in messages if one["type"] == "test_plan"
    }


@pytest.fixture(scope="module", params=["smallest", "largest"])
def planned(request: pytest.FixtureRequest, plans: dict[str, Planned]) -> Planned:
    return plans[request.param]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [*collect_lines(), *PLATFORM]


def test_each_metric_has_the_value_of_its_field(planned: Planned, lines: list[dict[str, Any]]) -> None:
    found = {one["name"]: [made for line in lines for made in publish(one, line)] for one in planned.filters}

    def of(field: str) -> list[tuple[dict[str, str], float]]:
        return [({}, line[field]) for line in lines if line.get("message") == "written"]

    looked_at = [line for line in lines if line.get("message") in {"written", "rejected", "failed"}]
    assert len(of("output_count")) == 4
    assert len(looked_at) == 7
    assert found == {
        "Seen": [({}, 1.0)] * 7,
        "Rejected": [({}, 1.0)],
        "RejectedByReason": [({"Reason": "not_an_image"}, 1.0)],
        "Outputs": of("output_count"),
        "SourceBytes": of("source_bytes"),
        "OutputBytes": of("output_bytes"),
        "Megapixels": of("megapixels"),
        "RenderMilliseconds": of("render_milliseconds"),
        "InitMilliseconds": [({}, 397.68)],
        "MaxMemoryMegabytes": [({}, 184), ({}, 184)],
    }


def test_a_filter_uses_only_documented_fields_and_messages(planned: Planned) -> None:
    fields = {f"$.{name}" for name in COMMON | set(read_fields())}
    of_lambda = {f"$.record.metrics.{name}" for name in find_words(read_section("Lambda's own lines"))} | {"$.type"}
    messages = {message for message, _, _ in read_messages()} | {"platform.report"}
    for one in planned.filters:
        (metric,) = one["metric_transformation"]
        asked = find_selectors(" ".join([one["pattern"], metric["value"], *(metric["dimensions"] or {}).values()]))
        assert asked <= fields | of_lambda
        assert set(re.findall(r'"([^"]*)"', one["pattern"])) <= messages


def test_cloudwatch_accepts_every_filter(planned: Planned) -> None:
    assert len({one["name"] for one in planned.filters}) == len(planned.filters) <= 100
    for one in planned.filters:
        (metric,) = one["metric_transformation"]
        assert metric["namespace"] == "ImageResize/Lambda-image"
        assert metric["name"] == one["name"]
        assert metric["unit"] in {"Count", "Bytes", "Megabytes", "Milliseconds", "None"}
        assert metric["default_value"] is None
        assert one["log_group_name"] == "/aws/lambda/Lambda-image"


@pytest.mark.parametrize(
    ("pattern", "line", "fit"),
    [
        ('{ $.a = "x" }', {"a": "x"}, True),
        ('{ $.a = "x" }', {"a": "y"}, False),
        ('{ $.a = "x" }', {}, False),
        ('{ $.a.b = "x" }', {"a": {"b": "x"}}, True),
        ('{ $.a.b = "x" }', {"a": "x"}, False),
        ("{ $.a >= 2 }", {"a": 2.5}, True),
        ("{ $.a >= 2 }", {"a": 1}, False),
        ("{ $.a >= 0 }", {}, False),
        ('{ ($.a = "x") || ($.a = "y") }', {"a": "y"}, True),
        ('{ ($.a = "x") && ($.b = "y") }', {"a": "x"}, False),
        # && binds more tightly than ||.
        ('{ $.a = "x" || $.b = "y" && $.c = "z" }', {"a": "x"}, True),
        ('{ ($.a = "x" || $.b = "y") && $.c = "z" }', {"a": "x"}, False),
    ],
)
def test_a_pattern_is_read_as_cloudwatch_reads_it(pattern: str, line: dict[str, Any], fit: bool) -> None:
    assert matches(pattern, line) is fit


def test_each_alarm_links_to_its_heading_in_the_runbook(plans: dict[str, Planned]) -> None:
    for planned, runbook, anchors in (
        (plans["smallest"], "docs/runbook.md", ANCHORS - {"undelivered", "undelivered-lost"}),
        (plans["largest"], "https://wiki.example.com/images", ANCHORS),
    ):
        names = {alarm["alarm_name"].removeprefix("Lambda-image-"): alarm for alarm in planned.alarms}
        assert set(names) == anchors
        for name, alarm in names.items():
            assert alarm["alarm_description"].endswith(f" {runbook}#{name}")
            assert len(alarm["alarm_description"]) <= 1024


def test_an_alarm_watches_an_existing_metric_for_as_long_as_cloudwatch_allows(planned: Planned) -> None:
    for alarm in planned.alarms:
        assert alarm["treat_missing_data"] == "notBreaching"
        assert alarm["comparison_operator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["datapoints_to_alarm"] <= alarm["evaluation_periods"]
        metrics = [metric for query in alarm["metric_query"] for metric in query["metric"]]
        for one in metrics or [alarm]:
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
            longest = 86_400 if one["period"] < 3_600 else 604_800
            assert alarm["evaluation_periods"] * one["period"] <= longest
            line = [one["namespace"], one["metric_name"], *sum((one["dimensions"] or {}).items(), ())]
            options = {"period": one["period"], "stat": one.get("stat") or one["statistic"]}
            assert list(planned.account.line_objections(line, options)) == []


@pytest.mark.parametrize(
    ("seen", "rejected", "rate"),
    [(20, 2, 10), (20, None, 0), (19, 19, 0), (200, 1, 0.5), (None, None, None), (20, 20, 100)],
)
def test_the_rejected_rate_is_zero_for_a_few_uploads(
    plans: dict[str, Planned], seen: float | None, rejected: float | None, rate: float | None
) -> None:
    (alarm,) = [one for one in plans["smallest"].alarms if one["metric_query"]]
    queries = {query["id"]: query for query in alarm["metric_query"]}
    assert {name for name, query in queries.items() if query["return_data"]} == {"rate"}
    assert evaluate(queries["rate"]["expression"], {"seen": seen, "rejected": rejected}) == rate


def test_cloudwatch_accepts_the_dashboard(planned: Planned) -> None:
    assert list(planned.account.objections(planned.dashboard)) == []
    (alarms,) = [one for one in planned.dashboard["widgets"] if one["type"] == "alarm"]
    assert len(alarms["properties"]["alarms"]) == len(planned.alarms)


def test_the_dashboard_shows_every_metric(planned: Planned) -> None:
    body = json.dumps(planned.dashboard)
    for one in planned.filters:
        assert f'"{one["name"]}"' in body.replace("\\", "")
    for name in ("ConcurrentExecutions", "p50", "p95", "p99"):
        assert f'"{name}"' in body


def find_widget(body: dict[str, Any], title: str) -> Any:
    (found,) = [one for one in body["widgets"] if one["properties"].get("title", "").startswith(title)]
    return found


@pytest.mark.parametrize(
    ("title", "place", "value", "objection"),
    [
        ("", ("title",), "x", "{'title'} are not known"),
        ("", ("widgets", 1, "x"), 15, "two widgets overlap at 0, 0"),
        ("", ("widgets", 1, "x"), 17, "text: it is not within the columns"),
        ("", ("widgets", 1, "x"), 16.5, "text: its place must be whole numbers"),
        ("", ("widgets", 1, "height"), 0, "text: it is not within the rows"),
        ("", ("widgets", 1, "name"), "", "text: it has ['height', 'name'"),
        ("", ("widgets", 1, "properties", "text"), "", "text: it has ['markdown', 'text']"),
        ("", ("widgets", 0, "properties", "alarms"), [], "Alarms: it needs 1 to 100 ARNs"),
        ("Memory", ("region",), "x", "Memory, MB: it is a timeSeries of x"),
        ("Memory", ("view",), "line", "Memory, MB: it is a line of eu"),
        ("Memory", ("period",), 90, "Memory, MB: 90 s is not a period"),
        ("Memory", ("metrics", 0, 1), "Memory", "nothing makes ['ImageResize/Lambda-image', 'Memory']"),
        ("Memory", ("annotations", "horizontal", 0, "value"), "1769", "'value': '1769'} is no annotation"),
        ("Errors", ("metrics", 0, 1), "Error", "nothing makes ['AWS/Lambda', 'Error', 'FunctionName'"),
        ("Errors", ("metrics", 0, 2), "Function", "nothing makes ['AWS/Lambda', 'Errors', 'Function'"),
        ("Cold", ("metrics", 0, -1, "stat"), "p5O", "Cold starts: p5O is no statistic"),
        ("Cold", ("metrics", 0, -1, "axis"), "right", "Cold starts: {'axis'} are no options"),
        ("Cold", ("metrics", 0, -1, "id"), "Starts", "Cold starts: the ids are ['Starts']"),
        ("A day", ("metrics", 0, -1, "id"), "duration", "): {'compute'} are no ids"),
        ("A day", ("metrics", -1, -1, "visible"), False, "): nothing is visible"),
        (
            "Rejected",
            ("metrics", 0, -1, "expression"),
            """SEARCH('{"ImageResize/Lambda-image",Why} MetricName="RejectedByReason"', 'Sum')""",
            "Rejected, by reason: nothing makes RejectedByReason by Why in ImageResize/Lambda-image",
        ),
    ],
)
def test_a_dashboard_that_cloudwatch_would_reject_is_found(
    plans: dict[str, Planned], title: str, place: tuple[str | int, ...], value: object, objection: str
) -> None:
    planned = plans["smallest"]
    body = copy.deepcopy(planned.dashboard)
    part: Any = find_widget(body, title)["properties"] if title else body
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert objection in "\n".join(planned.account.objections(body))


@pytest.mark.parametrize(("run", "architecture"), [("smallest", "arm64"), ("largest", "x86_64")])
def test_the_cost_uses_the_prices_of_the_benchmarks(plans: dict[str, Planned], run: str, architecture: str) -> None:
    for title in ("An hour", "A day"):
        properties = find_widget(plans[run].dashboard, title)["properties"]
        assert f"(list prices of {pricing.REGION}, {pricing.PRICES_AS_KNOWN_ON})" in properties["title"]
        assert [(one[-1]["id"], one[1]) for one in properties["metrics"] if len(one) > 1] == [
            ("compute", "Duration"),
            ("starts", "InitMilliseconds"),
            ("invocations", "Invocations"),
            ("puts", "Outputs"),
            ("gets", "Seen"),
        ]
        values: dict[str, float | None] = {"compute": 5e6, "starts": 2e5, "invocations": 5e4, "puts": 1e5, "gets": 6e4}
        for _, *names, options in ([None, *line] for line in properties["metrics"]):
            if not names:
                values[options["id"]] = evaluate(options["expression"], values)
        parts = {name.removesuffix("_cost"): value for name, value in values.items() if name.endswith("_cost")}
        gib_second = 1769 / 1024 * pricing.GIB_SECOND[architecture]
        assert parts == pytest.approx(
            {
                "compute": 5e3 * gib_second,
                "starts": 200 * gib_second,
                "invocations": 5e4 * pricing.INVOCATION,
                "puts": 1e5 * pricing.S3_PUT,
                "gets": 2 * 6e4 * pricing.S3_GET,
            }
        )
    assert values["total"] == pytest.approx(sum(filter(None, parts.values())))


def read_first_column(heading: str) -> list[str]:
    """Return the first cell of each row in a section of the README."""
    rows = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| ([^|]*`[^|]*) \|", rows, re.MULTILINE)


def test_the_readme_lists_every_metric_and_every_alarm(plans: dict[str, Planned]) -> None:
    metrics = {name for cell in read_first_column("Metrics") for name in find_words(cell)}
    assert metrics == {one["name"] for one in plans["largest"].filters}
    assert {cell.strip("`") for cell in read_first_column("Alarms")} == ANCHORS


def test_the_readme_counts_the_billed_metrics_and_alarms(plans: dict[str, Planned]) -> None:
    counts = dict(re.findall(r"^\| (metrics|alarms)\b.* \| (\d+) \| 0\.\d0 \|", README, re.MULTILINE))
    paid = [one for one in plans["smallest"].filters if not one["metric_transformation"][0]["dimensions"]]
    # AWS bills an alarm on an expression by the metrics in it.
    watched = [max(1, len(alarm["metric_query"]) - 1) for alarm in plans["smallest"].alarms]
    assert counts == {"metrics": str(len(paid)), "alarms": str(sum(watched))}
