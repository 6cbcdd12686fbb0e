"""The demo: what it tells, and shows in its report, is what the pipeline did."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tools.imaging.pictures import Upload
from tools.local import demo
from tools.local.stack import RENDITION


@pytest.fixture(scope="module")
def results(pipeline: Pipeline) -> list[demo.Result]:
    uploads = [
        Upload("demo/photo.jpg", encode(picture())),
        Upload("demo/still.png", encode(picture(64, 48), "PNG")),
        Upload("demo/notes.jpg", b"text"),
    ]
    made = demo.run_through(pipeline.stack, uploads, lambda _: None)
    # The demo leaves it for its own pipeline to take with it.
    pipeline.failure("demo/notes.jpg")
    return made


def logged(pipeline: Pipeline, key: str) -> dict[str, Any]:
    return pipeline.log_line("written", key)


def test_the_steps_of_an_image_are_those_of_the_log_in_their_order(
    pipeline: Pipeline, results: list[demo.Result]
) -> None:
    for result in results[:2]:
        steps = {step.name: step.milliseconds for step in result.steps}
        assert list(steps) == ["uploaded", "invoked", "read", "rendered", "written"]
        assert steps["uploaded"] == 0
        assert list(steps.values()) == sorted(steps.values())
        line = logged(pipeline, result.upload.key)
        assert steps["rendered"] - steps["read"] == line["render_milliseconds"]
        put = line["milliseconds"] - line["read_milliseconds"] - line["render_milliseconds"]
        assert steps["written"] - steps["rendered"] == put


def test_the_report_shows_what_was_written_and_says_what_was_not(
    pipeline: Pipeline, results: list[demo.Result]
) -> None:
    html = demo.render_page(results)
    for result in results[:2]:
        output = pipeline.object(RENDITION.output_key(result.upload.key))["Bytes"]
        assert result.output == output
        assert base64.b64encode(output).decode() in html
        assert f"<span>written</span> <b>{result.steps[-1].milliseconds:,}&nbsp;ms</b>" in html
    assert "A million" not in html
    assert "<b>demo/notes.jpg</b> <code>not_an_image</code>" in html
    assert "The content is not a JPEG" in html


def test_a_photo_keeps_the_folders_that_are_below_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photos = [Path("a/b.jpg"), Path("a/c/b.jpg"), Path.cwd() / "a" / "d.jpg", Path("a/../e.jpg")]
    for photo in photos:
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"")
    assert [upload.key for upload in demo._read_uploads(photos)] == ["a/b.jpg", "a/c/b.jpg", "d.jpg", "e.jpg"]


def test_the_table_has_a_line_for_each(results: list[demo.Result]) -> None:
    rows = demo.make_table(results).rows
    assert rows[0][:2] == ("demo/photo.jpg", "demo/resized-photo.jpg")
    assert rows[2][:2] == ("demo/notes.jpg", "- (not_an_image)")
