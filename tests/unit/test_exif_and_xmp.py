"""What outputs keep of EXIF and XMP, by policy, and that bad EXIF never fails a good image."""

from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from render import render
from renditions import Rendition
from settings import Limits, MetadataPolicy
from tests.images import UPRIGHT_CORNERS, corners, decoded, encoded, picture

LIMITS = Limits(1769 << 20)
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:ImageWidth="320" exif:PixelYDimension='240' dc:rights="me">
<tiff:ImageLength>240</tiff:ImageLength><exif:PixelXDimension>320</exif:PixelXDimension>%s
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def exif(**more: Any) -> Image.Exif:
    made = Image.Exif()
    made[ExifTags.Base.Artist] = "A. Baker"
    made[ExifTags.Base.Copyright] = "A. Baker, 2026"
    made[ExifTags.Base.Make] = "a camera's maker"
    details = made.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.ExifImageWidth] = 320
    details[ExifTags.Base.ExifImageHeight] = 240
    made[ExifTags.IFD.GPSInfo] = {1: "N"}
    for name, value in more.items():
        made[ExifTags.Base[name]] = value
    return made


def source(image_format: str, *, orientation: int = 1, xmp: bytes = b"") -> bytes:
    tags = exif(Orientation=orientation)
    if image_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return encoded(picture(), "PNG", exif=tags, pnginfo=text)
    if image_format == "TIFF":
        # Its writer asks for the directories of an EXIF that was read.
        read = Image.Exif()
        read.load(tags.tobytes())
        if xmp:
            read[700] = xmp
        return encoded(picture(), "TIFF", exif=read)
    return encoded(picture(), image_format, exif=tags, xmp=xmp)


def rendered(body: bytes, policy: MetadataPolicy, image_format: str | None = None) -> Image.Image:
    rendition = Rendition("resized", scale=0.5, format=image_format)
    return decoded(render(body, [rendition], limits=LIMITS, metadata=policy).outputs[0].body)


@pytest.mark.parametrize("image_format", FORMATS)
def test_none_keeps_nothing(image_format: str) -> None:
    image = rendered(source(image_format, xmp=XMP % b""), MetadataPolicy.NONE)
    assert ExifTags.Base.Artist not in image.getexif()
    assert "xmp" not in image.info


@pytest.mark.parametrize("image_format", FORMATS)
def test_copyright_keeps_who_made_it_and_not_where(image_format: str) -> None:
    image = rendered(source(image_format, xmp=XMP % b""), MetadataPolicy.COPYRIGHT)
    kept = image.getexif()
    assert kept[ExifTags.Base.Artist] == "A. Baker"
    assert kept[ExifTags.Base.Copyright] == "A. Baker, 2026"
    assert ExifTags.Base.Make not in kept
    assert not kept.get_ifd(ExifTags.IFD.GPSInfo)
    assert "xmp" not in image.info


@pytest.mark.parametrize("written", [None, "webp", "jpeg"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_all_keeps_exif_with_the_outputs_dimensions_and_no_orientation(image_format: str, written: str | None) -> None:
    image = rendered(source(image_format, orientation=6), MetadataPolicy.ALL, written)
    kept = image.getexif()
    assert image.size == (120, 160)
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    assert kept[ExifTags.Base.Make] == "a camera's maker"
    assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {1: "N"}
    details = kept.get_ifd(ExifTags.IFD.Exif)
    assert (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight]) == (120, 160)


@pytest.mark.parametrize("written", [None, "webp", "jpeg"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_all_keeps_xmp_with_the_outputs_dimensions(image_format: str, written: str | None) -> None:
    image = rendered(source(image_format, xmp=XMP % b""), MetadataPolicy.ALL, written)
    xmp = image.info["xmp"]
    text = xmp.decode() if isinstance(xmp, bytes) else xmp
    for expected in (
        'tiff:ImageWidth="160"',
        "exif:PixelYDimension='120'",
        "<tiff:ImageLength>120<",
        "<exif:PixelXDimension>160<",
        'dc:rights="me"',
    ):
        assert expected in text


@pytest.mark.parametrize("policy", MetadataPolicy)
def test_an_orientation_that_only_xmp_has_is_applied_once(policy: MetadataPolicy) -> None:
    turned = picture().transpose(Image.Transpose.ROTATE_90)
    body = encoded(turned, xmp=XMP % b"<tiff:Orientation>6</tiff:Orientation>")
    image = rendered(body, policy)
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_a_compressed_tiff_keeps_what_libtiff_can_write() -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "a camera's maker"
    body = encoded(picture(), "TIFF", exif=tags, compression="tiff_lzw")
    assert rendered(body, MetadataPolicy.ALL).getexif()[ExifTags.Base.Make] == "a camera's maker"


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"Exif\0\0",
        b"Exif\0\0II*\0\x08\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        # One entry: the orientation as bytes, text, a fraction whose place is outside, and out of range.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x07\0\x04\0\0\0abcd\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\x006\0\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    ],
)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_bad_exif_never_fails_a_good_image(image_format: str, block: bytes, policy: MetadataPolicy) -> None:
    image = rendered(encoded(picture(), image_format, exif=block), policy)
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)


def test_exif_that_is_too_large_for_a_jpeg_is_left_out() -> None:
    tags = exif(ImageDescription="x" * 70000)
    image = rendered(encoded(picture(), "PNG", exif=tags), MetadataPolicy.ALL, "jpeg")
    assert not image.getexif()
