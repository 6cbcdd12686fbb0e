"""PNGs of every kind: Chromium shows each output as it shows the source."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import ImageCms

from tests import pngs
from tests.judges.chromium import Chromium
from tests.pngs import Samples, chunk
from tests.unit.rendering import output_body

MOST = 16
"""The largest difference, of 255: palettes are inexact, and the filter rings where blocks meet."""
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = {
    "nothing": b"",
    "gAMA 1.0": chunk(b"gAMA", struct.pack(">I", 100_000)),
    "gAMA 1/1.8": chunk(b"gAMA", struct.pack(">I", 55_556)),
    "sRGB and gAMA 1.0": chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 100_000)),
    "iCCP and gAMA 1.0": chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILE)) + chunk(b"gAMA", struct.pack(">I", 100_000)),
    "gAMA of no value": chunk(b"gAMA", bytes(4)),
    "damaged gAMA": chunk(b"gAMA", struct.pack(">I", 100_000), damage=1),
    "short gAMA": chunk(b"gAMA", b"\1"),
    "damaged tRNS": chunk(b"tRNS", bytes(6), damage=1),
    "damaged text": chunk(b"tEXt", b"a\0b", damage=1),
}
CELLS = [(colour_type, depth) for colour_type, depths in pngs.DEPTHS.items() for depth in depths]


def check(chromium: Chromium, source: bytes) -> None:
    """Compare every pixel of an output of full size, and the middle of each block of one of half size."""
    wanted = chromium.still(source)
    whole, half = (chromium.still(output_body(source, scale=scale)) for scale in (1, 0.5))
    _compare(whole.pixels, wanted.pixels)
    _compare(half.pixels[4::8, 4::8], wanted.pixels[8::16, 8::16])


def _compare(got: Samples, wanted: Samples) -> None:
    assert got.shape == wanted.shape
    difference = np.abs(got.astype(int) - wanted.astype(int))
    assert difference[..., 3].max() <= MOST
    # Colours count in proportion to their alpha.
    assert (difference[..., :3] * (wanted[..., 3:] / 255)).max() <= MOST


def palette(depth: int) -> bytes:
    colours = np.random.default_rng(depth).integers(0, 256, 3 << depth)
    return chunk(b"PLTE", colours.astype(np.uint8).tobytes())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_libpng_reads_every_pixel_of_a_noisy_photo(channels: int) -> None:
    noise = np.random.default_rng(0).integers(100, 140, (300, 200, channels), np.uint8)
    source = bytes(imagecodecs.png_encode(noise))
    assert np.array_equal(imagecodecs.png_decode(output_body(source, scale=1)).reshape(noise.shape), noise)


@pytest.mark.parametrize(("colour_type", "depth"), CELLS)
def test_every_colour_type_and_depth_is_read(chromium: Chromium, colour_type: int, depth: int) -> None:
    samples = pngs.blocks(colour_type, depth, side=16)
    entries = palette(depth) if colour_type == 3 else b""
    for interlaced in (False, True):
        check(chromium, pngs.png(samples, colour_type, depth, interlaced=interlaced, before=entries))
    for colours in COLOURS.values():
        if colour_type != 3 or b"tRNS" not in colours:
            check(chromium, pngs.png(samples, colour_type, depth, before=colours + entries))


@pytest.mark.parametrize(("colour_type", "depth"), [cell for cell in CELLS if cell[0] in (0, 2)])
def test_a_transparent_colour_is_read(chromium: Chromium, colour_type: int, depth: int) -> None:
    samples = pngs.blocks(colour_type, depth, side=16)
    transparent = samples[0, 16]
    if depth == 16:
        samples[0:16, 0:16], samples[0:16, 32:48] = transparent ^ 1, transparent ^ 256
    for levels in (transparent, transparent + (1 << depth), transparent * 0 + (1 << depth)):
        if levels.max() < 1 << 16:
            check(chromium, pngs.png(samples, colour_type, depth, before=pngs.key(levels)))


@pytest.mark.parametrize("depth", pngs.DEPTHS[3])
@pytest.mark.parametrize("count", [1, 2, 5, 256, 300])
def test_transparent_palette_entries_are_read(chromium: Chromium, depth: int, count: int) -> None:
    key = chunk(b"tRNS", bytes([0, 128, 200, 255, 30] * 60)[:count])
    for before in (palette(depth) + key, key + palette(depth)):
        check(chromium, pngs.png(pngs.blocks(3, depth, side=16), 3, depth, before=before))


@pytest.mark.parametrize(
    "end", [b"", chunk(b"IEND", damage=1), b"rubbish " * 3, chunk(b"tRNS", bytes(6)) + chunk(b"IEND")], ids=repr
)
def test_chunks_after_the_pixels_change_nothing(chromium: Chromium, end: bytes) -> None:
    check(chromium, pngs.png(pngs.blocks(2, 8, side=16), 2, 8, end=end))


def test_a_wrong_checksum_of_the_pixels_changes_nothing(chromium: Chromium) -> None:
    samples = pngs.blocks(2, 8, side=16)
    stream = zlib.compress(pngs.filter_rows(samples, 8))
    check(chromium, pngs.png(samples, 2, 8, stream=stream[:-1] + bytes([stream[-1] ^ 1])))
