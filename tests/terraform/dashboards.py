"""Finds the parts of a dashboard that CloudWatch would reject, or show as an empty widget.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

STATISTICS = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p\d\d?")

VIEWS = frozenset({"timeSeries", "singleValue", "gauge", "bar", "pie", "table"})

METRICS = {
    ("AWS/Lambda", "FunctionName"): {
        "AsyncEventAge",
        "AsyncEventsDropped",
        "ConcurrentExecutions",
        "DestinationDeliveryFailures",
        "Duration",
        "Errors",
        "Invocations",
        "RecursiveInvocationsDropped",
        "Throttles",
    },
    ("AWS/Events", "RuleName"): {"InvocationsFailedToBeSentToDlq"},
    ("AWS/SQS", "QueueName"): {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
}
"""AWS's own metrics that the dashboard and the alarms use:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""

PROPERTIES = {
    "alarm": ({"title", "alarms"}, {"sortBy", "states"}),
    "text": ({"markdown"}, {"background"}),
    "metric": ({"title", "metrics", "region", "view", "period"}, {"stat", "stacked", "yAxis", "annotations", "legend"}),
}
"""For each type of widget: its required and its optional properties."""

OPTIONS = frozenset({"color", "expression", "id", "label", "period", "stat", "visible", "yAxis"})
"""The options of one line of a graph."""

COLUMNS = 24


@dataclass(frozen=True)
class Account:
    """The account that holds a dashboard.

    Attributes:
        region: The region of its metrics.
        namespace: The namespace of the pipeline's own metrics.
        metrics: The own metrics without a dimension.
        dimensioned: The own metrics with a dimension, each with the dimension's name.

    """

    region: str
    namespace: str
    metrics: frozenset[str]
    dimensioned: frozenset[tuple[str, str]]

    def objections(self, body: dict[str, Any]) -> Iterator[str]:
        """Yield the problems of a dashboard."""
        if unknown := set(body) - {"start", "end", "periodOverride", "widgets"}:
            yield f"{unknown} are not known"
        for widget in body["widgets"]:
            objections = [*_place_objections(widget), *self._property_objections(widget["type"], widget["properties"])]
            yield from (f"{widget['properties'].get('title', widget['type'])}: {one}" for one in objections)
        for one, other in itertools.combinations(body["widgets"], 2):
            if all(
                one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
                for at, size in (("x", "width"), ("y", "height"))
            ):
                yield f"two widgets overlap at {one['x']}, {one['y']}"

    def _property_objections(self, kind: str, properties: dict[str, Any]) -> Iterator[str]:
        needed, possible = PROPERTIES[kind]
        if not needed <= set(properties) <= needed | possible:
            yield f"it has {sorted(properties)}"
        elif kind == "alarm":
            if not 1 <= len(properties["alarms"]) <= 100 or not all(":alarm:" in arn for arn in properties["alarms"]):
                yield "it needs 1 to 100 ARNs of alarms"
        elif kind == "metric":
            if properties["region"] != self.region or properties["view"] not in VIEWS:
                yield f"it is a {properties['view']} of {properties['region']}"
            lines = [(one[:-1], one[-1]) if isinstance(one[-1], dict) else (one, {}) for one in properties["metrics"]]
            yield from _option_objections([options for _, options in lines])
            yield from _annotation_objections(properties.get("annotations", {}))
            for names, options in lines:
                yield from self.line_objections(names, {**properties, **options})

    def line_objections(self, names: list[str], options: dict[str, Any]) -> Iterator[str]:
        """Yield the problems of one line of a graph, or of an alarm's metric.

        Args:
            names: Namespace, metric, and names and values of dimensions; empty for an expression.
            options: The line's own options and the graph's.

        """
        if options["period"] % 60:
            yield f"{options['period']} s is not a period"
        if "expression" in options:
            for namespace, dimension, metric in re.findall(
                r"""SEARCH\('\{"([^"]*)",(\w+)\} MetricName="(\w+)"'""", options["expression"]
            ):
                if namespace != self.namespace or (metric, dimension) not in self.dimensioned:
                    yield f"nothing makes {metric} by {dimension} in {namespace}"
            return
        if not STATISTICS.fullmatch(options.get("stat", "Average")):
            yield f"{options['stat']} is no statistic"
        namespace, metric, *dimensions = names
        own = namespace == self.namespace and metric in self.metrics and not dimensions
        if not own and metric not in METRICS.get((namespace, "".join(dimensions[:-1])), set()):
            yield f"nothing makes {names}"


def _place_objections(widget: dict[str, Any]) -> Iterator[str]:
    if set(widget) != {"type", "x", "y", "width", "height", "properties"}:
        yield f"it has {sorted(widget)}"
    if not all(isinstance(widget[name], int) for name in ("x", "y", "width", "height")):
        yield "its place must be whole numbers"
    if not (0 <= widget["x"] < COLUMNS and 1 <= widget["width"] <= COLUMNS - widget["x"]):
        yield "it is not within the columns"
    if widget["y"] < 0 or not 1 <= widget["height"] <= 1000:
        yield "it is not within the rows"


def _option_objections(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the problems of the options of a graph's lines."""
    if unknown := {name for options in lines for name in options} - OPTIONS:
        yield f"{unknown} are no options"
    ids = [options["id"] for options in lines if "id" in options]
    if len(ids) != len(set(ids)) or not all(re.fullmatch(r"[a-z]\w*", one) for one in ids):
        yield f"the ids are {ids}"
    expressions = [re.sub(r"'[^']*'", "", options.get("expression", "")) for options in lines]
    if missing := {name for one in expressions for name in re.findall(r"\b[a-z]\w*", one)} - set(ids):
        yield f"{missing} are no ids"
    if not any(options.get("visible", True) for options in lines):
        yield "nothing is visible"


def _annotation_objections(annotations: dict[str, Any]) -> Iterator[str]:
    for one in annotations.get("horizontal", []):
        if set(one) != {"label", "value"} or not isinstance(one["value"], int | float):
            yield f"{one} is no annotation"
    if unknown := set(annotations) - {"horizontal"}:
        yield f"{unknown} are no annotations"
