"""TIFFs of every kind: libvips reads the source's values in each output, or the rejection names the kind."""

import io
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from errors import RejectedError
from tests import tiffs
from tests.images import encode, picture
from tests.judges import libvips
from tests.tiffs import FLOAT, PREDICTABLE, SIGNED, UNSIGNED, Kind, Samples, encode_pages, tiff
from tests.unit.rendering import output_body, render_one

COLOURS = {tiffs.RGB: 3, tiffs.SEPARATED: 4, tiffs.YCBCR: 3, tiffs.CIELAB: 3}
"""The samples of a pixel without extra samples, if there are several."""

DEPTHS = [(bits, UNSIGNED) for bits in (1, 2, 4, 8, 12, 16, 32)] + [(8, SIGNED), (16, SIGNED), (32, SIGNED)]
FLOATS = [(16, FLOAT), (32, FLOAT), (64, FLOAT)]
ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
PHOTOMETRICS = (*range(7), tiffs.CIELAB)
COMPRESSIONS = (
    tiffs.NONE,
    tiffs.LZW,
    tiffs.JPEG,
    tiffs.DEFLATE,
    tiffs.PACKBITS,
    tiffs.OLD_DEFLATE,
    tiffs.LZMA,
    tiffs.ZSTD,
    tiffs.WEBP,
)
EXTRAS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (2, 0))
READABLE = {
    *((tiffs.MIN_IS_WHITE, bits, UNSIGNED, ()) for bits in (1, 2, 4, 8, 16)),
    *((tiffs.MIN_IS_BLACK, bits, UNSIGNED, ()) for bits in (1, 2, 4, 8, 12, 16, 32)),
    *((tiffs.MIN_IS_BLACK, bits, SIGNED, ()) for bits in (16, 32)),
    *((photometric, 32, FLOAT, ()) for photometric in (tiffs.MIN_IS_WHITE, tiffs.MIN_IS_BLACK)),
    *((tiffs.MIN_IS_BLACK, 8, UNSIGNED, extra) for extra in EXTRAS[1:4]),
    *((tiffs.RGB, 8, UNSIGNED, extra) for extra in EXTRAS),
    *((tiffs.RGB, 16, UNSIGNED, extra) for extra in EXTRAS[:4]),
    *((tiffs.PALETTE, bits, UNSIGNED, ()) for bits in (1, 2, 4, 8)),
    *((tiffs.PALETTE, 8, UNSIGNED, extra) for extra in ((0,), (2,))),
    *((tiffs.SEPARATED, 8, UNSIGNED, extra) for extra in ((), (0,))),
    (tiffs.SEPARATED, 16, UNSIGNED, ()),
    (tiffs.YCBCR, 8, UNSIGNED, ()),
    (tiffs.CIELAB, 8, UNSIGNED, ()),
}
"""Photometric interpretation, bits, sample format and extra samples of every kind that can be rendered."""

MOST = 3
"""The largest difference, of 255: converting premultiplied, YCbCr or CIELab colours rounds them."""


def draw_samples(kind: Kind, *, side: int = 8) -> Samples:
    """Return blocks of random samples that fill several strips and tiles, with partial ones at the edges."""
    random_numbers = np.random.default_rng(kind.bits)
    count = COLOURS.get(kind.photometric, 1)
    shape = (9, 11, count + len(kind.extra))
    blocks: Samples
    if kind.sample_format == FLOAT:
        blocks = random_numbers.random(shape)
    elif kind.sample_format == SIGNED:
        blocks = random_numbers.integers(-(1 << kind.bits - 1), 1 << kind.bits - 1, shape)
    else:
        blocks = random_numbers.integers(0, 1 << min(kind.bits, 31), shape)
    if kind.photometric == tiffs.CIELAB:
        # Colours within sRGB.
        blocks = np.add(random_numbers.integers(0, 16, shape), [100, *(len(kind.extra) + 2) * [0]])
    if kind.extra[:1] == (1,):
        blocks[..., :count] = (blocks[..., :count] * (blocks[..., [count]] / ((1 << kind.bits) - 1))).round()
    return np.kron(blocks, np.ones((side, side, 1), blocks.dtype))


def sample_kinds(most: int) -> Iterator[Kind]:
    """Yield ``most`` kinds of each depth, photometric interpretation and extra samples, or one if it is rejected."""
    for (bits, number), photometric, extra in itertools.product(DEPTHS + FLOATS, PHOTOMETRICS, EXTRAS):
        if photometric == tiffs.PALETTE and (bits > 8 or number != UNSIGNED):
            continue
        kinds = [
            Kind(bits, photometric, number, extra, planar, compression, predictor, order, tile)
            for planar, compression, order, tile in itertools.product((1, 2), COMPRESSIONS, ORDERS, (0, 32))
            for predictor in (1, 3 if number == FLOAT else 2)
        ]
        kinds = [kind for kind in kinds if _is_valid(kind)]
        count = most if (photometric, bits, number, extra) in READABLE else 1
        yield from random.Random(bits).sample(kinds, min(count, len(kinds)))  # noqa: S311


def _is_valid(kind: Kind) -> bool:
    count = COLOURS.get(kind.photometric, 1) + len(kind.extra)
    is_coded = kind.compression in {tiffs.JPEG, tiffs.WEBP}
    if is_coded and (kind.bits != 8 or kind.sample_format != UNSIGNED or kind.planar != 1 or count not in {1, 3, 4}):
        return False
    if kind.compression == tiffs.WEBP and count == 1:
        return False
    if kind.predictor != 1 and (kind.compression not in PREDICTABLE or kind.bits not in {8, 16, 32}):
        return False
    return kind.planar == 1 or count > 1


def interpret(values: Samples, kind: Kind) -> Samples:
    """Return the meaning of samples: levels from 0 to 1 with alpha last, or the samples of wide grey themselves."""
    count = COLOURS.get(kind.photometric, 1)
    if _is_wide(kind):
        return values[..., :count].astype(float)
    levels = values / ((1 << kind.bits) - 1)
    colours = levels[..., :count]
    if kind.photometric == tiffs.MIN_IS_WHITE:
        colours = 1 - colours
    elif kind.photometric == tiffs.PALETTE:
        entries = np.array(kind.tags[320][1]).reshape(3, -1) / 65535
        colours = entries[:, values[..., 0]].transpose(1, 2, 0)
    elif kind.photometric == tiffs.YCBCR:
        colours = (colours - [0, 128 / 255, 128 / 255]) @ [[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]]
    elif kind.photometric == tiffs.CIELAB:
        colours = _srgb(values)
    if kind.extra[:1] in {(1,), (2,)}:
        alpha = levels[..., [count]]
        if kind.extra[0] == 1:
            colours = colours / np.maximum(alpha, 1e-9)
        return np.concatenate([colours.clip(0, 1), alpha], axis=2)
    return colours.clip(0, 1)


def _is_wide(kind: Kind) -> bool:
    return kind.bits == 32 or kind.sample_format != UNSIGNED


def _srgb(lab: Samples) -> Samples:
    """Convert CIELab under D50, with signed bytes for a and b."""
    lightness = (lab[..., 0] * 100 / 255 + 16) / 116
    a, b = (lab[..., number].astype(np.int8).astype(float) for number in (1, 2))
    roots = np.stack([lightness + a / 500, lightness, lightness - b / 200], axis=2)
    xyz = roots**3 * [0.9642, 1, 0.8249]
    matrix = np.array(
        [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    )
    srgb: Samples = 1.055 * (xyz @ matrix.T).clip(0, 1) ** (1 / 2.4) - 0.055
    return srgb


def check(kind: Kind) -> str:
    """Render a TIFF, and return how the output differs from the meaning of its samples, or nothing.

    Raises:
        RejectedError: The kind is not supported.

    """
    values = draw_samples(kind)
    # libvips reads no CIELab, LZMA or Zstandard.
    to = "png" if kind.photometric == tiffs.CIELAB else None
    body = output_body(tiff(values, kind), to, scale=1)
    wanted = interpret(values, kind)
    is_beyond = kind.compression in {tiffs.LZMA, tiffs.ZSTD} and to is None
    got = tifffile.imread(io.BytesIO(body)) if is_beyond else libvips.pixels(body)
    got = got.reshape(*got.shape[:2], -1)
    if got.shape != wanted.shape:
        return f"{got.shape} for {wanted.shape}"
    if _is_wide(kind):
        return "" if np.array_equal(got, wanted.astype(got.dtype)) else "other numbers"
    difference = np.abs(got / np.iinfo(got.dtype).max - wanted)
    if kind.extra[:1] in {(1,), (2,)}:
        difference[..., :-1] *= wanted[..., -1:]
    # JPEG blurs the edges of blocks.
    worst = 255 * (difference[4::8, 4::8] if kind.compression == tiffs.JPEG else difference).max()
    return "" if worst <= (20 if kind.compression == tiffs.JPEG else MOST) else f"differs by {worst:.0f}"


def test_every_kind_is_rendered_correctly_or_rejected_by_name() -> None:
    wrong, readable, unnamed = [], set(), []
    for cell in sample_kinds(8):
        tags: dict[int, tuple[str, list[int]]] = {}
        if cell.photometric == tiffs.PALETTE:
            entries = np.random.default_rng(3).integers(0, 256, 3 << cell.bits)
            tags[320] = "H", [int(257 * entry) for entry in entries]
        if cell.photometric == tiffs.YCBCR:
            tags[530] = "H", [1, 1]
        try:
            fault = check(replace(cell, tags=tags))
        except RejectedError as error:
            if "the TIFF has " not in error.message:
                unnamed.append((error.message, cell))
            continue
        if cell.planar == 1:
            readable.add((cell.photometric, cell.bits, cell.sample_format, cell.extra))
        if fault:
            wrong.append((fault, cell))
    assert wrong == []
    assert unnamed == []
    assert readable == READABLE


MARKED = {"F": ("<f4", -3.4028235e38, 1.0), "I": ("<i4", -(2**31), 2**31 - 1)}


def test_each_page_keeps_its_compression_and_its_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kinds: list[dict[str, Any]] = [
        {"compression": "tiff_lzw", "icc_profile": b""},
        {"compression": "jpeg", "icc_profile": profile, "quality": 50},
        {"compression": "packbits", "icc_profile": b""},
    ]
    for order in itertools.permutations(kinds):
        source = encode_pages(*((picture(90, 60).rotate(90 * turn), kind) for turn, kind in enumerate(order)))
        body = output_body(source)
        written = Image.open(io.BytesIO(body))
        for number, kind in enumerate(order):
            written.seek(number)
            seen = written.tag_v2  # type: ignore[attr-defined]
            assert (written.info["compression"], seen.get(34675, b"")) == (kind["compression"], kind["icc_profile"])
            before, after = (libvips.srgb(of, number).astype(int) for of in (source, body))
            assert np.abs(before[::2, ::2] - after).mean() < 6


@pytest.mark.parametrize("mode", MARKED)
def test_extreme_values_that_mark_missing_data_stay_in_range(mode: str) -> None:
    kind, mark, number = MARKED[mode]
    values = np.where(np.random.default_rng(1).random((64, 64)) < 0.5, mark, number).astype(kind)
    values[:, :32] = number
    source = encode(Image.fromarray(values), "TIFF")
    for size in ({"scale": 0.5}, {"width": 7}, {"width": 60}):
        seen = libvips.pixels(output_body(source, **size))
        assert seen.min() >= mark
        assert seen.max() <= number
        assert (seen[:, : seen.shape[1] // 3] == number).all()


def test_a_palette_of_eight_bits_is_not_black() -> None:
    source = tiff(
        draw_samples(Kind(8)),
        Kind(8, tiffs.PALETTE, tags={320: ("H", [*range(256), *range(255, -1, -1), *range(256)])}),
    )
    assert np.array_equal(libvips.srgb(output_body(source)), libvips.srgb(source)[::2, ::2])


def test_wrong_coefficients_are_ignored() -> None:
    kind = Kind(8, tiffs.YCBCR, tags={530: ("H", [1, 1]), 529: ("2L", [1, 0, 1, 0, 1, 0])})
    values = draw_samples(kind)
    rendered = render_one(tiff(values, kind))
    difference = libvips.pixels(rendered.outputs[0].body) / 255 - interpret(values, kind)[::2, ::2]
    assert np.abs(difference).max() <= MOST / 255
    assert rendered.lost == {"damage": "the YCbCr coefficients are wrong and were ignored"}


def test_averages_of_large_samples_do_not_overflow() -> None:
    source = encode(Image.new("I", (640, 640), 1 << 28), "TIFF")
    assert libvips.pixels(output_body(source, width=1)).item() == 1 << 28
