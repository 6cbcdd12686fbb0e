"""PNGs with one filter for all rows, if that takes fewer bytes; the pixels and the metadata are kept."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from imaging.formats.png import DITHERED, NOISY, PLAIN
from imaging.formats.png_chunks import walk_chunks
from imaging.formats.png_writer import AVERAGE, NONE, STRIP_ROWS, UP, Coding, enlarge
from tests import pngs
from tests.images import encode, load, picture
from tests.unit.rendering import output_body

SIDES = (1, 2, STRIP_ROWS - 1, STRIP_ROWS, STRIP_ROWS + 1, 2 * STRIP_ROWS)
CODINGS = NOISY, DITHERED
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def draw_noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a smooth picture with the noise of a camera."""
    noise = np.random.default_rng(0).normal(0, 12, (height, width, CHANNELS[mode]))
    smooth = np.add.outer(np.linspace(0, 99, height), np.linspace(0, 99, width))[..., np.newaxis]
    samples = (smooth + noise).clip(0, 255).astype(np.uint8)
    return Image.frombytes(mode, (width, height), samples.tobytes())


def read_filters(png: bytes) -> set[bytes]:
    """Return the filters of the rows of a PNG in full colour."""
    stream = b"".join(png[one.start + 8 : one.end - 4] for one in walk_chunks(png) if one.kind == b"IDAT")
    filtered, height = zlib.decompress(stream), struct.unpack(">I", png[20:24])[0]
    return {filtered[start : start + 1] for start in range(0, len(filtered), len(filtered) // height)}


@pytest.mark.parametrize("coding", [NOISY, PLAIN, DITHERED], ids=["noisy", "plain", "dithered"])
@pytest.mark.parametrize("mode", CHANNELS)
def test_every_pixel_is_kept(mode: str, coding: Coding) -> None:
    for width, height in itertools.product(SIDES[:3], SIDES):
        image = draw_noise(width, height, mode)
        with Image.open(io.BytesIO(enlarge(encode(image.crop((0, 0, 1, 1)), "PNG"), image, coding))) as written:
            assert (written.mode, written.size, written.tobytes()) == (mode, image.size, image.tobytes())


def test_no_chunk_of_pixels_is_empty() -> None:
    image = draw_noise(1, 9 * STRIP_ROWS)
    png = enlarge(encode(image.crop((0, 0, 1, 1)), "PNG"), image, NOISY)
    assert all(one.end - one.start > 12 for one in walk_chunks(png) if one.kind == b"IDAT")


def write_text(background: Image.Image) -> Image.Image:
    image = background.resize((300, 300))
    for row in range(0, 300, 12):
        ImageDraw.Draw(image).text((row % 36, row), 8 * "sixteen letters ", fill="black")
    return image


@pytest.mark.parametrize(
    ("image", "source_format", "row_filter"),
    [
        *(
            pytest.param(draw_noise(300, 200, mode), "PNG", AVERAGE, id=f"noise in {mode}")
            for mode in ("L", "RGB", "RGBA")
        ),
        # The bytes of a TIFF don't say whether it is a photo.
        pytest.param(draw_noise(300, 200), "TIFF", AVERAGE, id="noise in TIFF"),
        pytest.param(write_text(draw_noise(1, 300)), "PNG", NONE, id="text on colours"),
        pytest.param(write_text(Image.new("RGB", (1, 1), "white")), "PNG", NONE, id="text"),
    ],
)
def test_one_filter_takes_fewer_bytes(image: Image.Image, source_format: str, row_filter: bytes) -> None:
    output = output_body(encode(image, source_format), "png", scale=1)
    assert read_filters(output) == {row_filter}
    for strategy in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY):
        assert len(output) < len(encode(image, "PNG", compress_type=strategy))
    assert load(output).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(encode(picture(300, 200), "PNG"), id="blends"),
        # Every row repeats the one above, so another filter leaves nothing.
        pytest.param(encode(draw_noise(320, 1).resize((320, 240)), "JPEG"), id="stripes"),
    ],
)
def test_pillow_chooses_the_filters_of_other_images(source: bytes) -> None:
    assert read_filters(output_body(source, "png", scale=1)) not in ({AVERAGE}, {NONE})


def test_metadata_is_beside_the_pixels_of_a_noisy_photo() -> None:
    exif = Image.Exif()
    exif[33432] = "Somebody"
    source = encode(draw_noise(300, 200), "PNG", dpi=(300, 150), exif=exif, icc_profile=PROFILE)
    output = output_body(source, scale=1)
    assert read_filters(output) == {AVERAGE}
    with Image.open(io.BytesIO(output)) as written:
        assert written.info["dpi"] == pytest.approx((300, 150), abs=0.1)
        assert written.info["icc_profile"] == PROFILE
        assert written.getexif()[33432] == "Somebody"


@pytest.mark.parametrize("height", [9, 30, 63])
@pytest.mark.parametrize("kind", ["blends", "noise", "text", "blocks"])
def test_a_low_image_is_coded_in_the_fewest_bytes(kind: str, height: int) -> None:
    images = {
        "blends": picture(40, height),
        "noise": draw_noise(40, height),
        "text": write_text(draw_noise(1, 300)).crop((0, 0, 40, height)),
        "blocks": draw_noise(5, -(-height // 8)).resize((40, height), Image.Resampling.BICUBIC),
    }
    image = images[kind]
    options = [{"compress_level": 4, "compress_type": strategy} for strategy in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)]
    pixel = encode(image.crop((0, 0, 1, 1)), "PNG")
    bodies = [encode(image, "PNG", **each) for each in options] + [enlarge(pixel, image, each) for each in CODINGS]
    two_chunks = 2 * 12
    assert len(output_body(encode(image, "TIFF"), "png", scale=1)) <= min(map(len, bodies)) + two_chunks


def draw_deep(kind: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Return a picture of 16 bits a channel: its lower bytes change from pixel to pixel."""
    rows, columns = np.mgrid[0:200, 0:300]
    smooth = 32768 + 20000 * np.stack([np.sin(columns / 97 + band) * np.cos(rows / 131) for band in range(3)], axis=2)
    if kind == "noise":
        smooth += np.random.default_rng(0).normal(0, 300, smooth.shape)
    elif kind == "text":
        smooth = np.asarray(write_text(Image.new("RGB", (1, 1), "white")))[:200] * 250.0
    return smooth.astype(np.uint16)


@pytest.mark.parametrize(("kind", "row_filter"), [("noise", AVERAGE), ("gradient", UP), ("text", NONE)])
def test_one_filter_is_chosen_for_16_bits(kind: str, row_filter: bytes) -> None:
    output = output_body(pngs.png(draw_deep(kind), 2, 16), scale=1)
    assert output[24] == 16
    assert read_filters(output) == {row_filter}
