"""The preview in a browser: wipe, selection and zoom by mouse and keyboard, layout and accessibility."""

import io
import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.conftest import HOSTILE, Opened
from tools.common.paths import LOCAL

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROWEST: ViewportSize = {"width": 320, "height": 640}
"""The narrowest window that WCAG 2.2 requires (1.4.10)."""


Colour = tuple[int, ...]
"""Red, green and blue, 0 to 255."""


def find_rendition(tab: Page, photo: str = "photo.jpg", name: str = "whole") -> Locator:
    of_photo = tab.locator("article").filter(has=tab.get_by_role("heading", name=photo, level=2, exact=True))
    return of_photo.locator(".rendition").filter(has=tab.locator("h3", has_text=name))


def measure_edges(shown: Locator) -> list[float]:
    """Return the line, the left image's right edge and the right image's left edge, as shares of the stage."""
    found: list[float] = shown.evaluate("""section => {
      const [stage, line, left, right] = [".stage", ".line", ".canvas .left", ".canvas .right"]
        .map(name => section.querySelector(name));
      const hidden = (image, side) => {
        const [top, right = top, , left = right] = image.style.clipPath.match(/-?[\\d.]+(?=px)/g).map(Number);
        return { right, left }[side];
      };
      return [
        line.getBoundingClientRect().x + 1 - stage.getBoundingClientRect().x,
        left.clientWidth - hidden(left, "right") - stage.scrollLeft,
        hidden(right, "left") - stage.scrollLeft,
      ].map(place => place / stage.clientWidth);
    }""")
    return found


def expect_wiped(shown: Locator, share: float) -> None:
    """Expect the line and both edges at this share."""
    assert measure_edges(shown) == pytest.approx([share] * 3, abs=0.01)


def test_the_keyboard_moves_the_wipe(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab)
    slider = shown.get_by_role("slider", name="Wipe")
    expect_wiped(shown, 0.5)
    slider.press("ArrowLeft")
    expect(slider).to_have_value("49")
    slider.press("PageUp")
    expect(slider).to_have_value("59")
    expect_wiped(shown, 0.59)
    expect(slider).to_have_attribute("aria-valuetext", "59 % scaled source, 41 % quality 60")
    slider.press("End")
    expect_wiped(shown, 1)


def test_the_mouse_moves_the_wipe(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab)
    slider = shown.get_by_role("slider", name="Wipe")
    stage, knob = (find_centre(shown.locator(name)) for name in (".stage", ".knob"))
    tab.mouse.move(*knob)
    tab.mouse.down()
    tab.mouse.move(stage[0] - 150, knob[1], steps=3)
    expect_wiped(shown, 0.25)
    expect(slider).to_have_value("25")
    tab.mouse.up()
    tab.mouse.move(stage[0], knob[1])
    expect(slider).to_have_value("25")
    # Dragging works anywhere on the image, and on the slider.
    tab.mouse.move(stage[0] + 60, stage[1] + 100)
    tab.mouse.down()
    expect_wiped(shown, 0.6)
    tab.mouse.up()
    tab.mouse.click(*find_centre(slider))
    expect_wiped(shown, 0.5)


def find_centre(element: Locator) -> tuple[float, float]:
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_any_two_images_can_be_selected(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab)
    names = ["scaled source", "JPEG 75, current setting", "quality 60", "quality 90"]
    figures = dict(zip(names, shown.locator("figure img").all(), strict=True))
    for side, name in (("left", "quality 90"), ("right", "scaled source"), ("right", "JPEG 75, current setting")):
        shown.get_by_label(side.capitalize(), exact=True).select_option(name)
        image = shown.locator(f".canvas .{side}")
        expect(image).to_have_attribute("src", figures[name].get_attribute("src") or "")
        expect(image).to_have_attribute("alt", name)
        expect(shown.locator(f".tag-{side}")).to_have_text(name)
    assert len({image.get_attribute("src") for image in figures.values()}) == 4


def test_the_recommended_variant_is_shown_first(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    recommendation = tab.locator(".recommendation").filter(has=tab.locator("h3", has_text="whole"))
    expect(recommendation.locator(".answer")).to_contain_text("Choose quality 60")
    expect(recommendation.locator("tr.chosen")).to_contain_text("quality 60")
    expect(find_rendition(tab).locator(".tag-right")).to_have_text("quality 60")


def test_settings_and_commands_can_be_copied(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    for shown in tab.locator(".copyable").all():
        shown.get_by_role("button", name="Copy").click()
        expect(shown.get_by_role("button")).to_have_text("Copied")
        assert tab.evaluate("navigator.clipboard.readText()") == shown.locator("code").inner_text()
    assert "whole = { scale = 1, quality = 60 }" in tab.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("times", [1, 2, 4])
def test_zoomed_pixels_are_sharp_and_the_keyboard_scrolls(opened: Opened, times: int) -> None:
    tab = opened(viewport=PHONE)
    shown = find_rendition(tab)
    shown.get_by_role("radio", name=f"{times}:1").check(force=True)
    canvas, stage = shown.locator(".canvas"), shown.locator(".stage")
    assert canvas.evaluate("canvas => [canvas.clientWidth, canvas.clientHeight]") == [600 * times, 400 * times]
    rendering = "pixelated" if times > 1 else "auto"
    expect(shown.locator(".canvas .right")).to_have_css("image-rendering", rendering)
    before = stage.evaluate("stage => stage.scrollLeft")
    # The centre stays in place.
    assert before == pytest.approx(300 * times - stage.evaluate("stage => stage.clientWidth") / 2, abs=1)
    stage.press("ArrowRight")
    tab.wait_for_function("([stage, before]) => stage.scrollLeft > before", arg=[stage.element_handle(), before])
    tab.wait_for_function(
        "([stage, right]) => right.style.clipPath.endsWith(`${stage.scrollLeft + stage.clientWidth / 2}px)`)",
        arg=[stage.element_handle(), shown.locator(".canvas .right").element_handle()],
    )
    expect_wiped(shown, 0.5)
    shown.get_by_role("radio", name="Fit").check(force=True)
    assert canvas.evaluate("canvas => canvas.clientWidth") <= PHONE["width"]


def test_the_mouse_pans_zoomed_images(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab)
    shown.get_by_role("radio", name="4:1").check(force=True)
    stage = shown.locator(".stage")
    x, y = find_centre(stage)
    before = stage.evaluate("stage => [stage.scrollLeft, stage.scrollTop]")
    tab.mouse.move(x + 100, y + 100)
    tab.mouse.down()
    tab.mouse.move(x + 60, y + 70, steps=4)
    tab.mouse.up()
    assert stage.evaluate("stage => [stage.scrollLeft, stage.scrollTop]") == [before[0] + 40, before[1] + 30]
    expect(shown.get_by_role("slider", name="Wipe")).to_have_value("50")


def test_the_tab_order_is_the_visual_order(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab)
    shown.get_by_label("Left", exact=True).focus()
    order = ["pick-left", "pick-right", "fit", "50"]
    reached = []
    for _ in order:
        reached.append(tab.evaluate("document.activeElement.className || document.activeElement.value"))
        tab.keyboard.press("Tab")
    assert reached == order


def test_every_image_decodes(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    sizes = tab.locator("img").evaluate_all(
        "images => Promise.all(images.map(image => image.decode().then(() => image.naturalWidth)))"
    )
    # The source, three variants, and two images in the viewer; quality has no effect on four photos in their format.
    assert len(sizes) == 8 * (4 + 2) + 4 * (2 + 2)
    assert all(sizes)


def test_an_output_that_browsers_do_not_show_can_be_saved(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    shown = find_rendition(tab, "paper.tiff")
    expect(shown.locator("figure").nth(1)).to_contain_text("browsers do not show TIFF")
    with tab.expect_download() as download:
        shown.get_by_role("link", name="Save the TIFF").first.click()
    assert download.value.suggested_filename == "whole-paper.tiff"
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size) == ("TIFF", (200, 300))
    # Browsers show the other outputs.
    assert tab.locator("article", has=tab.get_by_role("link", name="Save")).count() == 1


def test_a_hostile_name_is_shown_as_text(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    expect(tab.get_by_role("heading", name=HOSTILE, exact=True)).to_be_visible()


def test_without_scripts_all_images_stand_side_by_side(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP, java_script_enabled=False)
    shown = find_rendition(tab)
    expect(shown.locator(".viewer")).to_be_hidden()
    expect(shown.locator("figure img")).to_have_count(4)
    for image in shown.locator("figure img").all():
        expect(image).to_be_visible()
    expect(shown.get_by_role("table")).to_be_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, NARROWEST], ids=["desktop", "phone", "narrowest"])
def test_the_page_fits_the_window(opened: Opened, viewport: ViewportSize) -> None:
    tab = opened(viewport=viewport)
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def test_200_photos_have_a_small_index_and_load_when_opened(opened: Opened, index: Path, axe_core: str) -> None:
    tab = opened(index, viewport=PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect_deciding_column(tab, PHONE["width"])
    # The narrow column doesn't break the names apart.
    assert tab.locator(".photos a").evaluate_all("names => Math.max(...names.map(name => name.offsetHeight))") < 60
    expect_accessible(tab, axe_core)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    assert index.stat().st_size < 400_000
    assert tab.evaluate("document.querySelectorAll('*').length") < 200 * 20
    # A heading and the variants, a heading and the photos.
    expect(tab.locator("tr")).to_have_count(1 + 2 + 1 + 200)
    photos = tab.locator(".photos tbody tr")
    shown = [float(text) for text in photos.locator("td:nth-child(2)").all_inner_texts()]
    assert shown == sorted(shown)
    assert requests == []

    row = tab.locator(".recommendation tbody tr", has_text="JPEG 30")
    expect(row).to_contain_text("transparency was replaced by the background (photo 0.jpg)")
    name, score = row.get_by_role("link").inner_text(), row.locator("td:nth-child(3)").inner_text()
    row.get_by_role("link").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(name)
    expect(tab.locator(".tag-right")).to_have_text("JPEG 30")
    expect(tab.locator("figure", has_text="JPEG 30")).to_contain_text(f"score {score}")
    assert [url for url in requests if not url.startswith("data:")] == [tab.url.partition("#")[0]]
    tab.get_by_role("link", name="All photos").click()
    expect(photos).to_have_count(200)


def test_a_row_links_to_its_worst_photo_on_the_same_page(opened: Opened) -> None:
    tab = opened(viewport=DESKTOP)
    recommendation = tab.locator(".recommendation").filter(has=tab.locator("h3", has_text="whole"))
    row = recommendation.locator("tbody tr", has_text="quality 90")
    shown = find_rendition(tab)
    expect(shown.locator(".tag-right")).not_to_have_text("quality 90")
    row.get_by_role("link", name="photo.jpg").click()
    expect(shown.locator(".tag-right")).to_have_text("quality 90")
    expect(shown.locator(".stage")).to_be_in_viewport()


@pytest.mark.parametrize("width", [360, 390, 430])
def test_the_deciding_column_is_visible_on_a_phone(opened: Opened, width: int) -> None:
    expect_deciding_column(opened(viewport={**PHONE, "width": width}), width)


def expect_deciding_column(tab: Page, width: int) -> None:
    for heading in tab.locator("th").filter(has_text="Score").all():
        box = heading.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_shade_marks_the_edge_that_hides_columns(opened: Opened, scheme: Any) -> None:
    tab = opened(viewport=PHONE, color_scheme=scheme)
    for table in (tab.locator(".scroll").first, find_rendition(tab).locator(".scroll")):
        assert table.evaluate("table => table.scrollWidth > table.clientWidth")
        assert contrast(*edge_colours(table)) > 1.2
        table.evaluate("table => table.scrollLeft = table.scrollWidth")
        assert contrast(*edge_colours(table)) == 1


def edge_colours(table: Locator) -> tuple[Colour, Colour]:
    """Return the colour at the right edge of the first row's padding, and that of the card."""
    shown = Image.open(io.BytesIO(table.screenshot())).convert("RGB")
    card = table.evaluate("table => getComputedStyle(table.closest('.card')).backgroundColor")
    return cast("Colour", shown.getpixel((shown.width - 2, 4))), tuple(map(int, re.findall(r"\d+", card)))


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of WCAG 2.2, which is 1 for equal colours and 21 for black and white."""

    def luminance(colour: Colour) -> float:
        linear = [((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 255 / 12.92 for value in colour]
        return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_black_and_white_are_visible_on_the_checkerboard(opened: Opened, scheme: Any) -> None:
    tab = opened(viewport=PHONE, color_scheme=scheme)
    for place in (".canvas", "figure img"):
        background = (
            find_rendition(tab, HOSTILE).locator(place).first.evaluate("e => getComputedStyle(e).backgroundImage")
        )
        checks = {tuple(map(int, found)) for found in re.findall(r"rgb\((\d+), (\d+), (\d+)\)", background)}
        assert len(checks) == 2
        for check in checks:
            # WCAG 2.2, 1.4.11, requires 3 for graphics.
            assert min(contrast(check, (0, 0, 0)), contrast(check, (255, 255, 255))) > 4


def test_labels_do_not_cover_the_images(opened: Opened) -> None:
    shown = find_rendition(opened(viewport=PHONE))
    stage = shown.locator(".stage").bounding_box()
    for label in (shown.locator(".tag-left"), shown.locator(".tag-right")):
        expect(label).to_be_visible()
        box = label.bounding_box()
        assert box
        assert stage
        assert box["y"] + box["height"] <= stage["y"]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_badge_has_padding(opened: Opened, viewport: ViewportSize) -> None:
    padding = (
        opened(viewport=viewport)
        .locator(".badge")
        .first.evaluate("""badge => {
      const text = document.createRange();
      text.selectNodeContents(badge);
      return text.getBoundingClientRect().x - badge.getBoundingClientRect().x;
    }""")
    )
    assert padding >= 6


def test_a_tiny_image_is_enlarged_and_the_page_says_how_much(opened: Opened) -> None:
    shown = find_rendition(opened(viewport=PHONE), "dot.gif")
    figure = shown.locator("figure").first
    expect(figure).to_contain_text("enlarged 9 times")
    for image in (figure.locator("img"), shown.locator(".canvas .right")):
        assert image.evaluate("image => [image.clientWidth, image.clientHeight]") == [7 * 9, 13 * 9]
        expect(image).to_have_css("image-rendering", "pixelated")
    expect(shown.locator(".zoom")).to_contain_text("Fit, 9:1")
    assert "enlarged" not in find_rendition(opened(viewport=PHONE)).inner_text()


def test_hdr_outputs_can_be_shown_in_sdr(opened: Opened) -> None:
    tab = opened()
    shown = find_rendition(tab, "hdr.jpg")
    images = shown.locator("img")
    ranges = "images => images.map(image => getComputedStyle(image).dynamicRangeLimit)"
    assert set(images.evaluate_all(ranges)) == {"no-limit"}
    shown.get_by_role("radio", name="SDR").check(force=True)
    assert set(images.evaluate_all(ranges)) == {"standard"}
    assert images.count() >= 4
    # The other rendition, a WebP, has no gain map.
    others = tab.locator(".rendition").filter(has_not=tab.locator(".range"))
    assert others.count() == tab.locator(".rendition").count() - 1
    assert set(others.locator("img").evaluate_all(ranges)) == {"no-limit"}


@pytest.mark.parametrize(
    ("profile", "said"),
    [("srgb", "This screen shows HDR images in SDR."), ("scrgb-linear", "This screen can show HDR")],
)
def test_the_page_says_whether_the_screen_shows_hdr(browser: Browser, preview: Path, profile: str, said: str) -> None:
    options = ["--no-sandbox", f"--force-color-profile={profile}"]
    with browser.browser_type.launch(executable_path=shutil.which("chromium"), args=options) as other:
        tab = other.new_page()
        tab.goto(preview.as_uri())
        note = find_rendition(tab, "hdr.jpg").locator("p.note")
        assert note.inner_text().startswith(said)
        assert note.inner_text().count("This screen") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_the_page_is_accessible(
    opened: Opened, axe_core: str, device: str, viewport: ViewportSize, scheme: Any
) -> None:
    tab = opened(viewport=viewport, color_scheme=scheme)
    tab.locator("img").evaluate_all("images => Promise.all(images.map(image => image.decode()))")
    folder = LOCAL / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=folder / f"preview-{device}-{scheme}.png", full_page=True)
    brightness = tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(brightness) < 64) == (scheme == "dark")
    # Zooming makes the stage focusable.
    find_rendition(tab).get_by_role("radio", name="2:1").check(force=True)
    expect_accessible(tab, axe_core)


def expect_accessible(tab: Page, axe_core: str) -> None:
    tab.evaluate(f"{axe_core}; null")
    found = tab.evaluate("axe.run().then(result => result.violations)")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
