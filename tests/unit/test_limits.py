"""What is refused before it is decoded: by memory, pixels, sides and time; and what no decoder may touch."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageFile

import decode
from errors import Reason, RejectedError
from render import render
from renditions import Rendition
from settings import Limits
from tests.images import encoded, picture

HALF = [Rendition("half", scale=0.5)]
MIB = 1 << 20


def rejection(source: bytes, limits: Limits = Limits(1769 * MIB), **options: object) -> RejectedError:  # noqa: B008
    with pytest.raises(RejectedError) as caught:
        render(source, options.pop("renditions", HALF), limits=limits, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decodes a pixel fails the test."""

    def decoded(*_: object) -> None:
        pytest.fail("a pixel was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    start = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, start))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def gif(width: int, height: int, frames: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x08\x02\x00\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frames * frame + b"\x3b"


def jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose header claims another size."""
    source = bytearray(encoded(picture(64, 64), progressive=progressive))
    marker = source.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    source[marker + 5 : marker + 9] = struct.pack(">HH", height, width)
    return bytes(source)


def resized_header(image_format: str, width: int, height: int) -> bytes:
    """A small image of the format whose header claims another size."""
    source = bytearray(encoded(picture(64, 64), image_format))
    if image_format == "BMP":
        source[18:26] = struct.pack("<ii", width, height)
    elif image_format == "TIFF":
        entries = Image.open(io.BytesIO(source)).tag_v2._offset  # type: ignore[attr-defined]
        for number in range(2):
            place = entries + 2 + 12 * number
            source[place + 2 : place + 12] = struct.pack("<HII", 4, 1, (width, height)[number])
    return bytes(source)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    "source",
    [
        png(16000, 12000),
        png(0x7FFFFFFF, 1),
        png(46000, 46000),
        gif(500, 500, 10_000),
        gif(65535, 65535, 1),
        jpeg(65000, 65000),
        jpeg(40000, 40000, progressive=True),
        resized_header("BMP", 30000, 30000),
        resized_header("TIFF", 30000, 30000),
    ],
    ids=lambda source: source[:4].decode("latin-1"),
)
def test_a_bomb_is_refused_unopened(source: bytes) -> None:
    refused = rejection(source)
    assert refused.reason is Reason.TOO_LARGE
    assert "MiB" in refused.message


@pytest.mark.usefixtures("no_decoding")
def test_max_pixels_counts_every_frame() -> None:
    limits = Limits(1769 * MIB, max_pixels=100_000)
    refused = rejection(gif(100, 100, 11), limits)
    assert (refused.reason, refused.message) == (
        Reason.TOO_LARGE,
        "the image has 110000 pixels, max_pixels allows 100000",
    )


def test_max_pixels_lets_through_what_it_allows() -> None:
    render(encoded(picture(100, 100)), HALF, limits=Limits(1769 * MIB, max_pixels=10_000))


def test_a_baseline_jpeg_may_be_larger_than_a_progressive_one() -> None:
    assert rejection(jpeg(12000, 10000, progressive=True), Limits(1024 * MIB)).reason is Reason.TOO_LARGE
    (output,) = render(jpeg(12000, 10000), HALF, limits=Limits(1024 * MIB)).outputs
    assert (output.width, output.height) == (6000, 5000)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(("image_format", "most"), [("jpeg", 65500), ("webp", 16383), ("avif", 32768)])
def test_an_output_that_its_format_cannot_hold_is_refused(image_format: str, most: int) -> None:
    source = png(2 * most + 2, 1)
    refused = rejection(source, renditions=[Rendition("half", scale=0.5, format=image_format)])
    assert refused.message.startswith(f"the output would have {most + 1} pixels on a side, {image_format.upper()} ")


@pytest.mark.parametrize(("image_format", "most"), [("jpeg", 65500), ("webp", 16383), ("avif", 32768)])
def test_the_largest_that_its_format_can_hold_is_made(image_format: str, most: int) -> None:
    source = encoded(Image.new("L", (most, 1)), "PNG")
    (output,) = render(source, [Rendition("all", scale=1, format=image_format)], limits=Limits(1769 * MIB)).outputs
    assert (output.width, output.height) == (most, 1)


@pytest.mark.usefixtures("no_decoding")
def test_what_cannot_be_decoded_in_time_is_not_begun() -> None:
    refused = rejection(encoded(picture(4000, 4000), "PNG"), seconds_left=lambda: 0.1)
    assert refused.reason is Reason.TOO_SLOW
    assert refused.message.startswith("decoding this PNG needs about 0.8 s, this invocation has 0.1 s left: ")


def test_what_cannot_be_encoded_in_time_is_not_begun() -> None:
    left = iter([60.0, 0.0])
    refused = rejection(encoded(picture()), seconds_left=lambda: next(left))
    assert refused.reason is Reason.TOO_SLOW
    assert refused.message.startswith("encoding as JPEG needs about ")


@pytest.mark.usefixtures("no_decoding")
def test_less_memory_is_less_processor() -> None:
    source = encoded(picture(1000, 1000), "PNG")
    assert rejection(source, Limits(256 * MIB), seconds_left=lambda: 0.2).reason is Reason.TOO_SLOW
    with pytest.raises(pytest.fail.Exception):
        render(source, HALF, limits=Limits(1769 * MIB), seconds_left=lambda: 0.2)


@pytest.mark.parametrize(
    "beginning",
    [
        *(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.7\n", b"8BPS\0\1", b"P6\n1 1\n255\nabc"),
        *(b"\x0a\x05\x01\x08", b"\0\0\1\0\1\0", b"SIMPLE  =                    T", b"gimp xcf ", b"qoif\0\0\0\1"),
        *(b"\xd7\xcd\xc6\x9a", b"\1\0\0\0", b"\0\0\0\x0cjP  \r\n\x87\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        *(
            b"icns\0\0\1\0",
            b"DDS |\0\0\0",
            b"\x59\xa6\x6a\x95",
            b"GRIB\0\0\0\2",
            b"\x89HDF\r\n\x1a\n",
            b"#define x_width 9\n",
        ),
    ],
)
def test_no_other_decoder_is_open(beginning: bytes) -> None:
    assert rejection(beginning + bytes(1000)).reason is Reason.NOT_AN_IMAGE
    assert set(decode.FORMATS) <= {"JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "HEIF"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), Reason.TOO_LARGE),
        *((error, Reason.CORRUPT) for error in (RuntimeError("x"), SystemError(), RecursionError(), struct.error("x"))),
        *((error, Reason.CORRUPT) for error in (OverflowError(), ZeroDivisionError(), AssertionError(), KeyError(1))),
    ],
)
def test_whatever_a_decoder_raises_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: Reason
) -> None:
    def load(*_: object) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    refused = rejection(encoded(picture()))
    assert refused.reason is reason
    assert refused.message


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_what_is_cut_off_anywhere_is_never_half_an_image(image_format: str) -> None:
    source = encoded(picture(80, 60).effect_spread(30), image_format)
    for length in range(0, len(source) - 2, max(1, len(source) // 60)):
        assert rejection(source[:length]).reason in {Reason.NOT_AN_IMAGE, Reason.CORRUPT}
