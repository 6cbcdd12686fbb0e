"""Outputs keep the resolution of pixels that are not square, such as those of a fax."""

import struct
from typing import Any

import pytest
from PIL import Image, ImageSequence

from tests.images import encode, encode_oriented, picture
from tests.pngs import chunk
from tests.unit.rendering import output_image, render_one

FAX = (204, 98)
FORMATS = ["JPEG", "PNG", "TIFF", "BMP"]


def read_resolution(source: bytes, to: str | None = None) -> tuple[float, ...] | None:
    """Return the output's dots per inch, rounded because a PNG stores pixels per metre."""
    dpi = output_image(source, to).info.get("dpi")
    return dpi and tuple(round(float(number)) for number in dpi)


@pytest.mark.parametrize("to", [None, "jpeg", "png"])
@pytest.mark.parametrize("image_format", FORMATS)
def test_the_resolution_of_pixels_that_are_not_square_is_kept(image_format: str, to: str | None) -> None:
    assert read_resolution(encode(picture(), image_format, dpi=FAX), to) == FAX


@pytest.mark.parametrize("to", ["webp", "avif"])
def test_a_format_without_resolution_reports_the_loss(to: str) -> None:
    lost = render_one(encode(picture(), "TIFF", dpi=FAX), to).lost
    assert lost == {"resolution": f"the resolution of 204 x 98 was left out: {to.upper()} has none"}


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF", "PNG"])
def test_the_resolution_is_rotated_with_the_image(image_format: str) -> None:
    for orientation in (3, 6):
        source = encode_oriented(picture(), orientation, image_format, dpi=FAX)
        assert read_resolution(source) == (FAX if orientation == 3 else FAX[::-1])


def test_each_page_keeps_its_resolution() -> None:
    pages: list[tuple[Image.Image, dict[str, Any]]] = [
        (picture(), {"dpi": FAX}),
        (picture(), {"dpi": (72, 72)}),
        (picture(), {"compression": "jpeg", "dpi": (100, 200)}),
    ]
    for page, options in pages:
        page.encoderinfo = options
    source = encode(pages[0][0], "TIFF", save_all=True, append_images=[page for page, _ in pages[1:]])
    pages_out: Any = ImageSequence.Iterator(output_image(source))
    seen = [tuple(page.tag_v2.get(tag) for tag in (282, 283)) for page in pages_out]
    assert seen == [FAX, (None, None), (100, 200)]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, None),
        ({"dpi": (200, 199)}, None),
        ({"dpi": (70000, 100)}, None),
        ({"dpi": (0.2, 0.4)}, None),
        ({"tiffinfo": {282: 2.0, 283: 1.0, 296: 1}}, (144, 72)),
        ({"tiffinfo": {282: 100.0, 283: 50.0, 296: 3}}, (254, 127)),
        ({"tiffinfo": {282: 0.0, 283: 50.0}}, None),
        ({"tiffinfo": {282: 100.0}}, None),
    ],
)
def test_only_a_valid_resolution_is_kept(options: dict[str, Any], kept: tuple[int, int] | None) -> None:
    assert read_resolution(encode(picture(), "TIFF", **options), "png") == kept


def test_a_ratio_without_a_unit_is_kept() -> None:
    jpeg = bytearray(encode(picture()))
    jpeg[13:18] = struct.pack(">BHH", 0, 1, 3)
    assert read_resolution(bytes(jpeg)) == (72, 216)
    png = encode(picture(), "PNG")
    assert read_resolution(png[:33] + chunk(b"pHYs", struct.pack(">IIB", 4, 2, 0)) + png[33:]) == (144, 72)
