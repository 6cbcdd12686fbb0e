"""Damaged and unusual JPEGs: resized if no row is missing, with the ignored damage reported; otherwise rejected."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from errors import Reason
from imaging.formats import jpeg_segments
from tests.images import encode, load, picture, segment
from tests.unit.rendering import output_body, output_image, rejection, render_one

END_MISSING = "the end marker is missing and was added"
NOISE = Image.fromarray(
    np.kron(np.random.default_rng(0).integers(0, 256, (24, 36, 3)), np.ones((4, 4, 1))).astype(np.uint8)
)
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "restarts": {"restart_marker_rows": 1},
    "coarse": {"quality": 10, "optimize": True},
    "4:4:4": {"subsampling": 0},
}
WIDTHS = (18, 72)
"""Widths of an eighth, which the decoder makes alone, and of a half."""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_missing_end_marker_is_added_and_reported(options: dict[str, Any], mode: str, width: int) -> None:
    whole = encode(NOISE.convert(mode), **options)
    for source in (whole[:-2], whole[:-1], whole[:-2] + bytes(9000), whole[:-1] + bytes(1)):
        forgiven = render_one(source, width=width)
        assert (forgiven.outputs[0].body, forgiven.lost) == (
            render_one(whole, width=width).outputs[0].body,
            {"damage": END_MISSING},
        )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_missing_rows_are_rejected_with_any_padding(options: dict[str, Any], width: int) -> None:
    whole = encode(NOISE, **options)
    start = whole.rindex(b"\xff\xda") + 14
    # At an eighth, a sequential JPEG is decoded from the means of blocks: the rest of the last block is not read.
    unseen = 400 if width == WIDTHS[0] and "progressive" not in options else 0
    for end in (*range(len(whole) - unseen - 12, len(whole) - unseen - 2), (start + len(whole)) // 2, start):
        for filling in (b"", bytes(9000)):
            assert rejection(whole[:end] + filling, width=width).reason is Reason.CORRUPT


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_bytes_after_the_end_marker_are_ignored(options: dict[str, Any]) -> None:
    whole = encode(NOISE, **options)
    noise = np.random.default_rng(1).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
    for trailer in (noise + b"\xff\xda" + noise, noise + b"\xff\xd9" + noise + b"\xff\xda\0", bytes(99), whole[:900]):
        rendered = render_one(whole + trailer)
        assert (rendered.outputs[0].body, rendered.lost) == (render_one(whole).outputs[0].body, {})


def test_a_progressive_jpeg_that_ends_after_a_scan_is_rejected() -> None:
    whole = encode(NOISE, progressive=True)
    scans = [place for place in range(len(whole)) if whole[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for start in scans[1:]:
        assert rejection(whole[:start], width=18).reason is Reason.CORRUPT


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_profile_of_several_is_applied(count: int) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    parts = [
        b"ICC_PROFILE\0"
        + bytes([number + 1, count])
        + profile[number * 200 : (number + 1) * 200 if number + 1 < count else None]
        for number in range(count)
    ]
    for order, is_kept in [
        (parts, True),
        (parts[::-1], True),
        (parts * 2, True),
        ([*parts, b"ICC_PROFILE\0" + bytes([1, count]) + bytes(99)], True),
        (parts[:-1], False),
        ([parts[0]] * count, count == 1),
        ([part[:13] + bytes([count + 1]) + part[14:] for part in parts], False),
        ([part[:12] + bytes([part[12] - 1]) + part[13:] for part in parts], False),
        ([b"ICC_PROFILE\0\1\0" + profile], False),
    ]:
        segments = b"".join(segment(0xE2, part) for part in order)
        source = encode(picture())
        kept = output_image(source[:2] + segments + source[2:]).info.get("icc_profile")
        assert kept == (profile if is_kept else None)


BLOCKS = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("name", "kind", "contents"),
    [
        ("JFIF", 0xE0, [b"JFIF", b"JFIF\0", b"JFIF\0\1"]),
        ("ICC_PROFILE", 0xE2, [b"ICC_PROFILE\0", b"ICC_PROFILE\0\1"]),
        ("Photoshop 3.0", 0xED, [BLOCKS + b"8BIM\4\4", b"Photoshop 3.0\0" + b"8BIM\4\4"]),
        ("Adobe", 0xEE, [b"Adobe", b"Adobe\0"]),
    ],
)
@pytest.mark.parametrize("missing", [0, 2])
def test_a_truncated_segment_is_ignored_and_reported(name: str, kind: int, contents: list[bytes], missing: int) -> None:
    whole = encode(NOISE)
    for content in contents:
        # Two of them: the first has other segments on both sides.
        cut_off = whole[:2] + segment(0xFE, b"us") + 2 * segment(kind, content) + whole[2 : len(whole) - missing]
        forgiven = render_one(cut_off, width=18)
        assert forgiven.outputs[0].body == render_one(whole, width=18).outputs[0].body
        assert f"the segment {name} is damaged and was ignored" in forgiven.lost["damage"]


@pytest.mark.parametrize(
    "content",
    [b"JFIF\0\1\2", b"JFXX", b"ICC_PROFILE\0\1\1", b"ICC_PROFILE", BLOCKS, b"8BIM\4\4", b"Adobe\0\x64", b"Adob", b""],
)
def test_a_segment_that_pillow_accepts_is_kept(content: bytes) -> None:
    for kind in jpeg_segments.BREAKING:
        source = b"\xff\xd8" + segment(kind, content) + encode(NOISE)[2:]
        assert jpeg_segments.read_structure(source).damaged == {}
        assert not render_one(source, width=18).lost


@given(st.data())
def test_any_damage_is_survived(data: st.DataObject) -> None:
    source = bytearray(encode(picture(40, 30), progressive=data.draw(st.booleans())))
    for place in data.draw(st.lists(st.integers(2, len(source) - 1), max_size=5)):
        source[place] = data.draw(st.integers(0, 255))
    damaged = bytes(source[: data.draw(st.integers(2, len(source)))])
    jpeg_segments.has_all_scans(damaged)
    found = jpeg_segments.read_structure(damaged).damaged
    readable, losses = jpeg_segments.hide_damage(damaged, found)
    assert jpeg_segments.read_structure(readable).damaged == {}
    assert (readable == damaged) == (not losses)
    jpeg_segments.lacks_end(damaged)
    assert all(ended.endswith(b"\xff\xd9") for ended in jpeg_segments.add_end(damaged))
    parts = data.draw(st.lists(st.binary(max_size=3).map(lambda part: b"ICC_PROFILE\0" + part)))
    assert jpeg_segments.join_profile(parts) is None or max(map(len, parts)) > 14


def test_all_scans_of_every_encoder_are_found() -> None:
    target = io.BytesIO()
    NOISE.convert("YCbCr").save(target, "JPEG", progressive=True, optimize=True)
    assert jpeg_segments.has_all_scans(target.getvalue())
    assert jpeg_segments.has_all_scans(encode(NOISE.convert("CMYK"), progressive=True))
    assert not jpeg_segments.has_all_scans(b"\xff\xd8")


def test_a_truncated_table_is_ignored() -> None:
    whole = b"\xff\xdb\0\x43\1" + bytes(range(64))
    assert jpeg_segments.read_tables(b"\xff\xd8" + whole + b"\xff\xdb\0\x43\2" + bytes(9)) == {1: list(range(64))}


def test_noise_is_written_although_its_optimised_coding_would_not_fit_into_pillows_buffer() -> None:
    noise = Image.frombytes("RGB", (400, 300), np.random.default_rng(2).bytes(400 * 300 * 3))
    body = output_body(encode(noise, "PNG"), "jpeg", scale=1, quality=94)
    assert len(body) > noise.width * noise.height
    assert np.abs(np.asarray(load(body), dtype=int) - np.asarray(noise)).mean() < 64
