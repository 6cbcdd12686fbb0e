"""The deployed metric filters match the function's real log lines."""

from tests.images import encode, picture
from tests.log_lines import COMMON
from tests.pipeline.conftest import Pipeline
from tests.terraform.cloudwatch import matches, select
from tests.unit.test_logs import read_messages


def test_log_lines_have_the_documented_fields_and_match_the_right_metric_filters(pipeline: Pipeline) -> None:
    pipeline.upload("monitored.jpg", encode(picture(1000, 750)))
    pipeline.upload("monitored.txt", b"no image")
    written = pipeline.wait_for_log_line("written", "monitored.jpg")
    rejected = pipeline.wait_for_log_line("rejected", "monitored.txt")
    assert pipeline.take_record("monitored.txt")["reason"] == "not_an_image"
    fields = {message: names for message, _, names in read_messages()}
    # By default, there is no manifest.
    assert set(written) == COMMON | fields["written"] - {"manifest"}
    assert set(rejected) == COMMON | fields["rejected"]
    response = pipeline.client("logs").describe_metric_filters(logGroupName=pipeline.stack.log_group)
    values = {
        metric_filter["filterName"]: [
            select(metric_filter["metricTransformations"][0]["metricValue"], line)
            for line in (written, rejected)
            if matches(metric_filter["filterPattern"], line)
        ]
        for metric_filter in response["metricFilters"]
    }
    assert values["SourceBytes"] == [len(encode(picture(1000, 750)))]
    assert values["OutputBytes"] == [pipeline.wait_for_output("monitored.jpg")["ContentLength"]]
    assert values["Megapixels"] == [0.75]
    assert {name: len(numbers) for name, numbers in values.items()} == {
        "Seen": 2,
        "Rejected": 1,
        "RejectedByReason": 1,
        **dict.fromkeys(("Outputs", "SourceBytes", "OutputBytes", "Megapixels", "RenderMilliseconds"), 1),
        **dict.fromkeys(("InitMilliseconds", "MaxMemoryMegabytes"), 0),
    }
