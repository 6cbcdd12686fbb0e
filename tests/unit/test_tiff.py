"""TIFFs: pages and channels that are left out, and rejections of raw files, unusual samples and too many tags."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from errors import Reason
from tests import tiffs
from tests.images import encode, picture
from tests.tiffs import Kind, encode_pages, tiff
from tests.unit.rendering import output_image, rejection, render_one

GREY = Kind(8)

PIXELS = np.zeros((8, 8, 1), np.uint8)
"""The samples of a grey image."""

SENSOR = struct.pack("<HHHLHHL", 1, 262, 3, 1, 32803, 0, 0)
"""A directory with the photometric interpretation of a colour filter array."""


@pytest.mark.parametrize("kind", [1, 4, 5])
def test_thumbnails_and_masks_are_left_out(kind: int) -> None:
    thumbnail, photo = picture(20, 16), picture(100, 80)
    for order in ((thumbnail, photo), (photo, thumbnail), (thumbnail, photo, thumbnail)):
        source = encode_pages(*((image, {"tiffinfo": {254: kind * (image is thumbnail)}}) for image in order))
        image = output_image(source)
        assert (image.size, image.n_frames) == ((50, 40), 1)  # type: ignore[attr-defined]
    assert output_image(encode_pages((photo, {"tiffinfo": {254: kind}}))).size == (50, 40)


def test_the_loss_of_other_channels_is_noted() -> None:
    source = tiff(np.zeros((8, 8, 2), np.uint8), Kind(8, extra=(0,)))
    assert render_one(source).lost == {"channel": "a channel that is neither colour nor alpha was left out"}


def test_samples_beyond_the_range_of_pillow_are_rejected() -> None:
    error = rejection(tiff(np.full((8, 8, 1), 1 << 31), Kind(32)))
    assert error.reason == Reason.UNSUPPORTED
    assert error.message.startswith("the TIFF has samples of 2147483648 or more: ")


@pytest.mark.parametrize("count", [1, 3])
def test_raw_files_are_rejected(count: int) -> None:
    thumbnail = Kind(8, tags={254: ("L", [1])})
    offset = len(tiff(PIXELS, thumbnail)) + 64
    in_directories = tiff(PIXELS, replace(thumbnail, tags={330: ("L", count * [offset])})).ljust(offset)
    for source in (
        in_directories + SENSOR,
        tiff(PIXELS, Kind(8, 32803)),
        b"II*\0" + struct.pack("<L4sL", 16, b"CR\2\0", 0) + struct.pack("<HL", 0, 0),
    ):
        error = rejection(source)
        assert error.reason == Reason.UNSUPPORTED
        assert error.message.startswith("the file is a camera's raw file")


def test_overlapping_directories_count_towards_the_limit() -> None:
    offset = len(tiff(PIXELS, GREY)) + 64
    source = tiff(PIXELS, Kind(8, tags={330: ("L", 8 * [offset])})).ljust(offset) + struct.pack("<H", 65535)
    error = rejection(source + bytes(12 * 65535 + 4))
    assert error.message.startswith("the file has more than 2000 pages or 200000 tags")


def test_a_rejection_lists_only_properties_of_the_page() -> None:
    error = rejection(tiff(PIXELS, Kind(8, 77, tags={339: ("2L", [1, 1])})))
    properties = "photometric interpretation 77, bits 8, planes together, compression none"
    assert error.message.endswith(f"(the TIFF has {properties})")
    assert rejection(b"II*\0\x08" + bytes(9)).message.endswith("(the TIFF has no tags that describe its pixels)")


def test_decoding_writes_nothing_to_stdout_or_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    # libtiff would print that it doesn't support WebP.
    rejection(tiff(np.zeros((8, 8, 3), np.uint8), Kind(8, tiffs.RGB, tags={259: ("H", [tiffs.WEBP])})))
    photo = encode(picture(), "TIFF", compression="tiff_lzw", tiffinfo={65000: "unknown"})
    rejection(photo.replace(photo[2000:4000], bytes(2000)))
    assert capfd.readouterr() == ("", "")
