"""What watches the deployed pipeline: it is there, and is made of what the function really writes."""

import json

from tests.images import encode, picture
from tests.log_lines import COMMON
from tests.pipeline.conftest import Pipeline
from tests.terraform.cloudwatch import matches, select
from tests.unit.test_logs import read_messages


def test_a_line_has_the_fields_that_are_documented_and_each_filter_finds_its_own(pipeline: Pipeline) -> None:
    pipeline.upload("monitored.jpg", encode(picture(1000, 750)))
    pipeline.upload("monitored.txt", b"no image")
    written, rejected = pipeline.log_line("written", "monitored.jpg"), pipeline.log_line("rejected", "monitored.txt")
    assert pipeline.failure("monitored.txt")["reason"] == "not_an_image"
    fields = {message: names for message, _, names in read_messages()}
    assert set(written) == COMMON | fields["written"]
    assert set(rejected) == COMMON | fields["rejected"]
    answer = pipeline.client("logs").describe_metric_filters(logGroupName=pipeline.stack.log_group)
    values = {
        one["filterName"]: [
            select(one["metricTransformations"][0]["metricValue"], line)
            for line in (written, rejected)
            if matches(one["filterPattern"], line)
        ]
        for one in answer["metricFilters"]
    }
    assert values["SourceBytes"] == [len(encode(picture(1000, 750)))]
    assert values["OutputBytes"] == [pipeline.output("monitored.jpg")["ContentLength"]]
    assert values["Megapixels"] == [0.75]
    assert {name: len(found) for name, found in values.items()} == {
        "Seen": 2,
        "Rejected": 1,
        "RejectedByReason": 1,
        **dict.fromkeys(("Outputs", "SourceBytes", "OutputBytes", "Megapixels", "RenderMilliseconds"), 1),
        **dict.fromkeys(("InitMilliseconds", "MaxMemoryMegabytes"), 0),
    }


def test_the_dashboard_shows_the_alarms_that_there_are(pipeline: Pipeline) -> None:
    cloudwatch = pipeline.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{pipeline.stack.function_name}-")["MetricAlarms"]
    dashboard = json.loads(cloudwatch.get_dashboard(DashboardName=pipeline.stack.function_name)["DashboardBody"])
    (shown,) = [one["properties"]["alarms"] for one in dashboard["widgets"] if one["type"] == "alarm"]
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms)
    assert len(alarms) == 6
