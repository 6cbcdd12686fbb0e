"""Colour conversions: CMYK with a profile, premultiplied alpha, floats, 16-bit colour keys, gamma."""

import io
import itertools
import struct
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from tests import pngs, tiffs
from tests.images import corners, encode, load, picture
from tests.unit.rendering import output_body, output_image, render_one

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
FORMATS = ["jpeg", "png", "webp", "avif"]


def is_near(image: Image.Image, place: tuple[int, int], colour: Sequence[int], tolerance: int = 8) -> bool:
    got = image.convert("RGBA" if len(colour) == 4 else "RGB").getpixel(place)
    assert isinstance(got, tuple)
    return max(abs(one - other) for one, other in zip(got, colour, strict=True)) <= tolerance


def cmyk_profile() -> bytes:
    """Return a profile of class ``prtr`` that exchanges the first two inks: cyan looks magenta."""
    table = b""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    for magenta, cyan, yellow, black in itertools.product((0, 255), repeat=4):
        colour = Image.merge("CMYK", [Image.new("L", (1, 1), ink) for ink in (cyan, magenta, yellow, black)])
        meant = ImageCms.profileToProfile(colour.convert("RGB"), srgb, lab, outputMode="LAB")
        assert meant is not None
        level, a, b = meant.tobytes()
        # Pillow stores a and b as signed bytes, a profile with an offset of 128.
        table += bytes([level, a ^ 128, b ^ 128])
    identity = struct.pack(">9i", *(65536 * (row == column) for row in range(3) for column in range(3)))
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + 4 * ramp + table + 3 * ramp
    place = 128 + 4 + 12
    header = struct.pack(
        ">I4sI4s4s4s12s4s", place + len(lut), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"", b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", place, len(lut)) + lut


def tiff(pixels: Array, photometric: int, *, extra: int | None = None, order: Literal["<", ">"] = "<") -> bytes:
    """Return an uncompressed TIFF; the type of ``pixels`` gives the sample format."""
    sample_format = {"u": tiffs.UNSIGNED, "i": tiffs.SIGNED, "f": tiffs.FLOAT}[pixels.dtype.kind]
    kind = tiffs.Kind(8 * pixels.itemsize, photometric, sample_format, () if extra is None else (extra,), order=order)
    return tiffs.tiff(pixels, kind)


def png16(pixels: Array, key: Sequence[int] = ()) -> bytes:
    """Return a PNG of 16 bits a channel in which the colour ``key`` is transparent."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    return pngs.png(pixels, colour_type, 16, before=pngs.key(np.array(key)) if key else b"")


def make_halves(left: Sequence[float], right: Sequence[float], kind: str) -> Array:
    """Return 64 by 64 pixels in two colours."""
    pixels = np.empty((64, 64, len(left)), kind)
    pixels[:, :32], pixels[:, 32:] = left, right
    return pixels


@pytest.mark.parametrize("to", FORMATS[1:])
def test_cmyk_is_converted_with_its_profile(to: str) -> None:
    source = encode(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), "TIFF", icc_profile=cmyk_profile())
    image = output_image(source, to)
    assert is_near(image, (16, 16), (255, 0, 255), 12)
    assert "icc_profile" not in image.info


@pytest.mark.parametrize(("image_format", "to"), [("TIFF", None), ("JPEG", None), ("TIFF", "jpeg"), ("JPEG", "jpeg")])
def test_cmyk_keeps_its_profile_in_a_format_that_holds_cmyk(image_format: str, to: str | None) -> None:
    profile = cmyk_profile()
    image = output_image(encode(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), image_format, icc_profile=profile), to)
    assert (image.mode, image.info["icc_profile"]) == ("CMYK", profile)
    assert is_near(image, (16, 16), (0, 255, 255))


@pytest.mark.parametrize("to", FORMATS)
def test_ycck_is_decoded_and_inverted(to: str) -> None:
    # Transform 2 in APP14 declares YCCK: three channels of luma and chroma, and inverted inks.
    luma = Image.merge("CMYK", [*picture().convert("YCbCr").split(), Image.new("L", (320, 240), 255)])
    inverted = Image.frombytes("CMYK", luma.size, bytes(255 - level for level in luma.tobytes()))
    source = bytearray(encode(inverted, quality=95))
    marker = source.index(b"Adobe")
    assert source[marker + 11] == 0
    source[marker + 11] = 2
    # The expected corners come from the same decoder. They differ from the negative and from undecoded chroma.
    want = corners(load(bytes(source)).convert("RGB"))
    assert corners(output_image(bytes(source), to)) == want
    assert len(set(want)) == 4


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_a_cmyk_jpeg_without_an_adobe_segment_is_not_inverted(to: str | None) -> None:
    source = encode(picture(mode="CMYK"), quality=95)
    marker = source.index(b"\xff\xee")
    unmarked = source[:marker] + source[marker + 2 + int.from_bytes(source[marker + 2 : marker + 4], "big") :]
    assert corners(output_image(unmarked, to)) == corners(load(unmarked).convert("RGB"))


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_premultiplied_grey_keeps_its_look(to: str | None) -> None:
    image = output_image(tiff(make_halves((100, 128), (200, 255), "u1"), 1, extra=1), to, background="#000000")
    if to == "jpeg":
        assert is_near(image, (4, 16), (100, 100, 100))
    else:
        assert is_near(image, (4, 16), (199, 199, 199, 128))
    assert is_near(image, (28, 16), (200, 200, 200))


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_premultiplied_rgb_keeps_its_look(to: str | None) -> None:
    image = output_image(
        tiff(make_halves((100, 50, 0, 128), (200, 100, 0, 255), "u1"), 2, extra=1), to, background="#000000"
    )
    assert is_near(image, (4, 16), (100, 50, 0)) if to == "jpeg" else is_near(image, (4, 16), (199, 100, 0, 128), 10)
    assert is_near(image, (28, 16), (200, 100, 0), 10)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    ("kind", "dark", "light"), [("f4", 0.2, 0.8), ("f4", 13107, 52428), ("i4", 0.2 * (2**31 - 1), 0.8 * (2**31 - 1))]
)
def test_grey_of_32_bits_is_scaled_to_the_range_of_the_format(kind: str, dark: float, light: float, to: str) -> None:
    image = output_image(tiff(make_halves([dark], [light], kind), 1), to)
    assert is_near(image, (4, 16), (51, 51, 51), 12)
    assert is_near(image, (28, 16), (204, 204, 204), 12)


@pytest.mark.parametrize("kind", ["f4", "i4"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_keeps_grey_of_32_bits(kind: str, order: Literal["<", ">"]) -> None:
    image = output_image(tiff(make_halves([-70000], [70000], kind), 1, order=order), None)
    assert image.mode == {"f4": "F", "i4": "I"}[kind]
    assert (image.getpixel((4, 16)), image.getpixel((28, 16))) == (-70000, 70000)


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_a_16_bit_colour_key_is_transparent(to: str | None) -> None:
    image = output_image(png16(make_halves((1000, 30000, 60000), (60000, 30000, 1000), "u2"), (1000, 30000, 60000)), to)
    if to == "jpeg":
        assert is_near(image, (4, 16), (255, 255, 255))
    else:
        assert is_near(image.convert("RGBA").getchannel("A"), (4, 16), (0, 0, 0))
    assert is_near(image, (28, 16), (233, 117, 4), 12)


@pytest.mark.parametrize("to", FORMATS[1:])
def test_grey_and_alpha_of_16_bits_are_kept(to: str) -> None:
    image = output_image(png16(make_halves((20000, 32768), (50000, 65535), "u2")), to)
    assert is_near(image, (4, 16), (78, 78, 78, 128), 10)
    assert is_near(image, (28, 16), (195, 195, 195, 255), 10)


SIXTEEN_BITS = {"bits": "16 bits a channel were reduced to 8"}


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (png16(make_halves((1, 2), (3, 4), "u2")), {}),
        (png16(make_halves((1, 2, 3), (3, 4, 5), "u2")), {}),
        (png16(make_halves((1, 2, 3, 4), (3, 4, 5, 6), "u2")), {}),
        (png16(make_halves([1], [3], "u2")), {}),
        (tiff(make_halves((1, 2, 3), (3, 4, 5), "u2"), 2), {}),
        (tiff(make_halves((1, 2, 3), (3, 4, 5), "u2"), 2, order=">"), {}),
        (tiff(make_halves((1, 2, 3, 4), (3, 4, 5, 6), "u2"), 5), SIXTEEN_BITS),
        (png16(make_halves([1], [3], "u2"), [1]), {}),
        (tiff(make_halves([1], [3], "u2"), 1), {}),
        (tiff(make_halves([1], [3], "i2"), 1), {}),
        (tiff(make_halves([1], [3], "f4"), 1), {}),
        (tiff(make_halves((1, 2, 3), (3, 4, 5), "u1"), 2), {}),
    ],
)
def test_only_lost_bits_are_reported(source: bytes, lost: dict[str, str]) -> None:
    assert render_one(source).lost == lost


def test_lost_bits_of_a_single_page_are_reported() -> None:
    pages = io.BytesIO(tiff(make_halves((1, 2, 3, 4), (3, 4, 5, 6), "u2"), 5))
    with TiffImagePlugin.AppendingTiffWriter(pages) as writer:
        Image.new("RGB", (8, 8)).save(writer, "TIFF")
        writer.newFrame()
    assert render_one(pages.getvalue()).lost == SIXTEEN_BITS


@pytest.mark.parametrize("to", [None, "png", "jpeg"])
def test_a_bitmap_whose_alpha_is_all_zero_is_opaque(to: str | None) -> None:
    pixels = np.dstack([np.asarray(picture(64, 64))[::-1, :, ::-1], np.zeros((64, 64), "u1")]).tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 124, 64, 64, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks
    source = b"BM" + struct.pack("<IHHI", 138 + len(pixels), 0, 0, 138) + header.ljust(124, b"\0") + pixels
    assert corners(output_image(source, to).convert("RGB")) == corners(picture(64, 64))
    assert output_image(source, to).convert("RGBA").getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("to", FORMATS)
def test_a_profile_is_kept_unless_the_colours_were_converted(to: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("RGB", "RGBA", "P"):
        image = output_image(encode(picture(mode=mode), "PNG", icc_profile=profile), to)
        assert image.info.get("icc_profile") == profile
    inks = encode(picture(mode="CMYK"), icc_profile=cmyk_profile())
    assert ("icc_profile" in output_image(inks, to).info) == (to == "jpeg")


def linear_png(image: Image.Image) -> bytes:
    source = encode(image, "PNG")
    return source[:33] + pngs.chunk(b"gAMA", struct.pack(">I", 100_000)) + source[33:]


def test_a_png_keeps_its_gamma() -> None:
    body = output_body(linear_png(Image.new("RGB", (64, 64), (55, 55, 55))))
    assert load(body).info["gamma"] == 1
    assert is_near(load(body), (16, 16), (55, 55, 55))


@pytest.mark.parametrize(
    ("mode", "level"), [("L", 55), ("LA", (55, 200)), ("RGB", (55,) * 3), ("RGBA", (55, 55, 55, 200)), ("I;16", 14000)]
)
@pytest.mark.parametrize("to", ["webp", "avif"])
def test_gamma_is_applied_if_the_format_cannot_store_it(mode: str, level: int | tuple[int, ...], to: str) -> None:
    source = linear_png(Image.new(mode, (64, 64), level))
    assert is_near(output_image(source, to), (16, 16), (127, 127, 127, 200) if "A" in mode else (127, 127, 127))
