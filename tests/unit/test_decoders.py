"""Decoders: only the enabled formats are opened, and an exception at any step is a rejection without a second try."""

import errno
import gzip
import io
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from PIL import Image, ImageCms, ImageFile

from errors import Reason, RejectedError
from imaging import memory
from imaging.decode import Picture
from imaging.formats import ENCODERS, FORMATS, heif, inspect
from imaging.pillow import encoding, proving
from imaging.render import render
from renditions import Rendition
from tests.images import HEIC_PICTURE, UPRIGHT_CORNERS, corners, encode, encode_oriented, load, picture
from tests.unit.rendering import LIMITS, rejection

HALF = [Rendition("half", scale=0.5)]
OPEN = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"]
CLOSED = sorted({"BLP", "DDS", "EPS", "ICNS", "ICO", "JPEG2000", "PCX", "PDF", "PPM", "QOI", "SGI", "SPIDER", "TGA"})
"""Formats that Pillow can write and the function doesn't open."""

ERRORS: list[tuple[type[BaseException], Reason]] = [
    (MemoryError, Reason.TOO_LARGE),
    *((error, Reason.CORRUPT) for error in (struct.error, SystemError, RecursionError, ZeroDivisionError)),
    *((error, Reason.CORRUPT) for error in (KeyError, TypeError, ValueError, AttributeError, AssertionError)),
    *((error, Reason.CORRUPT) for error in (EOFError, OSError, SyntaxError, StopIteration, BufferError)),
    *((error, Reason.CORRUPT) for error in (UnicodeDecodeError, Image.DecompressionBombError)),
]


def make_failing(error: type[BaseException]) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error("utf-8", b"\xff", 0, 1, "x") if error is UnicodeDecodeError else error("x")

    return fail


@pytest.mark.parametrize("image_format", CLOSED)
def test_a_good_image_of_another_format_is_rejected(image_format: str) -> None:
    mode = "RGBA" if image_format in {"ICO", "ICNS", "QOI"} else "L" if image_format == "SPIDER" else "RGB"
    options = {"blp_version": "BLP2"} if image_format == "BLP" else {}
    stored = picture(64, 64).convert("P" if image_format == "BLP" else "F" if image_format == "SPIDER" else mode)
    assert rejection(encode(stored, image_format, **options)).reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize(
    "source",
    [
        *(b"", b"\0", b"\xff\xd8", b"<!DOCTYPE html><html></html>", b"PK\3\4", b"\x7fELF", b"MZ", bytes(5000)),
        gzip.compress(encode(picture(9, 9)), mtime=0),
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><image href='https://example.com/x.png'/></svg>",
        b"push graphic-context\nfill 'url(https://example.com/x.jpg|ls)'\npop graphic-context",
        b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, 9, 0, 0, 0, 0) + b"%!PS-Adobe",
        b"\0\0\0\x0cftypmp42\0\0\0\0mp42isom",
        b"\0\0\1\xb3" + bytes(99),
        b"\x1aE\xdf\xa3" + bytes(99),
        b"\xff\x0a" + bytes(99),
        b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        b"CWS\x09" + bytes(40),
        b"FLIF" + bytes(40),
        *(b"II*\0" + b"CR2-no-directory", b"8BPS\0\1" + bytes(99), b"SIMPLE  =                    T", b"gimp xcf "),
        *(b"\xd7\xcd\xc6\x9a" + bytes(99), b"GRIB\0\0\0\2", b"\x89HDF\r\n\x1a\n", b"#define x_width 9\n"),
        encode(picture(9, 9), "PPM"),
        encode(picture(9, 9), "TGA")[:-1] + b"TRUEVISION-XFILE.\0",
    ],
    ids=lambda source: repr(source[:12]),
)
def test_anything_but_the_enabled_formats_is_rejected(source: bytes) -> None:
    assert rejection(source).reason in {Reason.NOT_AN_IMAGE, Reason.CORRUPT}


def test_decoders_of_other_formats_are_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FORMATS.keys() == {*OPEN, "HEIF"}
    Image.init()
    for name in set(Image.OPEN) - {name for one in FORMATS.values() for name in one.decoders}:
        monkeypatch.setitem(
            Image.OPEN, name, (make_failing(AssertionError), lambda _: pytest.fail("a decoder was asked"))
        )
    # The signature is enough for the function, but the JPEG decoder refuses the file.
    assert rejection(b"\xff\xd8\xff\xd9").reason is Reason.CORRUPT
    assert rejection(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").reason is Reason.NOT_AN_IMAGE
    render(encode(picture()), HALF, limits=LIMITS)


@pytest.mark.parametrize("image_format", OPEN)
@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_any_exception_while_pixels_are_read_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str, error: type[BaseException], reason: Reason
) -> None:
    source = encode(picture(20, 20), image_format)
    kind = type(Image.open(io.BytesIO(source)))
    monkeypatch.setattr(kind, "load", make_failing(error))
    rejected = rejection(source)
    assert rejected.reason is reason
    assert rejected.message


@pytest.mark.parametrize(("error", "reason"), ERRORS)
@pytest.mark.parametrize("step", ["open", "seek", "draft"])
def test_any_exception_at_another_step_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException], reason: Reason
) -> None:
    source = encode(picture(20, 20))
    if step == "seek":
        source = encode(picture(20, 20), "TIFF", save_all=True, append_images=[picture(20, 20)])
    if step == "open":
        monkeypatch.setattr(Image, "open", make_failing(error))
    else:
        monkeypatch.setattr(type(Image.open(io.BytesIO(source))), step, make_failing(error))
    assert rejection(source).reason is reason


def test_quantizing_without_memory_is_a_rejection_and_any_other_failure_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def quantize(*_: object, **__: object) -> None:
        memory._errno_location()[0] = number
        raise ValueError("quantization error")

    monkeypatch.setattr(Image.Image, "quantize", quantize)
    source = encode(picture(20, 20), "GIF")
    number = errno.ENOMEM
    assert rejection(source).reason is Reason.TOO_LARGE
    number = 0
    with pytest.raises(ValueError, match="quantization error"):
        rejection(source)


def test_a_profile_that_cannot_be_applied_for_lack_of_memory_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(*_: object, **__: object) -> NoReturn:
        memory._errno_location()[0] = number
        raise ImageCms.PyCMSError("cannot build transform")

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    source = encode(
        picture(20, 20, "CMYK"), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    png = [Rendition("r", scale=0.5, format="png")]
    number = 0
    assert render(source, png, limits=LIMITS).outputs
    number = errno.ENOMEM
    with pytest.raises(RejectedError, match=r"^too_large"):
        render(source, png, limits=LIMITS)


@pytest.mark.parametrize(
    ("manager", "message"), [(encoding, "cannot be encoded: odd"), (proving, "does not decode: odd")]
)
def test_a_failure_to_write_or_read_an_output_is_unfaithful_unless_memory_ran_out(
    monkeypatch: pytest.MonkeyPatch, manager: Callable[[str], AbstractContextManager[None]], message: str
) -> None:
    with pytest.raises(RejectedError, match=message) as caught, manager("PNG"):
        raise SystemError("odd")
    assert caught.value.reason is Reason.UNFAITHFUL
    monkeypatch.setattr(memory, "has_run_out", lambda: True)
    with pytest.raises(MemoryError), manager("PNG"):
        raise SystemError("odd")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_exceptions_that_end_the_process_propagate(monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", make_failing(error))
    with pytest.raises(error):
        render(encode(picture()), HALF, limits=LIMITS)


@pytest.mark.parametrize("mode", Image.MODES)
def test_pixels_of_every_mode_are_resized_or_rejected(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    def load(image: Any) -> None:
        image._mode, image.im = mode, Image.new(mode, image.size).im

    source = encode(picture(20, 20), "BMP")
    monkeypatch.setattr(type(Image.open(io.BytesIO(source))), "load", load)
    png = [Rendition("r", scale=0.5, format="png")]
    if mode == "RGBa":
        with pytest.raises(RejectedError, match=r"^corrupt: .* Pillow's mode RGBa is not supported$"):
            render(source, png, limits=LIMITS)
    else:
        assert render(source, png, limits=LIMITS).outputs[0].width == 10


@pytest.mark.parametrize("step", ["resize", "transpose", "reduce"])
def test_errors_of_our_own_operations_propagate(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    source = encode_oriented(picture(), 6, "JPEG")
    monkeypatch.setattr(Image.Image, step, make_failing(ValueError))
    with pytest.raises(ValueError, match=r"^x$"):
        render(source, [Rendition("r", width=33), Rendition("s", scale=0.5)], limits=LIMITS)


@pytest.mark.parametrize("step", ["resize", "transpose", "convert", "encode"])
def test_a_lack_of_memory_at_any_later_step_is_too_large(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    source = encode_oriented(picture(mode="CMYK"), 6, "JPEG")
    if step == "encode":
        monkeypatch.setitem(ENCODERS, "PNG", replace(ENCODERS["PNG"], encode=make_failing(MemoryError)))
    else:
        monkeypatch.setattr(Image.Image, step, make_failing(MemoryError))
    with pytest.raises(RejectedError) as caught:
        render(source, [Rendition("r", width=33, format="png")], limits=LIMITS)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("image_format", OPEN)
def test_a_failed_read_is_not_repeated(monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
    source = encode(picture(200, 200).effect_spread(50), image_format)
    kind = type(Image.open(io.BytesIO(source)))
    reads: list[object] = []
    begun: list[object] = []
    load = kind.load

    def count_loads(self: Any) -> Any:
        # For a TIFF, Pillow's load() calls itself.
        if not begun:
            reads.append(self)
        begun.append(self)
        try:
            return load(self)
        finally:
            begun.pop()

    monkeypatch.setattr(kind, "load", count_loads)
    try:
        opened = Picture(inspect(source[: len(source) * 2 // 3]))
    except RejectedError:
        assert len(reads) == 0
        return
    opened_image = opened._image
    with pytest.raises(RejectedError) as caught:
        list(opened.frames())
    # A truncated JPEG is opened again, as another image, to find out whether only its end marker is missing.
    assert caught.value.reason is Reason.CORRUPT
    assert sum(read is opened_image for read in reads) == 1


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_a_damaged_later_frame_rejects_the_image(monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
    frames = [picture(40, 40).rotate(90 * turn) for turn in range(4)]
    source = encode(frames[0], image_format, save_all=True, append_images=frames[1:])
    kind = type(Image.open(io.BytesIO(source)))

    opened = Picture(inspect(source)).frames()
    next(opened)
    monkeypatch.setattr(kind, "load", make_failing(OSError))
    with pytest.raises(RejectedError) as caught:
        list(opened)
    assert caught.value.message == "the image cannot be decoded: x"


def test_a_rejection_does_not_affect_the_next_image() -> None:
    good = encode(picture())
    for bad in (good[:900], b"rubbish", encode(picture(), "PNG")[:900]):
        rejection(bad)
        (output,) = render(good, HALF, limits=LIMITS).outputs
        assert corners(load(output.body)) == UPRIGHT_CORNERS


@pytest.mark.parametrize("kind", ["avif", "avis", "mif1", "heic", "heix", "mp41", "qt  "])
def test_a_container_of_any_brand_without_an_image_is_rejected(kind: str) -> None:
    box = struct.pack(">I", 16) + b"ftyp" + kind.encode() + bytes(4)
    assert rejection(box + struct.pack(">I", 8) + b"mdat").reason in {
        Reason.NOT_AN_IMAGE,
        Reason.CORRUPT,
        Reason.HEIC_NOT_BUILT_IN,
    }


@pytest.mark.skipif(heif.IS_BUILT_IN, reason="the decoder is built in")
def test_a_heic_without_its_decoder_is_not_decoded_as_an_avif() -> None:
    assert rejection(HEIC_PICTURE.read_bytes()).reason is Reason.HEIC_NOT_BUILT_IN


def test_an_unsupported_brand_of_avif_is_named() -> None:
    error = rejection(b"\0\0\0\x10ftypmif3avif" + bytes(40))
    assert (error.reason, error.message[:31]) == (Reason.UNSUPPORTED, "the AVIF has the brand mif3, a ")
