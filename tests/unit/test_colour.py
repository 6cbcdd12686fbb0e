"""Colours that files mean and naive conversions miss: inks with a profile, premultiplied grey, floats, 16-bit keys."""

import io
import itertools
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from imaging.limits import Limits
from imaging.render import Rendered, render
from renditions import Rendition
from tests.images import corners, decoded, encoded, picture

LIMITS = Limits(1769 << 20)
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
FORMATS = ["jpeg", "png", "webp", "avif"]


def rendered(source: bytes, to: str | None, **options: Any) -> Rendered:
    return render(source, [Rendition("r", scale=0.5, format=to, **options)], limits=LIMITS)


def converted(source: bytes, to: str | None, **options: Any) -> Image.Image:
    return decoded(rendered(source, to, **options).outputs[0].body)


def near(image: Image.Image, place: tuple[int, int], colour: Sequence[int], tolerance: int = 8) -> bool:
    got = image.convert("RGBA" if len(colour) == 4 else "RGB").getpixel(place)
    assert isinstance(got, tuple)
    return max(abs(one - other) for one, other in zip(got, colour, strict=True)) <= tolerance


def inks_profile() -> bytes:
    """A profile of class ``prtr`` in which the first two inks have changed places: cyan looks magenta."""
    table = b""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    for magenta, cyan, yellow, black in itertools.product((0, 255), repeat=4):
        colour = Image.merge("CMYK", [Image.new("L", (1, 1), ink) for ink in (cyan, magenta, yellow, black)])
        meant = ImageCms.profileToProfile(colour.convert("RGB"), srgb, lab, outputMode="LAB")
        assert meant is not None
        level, a, b = meant.tobytes()
        # Pillow's LAB is signed about 0, a profile's about 128.
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


def tiff(pixels: Array, photometric: int, *, extra: int | None = None, order: str = "<") -> bytes:
    """An uncompressed TIFF of height, width and samples, of any kind of number."""
    height, width, samples = pixels.shape
    kinds = {"u": 1, "i": 2, "f": 3}
    tags = [
        (256, [width]),
        (257, [height]),
        (258, samples * [8 * pixels.itemsize]),
        (259, [1]),
        (262, [photometric]),
        (273, [8]),
        (277, [samples]),
        (278, [height]),
        (279, [pixels.nbytes]),
        *([(338, [extra])] if extra is not None else []),
        (339, samples * [kinds[pixels.dtype.kind]]),
    ]
    data = pixels.astype(order + pixels.dtype.str[1:]).tobytes()
    place = 8 + len(data)
    outside = place + 2 + 12 * len(tags) + 4
    fields = values = b""
    for tag, numbers in tags:
        # Long where it is one, else short: what is longer than four bytes stands behind the directory.
        value = struct.pack(order + ("I" if len(numbers) == 1 else f"{len(numbers)}H"), *numbers)
        fields += struct.pack(order + "HHI", tag, 4 if len(numbers) == 1 else 3, len(numbers))
        fields += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", outside + len(values))
        values += value if len(value) > 4 else b""
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, place)
    return start + data + struct.pack(order + "H", len(tags)) + fields + bytes(4) + values


def png16(pixels: Array, key: Sequence[int] = ()) -> bytes:
    """A PNG of 16 bits a channel, of which ``key`` is transparent."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"]
    if key:
        parts.insert(1, b"tRNS" + struct.pack(f">{len(key)}H", *key))
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def halves(left: Sequence[float], right: Sequence[float], kind: str) -> Array:
    """64 by 64 pixels, in two colours."""
    pixels = np.empty((64, 64, len(left)), kind)
    pixels[:, :32], pixels[:, 32:] = left, right
    return pixels


@pytest.mark.parametrize("to", FORMATS[1:])
def test_inks_become_the_colours_that_their_profile_gives_them(to: str) -> None:
    source = encoded(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), "TIFF", icc_profile=inks_profile())
    image = converted(source, to)
    assert near(image, (16, 16), (255, 0, 255), 12)
    assert "icc_profile" not in image.info


@pytest.mark.parametrize(("image_format", "to"), [("TIFF", None), ("JPEG", None), ("TIFF", "jpeg"), ("JPEG", "jpeg")])
def test_inks_that_stay_inks_keep_their_profile(image_format: str, to: str | None) -> None:
    profile = inks_profile()
    image = converted(encoded(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), image_format, icc_profile=profile), to)
    assert (image.mode, image.info["icc_profile"]) == ("CMYK", profile)
    assert near(image, (16, 16), (0, 255, 255))


@pytest.mark.parametrize("to", FORMATS)
def test_adobes_ycck_is_decoded_and_inverted(to: str) -> None:
    # Three channels of luma and chroma, complements of the inks, in a file that says so: transform 2 in APP14.
    luma = Image.merge("CMYK", [*picture().convert("YCbCr").split(), Image.new("L", (320, 240), 255)])
    inverted = Image.frombytes("CMYK", luma.size, bytes(255 - level for level in luma.tobytes()))
    source = bytearray(encoded(inverted, quality=95))
    marker = source.index(b"Adobe")
    assert source[marker + 11] == 0
    source[marker + 11] = 2
    # Decoded by the same library; that it is neither the negative nor the chroma itself is what counts.
    want = corners(decoded(bytes(source)).convert("RGB"))
    assert corners(converted(bytes(source), to)) == want
    assert len(set(want)) == 4


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_an_inks_jpeg_that_adobe_did_not_mark_is_not_inverted(to: str | None) -> None:
    source = encoded(picture(mode="CMYK"), quality=95)
    marker = source.index(b"\xff\xee")
    unmarked = source[:marker] + source[marker + 2 + int.from_bytes(source[marker + 2 : marker + 4], "big") :]
    assert corners(converted(unmarked, to)) == corners(decoded(unmarked).convert("RGB"))


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_premultiplied_grey_is_shown_as_it_is(to: str | None) -> None:
    image = converted(tiff(halves((100, 128), (200, 255), "u1"), 1, extra=1), to, background="#000000")
    if to == "jpeg":
        assert near(image, (4, 16), (100, 100, 100))
    else:
        assert near(image, (4, 16), (199, 199, 199, 128))
    assert near(image, (28, 16), (200, 200, 200))


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_premultiplied_colour_is_shown_as_it_is(to: str | None) -> None:
    image = converted(tiff(halves((100, 50, 0, 128), (200, 100, 0, 255), "u1"), 2, extra=1), to, background="#000000")
    assert near(image, (4, 16), (100, 50, 0)) if to == "jpeg" else near(image, (4, 16), (199, 100, 0, 128), 10)
    assert near(image, (28, 16), (200, 100, 0), 10)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    ("kind", "dark", "light"), [("f4", 0.2, 0.8), ("f4", 13107, 52428), ("i4", 0.2 * (2**31 - 1), 0.8 * (2**31 - 1))]
)
def test_grey_of_32_bits_is_neither_black_nor_white(kind: str, dark: float, light: float, to: str) -> None:
    image = converted(tiff(halves([dark], [light], kind), 1), to)
    assert near(image, (4, 16), (51, 51, 51), 12)
    assert near(image, (28, 16), (204, 204, 204), 12)


@pytest.mark.parametrize("kind", ["f4", "i4"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_32_bits_stays_so_in_a_tiff(kind: str, order: str) -> None:
    image = converted(tiff(halves([-70000], [70000], kind), 1, order=order), None)
    assert image.mode == {"f4": "F", "i4": "I"}[kind]
    assert (image.getpixel((4, 16)), image.getpixel((28, 16))) == (-70000, 70000)


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_a_colour_key_of_sixteen_bits_is_transparent(to: str | None) -> None:
    image = converted(png16(halves((1000, 30000, 60000), (60000, 30000, 1000), "u2"), (1000, 30000, 60000)), to)
    if to == "jpeg":
        assert near(image, (4, 16), (255, 255, 255))
    else:
        assert near(image.convert("RGBA").getchannel("A"), (4, 16), (0, 0, 0))
    assert near(image, (28, 16), (233, 117, 4), 12)


@pytest.mark.parametrize("to", FORMATS[1:])
def test_grey_with_alpha_and_sixteen_bits_keeps_both(to: str) -> None:
    image = converted(png16(halves((20000, 32768), (50000, 65535), "u2")), to)
    assert near(image, (4, 16), (78, 78, 78, 128), 10)
    assert near(image, (28, 16), (195, 195, 195, 255), 10)


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (png16(halves((1, 2), (3, 4), "u2")), "16 bits a channel were reduced to 8"),
        (png16(halves([1], [3], "u2")), ""),
        (tiff(halves((1, 2, 3), (3, 4, 5), "u2"), 2), "16 bits a channel were reduced to 8"),
        (tiff(halves((1, 2, 3), (3, 4, 5), "u2"), 2, order=">"), "16 bits a channel were reduced to 8"),
        (tiff(halves((1, 2, 3, 4), (3, 4, 5, 6), "u2"), 5), "16 bits a channel were reduced to 8"),
        (png16(halves([1], [3], "u2"), [1]), "16 bits a channel were reduced to 8"),
        (tiff(halves([1], [3], "u2"), 1), ""),
        (tiff(halves([1], [3], "i2"), 1), ""),
        (tiff(halves([1], [3], "f4"), 1), ""),
        (tiff(halves((1, 2, 3), (3, 4, 5), "u1"), 2), ""),
    ],
)
def test_what_is_lost_is_said_and_nothing_else(source: bytes, lost: str) -> None:
    assert rendered(source, None).lost == lost


def test_what_one_page_of_several_loses_is_said() -> None:
    pages = io.BytesIO(tiff(halves((1, 2, 3), (3, 4, 5), "u2"), 2))
    with TiffImagePlugin.AppendingTiffWriter(pages) as writer:
        Image.new("RGB", (8, 8)).save(writer, "TIFF")
        writer.newFrame()
    assert rendered(pages.getvalue(), None).lost == "16 bits a channel were reduced to 8"


@pytest.mark.parametrize("to", [None, "png", "jpeg"])
def test_a_bitmap_whose_alpha_is_all_zero_is_seen(to: str | None) -> None:
    pixels = np.dstack([np.asarray(picture(64, 64))[::-1, :, ::-1], np.zeros((64, 64), "u1")]).tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 124, 64, 64, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks
    source = b"BM" + struct.pack("<IHHI", 138 + len(pixels), 0, 0, 138) + header.ljust(124, b"\0") + pixels
    assert corners(converted(source, to).convert("RGB")) == corners(picture(64, 64))
    assert converted(source, to).convert("RGBA").getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("to", FORMATS)
def test_a_profile_goes_with_colour_and_not_with_what_was_converted(to: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("RGB", "RGBA", "P"):
        image = converted(encoded(picture().convert(mode), "PNG", icc_profile=profile), to)
        assert image.info.get("icc_profile") == profile
    inks = encoded(picture(mode="CMYK"), icc_profile=inks_profile())
    assert ("icc_profile" in converted(inks, to).info) == (to == "jpeg")


def test_a_pngs_gamma_is_kept_or_applied() -> None:
    source = encoded(Image.new("RGB", (64, 64), (55, 55, 55)), "PNG")
    gamma = b"gAMA" + (100000).to_bytes(4, "big")
    linear = source[:33] + b"\0\0\0\4" + gamma + zlib.crc32(gamma).to_bytes(4, "big") + source[33:]
    body = rendered(linear, None).outputs[0].body
    assert gamma in body or near(decoded(body), (16, 16), (128, 128, 128))


@pytest.mark.parametrize(
    ("mode", "level"), [("L", 55), ("LA", (55, 200)), ("RGB", (55,) * 3), ("RGBA", (55, 55, 55, 200)), ("I;16", 14000)]
)
@pytest.mark.parametrize("to", ["webp", "avif"])
def test_where_a_gamma_cannot_be_told_it_is_applied(mode: str, level: int | tuple[int, ...], to: str) -> None:
    source = encoded(Image.new(mode, (64, 64), level), "PNG")
    gamma = b"gAMA" + (100000).to_bytes(4, "big")
    linear = source[:33] + b"\0\0\0\4" + gamma + zlib.crc32(gamma).to_bytes(4, "big") + source[33:]
    assert near(converted(linear, to), (16, 16), (127, 127, 127, 200) if "A" in mode else (127, 127, 127))
