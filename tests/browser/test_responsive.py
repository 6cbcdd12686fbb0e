"""The page of terraform/examples/responsive shows the right candidate in Chromium, and nothing moves."""

import pytest
from playwright.sync_api import Browser

from aws.description import Description, RenditionDescription, SourceDescription
from imaging.render import render
from renditions import Rendition
from tests.images import encode, picture
from tests.site import Site, sum_layout_shifts
from tests.unit.rendering import LIMITS
from tools.common.paths import TERRAFORM
from tools.common.rendition_sets import expand

EXAMPLE = TERRAFORM / "examples" / "responsive"

SET = {"widths": [320, 640, 1280, 1920], "formats": ["avif", "webp", "jpeg"]}


def make_site(width: int, height: int, key: str = "cake.jpg") -> Site:
    """Make the outputs of an upload of this size, and its manifest, beside the example's page."""
    renditions = [Rendition.parse(*one) for one in sorted(expand("photo", SET).items())]
    outputs = render(encode(picture(width, height)), renditions, limits=LIMITS).outputs
    files, described = {}, []
    for rendition, output in zip(renditions, outputs, strict=True):
        written = rendition.output_key(key)
        files[written] = output.body
        described.append(
            RenditionDescription(
                rendition.name, written, output.width, output.height, len(output.body), output.content_type
            )
        )
    source = SourceDescription("uploads", key, None, "etag", width, height)
    page = (EXAMPLE / "index.html").read_text().replace("cake.jpg", key)
    files[f"{key}.renditions.json"] = Description(source, tuple(described)).to_manifest()
    return Site(files | {"index.html": page.encode(), "picture.mjs": (EXAMPLE / "picture.mjs").read_bytes()})


@pytest.mark.parametrize(
    ("viewport", "ratio", "width"), [(300, 1, 320), (320, 2, 640), (1200, 1, 1280), (1200, 2, 1920)]
)
def test_chromium_takes_the_smallest_avif_that_is_wide_enough_and_nothing_moves(
    browser: Browser, viewport: int, ratio: float, width: int
) -> None:
    site = make_site(2400, 1800)
    page = site.open(browser, viewport, ratio)
    assert [name for name in site.asked if name.startswith("photo-")] == [f"photo-{width}-avif-cake.jpg.avif"]
    shown = page.evaluate("() => { const one = document.querySelector('img'); return [one.width, one.height]; }")
    assert shown == [min(viewport, 960), min(viewport, 960) * 3 / 4]
    assert width >= shown[0] * ratio
    assert sum_layout_shifts(page) == 0


def test_without_width_and_height_the_text_below_moves(browser: Browser) -> None:
    site = make_site(800, 600)
    picture_code = site.files["picture.mjs"].decode()
    assert picture_code.count("export function makePicture") == 1
    site.files["picture.mjs"] = (
        picture_code.replace("export function makePicture", "function makeSized")
        + r'export const makePicture = (...all) => makeSized(...all).replace(/ (width|height)="\d+"/g, "");'
    ).encode()
    assert sum_layout_shifts(site.open(browser, 1200)) > 0


def test_equal_widths_are_one_candidate(browser: Browser) -> None:
    page = make_site(500, 400, "a b, c/é&#?%.jpg").open(browser, 1200)
    assert page.evaluate("() => [...document.querySelectorAll('source, img')].map(one => one.srcset)") == [
        f"a%20b%2C%20c/photo-320-{kind}-%C3%A9%26%23%3F%25.jpg{end} 320w, "
        f"a%20b%2C%20c/photo-640-{kind}-%C3%A9%26%23%3F%25.jpg{end} 500w"
        for kind, end in (("avif", ".avif"), ("webp", ".webp"), ("jpeg", ".jpg"))
    ]
    attributes = "() => ['width', 'height'].map(name => document.querySelector('img').getAttribute(name))"
    assert page.evaluate(attributes) == ["500", "400"]


def test_a_set_has_only_its_own_members(browser: Browser) -> None:
    page = make_site(500, 400).open(browser, 1200)
    make = """async ([set, added]) => {
        const { makePicture } = await import("/picture.mjs");
        const manifest = await (await fetch("/cake.jpg.renditions.json")).json();
        const members = added.map(name => ({ ...manifest.renditions[0], name, key: name }));
        manifest.renditions.push(...members);
        try { return makePicture(manifest, { set }); } catch (error) { return error.message; }
    }"""
    others = ["photo-wide-320-avif", "photo-wide-png", "a-photo-320-avif"]
    alone = page.evaluate(make, ["photo", []])
    assert alone.startswith("<picture><source")
    assert page.evaluate(make, ["photo", others]) == alone
    assert page.evaluate(make, ["card", ["card"]]).startswith('<picture><img srcset="card 500w" sizes=')
    message = page.evaluate(make, ["phot", []])
    assert message.startswith("cake.jpg has no rendition of the set phot, only photo-1280-avif, photo-1280-jpeg, ")


def test_the_page_names_a_manifest_that_is_not_there_yet(browser: Browser) -> None:
    site = make_site(80, 60)
    del site.files["cake.jpg.renditions.json"]
    page = site.open(browser, 1200, shows="[data-upload]:not(:empty)")
    assert "cake.jpg.renditions.json: 404. Reload the page once" in page.inner_text("main")
