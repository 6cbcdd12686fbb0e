"""The EXIF and XMP that outputs keep under each policy; damaged metadata never fails a good image.

The EXIF is written here, because Pillow writes no thumbnails, maker notes or text beyond ASCII.
"""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageSequence, PngImagePlugin, TiffImagePlugin

from imaging import iptc, photoshop
from imaging.change import Capacity, Change
from imaging.exif import STRUCTURE
from imaging.losses import Lost
from imaging.metadata import Metadata
from renditions import MetadataPolicy
from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pngs import chunk
from tests.unit.rendering import output_body, render_one

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SECRET = b"a secret of the camera"
THUMBNAIL = encode(picture(80, 60), quality=50)
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
BLOCK_FORMATS = ["JPEG", "PNG", "WEBP", "AVIF"]
"""Formats with an EXIF block; a TIFF has EXIF in its own directories."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
Entry = tuple[int, int, int, bytes]
"""Tag, type, count and value."""


def text(tag: int, value: bytes, kind: int = ASCII) -> Entry:
    return tag, kind, len(value) + 1, value + b"\0"


def number(tag: int, value: int, kind: int = LONG) -> Entry:
    return tag, kind, 1, struct.pack("<H" if kind == SHORT else "<I", value)


def directory(entries: Sequence[Entry], offset: int, following: int = 0) -> bytes:
    """Return an IFD for ``offset`` in its block."""
    outside = offset + 2 + 12 * len(entries) + 4
    fields, values = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in sorted(entries):
        inside = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", outside + len(values))
        values += value if len(value) > 4 else b""
        fields += struct.pack("<HHI", tag, kind, count) + inside
    return fields + struct.pack("<I", following) + values


def exif(*entries: Entry) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0" + directory(entries, 8)


WHO = [
    text(ExifTags.Base.Make, b"a maker"),
    text(ExifTags.Base.Artist, b"A. Baker"),
    text(ExifTags.Base.Copyright, b"A. Baker, 2026"),
]
NOTES = [
    (ExifTags.Base.MakerNote, UNDEFINED, len(SECRET), SECRET),
    number(ExifTags.Base.ExifImageWidth, 320),
    number(ExifTags.Base.ExifImageHeight, 240),
]
TURNED = number(ExifTags.Base.Orientation, 6, SHORT)
PLACE = [text(1, b"N"), (2, RATIONAL, 3, struct.pack("<6I", 52, 1, 31, 1, 12, 1))]
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:ImageWidth="320" exif:PixelYDimension='240' dc:rights="me">
<tiff:ImageLength>240</tiff:ImageLength><exif:PixelXDimension>320</exif:PixelXDimension>
<tiff:Orientation>%d</tiff:Orientation></rdf:Description></rdf:RDF></x:xmpmeta>"""


def camera(*, orientation: int = 6) -> bytes:
    """Return a camera's EXIF: credits, GPS, maker notes, and a second IFD with a thumbnail."""
    offsets = [0, 0, 0]

    def blocks() -> list[bytes]:
        details, where, second = offsets
        parts = [number(ExifTags.IFD.Exif, details), number(ExifTags.IFD.GPSInfo, where)]
        thumbnail = [
            number(ExifTags.Base.Compression, 6, SHORT),
            number(ExifTags.Base.JpegIFOffset, second + 2 + 3 * 12 + 4),
            number(ExifTags.Base.JpegIFByteCount, len(THUMBNAIL)),
        ]
        return [
            directory([*WHO, number(ExifTags.Base.Orientation, orientation, SHORT), *parts], 8, second),
            directory(NOTES, details),
            directory(PLACE, where),
            directory(thumbnail, second) + THUMBNAIL,
        ]

    first, details, where, _ = blocks()
    offsets = [8 + len(first), 8 + len(first + details), 8 + len(first + details + where)]
    return b"Exif\0\0II*\0\x08\0\0\0" + b"".join(blocks())


def tiff(
    *entries: Entry, parts: Mapping[ExifTags.IFD, Sequence[Entry]] | None = None, image: Image.Image | None = None
) -> bytes:
    """Return a deflated TIFF of one page, with more entries and with sub-IFDs."""
    image = image or picture()
    data = zlib.compress(image.tobytes())
    pixels = [number(256, image.width), number(257, image.height), (258, SHORT, 3, struct.pack("<3H", 8, 8, 8))]
    pixels += [number(259, 8, SHORT), number(262, 2, SHORT), number(273, 8), number(277, 3, SHORT)]
    pixels += [number(278, image.height), number(279, len(data))]
    for tag, part in (parts or {}).items():
        pixels.append(number(tag, 8 + len(data)))
        data += directory(part, 8 + len(data))
    offset = 8 + len(data)
    return b"II*\0" + struct.pack("<I", offset) + data + directory([*pixels, *entries], offset)


def with_chunk(png: bytes, kind: bytes, data: bytes, *, last: bool = False) -> bytes:
    """Insert a chunk after the header or before the end."""
    offset = len(png) - 12 if last else 8 + 25
    return png[:offset] + chunk(kind, data) + png[offset:]


def with_xmp(image_format: str, image: Image.Image, xmp: bytes, block: bytes = b"") -> bytes:
    """Return an image with XMP and an EXIF block, in any format but TIFF."""
    if image_format == "PNG" and xmp:
        return with_chunk(encode(image, "PNG", exif=block), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    return encode(image, image_format, exif=block, xmp=xmp)


def with_exif_and_xmp(image_format: str, image: Image.Image, entries: Sequence[Entry], xmp: bytes) -> bytes:
    """Return an image with EXIF, and with XMP unless it is empty."""
    if image_format == "TIFF":
        return tiff(*entries, *([(700, BYTE, len(xmp), xmp)] if xmp else []), image=image)
    return with_xmp(image_format, image, xmp, exif(*entries))


def camera_image(image_format: str, *, orientation: int = 6) -> bytes:
    """Return an image with a camera's EXIF and XMP of equal content."""
    xmp = XMP % orientation
    if image_format == "TIFF":
        tags = [*WHO, number(ExifTags.Base.Orientation, orientation, SHORT), (700, BYTE, len(xmp), xmp)]
        return tiff(*tags, parts={ExifTags.IFD.Exif: NOTES, ExifTags.IFD.GPSInfo: PLACE})
    return with_xmp(image_format, picture(), xmp, camera(orientation=orientation))


def body(source: bytes, policy: MetadataPolicy, image_format: str | None = None) -> bytes:
    return output_body(source, image_format, metadata=policy)


def test_the_cameras_exif_is_readable() -> None:
    read = load(encode(picture(), exif=camera())).getexif()
    assert read.get_ifd(ExifTags.IFD.GPSInfo)[2] == (52, 31, 12)
    assert read.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == SECRET
    assert ExifTags.Base.JpegIFOffset in read.get_ifd(ExifTags.IFD.IFD1)
    assert THUMBNAIL in camera()


@pytest.mark.parametrize("policy", [MetadataPolicy.NONE, MetadataPolicy.COPYRIGHT])
@pytest.mark.parametrize("image_format", FORMATS)
def test_all_but_credits_is_removed(image_format: str, policy: MetadataPolicy) -> None:
    output = body(camera_image(image_format), policy)
    image = load(output)
    kept = image.getexif()
    credits_kept = {ExifTags.Base.Artist: "A. Baker", ExifTags.Base.Copyright: "A. Baker, 2026"}
    told = {tag: value for tag, value in kept.items() if tag not in STRUCTURE}
    assert told == ({} if policy is MetadataPolicy.NONE else credits_kept)
    assert not kept.get_ifd(ExifTags.IFD.GPSInfo)
    assert not kept.get_ifd(ExifTags.IFD.IFD1)
    assert (b'dc:rights="me"' in image.info.get("xmp", b"")) == (policy is MetadataPolicy.COPYRIGHT)
    assert b"tiff:" not in image.info.get("xmp", b"")
    assert SECRET not in output
    assert THUMBNAIL[:100] not in output


@pytest.mark.parametrize("written", [None, "jpeg", "webp"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_all_keeps_everything_but_the_thumbnail(image_format: str, written: str | None) -> None:
    output = body(camera_image(image_format), MetadataPolicy.ALL, written)
    image = load(output)
    kept = image.getexif()
    details = kept.get_ifd(ExifTags.IFD.Exif)
    assert image.size == (120, 160)
    assert kept[ExifTags.Base.Make] == "a maker"
    assert details[ExifTags.Base.MakerNote] == SECRET
    assert (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight]) == (120, 160)
    assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {1: "N", 2: (52, 31, 12)}
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    assert THUMBNAIL[:100] not in output


@pytest.mark.parametrize("written", [None, "jpeg", "webp"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_all_keeps_xmp_with_the_outputs_dimensions(image_format: str, written: str | None) -> None:
    xmp = load(body(camera_image(image_format, orientation=1), MetadataPolicy.ALL, written)).info["xmp"]
    for expected in (
        b'tiff:ImageWidth="160"',
        b'exif:PixelYDimension="120"',
        b'tiff:ImageLength="120"',
        b'exif:PixelXDimension="160"',
        b'tiff:Orientation="1"',
        b'dc:rights="me"',
    ):
        assert expected in xmp


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize(
    ("entries", "xmp"),
    [([TURNED], b""), ([TURNED], XMP % 6), ([TURNED], XMP % 1)],
    ids=["exif", "both", "exif first"],
)
@pytest.mark.parametrize("image_format", FORMATS)
def test_an_orientation_is_applied_once(
    image_format: str, entries: list[Entry], xmp: bytes, policy: MetadataPolicy
) -> None:
    stored = picture().transpose(Image.Transpose.ROTATE_90)
    image = load(body(with_exif_and_xmp(image_format, stored, entries, xmp), policy))
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert b"Orientation>6" not in image.info.get("xmp", b"")


@pytest.mark.parametrize("entries", [[], [text(ExifTags.Base.Artist, b"A. Baker")]], ids=["alone", "beside EXIF"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_an_orientation_only_in_xmp_is_ignored_as_in_browsers(image_format: str, entries: list[Entry]) -> None:
    source = with_exif_and_xmp(image_format, picture(), entries, XMP % 6)
    assert corners(load(body(source, MetadataPolicy.ALL))) == UPRIGHT_CORNERS


def test_xmp_rotates_no_frame_of_an_animation() -> None:
    frames = [picture(), picture().convert("L").convert("RGB")]
    webp = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], xmp=XMP % 6, duration=100)
    image = Image.open(io.BytesIO(body(webp, MetadataPolicy.COPYRIGHT)))
    assert [frame.size for frame in ImageSequence.Iterator(image)] == [(160, 120), (160, 120)]


def test_tags_of_the_pixel_layout_are_not_kept() -> None:
    # For example, libtiff refuses a TIFF with 8 bits whose tags declare floating-point samples.
    stored = [number(tag, 3, SHORT) for tag in (254, 256, 259, 262, 273, 317, 330, 347, 513, 32996)]
    assert not load(body(encode(picture(), exif=exif(*stored)), MetadataPolicy.ALL)).getexif()


@pytest.mark.parametrize("image_format", FORMATS)
def test_none_keeps_the_colour_profile(image_format: str) -> None:
    output = body(encode(picture(), image_format, icc_profile=PROFILE), MetadataPolicy.NONE)
    assert load(output).info["icc_profile"] == PROFILE


@pytest.mark.parametrize("policy", MetadataPolicy)
def test_comments_are_removed(policy: MetadataPolicy) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("Location", SECRET.decode())
    for source in (
        encode(picture(), comment=SECRET),
        encode(picture(), "GIF", comment=SECRET),
        encode(picture(), "PNG", pnginfo=info),
    ):
        assert SECRET in source
        assert SECRET not in body(source, policy)


@pytest.mark.parametrize("policy", [MetadataPolicy.COPYRIGHT, MetadataPolicy.ALL])
@pytest.mark.parametrize("name", ["© 2026 Jürgen Müller".encode(), "© 2026 Jürgen Müller".encode("latin-1")])
@pytest.mark.parametrize("image_format", FORMATS)
def test_a_credit_keeps_every_byte(image_format: str, name: bytes, policy: MetadataPolicy) -> None:
    credit = text(ExifTags.Base.Copyright, name)
    source = tiff(credit) if image_format == "TIFF" else encode(picture(), image_format, exif=exif(credit))
    assert name + b"\0" in body(source, policy)


def test_a_tag_that_cannot_be_written_is_dropped_alone() -> None:
    source = encode(picture(), exif=exif(text(ExifTags.Base.XResolution, b"x"), text(ExifTags.Base.Make, b"a maker")))
    assert dict(load(body(source, MetadataPolicy.ALL)).getexif()) == {ExifTags.Base.Make: "a maker"}


@pytest.mark.parametrize("image_format", BLOCK_FORMATS)
def test_a_copyright_keeps_photographer_and_editor(image_format: str) -> None:
    both = b"A. Baker\0An Editor"
    source = encode(picture(), image_format, exif=exif(text(ExifTags.Base.Copyright, both)))
    assert both in body(source, MetadataPolicy.COPYRIGHT)


@pytest.mark.parametrize("credit", [number(ExifTags.Base.Copyright, 7), text(ExifTags.Base.Copyright, b"x", UNDEFINED)])
def test_a_credit_that_is_not_text_is_ignored(credit: Entry) -> None:
    source = encode(picture(), exif=exif(credit, text(ExifTags.Base.Artist, b"A. Baker")))
    assert load(body(source, MetadataPolicy.COPYRIGHT)).getexif()[ExifTags.Base.Artist] == "A. Baker"


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "AVIF"])
def test_xmp_in_an_unknown_encoding_is_tolerated(image_format: str) -> None:
    xmp = b"\xff\xfe\0<\0x\0" + bytes(range(1, 256))
    source = encode(picture(), image_format, xmp=xmp)
    for to in ("jpeg", "png", "webp", "avif"):
        assert corners(load(body(source, MetadataPolicy.ALL, to))) == UPRIGHT_CORNERS


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize("to", [None, "avif"])
@pytest.mark.parametrize(
    ("block", "is_turned"),
    [
        (camera()[: -len(THUMBNAIL) - 40], True),
        (exif((ExifTags.Base.Orientation, SHORT, 3, struct.pack("<3H", 6, 6, 6))), True),
        *(
            (block, False)
            for block in (
                # Pillow stops at the first text whose offset is outside of the block.
                camera()[:60],
                b"",
                b"II*\0",
                b"Exif\0\0",
                b"Exif\0\0II*\0\x08\0\0\0",
                b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
                b"Exif\0\0MM\0*\xff\xff\xff\xff",
                exif(number(ExifTags.IFD.Exif, 0xFFFFFFF0), number(ExifTags.IFD.GPSInfo, 8)),
                exif(number(ExifTags.IFD.Exif, 8)),
                exif((ExifTags.IFD.Exif, ASCII, 4, b"abcd")),
                exif((ExifTags.Base.Orientation, UNDEFINED, 4, b"abcd")),
                exif((ExifTags.Base.Orientation, ASCII, 2, b"6")),
                # A fraction whose offset is outside of the block.
                exif((ExifTags.Base.Orientation, RATIONAL, 1, b"\xff\xff\xff\x7f")),
                exif(number(ExifTags.Base.Orientation, 99, SHORT)),
                exif((ExifTags.Base.Orientation, SHORT, 0xFFFFFFFF, bytes(4))),
                exif((ExifTags.Base.Orientation, 99, 1, bytes(4))),
                exif((ExifTags.Base.Orientation, 11, 1, struct.pack("<f", 6.0))),
                exif((ExifTags.Base.Copyright, ASCII, 0, bytes(4)), (ExifTags.Base.Artist, RATIONAL, 1, bytes(8))),
                exif(*(text(tag, bytes(range(256))) for tag in range(40000, 40040))),
            )
        ),
    ],
)
def test_damaged_exif_does_not_fail_the_image(
    block: bytes, is_turned: bool, to: str | None, policy: MetadataPolicy
) -> None:
    for image_format in ("JPEG", "PNG", "WEBP"):
        image = load(body(encode(picture(), image_format, exif=block), policy, to))
        assert image.size == ((120, 160) if is_turned else (160, 120))
        assert is_turned or corners(image) == UPRIGHT_CORNERS


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize("head", [b"XX*\0\x08\0\0\0", bytes(8), b"II+\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff"])
@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "AVIF"])
def test_exif_with_a_damaged_header_is_ignored(image_format: str, head: bytes, policy: MetadataPolicy) -> None:
    good = encode(picture(), image_format, exif=exif(text(ExifTags.Base.Copyright, b"A. Baker")))
    broken = good.replace(b"II*\0\x08\0\0\0", head)
    assert broken != good
    assert corners(load(body(broken, policy))) == UPRIGHT_CORNERS


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        *("bbox", "chromaticity", "default_image", "duration", "exif", "gamma", "icc_profile", "interlace", "loop"),
        *("transparency", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"),
    ],
)
def test_a_png_text_with_the_name_of_an_info_key_is_only_text(name: str, last: bool) -> None:
    animation = encode(picture(), "PNG", save_all=True, append_images=[picture().rotate(180)], duration=50)
    for png in (encode(picture(), "PNG"), animation):
        source = with_chunk(png, b"tEXt", name.encode() + b"\0a text", last=last)
        assert corners(load(body(source, MetadataPolicy.ALL))) == UPRIGHT_CORNERS


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b""),
        (b"zTXt", b"Comment\0\x09unknown compression"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20))),
        (b"iTXt", b"Comment"),
    ],
)
def test_a_damaged_png_text_is_ignored(kind: bytes, data: bytes) -> None:
    source = with_chunk(encode(picture(), "PNG"), kind, data)
    assert corners(load(body(source, MetadataPolicy.ALL))) == UPRIGHT_CORNERS


@pytest.mark.parametrize("policy", MetadataPolicy)
def test_exif_in_a_png_text_is_read(policy: MetadataPolicy) -> None:
    block = camera().hex()
    raw = f"Raw profile type exif\0\nexif\n{len(block) // 2:8}\n{block}\n".encode()
    output = body(with_chunk(encode(picture(), "PNG"), b"tEXt", raw), policy)
    kept = load(output).getexif()
    assert load(output).size == (120, 160)
    assert kept.get(ExifTags.Base.Artist) == (None if policy is MetadataPolicy.NONE else "A. Baker")
    assert bool(kept.get_ifd(ExifTags.IFD.GPSInfo)) == (policy is MetadataPolicy.ALL)
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    assert b"Raw profile" not in output


def test_only_the_exif_that_is_too_large_for_a_jpeg_is_left_out() -> None:
    large = exif(text(ExifTags.Base.Copyright, b"A. Baker"), text(ExifTags.Base.ImageDescription, b"x" * 70000))
    rendered = render_one(encode(picture(), "WEBP", exif=large, xmp=XMP % 1), "jpeg", metadata=MetadataPolicy.ALL)
    image = load(rendered.outputs[0].body)
    assert "exif" not in image.info
    assert b"dc:rights" in image.info["xmp"]
    assert rendered.lost.keys() == {"exif"}
    kept = load(body(encode(picture(), "WEBP", exif=large), MetadataPolicy.COPYRIGHT, "jpeg")).getexif()
    assert kept[ExifTags.Base.Copyright] == "A. Baker"


@pytest.mark.parametrize("length", [65474, 65475, 65490, 65500, 65505, 65527, 65533, 65534])
@pytest.mark.parametrize("kind", ["exif", "xmp"])
def test_metadata_as_large_as_a_jpeg_segment_does_not_fail(kind: str, length: int) -> None:
    block = exif(text(ExifTags.Base.ImageDescription, b"x" * (length - 100))) if kind == "exif" else b"x" * length
    source = encode(picture(), "WEBP", **{kind: block})
    assert corners(load(body(source, MetadataPolicy.ALL, "jpeg"))) == UPRIGHT_CORNERS


@pytest.mark.parametrize("orientation", range(10))
def test_no_encoder_gets_an_orientation(orientation: int) -> None:
    # An orientation makes Pillow's animated AVIF encoder crash (a segmentation fault in 13.0.0).
    source = load(encode(picture(), exif=camera(orientation=orientation)))
    change = Change((160, 120), (0.5, 0.5), is_moved=False, swaps_sides=False, media_type="image/avif")
    kept = Metadata.of(source).select(MetadataPolicy.ALL, change, Capacity(frozenset(Lost)))
    tags = Image.Exif()
    tags.load(kept.blocks["exif"])
    assert tags.endian == "<"
    assert tags[ExifTags.Base.Make] == "a maker"
    assert ExifTags.Base.Orientation not in tags


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize(
    "entry",
    [
        text(700, b'<x:xmpmeta tiff:Orientation="1"/>'),
        (700, LONG, 3, b"<x:xmpmeta/>"),
        (ExifTags.IFD.Exif, 9, 1, struct.pack("<i", -1)),
        (ExifTags.IFD.GPSInfo, 9, 1, struct.pack("<i", -1)),
        (ExifTags.IFD.GPSInfo, 16, 1, b"\xff" * 8),
        (700, UNDEFINED, 12, b"<x:xmpmeta/>"),
        (700, BYTE, 4, b"\xff\xfe\0\0"),
        number(ExifTags.IFD.Exif, 0x7FFFFFF),
        text(ExifTags.Base.Orientation, b"6"),
        (ExifTags.Base.Orientation, UNDEFINED, 4, b"abcd"),
        number(ExifTags.Base.Orientation, 99, SHORT),
        (50706, BYTE, 4, b"\1\4\0\0"),
        (33550, 12, 3, struct.pack("<3d", 1, 1, 0)),
        (34675, UNDEFINED, 9, b"no colour"),
        number(34675, 3, SHORT),
        text(65000, b"private"),
    ],
)
def test_unusual_tags_of_a_tiff_do_not_fail_the_image(entry: Entry, policy: MetadataPolicy) -> None:
    image = load(body(tiff(entry), policy))
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)


def test_a_sub_ifd_with_an_invalid_offset_is_ignored() -> None:
    parts = {ExifTags.IFD.Exif: [(ExifTags.IFD.Interop, 9, 1, struct.pack("<i", -1))]}
    source = tiff(number(ExifTags.IFD.Interop, 8), parts=parts)
    assert corners(load(body(source, MetadataPolicy.ALL))) == UPRIGHT_CORNERS


def test_a_later_page_may_have_xmp_as_text() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[700] = ASCII
    tags[700] = "<x:xmpmeta/>"
    second: Any = picture()
    second.encoderinfo = {"tiffinfo": tags}
    output: Any = load(body(encode(picture(), "TIFF", save_all=True, append_images=[second]), MetadataPolicy.ALL))
    assert output.n_frames == 2


@pytest.mark.parametrize("policy", [MetadataPolicy.COPYRIGHT, MetadataPolicy.ALL])
@pytest.mark.parametrize("entry", [number(296, 0, SHORT), number(296, 7, SHORT), number(300, 1, SHORT)])
def test_a_tag_that_libtiff_refuses_to_write_is_dropped(entry: Entry, policy: MetadataPolicy) -> None:
    source = tiff(entry, text(ExifTags.Base.Artist, b"A. Baker"))
    assert load(body(source, policy)).getexif()[ExifTags.Base.Artist] == "A. Baker"


def test_the_metadata_of_a_tiff_is_on_its_first_page() -> None:
    artist = Image.Exif()
    artist[ExifTags.Base.Artist] = "A. Baker"
    pages = [picture(64, 48), picture(80, 60), picture(48, 64)]
    source = encode(pages[0], "TIFF", exif=artist, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    output = Image.open(io.BytesIO(body(source, MetadataPolicy.ALL)))
    wanted = [((32, 24), "A. Baker"), ((40, 30), None), ((24, 32), None)]
    for page, (size, credit) in zip(ImageSequence.Iterator(output), wanted, strict=True):
        assert (page.size, corners(page)) == (size, UPRIGHT_CORNERS)
        assert page.getexif().get(ExifTags.Base.Artist) == credit


def test_an_image_without_metadata_gets_none() -> None:
    output = load(body(encode(picture()), MetadataPolicy.ALL))
    assert {"exif", "xmp", "icc_profile", "comment"}.isdisjoint(output.info)


def large_profile(size: int) -> bytes:
    """Return a profile of ``size`` bytes, mostly noise that no tag refers to."""
    noise = np.random.default_rng(0).bytes(size - len(PROFILE))
    return size.to_bytes(4, "big") + PROFILE[4:] + noise


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize(
    ("profile", "lost"),
    [
        (bytes(1 << 20), "the colour profile is damaged and was left out"),
        (PROFILE + b"\0", "the colour profile is damaged and was left out"),
        (PROFILE[:-1], "the colour profile is damaged and was left out"),
        (PROFILE[:20], "the colour profile is damaged and was left out"),
        (large_profile((4 << 20) + 1), "the colour profile of 4194305 bytes was left out: 4194304 are allowed"),
    ],
    ids=["zeros", "longer", "shorter", "cut", "large"],
)
def test_a_damaged_or_too_large_profile_is_left_out_and_reported(image_format: str, profile: bytes, lost: str) -> None:
    source = encode(picture(), image_format, icc_profile=profile)
    rendered = render_one(source)
    assert load(rendered.outputs[0].body).info.get("icc_profile") is None
    assert rendered.lost == {"profile": lost}


def test_a_large_colour_profile_of_a_png_is_kept() -> None:
    profile = large_profile(1 << 21)
    output = body(encode(picture(), icc_profile=profile), MetadataPolicy.NONE, "png")
    assert load(output).info["icc_profile"] == profile


@pytest.mark.parametrize("policy", MetadataPolicy)
@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"zTXt", b"Raw profile type iptc\0\x01unknown compression"),
        (b"zTXt", b"Raw profile type 8bim\0\0no zlib"),
        (b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(bytes(9 << 20))),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(9 << 20))),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\1\0\0x"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0x"),
    ],
)
def test_metadata_of_a_png_that_cannot_be_inflated_is_named(kind: bytes, data: bytes, policy: MetadataPolicy) -> None:
    rendered = render_one(with_chunk(encode(picture(), "PNG"), kind, data), metadata=policy)
    assert corners(load(rendered.outputs[0].body)) == UPRIGHT_CORNERS
    assert rendered.lost == {Lost.DAMAGE: f"the chunk {kind.decode()} is damaged and was ignored"}


@pytest.mark.parametrize("last", [False, True])
def test_the_first_of_several_packets_in_a_png_counts(last: bool) -> None:
    first, second = (b"XML:com.adobe.xmp\0\0\0\0\0" + one for one in (XMP % 1, (XMP % 1).replace(b'"me"', b'"other"')))
    source = with_chunk(with_chunk(encode(picture(), "PNG"), b"iTXt", second, last=last), b"iTXt", first)
    assert b'"me"' in load(body(source, MetadataPolicy.COPYRIGHT)).info["xmp"]


def profile_text(name: str, data: bytes) -> bytes:
    return f"Raw profile type {name}\0\n{name}\n{len(data):8}\n{data.hex()}\n".encode()


@pytest.mark.parametrize("name", ["iptc", "8bim", "xmp"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_profiles_in_texts_of_a_png_are_read(name: str, is_wrapped: bool) -> None:
    iim = iptc.write([iptc.DataSet((2, 116), b"me")])
    wrapped = photoshop.write({photoshop.IIM: iim})
    data = XMP % 1 if name == "xmp" else wrapped if is_wrapped or name == "8bim" else iim
    source = with_chunk(encode(picture(), "PNG"), b"tEXt", profile_text(name, data))
    rendered = render_one(source, "webp")
    assert b"dc:rights" in load(rendered.outputs[0].body).info["xmp"]
    assert rendered.lost == {}


@pytest.mark.parametrize("data", [b"", b"\niptc\n 5\nno digits", b"\niptc\n 1\n1c0", b"\n" + b" " * (1 << 20)])
@pytest.mark.parametrize("name", ["iptc", "xmp"])
def test_a_damaged_profile_in_a_text_of_a_png_is_named(name: str, data: bytes) -> None:
    source = with_chunk(encode(picture(), "PNG"), b"tEXt", b"Raw profile type " + name.encode() + b"\0" + data)
    assert render_one(source).lost.keys() == {name}
    assert render_one(source, metadata=MetadataPolicy.NONE).lost == {}


@pytest.mark.parametrize("kind", [BYTE, UNDEFINED, LONG])
@pytest.mark.parametrize("tag", [33723, 34377])
def test_iptc_in_a_tiff_is_read_whatever_its_type(tag: int, kind: int) -> None:
    iim = iptc.write([iptc.DataSet((2, 116), b"me, at some length")])
    data = iim if tag == 33723 else photoshop.write({photoshop.IIM: iim})
    data += bytes(-len(data) % 4)
    source = tiff((tag, kind, len(data) // (4 if kind == LONG else 1), data))
    assert b"me, at some length" in load(body(source, MetadataPolicy.COPYRIGHT, "webp")).info["xmp"]
    assert b"me, at some length" in body(source, MetadataPolicy.COPYRIGHT)


def with_segments(*segments: tuple[int, bytes]) -> bytes:
    jpeg = encode(picture())
    return (
        jpeg[:2] + b"".join(struct.pack(">BBH", 255, kind, 2 + len(data)) + data for kind, data in segments) + jpeg[2:]
    )


def test_iptc_in_several_segments_is_joined() -> None:
    resources = photoshop.write({0x03F3: bytes(9), photoshop.IIM: iptc.write([iptc.DataSet((2, 116), b"me" * 20)])})
    parts = [(0xED, photoshop.HEADER + resources[start : start + 40]) for start in range(0, len(resources), 40)]
    output = body(with_segments(*parts), MetadataPolicy.COPYRIGHT)
    assert output.count(photoshop.HEADER + b"8BIM\x04\x04\0\0") == 1
    assert b"me" * 20 in output


def test_what_exceeds_a_segment_is_named() -> None:
    sets = [iptc.DataSet((2, 120), b"x" * 60_000), iptc.DataSet((2, 116), b"me")]
    source = tiff((33723, UNDEFINED, len(data := iptc.write([*sets, sets[0]])), data))
    whole, credit = (
        render_one(source, "jpeg", metadata=policy) for policy in (MetadataPolicy.ALL, MetadataPolicy.COPYRIGHT)
    )
    assert whole.lost.keys() == {Lost.IPTC}
    assert credit.lost == {}
    assert b"me" in credit.outputs[0].body
    large = (XMP % 1).replace(b'dc:rights="me"', b'dc:rights="me" dc:source="%s"' % (b"x" * 66_000))
    rendered = render_one(encode(picture(), "WEBP", xmp=large), "jpeg", metadata=MetadataPolicy.ALL)
    assert "source" in rendered.lost[Lost.XMP]
    assert b'dc:rights="me"' in load(rendered.outputs[0].body).info["xmp"]


@pytest.mark.parametrize("to", [None, "png"])
@pytest.mark.parametrize("policy", MetadataPolicy)
def test_damaged_iptc_and_xmp_do_not_fail_the_image(to: str | None, policy: MetadataPolicy) -> None:
    damaged = photoshop.HEADER + photoshop.write({photoshop.IIM: b"\x1c\2\x74\0\x08somebody\x1c\2\x50\xff\xff"})
    source = with_segments((0xED, damaged), (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"))
    rendered = render_one(source, to, metadata=policy)
    assert corners(load(rendered.outputs[0].body)) == UPRIGHT_CORNERS
    assert rendered.lost.keys() == (set() if policy is MetadataPolicy.NONE else {Lost.IPTC, Lost.XMP})
    assert (b"somebody" in rendered.outputs[0].body) == (policy is not MetadataPolicy.NONE)


def test_xmp_that_differs_from_iptc_stays_and_is_named() -> None:
    iim = [iptc.DataSet((2, 116), b"others"), iptc.DataSet((2, 110), b"An agency")]
    resources = photoshop.HEADER + photoshop.write({photoshop.IIM: iptc.write(iim)})
    source = with_segments((0xED, resources), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % 1))
    rendered = render_one(source, "png")
    packet = load(rendered.outputs[0].body).info["xmp"]
    assert b'dc:rights="me"' in packet
    assert b'photoshop:Credit="An agency"' in packet
    assert rendered.lost == {Lost.IPTC: "the XMP has other values than the IPTC: rights"}
    same = source.replace(b"others", b"m     ")
    assert render_one(same, "png").lost == {}


@pytest.mark.parametrize("name", ["Artist", "Copyright"])
def test_a_credit_that_cannot_be_read_is_named(name: str) -> None:
    source = encode(picture(), exif=exif(number(ExifTags.Base[name], 7)))
    assert render_one(source).lost.keys() == {Lost.EXIF}


@pytest.mark.parametrize(
    ("block", "named"),
    [
        (camera(), (False, False)),
        (exif(text(ExifTags.Base.Artist, b"A. Baker"), text(ExifTags.Base.Copyright, b"")), (False, False)),
        # The offset of the copyright notice lies outside of the block.
        (exif(*WHO)[:-5], (True, True)),
        (exif(*WHO, (40000, ASCII, 9, b"\xff\xff\xff\x7f")), (False, True)),
        (exif(*WHO, (40000, 99, 1, bytes(4))), (False, True)),
        (exif(*WHO)[:30], (True, True)),
        (b"Exif\0\0II*\0\xff\xff\0\0", (True, True)),
        (exif(number(ExifTags.Base.XResolution, 7, UNDEFINED), *WHO), (False, True)),
    ],
)
def test_exif_that_cannot_be_read_is_named(block: bytes, named: tuple[bool, bool]) -> None:
    for image_format in BLOCK_FORMATS:
        source = encode(picture(), image_format, exif=block)
        found = [
            Lost.EXIF in render_one(source, metadata=policy).lost
            for policy in (MetadataPolicy.COPYRIGHT, MetadataPolicy.ALL)
        ]
        assert tuple(found) == named, image_format
        assert not render_one(source, metadata=MetadataPolicy.NONE).lost


def test_a_profile_that_is_too_long_is_named() -> None:
    data = iptc.write([iptc.DataSet((2, 120), bytes([65]) * 600_000)])
    source = with_chunk(encode(picture(), "PNG"), b"tEXt", profile_text("iptc", data))
    assert render_one(source, metadata=MetadataPolicy.ALL).lost.keys() == {Lost.IPTC}


def test_resources_make_room_for_iptc() -> None:
    iim = iptc.write([iptc.DataSet((2, 116), b"me" * 20_000)])
    resources = photoshop.write({2000: b"a path" * 5000})
    source = tiff((33723, UNDEFINED, len(iim), iim), (34377, BYTE, len(resources), resources))
    rendered = render_one(source, "jpeg", metadata=MetadataPolicy.ALL)
    assert iim in rendered.outputs[0].body
    assert b"a path" not in rendered.outputs[0].body
    assert "paths" in rendered.lost[Lost.IPTC]
    assert resources in body(source, MetadataPolicy.ALL)


@pytest.mark.parametrize(("orientation", "is_kept"), [(1, True), (2, False), (6, False)])
@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_a_turn_is_known_whoever_applies_it(image_format: str, orientation: int, is_kept: bool) -> None:
    resources = photoshop.write({2000: b"a path", photoshop.RESOLUTION: struct.pack(">IHHIHH", 600, 1, 2, 200, 1, 2)})
    turned = number(ExifTags.Base.Orientation, orientation, SHORT)
    if image_format == "TIFF":
        source = tiff(turned, (34377, BYTE, len(resources), resources))
    else:
        source = with_segments((0xE1, exif(turned)), (0xED, photoshop.HEADER + resources))
    output = body(source, MetadataPolicy.ALL, "jpeg")
    assert (b"a path" in output) == is_kept
    scaled = (100, 300) if orientation == 6 else (300, 100)
    assert struct.pack(">IHHIHH", scaled[0], 1, 2, scaled[1], 1, 2) in output


def test_a_nested_tag_that_cannot_be_written_is_named() -> None:
    # A number of eight bytes, which only a BigTIFF has.
    source = tiff(parts={ExifTags.IFD.Exif: [(40000, 16, 1, bytes([0, 0, 0, 0, 0, 1, 0, 0])), *NOTES]})
    rendered = render_one(source, metadata=MetadataPolicy.ALL)
    assert SECRET in rendered.outputs[0].body
    assert rendered.lost.keys() == {Lost.EXIF}
