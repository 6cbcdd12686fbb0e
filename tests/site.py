"""A website for Chromium, from files in memory, and how much of a page moved while it loaded."""

import mimetypes
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

if TYPE_CHECKING:
    # Tests without a browser run without judges.txt.
    from playwright.sync_api import Browser, Page, Route

ORIGIN = "https://images.test/"

KINDS = {"mjs": "text/javascript", "avif": "image/avif", "webp": "image/webp"}
"""Media types that Python 3.11 doesn't know everywhere."""

SHIFTS = """() => new Promise(resolve => {
    let shifts = 0;
    new PerformanceObserver(list => list.getEntries().forEach(one => { shifts += one.value; }))
        .observe({type: "layout-shift", buffered: true});
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(shifts)));
})"""


class Site:
    """The files of a website, and the names of those that a browser asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.asked: list[str] = []

    def open(self, browser: "Browser", width: int, ratio: float = 1) -> "Page":
        """Open ``index.html`` in a window of this width in CSS pixels, and wait for its first image."""
        page = browser.new_page(viewport={"width": width, "height": 600}, device_scale_factor=ratio)
        page.route("**/*", self._answer)
        page.goto(ORIGIN + "index.html")
        page.wait_for_function("() => document.querySelector('img')?.complete")
        return page

    def _answer(self, route: "Route") -> None:
        name = unquote(urlparse(route.request.url).path).lstrip("/")
        self.asked.append(name)
        if name in self.files:
            kind = KINDS.get(name.rpartition(".")[2]) or mimetypes.guess_type(name)[0]
            route.fulfill(body=self.files[name], content_type=kind)
        else:
            route.fulfill(status=404)


def sum_layout_shifts(page: "Page") -> float:
    """Return the sum of the page's layout shifts since it was opened; 0 if nothing moved."""
    shifts: float = page.evaluate(SHIFTS)
    return shifts
