"""exiftool reads what outputs keep under each policy, from each format of a source in each format of an output."""

from collections.abc import Mapping
from typing import Any

import pytest

from imaging.losses import Lost
from imaging.render import Rendered
from renditions import MetadataPolicy
from tests.images import encode, picture
from tests.judges.exiftool import Exiftool, Tags
from tests.unit.rendering import render_one

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
WITH_IPTC = frozenset({"JPEG", "TIFF"})
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

CREDITS = {
    "IFD0:Artist": "A. Baker",
    "IFD0:Copyright": "(c) A. Baker",
    "XMP-dc:Creator": ["山田 太郎", "Jürgen <Müller>"],
    "XMP-dc:Rights": "© 山田 & Müller",
    "XMP-xmpRights:WebStatement": "https://example.com/?a=1&b=2",
    "XMP-photoshop:Credit": "An agency",
    "XMP-photoshop:Source": "A source",
    "XMP-plus:Licensor": [{"LicensorName": "A licensor", "LicensorURL": "https://example.com"}],
    "XMP-iptcExt:DigitalSourceType": AI,
}
OTHERS = {
    "IFD0:Make": "A maker",
    "ExifIFD:ExifImageWidth": 320,
    "ExifIFD:ExifImageHeight": 240,
    "IFD0:XResolution": 300,
    "IFD0:YResolution": 300,
    "XMP-dc:Title": "タイトル",
    "XMP-tiff:ImageWidth": 320,
    "XMP-tiff:XResolution": 300,
    "XMP-tiff:YResolution": 300,
    "XMP-GPano:FullPanoWidthPixels": 640,
    "XMP-GPano:ProjectionType": "equirectangular",
}
FALSE = {"XMP-GCamera:MotionPhoto": 1, "XMP-dcterms:Provenance": "https://example.com/manifest"}
CORRECTED = OTHERS | {
    "ExifIFD:ExifImageWidth": 160,
    "ExifIFD:ExifImageHeight": 120,
    "IFD0:XResolution": 150,
    "IFD0:YResolution": 150,
    "XMP-tiff:ImageWidth": 160,
    "XMP-tiff:XResolution": 150,
    "XMP-tiff:YResolution": 150,
    "XMP-GPano:FullPanoWidthPixels": 320,
}
IPTC_CREDITS = {
    "IPTC:By-line": ["山田 太郎", "Jürgen Müller"],
    "IPTC:By-lineTitle": "Fotografin",
    "IPTC:Credit": "An agency",
    "IPTC:Source": "A source",
    "IPTC:CopyrightNotice": "© 山田",
}
IPTC_OTHERS = {"IPTC:City": "München", "IPTC:Keywords": ["one", "two"], "IPTC:Caption-Abstract": "A caption"}
IPTC_AS_XMP = {
    "XMP-dc:Creator": ["山田 太郎", "Jürgen Müller"],
    "XMP-photoshop:AuthorsPosition": "Fotografin",
    "XMP-photoshop:Credit": "An agency",
    "XMP-photoshop:Source": "A source",
    "XMP-dc:Rights": "© 山田",
}
IPTC_OTHERS_AS_XMP = {
    "XMP-photoshop:City": "München",
    "XMP-dc:Subject": ["one", "two"],
    "XMP-dc:Description": "A caption",
}


def assign(tags: Mapping[str, Any]) -> list[str]:
    """Return exiftool's arguments that write these tags."""
    return [
        f"-{name}={one if not isinstance(one, dict) else to_structure(one)}"
        for name, value in tags.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def to_structure(fields: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{name}={text}" for name, text in fields.items()) + "}"


def find(tags: Tags, wanted: Mapping[str, object]) -> dict[str, object]:
    return {name: tags[name] for name in wanted if name in tags}


@pytest.fixture(scope="module")
def sources(exiftool: Exiftool) -> dict[str, bytes]:
    """An image of each format with credits and other metadata in EXIF and XMP."""
    assignments = assign(CREDITS | OTHERS | FALSE)
    return {one: exiftool.write(encode(picture(), one), assignments) for one in FORMATS}


def render_all(sources: Mapping[str, bytes], policy: MetadataPolicy) -> dict[tuple[str, str], Rendered]:
    """Return the outputs in each format; a TIFF is only made of a TIFF."""
    return {
        (one, other): render_one(source, None if other == one else other.lower(), metadata=policy)
        for one, source in sources.items()
        for other in FORMATS
        if other != "TIFF" or one == "TIFF"
    }


def read_all(exiftool: Exiftool, outputs: Mapping[tuple[str, str], Rendered]) -> dict[tuple[str, str], Tags]:
    tags = exiftool.read({"/".join(pair): rendered.outputs[0].body for pair, rendered in outputs.items()})
    return {pair: tags["/".join(pair)] for pair in outputs}


@pytest.mark.parametrize("policy", MetadataPolicy)
def test_exif_and_xmp_are_kept_as_the_policy_says(
    exiftool: Exiftool, sources: dict[str, bytes], policy: MetadataPolicy
) -> None:
    kept = {
        MetadataPolicy.NONE: {},
        MetadataPolicy.COPYRIGHT: CREDITS,
        MetadataPolicy.ALL: CREDITS | CORRECTED,
    }[policy]
    outputs = render_all(sources, policy)
    for pair, tags in read_all(exiftool, outputs).items():
        assert find(tags, CREDITS | OTHERS | FALSE) == kept, pair
        assert "ExifTool:Warning" not in tags, pair
        assert outputs[pair].lost == {}, pair


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize("charset", ["UTF8", "Latin"])
def test_iptc_is_kept_or_becomes_xmp(exiftool: Exiftool, policy: MetadataPolicy, charset: str) -> None:
    own, own_others = dict(IPTC_CREDITS), dict(IPTC_OTHERS)
    as_xmp = dict(IPTC_AS_XMP)
    if charset == "Latin":
        for names in (own, as_xmp):
            names |= {name: ["Jürgen Müller"] for name in names if name.endswith(("By-line", "Creator"))}
            names |= {name: "© Müller" for name in names if name.endswith(("Notice", "Rights"))}
    assignments = [f"-codedcharacterset={'UTF8' if charset == 'UTF8' else ''}", *assign(own | own_others)]
    # exiftool writes no IPTC into WebP and AVIF.
    written = {one: exiftool.write(encode(picture(), one), assignments) for one in ("JPEG", "PNG", "TIFF")}
    outputs = render_all(written, policy)
    is_kept, is_all = policy is not MetadataPolicy.NONE, policy is MetadataPolicy.ALL
    for pair, tags in read_all(exiftool, outputs).items():
        holds_iptc = pair[1] in WITH_IPTC
        iptc = (own if is_kept else {}) | (own_others if is_all else {})
        xmp = (as_xmp if is_kept else {}) | (IPTC_OTHERS_AS_XMP if is_all else {})
        expected = iptc if holds_iptc else xmp
        found = find(tags, own | own_others | as_xmp | IPTC_OTHERS_AS_XMP)
        assert {name: as_list(value) for name, value in found.items()} == {
            name: as_list(value) for name, value in expected.items()
        }, pair
        assert "ExifTool:Warning" not in tags, pair
        assert outputs[pair].lost == {}, pair


def as_list(value: object) -> list[object]:
    """Return a value as exiftool reads it if there are several."""
    return value if isinstance(value, list) else [value]


def test_iptc_that_xmp_has_no_place_for_is_named(exiftool: Exiftool) -> None:
    source = exiftool.write(encode(picture()), ["-IPTC:ContentLocationName=Bavaria", "-IPTC:By-line=A. Baker"])
    rendered = render_one(source, "webp", metadata=MetadataPolicy.ALL)
    assert rendered.lost.keys() == {Lost.IPTC}
    assert render_one(source, metadata=MetadataPolicy.ALL).lost == {}
    assert render_one(source, "webp").lost == {}


@pytest.mark.parametrize(
    "options", [{"scale": 0.5}, *({"width": 100, "height": 100, "fit": fit} for fit in ("cover", "contain"))]
)
def test_a_geotiff_stays_on_its_place_or_loses_it(exiftool: Exiftool, options: dict[str, Any]) -> None:
    geo = {
        "IFD0:PixelScale": "10 10 0",
        "IFD0:ModelTiePoint": "100 40 0 500000 4649000 0",
        "IFD0:GeoTiffDirectory": "1 1 0 1 1025 0 1 1",
    }
    source = exiftool.write(encode(picture(), "TIFF"), assign(geo))
    rendered = render_one(source, metadata=MetadataPolicy.ALL, **options)
    tags = exiftool.read({"output": rendered.outputs[0].body})["output"]
    if "scale" in options:
        assert find(tags, geo) == {
            "IFD0:PixelScale": "20 20 0",
            "IFD0:ModelTiePoint": "50 20 0 500000 4649000 0",
        }
        assert rendered.lost == {}
    else:
        assert find(tags, geo) == {}
        assert rendered.lost.keys() == {Lost.EXIF}


def test_extended_xmp_is_read_and_what_is_too_long_for_a_jpeg_is_named(exiftool: Exiftool) -> None:
    long = "山" * 40_000
    source = exiftool.write(encode(picture()), assign({"XMP-dc:Rights": "me", "XMP-dc:Description": long}))
    assert b"http://ns.adobe.com/xmp/extension/" in source
    same, other = (render_one(source, to, metadata=MetadataPolicy.ALL) for to in (None, "webp"))
    tags = exiftool.read({"same": same.outputs[0].body, "other": other.outputs[0].body})
    wanted = {"XMP-dc:Rights": "me", "XMP-dc:Description": long}
    assert find(tags["other"], wanted) == wanted
    assert find(tags["same"], wanted) == {"XMP-dc:Rights": "me"}
    assert not other.lost
    assert same.lost.keys() == {Lost.XMP}
