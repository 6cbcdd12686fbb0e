"""The demo's table and report match what the pipeline did."""

import base64
from pathlib import Path

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tools.imaging.pictures import Upload
from tools.local import demo
from tools.local.stack import RENDITION
from tools.preview.page import render_page


@pytest.fixture(scope="module")
def results(pipeline: Pipeline) -> list[demo.Result]:
    uploads = [
        Upload("demo/photo.jpg", encode(picture())),
        Upload("demo/still\x1b[31m\n.png", encode(picture(64, 48), "PNG")),
        Upload("demo/notes.jpg", b"text"),
    ]
    results = demo.run_through(pipeline.stack, uploads, lambda _: None)
    # The demo leaves its records in the queue, because it normally removes the whole pipeline.
    pipeline.take_record("demo/notes.jpg")
    return results


def test_the_steps_of_an_image_match_the_log(pipeline: Pipeline, results: list[demo.Result]) -> None:
    for result in results[:2]:
        steps = {step.name: step.milliseconds for step in result.steps}
        assert list(steps) == ["uploaded", "invoked", "read", "rendered", "written"]
        assert steps["uploaded"] == 0
        assert list(steps.values()) == sorted(steps.values())
        line = pipeline.wait_for_log_line("written", result.upload.key)
        assert steps["rendered"] - steps["read"] == line["render_milliseconds"]
        put = line["milliseconds"] - line["read_milliseconds"] - line["render_milliseconds"]
        assert steps["written"] - steps["rendered"] == put


def test_the_report_shows_outputs_and_rejections(
    pipeline: Pipeline, results: list[demo.Result], tmp_path: Path
) -> None:
    html = render_page(demo.make_report(results, tmp_path / "report.html"))
    for result in results[:2]:
        output = pipeline.wait_for_object(RENDITION.output_key(result.upload.key))["Bytes"]
        assert result.output == output
        assert base64.b64encode(output).decode() in html
        assert f"<span>written</span> <b>{result.steps[-1].milliseconds:,}&nbsp;ms</b>" in html
    assert "A million" not in html
    assert "<b>demo/notes.jpg</b> <code>not_an_image</code>" in html
    assert "The content is not a JPEG" in html


def test_the_table_has_a_row_for_each_upload(results: list[demo.Result]) -> None:
    rows = demo.make_table(results).rows
    assert rows[0][:2] == ("demo/photo.jpg", "demo/resized-photo.jpg")
    assert rows[2][:2] == ("demo/notes.jpg", "- (not_an_image)")
