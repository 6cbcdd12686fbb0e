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
"""Media types that Python 3.11 doesn't know on every system."""

NEXT_FRAME = """() => new Promise(resolve => {
    requestAnimationFrame(() => requestAnimationFrame(resolve));
})"""
"""The second callback runs after the browser laid out and painted the frame of the first."""

SHIFTS = f"""async () => {{
    let shifts = 0;
    const add = entries => entries.forEach(one => {{ shifts += one.value; }});
    const observer = new PerformanceObserver(list => add(list.getEntries()));
    observer.observe({{type: "layout-shift", buffered: true}});
    await ({NEXT_FRAME})();
    add(observer.takeRecords());
    return shifts;
}}"""


class Site:
    """The files of a website, and the names of those that a browser asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.asked: list[str] = []
        self._held: list[Route] | None = None

    def open(self, browser: "Browser", width: int, ratio: float = 1, shows: str = "img") -> "Page":
        """Open ``index.html`` in a window of this width in CSS pixels; wait for the selector ``shows`` and all images.

        Send images only after the page is painted without them: an earlier image would hide the shift that it causes.
        """
        self._held = []
        page = browser.new_page(viewport={"width": width, "height": 600}, device_scale_factor=ratio)
        page.route("**/*", self._answer)
        page.goto(ORIGIN + "index.html", wait_until="commit")
        page.wait_for_selector(shows, state="attached")
        page.evaluate(NEXT_FRAME)
        held, self._held = self._held, None
        for route in held:
            self._answer(route)
        page.wait_for_function("() => [...document.images].every(one => one.complete)")
        return page

    def _answer(self, route: "Route") -> None:
        if self._held is not None and route.request.resource_type == "image":
            self._held.append(route)
            return
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
