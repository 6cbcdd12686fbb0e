"""The demo without a local AWS: the keys of uploads, and results that outlive a failing teardown."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from errors import Reason
from tools.common.errors import ToolError
from tools.imaging.pictures import Upload
from tools.local import demo, stack

REJECTED = demo.Result(Upload("a.jpg", b"text"), None, Reason.NOT_AN_IMAGE.value, "It is no image.")

EndWith = Callable[[Callable[[], None]], None]
"""Sets what happens when the demo's AWS ends."""


@pytest.fixture
def end_with(monkeypatch: pytest.MonkeyPatch) -> EndWith:
    def end_with(end: Callable[[], None]) -> None:
        @contextlib.contextmanager
        def temporary_stack(*_: object, **__: object) -> Iterator[None]:
            yield
            end()

        monkeypatch.setattr(demo, "temporary_stack", temporary_stack)
        monkeypatch.setattr(demo, "run_through", lambda *_: [REJECTED])

    return end_with


def test_a_failing_teardown_loses_no_result(end_with: EndWith, tmp_path: Path) -> None:
    def fail() -> None:
        raise ToolError("it does not end")

    end_with(fail)
    said: list[str] = []
    with pytest.raises(ToolError, match="it does not end"):
        demo.demo([], tmp_path, said.append)
    assert "a.jpg   - (not_an_image)" in "".join(said)
    assert said[-1].startswith("Saved to ")
    assert (tmp_path / "a.jpg").read_bytes() == b"text"
    assert "not_an_image" in (tmp_path / demo.REPORT).read_text()


def test_a_name_cannot_control_the_terminal() -> None:
    odd = replace(REJECTED, upload=Upload("a\x1b[31m\n.jpg", b"text"))
    assert "\na\\x1b[31m\\n.jpg  - (not_an_image)" in demo.make_table([odd]).text()


def test_a_report_that_is_not_the_demos_is_not_overwritten(end_with: EndWith, tmp_path: Path) -> None:
    end_with(lambda: None)
    (tmp_path / demo.REPORT).write_text("mine")
    with pytest.raises(ToolError, match=r"^Cannot write .*report\.html: it exists and is not a page of the preview: "):
        demo.demo([], tmp_path, lambda _: None)
    assert (tmp_path / demo.REPORT).read_text() == "mine"


def test_results_overwrite_no_file_but_earlier_results(
    end_with: EndWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_with(lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "resized-a.jpg"):
        Path(name).write_text("text")
    demo.demo([Path("a.jpg")], Path("new"), lambda _: None)
    demo.demo([Path("a.jpg")], Path("new"), lambda _: None)
    Path("resized-a.jpg").write_text("mine")
    with pytest.raises(ToolError, match=r"^Cannot write resized-a\.jpg: it exists and is not a result of the demo: "):
        demo.demo([Path("a.jpg")], Path(), lambda _: None)


def test_results_that_cannot_be_saved_are_one_line(end_with: EndWith, tmp_path: Path) -> None:
    end_with(lambda: None)
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match=r"^Cannot write .*file/a\.jpg: File exists: choose another --output$"):
        demo.demo([], tmp_path / "file", lambda _: None)


def test_an_error_of_terraform_names_the_file_with_its_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stack, "LOCAL", tmp_path)
    with stack._terraform_log() as log:
        log("fine")
    assert list(tmp_path.iterdir()) == []

    def fail() -> None:
        with stack._terraform_log() as log:
            log("Creating...")
            raise ToolError("terraform apply: no")

    with pytest.raises(ToolError) as caught:
        fail()
    (file,) = tmp_path.iterdir()
    assert str(caught.value) == f"terraform apply: no (Terraform's whole output: {file})"
    assert file.read_text() == "Creating...\n"


def test_a_photo_keeps_its_folders_if_its_path_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photos = [Path("a/b.jpg"), Path("a/c/b.jpg"), Path.cwd() / "a" / "d.jpg", Path("a/../e.jpg")]
    for photo in photos:
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"")
    assert [upload.key for upload in demo._read_uploads(photos)] == ["a/b.jpg", "a/c/b.jpg", "d.jpg", "e.jpg"]
