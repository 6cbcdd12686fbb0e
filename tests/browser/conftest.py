"""A preview in a real browser. Any console message, error, dialog or network request fails the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests import gain_maps
from tests.browser import axe
from tests.conftest import skip_or_fail
from tests.images import encode, picture
from tools.common.cli import save
from tools.common.errors import ToolError
from tools.preview import run
from tools.preview.model import Step
from tools.preview.page import render_page

SETTINGS = """
renditions = {
  tile    = { width = 120, height = 120, fit = "cover", format = "webp" }
  whole   = { scale = 1 }
}
"""

HOSTILE = "<img src=x onerror=alert(1)>\"'&.png"

PATIENCE = 30_000
"""Milliseconds before an unmet expectation fails."""

Opened = Callable[..., Page]
"""Opens the preview with the options of a Playwright context."""


@pytest.fixture(scope="session")
def axe_core() -> str:
    try:
        return axe.read_script()
    except ToolError as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="session")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page that uses every feature."""
    folder = tmp_path_factory.mktemp("preview")
    (folder / "x.tfvars").write_text(SETTINGS)
    noisy = Image.blend(picture(600, 400), Image.merge("RGB", [Image.effect_noise((600, 400), 60)] * 3), 0.02)
    frames = [picture(200, 150).rotate(turn) for turn in (0, 45, 90)]
    animation: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0}
    files = {
        "photo.jpg": encode(noisy, quality=95),
        HOSTILE: encode(picture(300, 200, "LA"), "PNG"),
        "moving.gif": encode(frames[0], "GIF", **animation),
        "dot.gif": encode(picture(7, 13), "GIF"),
        "hdr.jpg": gain_maps.iso_jpeg(*gain_maps.hdr_pictures()),
        "paper.tiff": encode(picture(200, 300), "TIFF"),
        "notes.txt": b"text",
    }
    for name, body in files.items():
        (folder / name).write_bytes(body)
    made = run.preview(
        [folder / name for name in files],
        folder / "preview.html",
        var_file=folder / "x.tfvars",
        compare=["quality=60,90"],
    )
    first, *others = made.photos
    steps = [Step("uploaded", 0), Step("invoked", 45), Step("written", 1234)]
    html = render_page(replace(made, photos=[replace(first, steps=steps), *others]))
    save(html, folder / "preview.html")
    return folder / "preview.html"


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page of 200 photos. The first is transparent, so that one variant has losses."""
    folder = tmp_path_factory.mktemp("index")
    photos = [folder / f"photo {number}.jpg" for number in range(200)]
    for number, photo in enumerate(photos):
        photo.write_bytes(encode(picture(40, 30).rotate(number), quality=50 + number // 4))
    photos[0].write_bytes(encode(Image.new("RGBA", (40, 30), "#ff000080"), "PNG"))
    output = folder / "200 photos.html"
    save(render_page(run.preview(photos, output, compare=["format=jpeg", "quality=30"])), output)
    return output


@pytest.fixture
def opened(browser: Browser, preview: Path) -> Iterator[Opened]:
    """Return a function that opens the preview, or another file, in its own window."""
    complaints: list[str] = []
    with ExitStack() as contexts:

        def opened(path: Path = preview, **options: Any) -> Page:
            context = contexts.enter_context(browser.new_context(**options))
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            tab.on("console", lambda message: complaints.append(message.text))
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("dialog", lambda dialog: complaints.append(dialog.message))
            # A page may load only itself and the images inside it. Its links lead to the files beside it.
            inside = ("data:", path.as_uri(), f"{path.parent.as_uri()}/{quote(path.stem)}-files/photo-")
            tab.on("request", lambda one: None if one.url.startswith(inside) else complaints.append(one.url))
            tab.goto(path.as_uri())
            return tab

        yield opened
    assert complaints == []
