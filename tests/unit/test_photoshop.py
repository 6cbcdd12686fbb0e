"""Photoshop's resources: read up to what is damaged, written, and corrected for an output."""

import struct

import pytest

from imaging import photoshop
from imaging.change import Change

URL, COPYRIGHT_FLAG, THUMBNAIL, GUIDES, PATH, CLIPPING_PATH = 0x040B, 0x040A, 0x040C, 0x0408, 2000, 2999
HALVED = Change((160, 120), (0.5, 0.25), is_moved=False, swaps_sides=False, media_type="image/jpeg")
RIGHTS = {COPYRIGHT_FLAG: b"\1", URL: b"https://example.com"}
PATHS = {PATH: b"points", CLIPPING_PATH: b"its name"}


def resolution(across: float, down: float) -> bytes:
    return struct.pack(">IHHIHH", round(across * 65536), 1, 2, round(down * 65536), 1, 3)


def test_resources_are_written_and_read_back() -> None:
    resources = {photoshop.IIM: b"odd", URL: b"even"}
    assert photoshop.read(photoshop.write(resources)) == (resources, True)


@pytest.mark.parametrize("padded", [b"\0\0", b"\1a", b"\2ab\0"])
def test_names_are_skipped(padded: bytes) -> None:
    named = b"8BIM\x04\x04" + padded + b"\0\0\0\4data"
    assert photoshop.read(named + photoshop.write({URL: b"x"})) == ({photoshop.IIM: b"data", URL: b"x"}, True)


def test_missing_padding_is_tolerated() -> None:
    unpadded = photoshop.write({photoshop.IIM: b"odd"})[:-1]
    assert photoshop.read(unpadded + photoshop.write({URL: b"x"})) == ({photoshop.IIM: b"odd", URL: b"x"}, True)


def test_what_precedes_damage_is_read() -> None:
    resources = photoshop.write({photoshop.IIM: b"data", URL: b"xy"})
    assert photoshop.read(resources[:-1]) == ({photoshop.IIM: b"data"}, False)


def test_the_first_resource_of_a_number_counts() -> None:
    both = photoshop.write({photoshop.IIM: b"ab"}) + photoshop.write({photoshop.IIM: b"cd"})
    assert photoshop.read(both) == ({photoshop.IIM: b"ab"}, True)


def test_what_stays_true_is_kept() -> None:
    false = {photoshop.IIM: b"IPTC", THUMBNAIL: b"a JPEG", GUIDES: b"pixels", 0x0422: b"EXIF"}
    stored = RIGHTS | PATHS | false | {photoshop.DIGEST: b"MD5", photoshop.RESOLUTION: resolution(300, 200)}
    kept = RIGHTS | PATHS | {photoshop.DIGEST: b"MD5", photoshop.RESOLUTION: resolution(150, 50)}
    assert photoshop.correct(stored, HALVED, has_whole_iim=True) == kept


def test_other_iptc_has_another_digest() -> None:
    assert photoshop.correct({photoshop.DIGEST: b"MD5"}, HALVED, has_whole_iim=False) == {}


def test_a_turn_moves_paths_and_swaps_resolutions() -> None:
    turned = HALVED._replace(is_moved=True, swaps_sides=True)
    stored = RIGHTS | PATHS | {photoshop.RESOLUTION: resolution(300, 200)}
    kept = RIGHTS | {photoshop.RESOLUTION: resolution(100, 75)}
    assert photoshop.correct(stored, turned, has_whole_iim=True) == kept


@pytest.mark.parametrize("stored", [b"", bytes(16), bytes(15), b"\xff" * 17])
def test_a_damaged_resolution_is_left_out(stored: bytes) -> None:
    assert photoshop.correct({photoshop.RESOLUTION: stored}, HALVED, has_whole_iim=True) == {}


def test_a_resolution_beyond_its_field_is_left_out() -> None:
    # A cropped part narrower than a pixel is enlarged to one.
    enlarged = HALVED._replace(scale=(1.5, 1.5), is_moved=True)
    assert photoshop.correct({photoshop.RESOLUTION: b"\xff" * 16}, enlarged, has_whole_iim=True) == {}
