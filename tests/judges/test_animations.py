"""GIFs and APNGs of every disposal, blending and box: Chromium shows each frame as it shows the source's."""

import itertools
import struct

import numpy as np
import pytest
from PIL import Image

from tests import gifs
from tests.images import encode
from tests.judges.chromium import Animation, Chromium
from tests.pngs import chunk
from tests.unit import test_animation as animations
from tests.unit.rendering import output_body

MOST = 3
"""The largest difference, of 255: Chromium blends premultiplied bytes."""
BOXES = [(0, 0, 40, 40), (0, 0, 20, 20), (20, 20, 20, 20), (8, 12, 24, 10)]


def check(shown: Animation, wanted: Animation, most: int = MOST) -> None:
    """Compare the frames shown at each moment; equal neighbours may be merged."""
    assert shown.plays == wanted.plays
    times = [list(itertools.accumulate(frame.milliseconds or 0 for frame in one.frames)) for one in (shown, wanted)]
    assert times[0][-1] == times[1][-1]
    for time, want in zip(times[1], wanted.frames, strict=True):
        got = shown.frames[next(index for index, end in enumerate(times[0]) if end >= time)]
        assert got.pixels.shape == want.pixels.shape
        difference = np.abs(got.pixels.astype(int) - want.pixels)
        assert difference[..., 3].max() <= most
        # Colours count in proportion to their alpha.
        assert (difference[..., :3] * (want.pixels[..., 3:] / 255)).max() <= most


@pytest.mark.parametrize("screen", [(40, 40), (32, 36), (60, 50)])
def test_a_gif_looks_like_its_source(chromium: Chromium, screen: tuple[int, int]) -> None:
    """The screen equals the first frame, or is smaller or larger; other frames extend beyond its edge."""
    boxes = [*BOXES, (30, 30, 40, 40), (70, 70, 5, 5), (0, 0, 0, 0)]
    for first, second in itertools.product(range(5), repeat=2):
        frames = [
            gifs.frame(BOXES[first % 4], gifs.RED, disposal=first, transparent=gifs.GREEN if second % 2 else None),
            gifs.frame(boxes[(first + second) % 7], gifs.GREEN, disposal=second),
            gifs.frame(boxes[(3 * first + second) % 7], gifs.BLUE, disposal=first, transparent=gifs.BLACK),
            gifs.frame(boxes[second], gifs.BLACK, disposal=second, transparent=gifs.BLACK),
            gifs.frame(boxes[1], gifs.GREEN),
        ]
        source = gifs.gif(frames, screen)
        check(chromium.animation(output_body(source, scale=1), "image/gif"), chromium.animation(source, "image/gif"))


@pytest.mark.parametrize("kind", [0, 2, 6])
@pytest.mark.parametrize("depth", [8, 16])
def test_an_apng_looks_like_its_source(chromium: Chromium, kind: int, depth: int) -> None:
    levels = [(200, 40, 90, 255), (20, 160, 220, 128), (250, 250, 250, 60), (5, 5, 5, 0)]
    colours = [tuple(257 * level for level in colour) if depth == 16 else colour for colour in levels]
    key = struct.pack(f">{1 if kind == 0 else 3}H", *colours[1][: 1 if kind == 0 else 3])
    extra = b"" if kind == 6 else chunk(b"tRNS", key)
    for dispose, blend, shift in itertools.product(range(3), range(2), (0, 2)):
        index = (dispose + blend + shift) % 4
        parts = [
            animations.Part(BOXES[0], colours[index], dispose),
            animations.Part(BOXES[1], colours[1], dispose, blend),
            animations.Part(BOXES[3], colours[2], 2 - dispose, blend),
            animations.Part(BOXES[2], colours[index], dispose, 1),
            animations.Part(BOXES[1], colours[0], 0, blend),
        ]
        for source in {animations.apng(parts, kind=kind, depth=depth, extra=given) for given in (b"", extra)}:
            check(
                chromium.animation(output_body(source, scale=1), "image/png"), chromium.animation(source, "image/png")
            )


def test_a_gif_with_a_palette_of_greys_keeps_its_transparency(chromium: Chromium) -> None:
    ramp = Image.frombytes("L", (16, 16), bytes(range(256)))
    for transparent in (0, 128, 255):
        source = encode(ramp, "GIF", transparency=transparent)
        assert source[13:19] == bytes([0, 0, 0, 1, 1, 1])
        wanted, got = chromium.still(source), chromium.still(output_body(source, scale=1))
        assert (wanted.pixels[..., 3] == 0).sum() == 1
        assert np.array_equal(wanted.pixels[..., 3], got.pixels[..., 3])
        assert np.abs(wanted.pixels.astype(int) - got.pixels).max() <= MOST


def test_a_gif_without_a_palette_is_black(chromium: Chromium) -> None:
    source = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + gifs.frame((0, 0, 8, 8), gifs.RED) + b";"
    wanted, got = chromium.still(source), chromium.still(output_body(source, scale=1))
    assert np.array_equal(wanted.pixels, got.pixels)
