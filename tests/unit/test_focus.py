"""The focus of a crop: the point stays in every output, whatever names it and however the pixels are stored."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imaging import focus
from imaging.gain_map import Channel, Gains, write_iso
from imaging.render import Output, render
from renditions import CENTRE, MetadataPolicy, Point, Rendition
from tests import gain_maps
from tests.images import STORED, encode, encode_oriented, load, picture
from tests.unit.rendering import LIMITS

sides, shares = st.integers(1, 5000), st.floats(0, 1)
SQUARE: dict[str, Any] = {"width": 60, "height": 60, "fit": "cover"}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:r="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:a="http://ns.adobe.com/xmp/sType/Area#"><r:Regions rdf:parseType="Resource"><r:RegionList><rdf:Bag>'
    "{}</rdf:Bag></r:RegionList></r:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def region(x: object, y: object, kind: str = "Face", unit: str = "normalized") -> str:
    """Return a region as digiKam writes it."""
    area = f'<r:Area a:x="{x}" a:y="{y}" a:unit="{unit}"/>'
    return f'<rdf:li><rdf:Description r:Type="{kind}">{area}</rdf:Description></rdf:li>'


def region_of_elements(x: object, y: object) -> str:
    """Return a region as ExifTool writes it."""
    return (
        '<rdf:li rdf:parseType="Resource"><r:Area rdf:parseType="Resource">'
        f"<a:unit>normalized</a:unit><a:x>{x}</a:x><a:y>{y}</a:y></r:Area><r:Type>Focus</r:Type></rdf:li>"
    )


def spot(x: float, y: float, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a grey picture with a red spot."""
    image = Image.new("RGB", size, "grey")
    place = x * size[0], y * size[1]
    ImageDraw.Draw(image).ellipse([place[0] - 9, place[1] - 9, place[0] + 9, place[1] + 9], "red")
    return image


def crop(source: bytes, point: Point | None = None, **options: Any) -> Output:
    rendition = Rendition("r", **{"focus": "metadata", **SQUARE, **options})
    (output,) = render(source, [rendition], limits=LIMITS, metadata=MetadataPolicy.ALL, focus=point).outputs
    return output


def find_spot(image: Image.Image) -> Point:
    """Return the middle of what is red."""
    pixels = np.asarray(image.convert("RGB"), int)
    rows, columns = np.nonzero(pixels[..., 0] - pixels[..., 1] > 60)
    assert len(rows)
    return (columns.mean() + 0.5) / image.width, (rows.mean() + 0.5) / image.height


@given(source=st.tuples(sides, sides), wanted=st.tuples(sides, sides), point=st.tuples(shares, shares))
def test_the_point_stays_in_the_frame(source: tuple[int, int], wanted: tuple[int, int], point: Point) -> None:
    rendition = Rendition("r", width=wanted[0], height=wanted[1], fit="cover", focus="metadata")
    placement, middle = rendition.place(source, focus=point), rendition.place(source)
    assert placement.size == middle.size
    for share, side, low, high, start, end in zip(
        point, source, placement.box[:2], placement.box[2:], middle.box[:2], middle.box[2:], strict=True
    ):
        tolerance = 1e-9 * side
        assert -tolerance <= low <= share * side + tolerance
        assert share * side - tolerance <= high <= side + tolerance
        assert high - low == pytest.approx(end - start)
        # Nothing is nearer to the point than the middle, unless an edge is in the way.
        assert low <= tolerance or high >= side - tolerance or (low + high) / 2 == pytest.approx(share * side)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("point", [(0.1, 0.5), (0.62, 0.9), (0.95, 0.2)])
@pytest.mark.parametrize("box", [(60, 60), (120, 20), (20, 110)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_spot_is_kept_in_any_orientation(
    orientation: int, point: Point, box: tuple[int, int], image_format: str
) -> None:
    source = encode_oriented(spot(*point), orientation, image_format)
    output = crop(source, point, width=box[0], height=box[1])
    left, top, right, bottom = (
        Rendition("r", width=box[0], height=box[1], fit="cover").place((320, 240), focus=point).box
    )
    wanted = (point[0] * 320 - left) / (right - left), (point[1] * 240 - top) / (bottom - top)
    assert find_spot(load(output.body)) == pytest.approx(wanted, abs=0.05)
    assert output.focus == point


@pytest.mark.parametrize("orientation", STORED)
def test_regions_apply_to_stored_pixels(orientation: int) -> None:
    stored = spot(0.2, 0.3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = encode(stored, exif=exif, xmp=XMP.format(region(0.2, 0.3)).encode())
    output = crop(source, width=30, height=30)
    upright = stored
    for turn in reversed(STORED[orientation]):
        inverse = {
            Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
            Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
        }
        upright = upright.transpose(inverse.get(turn, turn))
    assert output.focus == pytest.approx(find_spot(upright), abs=0.01)


@pytest.mark.parametrize(
    ("regions", "found"),
    [
        (region(0.25, 0.5), (0.25, 0.5)),
        (region_of_elements(0.25, 0.5), (0.25, 0.5)),
        (region(0.2, 0.4) + region(0.4, 0.6, "Focus") + region(0.9, 0.9, "Pet"), (0.3, 0.5)),
        (region(0.2, 0.4) + region("nan", 1) + region(-1, 2) + region("", "") + region(7, 7, unit="pixel"), (0.2, 0.4)),
        (region(1e400, "\u0663"), CENTRE),
        (region(0.1, 0.1, "BarCode"), CENTRE),
        ("", CENTRE),
        ("<rdf:li/>" * 1000, CENTRE),
    ],
)
def test_regions_of_faces_and_focus_count(regions: str, found: Point) -> None:
    output = crop(encode(picture(), xmp=XMP.format(regions).encode()))
    assert output.focus == pytest.approx(found)


def test_regions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(side_effect=focus.read_regions)
    monkeypatch.setattr(focus, "read_regions", read)
    source = encode(picture(), xmp=XMP.format(region(0.25, 0.5)).encode())
    renditions = [Rendition(name, **SQUARE, focus=by) for name, by in (("a", "metadata"), ("b", "metadata"))]
    assert [one.focus for one in render(source, renditions, limits=LIMITS).outputs] == [(0.25, 0.5)] * 2
    assert read.call_count == 1


def test_the_point_of_the_source_is_described() -> None:
    source = encode(picture(), xmp=XMP.format(region(0.25, 0.5)).encode())
    kept = Rendition("b", **SQUARE, focus="metadata")
    plain = Rendition("a", **SQUARE)
    assert render(source, [plain, kept], limits=LIMITS).focus == (0.25, 0.5)
    assert render(source, [plain], limits=LIMITS, focus=(0.9, 0.1)).focus is None


def test_the_uploader_s_point_counts_more_than_regions() -> None:
    source = encode(picture(), xmp=XMP.format(region(0.25, 0.5)).encode())
    assert crop(source, (0.9, 0.1)).focus == (0.9, 0.1)
    assert crop(source, (0.9, 0.1), focus="center").focus == CENTRE


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("0.3,0.7", (0.3, 0.7)),
        (" .5, 1.0 ", (0.5, 1.0)),
        ("0,1", (0, 1)),
        *(
            (text, None)
            for text in ("", "0.3", "0.3;0.7", "1.1,0", "-0.1,0", "nan,0", "0.3,0.7,1", "1e-1,0", "\u0660,\u0661")
        ),
        ("0." + 99 * "3" + ",0", None),
        ("0,0\n0,0", None),
    ],
)
def test_a_point_is_two_fractions(text: str, point: Point | None) -> None:
    assert focus.parse(text) == point


@given(text=st.text(max_size=60))
def test_any_text_is_a_point_of_the_image_or_none(text: str) -> None:
    point = focus.parse(text)
    assert point is None or all(0 <= share <= 1 for share in point)


def noisy(x: float, y: float) -> Image.Image:
    """Return a smooth picture with noise at a point."""
    image, noise = picture(), np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    image.paste(Image.fromarray(noise), (round(320 * x) - 25, round(240 * y) - 25))
    return image


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "CMYK", "I;16", "I", "F", "LAB"])
def test_the_part_with_the_most_detail_is_found_in_each_mode(mode: str) -> None:
    image, grey = noisy(0.8, 0.5), noisy(0.8, 0.5).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    elif mode == "LAB":
        image = Image.merge("LAB", [grey] * 3)
    else:
        image = (grey if mode in {"I", "F"} else image).convert(mode)
    across, down = crop(encode(image, "TIFF"), focus="entropy", width=40, height=120).focus
    assert across == pytest.approx(0.8, abs=0.1)
    assert down == 0.5


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("size", [(320, 240), (2400, 1800)])
def test_detail_is_found_in_any_orientation_and_size(orientation: int, size: tuple[int, int]) -> None:
    source = encode_oriented(noisy(0.2, 0.7).resize(size), orientation, "JPEG")
    assert crop(source, focus="entropy", width=20, height=60).focus[0] == pytest.approx(0.2, abs=0.1)
    assert crop(source, focus="entropy", width=120, height=20).focus[1] == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("size", [(4000, 150), (3000, 40), (900, 3), (300, 2), (200, 1)])
def test_detail_of_a_strip_is_found(size: tuple[int, int]) -> None:
    strip = Image.new("RGB", size, "grey")
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0] // 10, 3), np.uint8)
    strip.paste(Image.fromarray(noise), (size[0] * 3 // 4, 0))
    for image, side in ((strip, 0), (strip.transpose(Image.Transpose.ROTATE_270), 1)):
        found = crop(encode(image, "PNG"), focus="entropy", width=size[1], height=size[1]).focus
        assert found[side] == pytest.approx(0.8, abs=0.1)
        assert found[1 - side] == 0.5


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (3, 3), (900, 1)])
def test_a_flat_or_tiny_image_keeps_its_middle(size: tuple[int, int]) -> None:
    assert crop(encode(Image.new("RGB", size, "red"), "PNG"), focus="entropy").focus == pytest.approx(CENTRE)


@given(detail=st.binary(min_size=1, max_size=80), share=st.floats(0.001, 1))
def test_no_window_has_more_detail(detail: bytes, share: float) -> None:
    middle = focus._find_window(detail, share)
    assert share / 2 - 1e-9 <= middle <= 1 - share / 2 + 1e-9
    sums = [0.0, *np.cumsum(np.frombuffer(detail, np.uint8), dtype=float)]
    places = np.arange(len(sums)) / len(detail)

    def measure(start: float) -> float:
        return float(np.interp(start + share, places, sums) - np.interp(start, places, sums))

    assert measure(middle - share / 2) >= max(map(measure, (start for start in places if start <= 1 - share))) - 1e-4


def test_all_frames_have_the_box_of_the_first() -> None:
    frames = [spot(0.9, 0.5), spot(0.1, 0.5)]
    source = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=90, lossless=True)
    animation = load(crop(source, focus="entropy").body)
    assert animation.n_frames == 2  # type: ignore[attr-defined]
    assert find_spot(animation)[0] > 0.4
    animation.seek(1)
    assert np.ptp(np.asarray(animation.convert("RGB"))) == 0


@pytest.mark.parametrize("orientation", STORED)
def test_a_gain_map_is_cropped_with_its_image(orientation: int) -> None:
    stored = spot(0.9, 0.8)
    for turn in STORED[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    small = stored.reduce(2)
    iso = write_iso(Gains((Channel(0, 2, 1, 1 / 64, 1 / 64),) * 3, 0, 2))
    source = gain_maps.iso_jpeg(encode(stored, quality=95, exif=exif), encode(small, quality=95, subsampling=0), iso)
    output = crop(source, (0.9, 0.8), width=100, height=200)
    body = output.body
    behind = load(body[body.rindex(b"\xff\xd8\xff") :])
    assert find_spot(behind) == pytest.approx(find_spot(load(body)), abs=0.03)
