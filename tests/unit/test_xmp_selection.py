"""Which properties of XMP outputs keep, and how those that count pixels are corrected."""

import hashlib
from collections.abc import Mapping

import pytest

from imaging import xmp, xmp_selection
from imaging.change import Change

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SPACES = {
    "dc": xmp.DC,
    "dcterms": xmp.DC_TERMS,
    "xmp": xmp.XMP,
    "tiff": xmp.TIFF,
    "exif": xmp.EXIF,
    "photoshop": xmp.PHOTOSHOP,
    "xmpRights": xmp.RIGHTS,
    "plus": xmp.PLUS,
    "Iptc4xmpExt": xmp.IPTC_EXT,
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "MiCamera": "http://ns.xiaomi.com/photos/1.0/camera/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "my": "http://example.com/my/",
}
HALVED = Change((160, 120), (0.5, 0.5), is_moved=False, swaps_sides=False, media_type="image/webp")
CROPPED = HALVED._replace(is_moved=True)
TURNED = HALVED._replace(scale=(0.5, 0.25), is_moved=True, swaps_sides=True)


def packet(attributes: str = "", elements: str = "") -> bytes:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" {declared}'
        f" {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def corrected(attributes: str, change: Change = HALVED) -> Mapping[str, str]:
    """Return simple properties after their correction, by prefix and name."""
    prefixes = {uri: prefix for prefix, uri in SPACES.items()}
    kept = xmp_selection.correct(xmp.parse(packet(attributes)), change).properties
    return {f"{prefixes[uri]}:{name}": str(value) for (uri, name), value in kept.items()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('tiff:Orientation="6"', {"tiff:Orientation": "1"}),
        ('tiff:ImageWidth="9" tiff:ImageLength="9"', {"tiff:ImageWidth": "160", "tiff:ImageLength": "120"}),
        (
            'exif:PixelXDimension="9" exif:PixelYDimension="x"',
            {"exif:PixelXDimension": "160", "exif:PixelYDimension": "120"},
        ),
        ('my:ImageWidth="9" my:XResolution="9"', {"my:ImageWidth": "9", "my:XResolution": "9"}),
        ('dc:format="image/jpeg"', {"dc:format": "image/webp"}),
        (
            'tiff:XResolution="300/1" tiff:YResolution="299.5"',
            {"tiff:XResolution": "150/1", "tiff:YResolution": "599/4"},
        ),
        ('tiff:XResolution="300/0" tiff:YResolution="300"', {}),
        ('tiff:XResolution="300"', {}),
        ('tiff:BitsPerSample="8" tiff:Compression="5" tiff:Make="M"', {"tiff:Make": "M"}),
        ('exif:SubjectArea="1" exif:FNumber="4"', {"exif:FNumber": "4"}),
        ('crs:Exposure="1" crs:Version="2"', {"crs:Exposure": "1", "crs:Version": "2"}),
        (
            'GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="5" MiCamera:MicroVideo="1" GCamera:BurstID="b"',
            {"GCamera:BurstID": "b"},
        ),
        ('hdrgm:Version="1.0" GDepth:Data="x" Container:Version="1" dcterms:provenance="http://x"', {}),
        ('dcterms:created="2026"', {"dcterms:created": "2026"}),
        (
            'GPano:ProjectionType="equirectangular" GPano:FullPanoWidthPixels="8000" GPano:CroppedAreaTopPixels="101"',
            {
                "GPano:ProjectionType": "equirectangular",
                "GPano:FullPanoWidthPixels": "4000",
                "GPano:CroppedAreaTopPixels": "50",
            },
        ),
        ('GPano:FullPanoWidthPixels="1e99" GPano:FullPanoHeightPixels="99999999999999"', {}),
    ],
)
def test_what_counts_pixels_is_corrected_or_left_out(before: str, after: dict[str, str]) -> None:
    assert corrected(before) == after


def test_a_turn_swaps_resolutions() -> None:
    after = corrected('tiff:XResolution="300" tiff:YResolution="100"', TURNED)
    assert after == {"tiff:XResolution": "50/1", "tiff:YResolution": "75/1"}


def test_a_crop_removes_panorama_and_regions() -> None:
    elements = (
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="320" stDim:h="240"'
        ' stDim:unit="pixel"/></mwg-rs:Regions>'
    )
    found = xmp.parse(packet('GPano:ProjectionType="equirectangular" dc:source="x"', elements))
    whole = xmp_selection.correct(found, HALVED).to_bytes()
    assert b'stDim:w="160" stDim:h="120" stDim:unit="pixel"' in whole
    assert list(xmp_selection.correct(found, CROPPED).properties) == [(xmp.DC, "source")]


def test_copyright_keeps_credits_only() -> None:
    kept = ["dc:creator", "dc:rights", "xmpRights:WebStatement", "xmpRights:Marked", "photoshop:Credit"]
    kept += ["photoshop:Source", "photoshop:AuthorsPosition", "plus:Licensor", "Iptc4xmpExt:DigitalSourceType"]
    others = ["dc:title", "xmp:CreateDate", "photoshop:City", "Iptc4xmpExt:PersonInImage", "my:rights", "tiff:Make"]
    found = xmp.parse(packet(" ".join(f'{name}="x"' for name in kept + others)))
    names = {(SPACES[name.partition(":")[0]], name.partition(":")[2]) for name in kept}
    assert xmp_selection.select_credits(found).properties.keys() == names


def extended(body: bytes, *, size: int = 100) -> tuple[str, tuple[bytes, ...]]:
    """Return the MD5 of extended XMP, and its segments in another order than their own."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest().upper()
    header = b"http://ns.adobe.com/xmp/extension/\0" + digest.encode() + len(body).to_bytes(4, "big")
    parts = [header + start.to_bytes(4, "big") + body[start : start + size] for start in range(0, len(body), size)]
    return digest, tuple(reversed(parts))


def test_extended_xmp_is_joined() -> None:
    digest, segments = extended(packet('photoshop:Credit="An agency" dc:source="other"'))
    stranger = extended(packet('dc:rights="not mine"'))[1]
    main = packet(f'xmpNote:HasExtendedXMP="{digest}" dc:source="main"')
    found, problem = xmp_selection.read(main, (*stranger, *segments, *stranger))
    assert not problem
    assert found.properties[xmp.PHOTOSHOP, "Credit"] == "An agency"
    assert found.properties[xmp.DC, "source"] == "main"
    assert (xmp.DC, "rights") not in found.properties
    assert (xmp.NOTE, "HasExtendedXMP") not in xmp_selection.correct(found, HALVED).properties


@pytest.mark.parametrize("missing", [0, 1, -1])
def test_incomplete_extended_xmp_is_told(missing: int) -> None:
    digest, segments = extended(packet('photoshop:Credit="An agency"'))
    left = [segment for number, segment in enumerate(segments) if number != missing % len(segments)]
    found, problem = xmp_selection.read(packet(f'xmpNote:HasExtendedXMP="{digest}" dc:source="x"'), tuple(left))
    assert (found.properties[xmp.DC, "source"], "missing" in problem) == ("x", True)


def test_the_largest_properties_make_room() -> None:
    large = "x" * 1000
    found = xmp.parse(packet(f'dc:rights="me" my:a="{large}" my:b="{large}y"', f"<my:c>{large}zz</my:c>"))
    whole = found.to_bytes()
    assert xmp_selection.fit(found, len(whole)) == (whole, [])
    written, left_out = xmp_selection.fit(found, len(whole) - 1500)
    assert left_out == ["c", "b"]
    assert xmp.parse(written).properties.keys() == {(xmp.DC, "rights"), (SPACES["my"], "a")}
