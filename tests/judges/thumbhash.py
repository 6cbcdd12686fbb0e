"""The reference implementation of ThumbHash, by its author: JavaScript that runs in Chromium."""

import base64
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from tests import npm_files

VERSION = "0.1.1"
INTEGRITY = "sha512-kH5pKeIIBPQXAOni2AiY/Cu/NKdkFREdpH+TLdM0g6WA7RriCv0kPLgP731ady67MhTAqrVG/4mnEeibVuCJcg=="

ENCODE = "([width, height, pixels]) => Array.from(reference.rgbaToThumbHash(width, height, pixels))"
DECODE = "hash => { const {w, h, rgba} = reference.thumbHashToRGBA(hash); return [h, w, Array.from(rgba)]; }"
AVERAGE = "hash => { const {r, g, b, a} = reference.thumbHashToAverageRGBA(hash); return [r, g, b, a]; }"


class ThumbHash:
    """A page with the reference implementation."""

    def __init__(self, browser: Browser) -> None:
        """Load the package.

        Raises:
            ToolError: npm is missing, or can't download the package.

        """
        script = (npm_files.unpack("thumbhash", VERSION, INTEGRITY) / "thumbhash.js").read_text()
        self._page: Page = browser.new_page()
        address = f"data:text/javascript;base64,{base64.b64encode(script.encode()).decode()}"
        self._page.evaluate("address => import(address).then(found => { window.reference = found; })", address)

    def encode(self, image: Image.Image) -> bytes:
        """Return the hash of an image of up to 100 pixels on each side."""
        return bytes(self._page.evaluate(ENCODE, [*image.size, list(image.convert("RGBA").tobytes())]))

    def decode(self, thumbhash: bytes) -> np.ndarray[Any, Any]:
        """Return the picture in a hash: height by width by 4, from 0 to 255; colours are not premultiplied."""
        height, width, pixels = self._page.evaluate(DECODE, list(thumbhash))
        return np.array(pixels, float).reshape(height, width, 4)

    def average(self, thumbhash: bytes) -> list[float]:
        """Return red, green, blue and alpha of the average colour in a hash, from 0 to 255."""
        return [255 * value for value in self._page.evaluate(AVERAGE, list(thumbhash))]
