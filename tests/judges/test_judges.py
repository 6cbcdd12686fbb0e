"""Chromium and libvips read known pictures correctly."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error

from tests.images import encode, picture
from tests.judges import libvips
from tests.judges.chromium import Chromium


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP"])
def test_chromium_reads_a_still(chromium: Chromium, image_format: str) -> None:
    shown = chromium.still(encode(picture(64, 48), image_format))
    wanted = np.asarray(picture(64, 48).convert("RGBA")).astype(int)
    assert np.abs(shown.pixels - wanted).mean() < 8


def test_chromium_turns_a_still_upright(chromium: Chromium) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = chromium.still(encode(picture(64, 48), exif=exif))
    assert shown.pixels.shape == (64, 48, 4)


def test_chromium_rejects_bytes_that_are_no_image(chromium: Chromium) -> None:
    with pytest.raises(Error, match="cannot be decoded"):
        chromium.still(b"no image")


@pytest.mark.parametrize(
    ("image_format", "media_type"), [("GIF", "image/gif"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_chromium_reads_every_frame(chromium: Chromium, image_format: str, media_type: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    options = {"duration": [100, 200, 300], "loop": 0, "lossless": True}
    source = encode(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    shown = chromium.animation(source, media_type)
    assert [frame.milliseconds for frame in shown.frames] == [100, 200, 300]
    colours = [tuple(frame.pixels[5, 5]) for frame in shown.frames]
    assert colours == [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)]
    assert shown.plays == 0


def test_libvips_reads_the_values_of_a_tiff() -> None:
    levels = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    assert np.array_equal(libvips.pixels(encode(Image.fromarray(levels), "TIFF"))[:, :, 0], levels)
    assert np.abs(libvips.srgb(encode(picture(64, 48), "PNG")) - np.asarray(picture(64, 48)).astype(int)).max() == 0
