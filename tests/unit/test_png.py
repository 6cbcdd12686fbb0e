"""Damaged and unusual PNGs: resized if browsers show them, with the ignored damage reported; rejected if truncated."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from errors import MalformedError, Reason
from imaging.formats import png_chunks
from imaging.render import Rendered
from tests import pngs
from tests.images import encode, load
from tests.pngs import Samples, chunk
from tests.unit.rendering import rejection, render_one

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SAMPLES = pngs.blocks(2, 8)
STREAM = zlib.compress(pngs.filter_rows(SAMPLES, 8))
WRONG = STREAM[:-1] + bytes([STREAM[-1] ^ 1])
GOOD = pngs.png(SAMPLES, 2, 8)
START = len(GOOD) - len(STREAM) - 24
COLOURS = {
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", 31270, 32900, 60000, 33000, 25000, 55000, 12000, 5000),
    b"sRGB": b"\0",
    b"iCCP": b"name\0\0" + zlib.compress(PROFILE),
    b"tRNS": SAMPLES[0, 0].astype(">u2").tobytes(),
    b"eXIf": b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
}
"""Chunks that change the look; eXIf rotates the image."""


def render_full_size(source: bytes) -> Rendered:
    return render_one(source, scale=1)


def render_pixels(source: bytes) -> Samples:
    return pixels(render_full_size(source))


def pixels(rendered: Rendered) -> Samples:
    return np.asarray(load(rendered.outputs[0].body).convert("RGBA")).astype(int)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour_type", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
def test_only_the_colour_key_is_transparent(colour_type: int, depth: int, interlaced: bool) -> None:
    samples = pngs.blocks(colour_type, depth)
    transparent = samples[0, 8]
    if depth == 16:
        # The nearest other colours: one differs in the low byte, one in the high byte.
        samples[0:8, 0:8], samples[0:8, 16:24] = transparent ^ 1, transparent ^ 256
    source = pngs.png(samples, colour_type, depth, interlaced=interlaced, before=pngs.key(transparent))
    wanted = np.where((samples == transparent).all(axis=2), 0, 255)
    assert np.array_equal(render_pixels(source)[..., 3], wanted)


def test_a_small_16_bit_grey_with_a_colour_key_stays_small() -> None:
    samples = pngs.blocks(0, 16, side=2)
    source = pngs.png(samples, 0, 16, before=pngs.key(samples[0, 0]))
    assert len(render_full_size(source).outputs[0].body) < 2 * len(source)
    assert render_pixels(source)[..., 3].tolist() == np.where(samples[..., 0] == samples[0, 0], 0, 255).tolist()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_colour_key_beyond_the_depth_is_ignored(depth: int) -> None:
    samples = pngs.blocks(0, depth)
    source = pngs.png(samples, 0, depth, before=chunk(b"tRNS", struct.pack(">H", 1 << depth)))
    assert render_pixels(source)[..., 3].min() == 255


@pytest.mark.parametrize("extra", [0, 1, 5])
def test_more_alpha_entries_than_colours_are_ignored(extra: int) -> None:
    samples = np.kron(np.arange(4).reshape(1, 4, 1), np.ones((8, 8, 1), int))
    before = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", bytes([0, 255, 0, 255] + [7] * extra))
    assert render_pixels(pngs.png(samples, 3, 2, before=before))[4, ::8, 3].tolist() == [0, 255, 0, 255]


def are_alike(one: Rendered, other: Rendered) -> bool:
    """Tell whether two outputs have equal pixels and equal colour metadata."""
    first, second = (load(rendered.outputs[0].body).info for rendered in (one, other))
    has_equal_info = all(first.get(key) == second.get(key) for key in ("gamma", "chromaticity", "icc_profile"))
    return has_equal_info and np.array_equal(pixels(one), pixels(other))


@pytest.mark.parametrize("kind", COLOURS)
def test_a_damaged_chunk_is_ignored_and_reported(kind: bytes) -> None:
    data, good = COLOURS[kind], render_full_size(GOOD)
    described = render_full_size(pngs.png(SAMPLES, 2, 8, before=chunk(kind, data)))
    assert not described.lost
    # sRGB is the default, so its chunk changes nothing.
    assert are_alike(described, good) == (kind == b"sRGB")
    cut = {b"iCCP": data[:5], b"eXIf": None}.get(kind, data[1:])
    for damaged in [chunk(kind, data, damage=1), *([chunk(kind, cut)] if cut is not None else [])]:
        ignored = render_full_size(pngs.png(SAMPLES, 2, 8, before=damaged))
        assert are_alike(ignored, good)
        assert ignored.lost == {"damage": f"the chunk {kind.decode()} is damaged and was ignored"}


@pytest.mark.parametrize(
    "stream",
    [zlib.compress(PROFILE)[:-9], b"rubbish", zlib.compress(bytes(png_chunks.MOST_TEXT_BYTES + 1))],
    ids=["cut off", "not compressed", "too long"],
)
def test_a_profile_that_cannot_be_inflated_is_ignored_and_reported(stream: bytes) -> None:
    rendered = render_full_size(pngs.png(SAMPLES, 2, 8, before=chunk(b"iCCP", b"name\0\0" + stream)))
    assert rendered.lost == {"damage": "the chunk iCCP is damaged and was ignored"}
    assert are_alike(rendered, render_full_size(GOOD))


@pytest.mark.parametrize(
    "before", [chunk(b"bKGD", b"\0"), chunk(b"bKGD"), chunk(b"prVt", b"x", damage=1), chunk(b"tEXt", b"a\0b", damage=1)]
)
def test_damage_to_unused_chunks_is_ignored(before: bytes) -> None:
    rendered = render_full_size(pngs.png(SAMPLES, 2, 8, before=before))
    assert not rendered.lost
    assert np.array_equal(pixels(rendered)[..., :3], SAMPLES)


def test_only_the_first_chunk_of_a_type_before_the_pixels_is_used() -> None:
    one, other = (chunk(b"tRNS", SAMPLES[0, column].astype(">u2").tobytes()) for column in (0, 8))
    assert np.array_equal(
        render_pixels(pngs.png(SAMPLES, 2, 8, before=one + other)), render_pixels(pngs.png(SAMPLES, 2, 8, before=one))
    )
    assert render_pixels(pngs.png(SAMPLES, 2, 8, end=one + chunk(b"IEND")))[..., 3].min() == 255


@pytest.mark.parametrize(
    "end", [b"", chunk(b"IEND")[:7], chunk(b"IEND", damage=1), b"rubbish " * 3, chunk(b"IEND") + b"x"]
)
def test_bytes_after_the_pixels_may_be_missing_or_arbitrary(end: bytes) -> None:
    assert np.array_equal(render_pixels(pngs.png(SAMPLES, 2, 8, end=end))[..., :3], SAMPLES)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour_type", "depth"), [(0, 1), (0, 16), (2, 8), (3, 4), (4, 8), (6, 16)])
def test_a_wrong_adler_32_is_ignored_and_reported(colour_type: int, depth: int, interlaced: bool) -> None:
    samples = pngs.blocks(colour_type, depth, side=7)
    palette = chunk(b"PLTE", bytes(range(48))) if colour_type == 3 else b""
    stream = zlib.compress(pngs.filter_rows(samples, depth, interlaced=interlaced))
    wrong = stream[:-1] + bytes([stream[-1] ^ 1])
    good, bad = (
        render_full_size(pngs.png(samples, colour_type, depth, interlaced=interlaced, before=palette, stream=pixels))
        for pixels in (stream, wrong)
    )
    assert bad.outputs[0].body == good.outputs[0].body
    assert "the checksum of the pixels (Adler-32) is wrong and was ignored" in bad.lost["damage"]
    assert "damage" not in good.lost


@pytest.mark.parametrize(
    "source",
    [
        pngs.png(SAMPLES, 2, 8, stream=STREAM[: len(STREAM) // 2]),
        pngs.png(SAMPLES, 2, 8, stream=STREAM[:2] + b"\x07" + STREAM[3:]),
        GOOD[: START + len(STREAM) // 2],
        pngs.png(SAMPLES, 2, 8, stream=zlib.compress(pngs.filter_rows(SAMPLES, 8)[:-5])),
        GOOD[:START] + chunk(b"IDAT", WRONG, damage=1) + chunk(b"IEND"),
        pngs.SIGNATURE + chunk(b"IHDR", GOOD[16:29], damage=1) + GOOD[33:],
        pngs.png(SAMPLES, 2, 8, before=b"\0\0"),
        pngs.png(pngs.blocks(3, 2), 3, 2),
        pngs.png(pngs.blocks(3, 2), 3, 2, before=chunk(b"PLTE", b"\1\2")),
        pngs.png(pngs.blocks(3, 2), 3, 2, before=chunk(b"PLTE", bytes(12), damage=1)),
        pngs.png(pngs.blocks(3, 2), 3, 2, before=2 * chunk(b"PLTE", bytes(12))),
        pngs.png(SAMPLES, 2, 8, before=pngs.header(SAMPLES, 0, 8)),
        pngs.SIGNATURE + chunk(b"IDAT", STREAM) + chunk(b"IEND"),
        pngs.png(
            SAMPLES, 2, 8, stream=STREAM[:9], end=chunk(b"tIME", bytes(7)) + chunk(b"IDAT", STREAM[9:]) + GOOD[-12:]
        ),
        GOOD[:20],
    ],
    ids=[
        *("stream cut", "stream damaged", "file cut", "bytes missing", "both checksums", "header", "between chunks"),
        *("no palette", "short palette", "damaged palette", "two palettes", "two headers", "no header"),
        *("pixels in two places", "header cut"),
    ],
)
def test_missing_or_damaged_pixels_are_rejected(source: bytes) -> None:
    assert rejection(source).reason is Reason.CORRUPT


def remove_row(apng: bytes, number: int) -> bytes:
    """Remove the last row of a frame that is stored in an ``fdAT`` chunk."""
    parts, found = [apng[:8]], 0
    for part in png_chunks.walk_chunks(apng):
        data = apng[part.start + 8 : part.end - 4]
        if part.kind == b"fdAT" and (found := found + 1) == number + 1:
            rows = zlib.decompress(data[4:])
            sides = apng[apng.rindex(b"fcTL", 0, part.start) + 8 :][:8]
            row = len(rows) // struct.unpack(">II", sides)[1]
            data = data[:4] + zlib.compress(rows[:-row])
        parts.append(chunk(part.kind, data))
    return b"".join(parts)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour_type", "depth"), [(0, 1), (0, 16), (2, 8), (3, 4), (4, 8), (6, 16)])
def test_a_stream_that_ends_between_two_rows_is_rejected(colour_type: int, depth: int, interlaced: bool) -> None:
    # No sample is black, so a missing row differs from all of them.
    samples = pngs.blocks(colour_type, depth) | 1
    palette = chunk(b"PLTE", bytes(range(48))) if colour_type == 3 else b""
    rows = pngs.filter_rows(samples, depth, interlaced=interlaced)
    for stream in (zlib.compress(rows[: -len(rows) // len(samples)]), zlib.compress(b"")):
        source = pngs.png(samples, colour_type, depth, interlaced=interlaced, before=palette, stream=stream)
        assert rejection(source).reason is Reason.CORRUPT


def test_a_black_image_does_not_look_truncated() -> None:
    for interlaced in (False, True):
        assert not render_pixels(pngs.png(SAMPLES * 0, 2, 8, interlaced=interlaced))[..., :3].any()
    assert not render_full_size(encode(Image.new("RGBA", (9, 9)), "PNG")).lost


@pytest.mark.parametrize("has_default", [False, True])
def test_a_frame_that_lacks_a_row_is_rejected(has_default: bool) -> None:
    frames = [Image.fromarray(SAMPLES.astype(np.uint8)).rotate(90 * turn) for turn in range(3)]
    source = encode(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=has_default)
    assert len(render_full_size(source).outputs) == 1
    for number in range(2):
        assert rejection(remove_row(source, number)).reason is Reason.CORRUPT


UNKNOWN = "the colour space (primaries {}, transfer function {}) is unknown and was read as sRGB"


@pytest.mark.parametrize(
    ("codes", "lost"),
    [
        (b"\x09\x10\0\1", {}),
        (b"\x01\x0d\0\1", {}),
        (b"\x09\x10\0\0", {"profile": UNKNOWN.format(9, 16)}),
        (b"\x01\x0d\1\1", {"profile": UNKNOWN.format(1, 13)}),
        (b"\x03\x0d\0\1", {"profile": UNKNOWN.format(3, 13)}),
        (b"\x09\x10", {"damage": "the chunk cICP is damaged and was ignored"}),
    ],
)
def test_a_cicp_chunk_that_is_not_followed_is_reported_as_lost(codes: bytes, lost: dict[str, str]) -> None:
    stated = chunk(b"cICP", codes)
    rendered = render_full_size(pngs.png(SAMPLES, 2, 8, before=stated))
    assert (rendered.lost, rendered.outputs[0].body.count(stated)) == (lost, not lost)


def test_headers_and_palettes_after_the_pixels_are_ignored() -> None:
    samples, palette = pngs.blocks(3, 2), chunk(b"PLTE", bytes(range(12)))
    late = chunk(b"PLTE", bytes(12)) + pngs.header(samples, 0, 8) + chunk(b"IEND")
    plain, source = (pngs.png(samples, 3, 2, before=palette, end=end) for end in (None, late))
    assert render_full_size(source).outputs == render_full_size(plain).outputs


@given(st.data())
def test_any_damage_is_survived(data: st.DataObject) -> None:
    parts = [chunk(kind, content) for kind, content in COLOURS.items()]
    source = bytearray(pngs.png(SAMPLES, 2, 8, before=b"".join(data.draw(st.permutations(parts)))))
    for place in data.draw(st.lists(st.integers(8, len(source) - 1), max_size=5)):
        source[place] = data.draw(st.integers(0, 255))
    damaged = bytes(source[: data.draw(st.integers(0, len(source)))])
    try:
        readable = png_chunks.read_contents(damaged).readable
    except MalformedError:
        return
    assert len(readable) <= len(damaged)
    png_chunks.repair_checksum(readable)
    again = png_chunks.read_contents(readable)
    assert (again.readable, again.losses) == (readable, ())
