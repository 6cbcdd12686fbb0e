"""Reads the pixels and animations of images with Chromium's own decoders."""

import base64
import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from tools.common.errors import ToolError

ORIGIN = "https://judge.test/"
"""Served by the test itself. ImageDecoder exists only on pages of a secure origin."""

SCRIPT = """
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const read = (image, width, height, colorSpace = "srgb") => {
    const canvas = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true, colorSpace});
    canvas.drawImage(image, 0, 0);
    let text = "";
    const pixels = canvas.getImageData(0, 0, width, height).data;
    for (let start = 0; start < pixels.length; start += 32768)
        text += String.fromCharCode(...pixels.subarray(start, start + 32768));
    return {width, height, pixels: btoa(text)};
};
window.still = async (text, colorSpace) => {
    const url = URL.createObjectURL(new Blob([bytes(text)]));
    const image = new Image();
    image.src = url;
    await image.decode();
    return read(image, image.naturalWidth, image.naturalHeight, colorSpace);
};
window.frames_of = async (text, type) => {
    const decoder = new ImageDecoder({data: bytes(text), type});
    await decoder.tracks.ready;
    await decoder.completed;
    const track = decoder.tracks.selectedTrack, frames = [];
    for (let index = 0; index < track.frameCount; index++) {
        const {image} = await decoder.decode({frameIndex: index, completeFramesOnly: true});
        frames.push({...read(image, image.displayWidth, image.displayHeight), duration: image.duration});
        image.close();
    }
    return {frames, plays: track.repetitionCount === Infinity ? 0 : track.repetitionCount + 1};
};
"""


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Run Chromium for the length of a block.

    Raises:
        ToolError: It is not installed.

    """
    path = shutil.which("chromium")
    if path is None:
        raise ToolError("No chromium on PATH: apt-get install chromium")
    # Its sandbox does not work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=options)
        yield started
        started.close()


@dataclass(frozen=True)
class Shown:
    """One frame.

    Attributes:
        pixels: Height by width by 4: red, green, blue and alpha, not premultiplied. Chromium holds premultiplied bytes,
            so colours with a low alpha are inexact.
        milliseconds: The duration of the frame; None in a still.

    """

    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    milliseconds: float | None


@dataclass(frozen=True)
class Animation:
    """All frames, and how often they are played; 0 repeats them forever."""

    frames: list[Shown]
    plays: int


class Chromium:
    """A page that decodes images."""

    def __init__(self, browser: Browser) -> None:
        self._page: Page = browser.new_page()
        self._page.route(
            ORIGIN, lambda route: route.fulfill(body=f"<script>{SCRIPT}</script>", content_type="text/html")
        )
        self._page.goto(ORIGIN)

    def still(self, body: bytes, colour_space: str = "srgb") -> Shown:
        """Return the image as a page shows it: upright, in ``srgb`` or ``display-p3``, the first frame of an animation.

        Raises:
            playwright.sync_api.Error: Chromium cannot decode the image.

        """
        return _parse_frame(
            self._page.evaluate(
                "([text, space]) => still(text, space)", [base64.b64encode(body).decode(), colour_space]
            )
        )

    def animation(self, body: bytes, media_type: str) -> Animation:
        """Return every frame, composed but not turned by EXIF.

        Raises:
            playwright.sync_api.Error: Chromium cannot decode a frame.

        """
        made = self._page.evaluate(
            "([text, type]) => frames_of(text, type)", [base64.b64encode(body).decode(), media_type]
        )
        return Animation([_parse_frame(frame) for frame in made["frames"]], made["plays"])


def _parse_frame(frame: dict[str, Any]) -> Shown:
    pixels = np.frombuffer(base64.b64decode(frame["pixels"]), np.uint8).reshape(frame["height"], frame["width"], 4)
    duration = frame.get("duration")
    return Shown(pixels, None if duration is None else duration / 1000)
