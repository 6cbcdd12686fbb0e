"""Colours of 16 bits a channel: libvips finds each bit of them in the output, and resizes them alike."""

import io
import itertools
import zlib
from typing import Any, Literal

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, TiffImagePlugin

from tests import pngs, tiffs
from tests.judges import libvips
from tests.unit.rendering import output_body, render_one

Samples = np.ndarray[Any, np.dtype[Any]]

WIDTH, HEIGHT = 140, 101
COLOUR_TYPES = [2, 4, 6]
"""PNG's colour types: colour, grey with alpha, colour with alpha."""

EXTRAS: tuple[tuple[int, ...], ...] = ((), (0,), (2,))
"""Extra samples of a TIFF: none, unspecified, alpha."""

ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")

COMPRESSIONS = (tiffs.NONE, tiffs.LZW, tiffs.DEFLATE, tiffs.PACKBITS, tiffs.LZMA, tiffs.ZSTD)
"""Compressions that are written back."""

LEVELS = 65535

MEAN_ERROR = 26
"""The largest mean difference to libvips: a tenth of a level of 8 bits. Rounding to 8 bits alone would make 64."""


def draw(channels: int) -> Samples:
    """Return a smooth image whose lower bytes matter, with noise of a few levels of 16 bits."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin(columns / 37 + band) * np.cos(rows / 29 + 2 * band) for band in range(channels)]
    noise = np.random.default_rng(channels).normal(0, 20, (HEIGHT, WIDTH, channels))
    return (32768 + 32000 * np.stack(waves, axis=2) + noise).astype(np.uint16)


def write_png(samples: Samples, colour_type: int, **options: Any) -> bytes:
    return pngs.png(samples, colour_type, 16, **options)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour_type", COLOUR_TYPES)
def test_a_png_keeps_every_bit(colour_type: int, *, interlaced: bool) -> None:
    samples = draw(pngs.CHANNELS[colour_type])
    rendered = render_one(write_png(samples, colour_type, interlaced=interlaced), scale=1)
    assert np.array_equal(libvips.pixels(rendered.outputs[0].body), samples)
    assert rendered.lost == {}


def test_a_tiff_keeps_every_bit() -> None:
    for compression, predictor, extra, order, tile in itertools.product(COMPRESSIONS, (1, 2), EXTRAS, ORDERS, (0, 32)):
        if predictor == 2 and compression not in tiffs.PREDICTABLE:
            continue
        kind = tiffs.Kind(
            16, tiffs.RGB, extra=extra, compression=compression, predictor=predictor, order=order, tile=tile
        )
        samples = draw(3 + len(extra))
        rendered = render_one(tiffs.tiff(samples, kind), scale=1)
        body = rendered.outputs[0].body
        # libvips reads no LZMA or Zstandard.
        is_beyond = compression in {tiffs.LZMA, tiffs.ZSTD}
        got = tifffile.imread(io.BytesIO(body)) if is_beyond else libvips.pixels(body)
        assert np.array_equal(got, samples if extra == (2,) else samples[..., :3]), kind
        assert "bits" not in rendered.lost
        with tifffile.TiffFile(io.BytesIO(body)) as opened:
            page = opened.pages.first
        assert (page.bitspersample, page.extrasamples) == (16, (2,) if extra == (2,) else ())
        has_predictor = predictor == 2 and compression != tiffs.LZMA
        assert (page.compression, page.predictor) == (compression, 2 if has_predictor else 1)


@pytest.mark.parametrize("order", ORDERS)
def test_multiplied_colours_are_divided_in_16_bits(order: Literal["<", ">"]) -> None:
    samples = draw(4)
    shares = samples[..., 3:] / LEVELS
    multiplied = np.concatenate([(samples[..., :3] * shares).round(), samples[..., 3:]], axis=2).astype(np.uint16)
    source = tiffs.tiff(multiplied, tiffs.Kind(16, tiffs.RGB, extra=(1,), order=order))
    rendered = render_one(source, scale=1)
    got = libvips.pixels(rendered.outputs[0].body).astype(float)
    assert np.array_equal(got[..., 3], samples[..., 3])
    assert (np.abs(got - samples)[..., :3] * shares).max() <= 1
    assert rendered.lost == {}


def test_each_page_of_a_tiff_keeps_its_bits() -> None:
    deep, shallow = draw(3), Image.fromarray((draw(3) >> 8).astype(np.uint8))
    pages = io.BytesIO(tiffs.tiff(deep, tiffs.Kind(16, tiffs.RGB)))
    with TiffImagePlugin.AppendingTiffWriter(pages) as writer:
        shallow.save(writer, "TIFF")
        writer.newFrame()
        writer.write(tiffs.tiff(deep[::-1], tiffs.Kind(16, tiffs.RGB)))
        writer.newFrame()
    rendered = render_one(pages.getvalue(), scale=1)
    body = rendered.outputs[0].body
    assert np.array_equal(libvips.pixels(body), deep)
    assert np.array_equal(libvips.pixels(body, 1), np.asarray(shallow))
    assert np.array_equal(libvips.pixels(body, 2), deep[::-1])
    assert rendered.lost == {}


@pytest.mark.parametrize("colour_type", [0, 2])
def test_a_colour_key_becomes_alpha(colour_type: int) -> None:
    samples = draw(pngs.CHANNELS[colour_type])
    key = samples[7, 9]
    rendered = render_one(write_png(samples, colour_type, before=pngs.key(key)), scale=1)
    got = libvips.pixels(rendered.outputs[0].body)
    is_key = (samples == key).all(axis=2)
    assert is_key.any()
    assert np.array_equal(got[..., :-1], samples)
    assert np.array_equal(got[..., -1], np.where(is_key, 0, LEVELS))
    assert rendered.lost == {}


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_colours_are_turned_upright(orientation: int, image_format: str) -> None:
    samples = draw(3)
    tags = {274: ("H", [orientation])}
    if image_format == "TIFF":
        source = tiffs.tiff(samples, tiffs.Kind(16, tiffs.RGB, tags=tags))
    else:
        exif = Image.Exif()
        exif[274] = orientation
        source = write_png(samples, 2, before=pngs.chunk(b"eXIf", exif.tobytes()[len(b"Exif\0\0") :]))
    turned = pyvips.Image.new_from_array(samples).copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    assert np.array_equal(libvips.pixels(output_body(source, scale=1)), turned.autorot().numpy())


def test_a_wrong_checksum_of_the_pixels_is_ignored_for_all_bytes() -> None:
    samples = draw(3)
    stream = zlib.compress(pngs.filter_rows(samples, 16))
    rendered = render_one(write_png(samples, 2, stream=stream[:-1] + bytes([stream[-1] ^ 1])), scale=1)
    assert np.array_equal(libvips.pixels(rendered.outputs[0].body), samples)
    assert list(rendered.lost) == ["damage"]


def test_a_cropped_part_is_exact() -> None:
    samples = draw(4)
    body = output_body(write_png(samples, 6), width=40, height=HEIGHT, fit="cover")
    assert np.array_equal(libvips.pixels(body), samples[:, 50:90])


@pytest.mark.parametrize("colour_type", [2, 6])
def test_padding_and_what_transparent_pixels_show_have_16_bits(colour_type: int) -> None:
    samples, background = draw(pngs.CHANNELS[colour_type]), np.array([65535, 128 * 257, 0])
    body = output_body(
        write_png(samples, colour_type), width=WIDTH + 8, height=HEIGHT + 20, fit="contain", background="#ff8000"
    )
    values = libvips.pixels(body).astype(int)
    assert values.shape == (HEIGHT + 20, WIDTH + 8, 3)
    within = values[10 : 10 + HEIGHT, 4 : 4 + WIDTH]
    share = samples[..., 3:] / LEVELS if colour_type == 6 else 1
    assert np.abs(within - (samples[..., :3] * share + background * (1 - share))).max() <= 1
    assert (values[:10] == background).all()
    assert (values[:, -4:] == background).all()


@pytest.mark.parametrize("colour_type", COLOUR_TYPES)
@pytest.mark.parametrize("size", [{"scale": 0.5}, {"width": 61}, {"width": 35}], ids=str)
def test_libvips_resizes_alike(colour_type: int, size: dict[str, Any]) -> None:
    samples = draw(pngs.CHANNELS[colour_type])[:100]
    sources = [write_png(samples, colour_type)]
    if colour_type != 4:
        sources.append(tiffs.tiff(samples, tiffs.Kind(16, tiffs.RGB, extra=(2,) if colour_type == 6 else ())))
    for source, to in itertools.product(sources, (None, "png")):
        got = libvips.pixels(output_body(source, to, **size))
        assert got.dtype == np.uint16
        # Halves without alpha are means of four pixels.
        is_halved = "scale" in size and colour_type == 2
        wanted = _resize(source, got.shape[1], got.shape[0], is_halved=is_halved)
        difference = np.abs(got.astype(float) - wanted)
        if colour_type != 2:
            difference = difference[wanted[..., -1] > LEVELS / 10]
        assert difference.mean() <= (0.5 if is_halved else MEAN_ERROR)


def _resize(source: bytes, width: int, height: int, *, is_halved: bool) -> Samples:
    image: Any = pyvips.Image.new_from_buffer(source, "")
    has_alpha = image.hasalpha()
    image = image.premultiply(max_alpha=LEVELS) if has_alpha else image
    if is_halved:
        image = image.shrink(2, 2)
    else:
        kernel = "lanczos3" if has_alpha else "cubic"
        image = image.resize(width / image.width, vscale=height / image.height, kernel=kernel)
    image = image.unpremultiply(max_alpha=LEVELS) if has_alpha else image
    samples: Samples = np.asarray(image.numpy()).reshape(height, width, -1).round().clip(0, LEVELS)
    return samples
